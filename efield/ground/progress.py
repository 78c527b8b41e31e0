"""How far a long call is: one protocol for all of them.

A long call takes ``progress``: None or False says nothing, True shows a bar on a terminal or in a notebook and a line
now and then in a log, and a callable is told ``(done, total, note)``.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from efield.ground.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

#: Told the pieces that are done, how many there are (0 where that is not known), and what is worth knowing, or "".
Tell = Callable[[int, int, str], None]
Progress = bool | Tell | None

#: Seconds between two lines of a bar that is written to a log.
_LOG_EVERY = 10.0


@contextmanager
def told(progress: Progress, title: str, unit: str, total: int = 0) -> Iterator[Tell]:
    """Who is told how far a long call is, while the block runs.

    Parameters
    ----------
    progress : bool or callable, optional
        As the caller of the long call gave it.
    title : str
        What is being done.
    unit : str
        What a piece is, in the plural.
    total : int
        Number of pieces, 0 where it is not known yet.

    Yields
    ------
    callable of (int, int, str)
        To be called with the pieces done, their number and a note.

    Raises
    ------
    InputError
        If `progress` is something else.
    """
    if progress is None or progress is False:
        yield _silent
    elif progress is True:
        with Bar(title, total, unit) as bar:
            yield bar
    elif callable(progress):
        yield progress
    else:
        raise InputError(
            "progress must be True, False or a callable that takes (done, total, note); instead received "
            f"{progress!r}: give True for a bar"
        )


def _silent(done: int, total: int, note: str) -> None:
    """Told, and says nothing."""


class _Shown(Protocol):
    """Something that draws a bar."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def draw(self, done: int, total: int, text: str) -> None: ...


class Bar:
    """Counts the pieces of a long job: a bar with rate and time left, or a line now and then in a log.

    Parameters
    ----------
    title : str
        What is being done.
    total : int
        Number of pieces, 0 where it is not known yet.
    unit : str
        What a piece is, in the plural.
    console : rich.console.Console, optional
        Where it is shown; standard error unless given.
    timed : bool
        Whether the time that is left is told from the rate; not where pieces differ and somebody knows better.
    """

    def __init__(
        self, title: str, total: int, unit: str, console: "Console | None" = None, *, timed: bool = True
    ) -> None:
        self.title, self.total, self.unit, self._timed = title, total, unit, timed
        self._first: tuple[float, int] | None = None
        self._written, self._said = float("-inf"), -1
        self._log: Console | None = None
        self._shown: _Shown | None = None
        if console is None and in_notebook():
            self._shown = _NotebookBar(title)
            return
        where = console or _standard_error()
        if where.is_terminal:
            self._shown = _TerminalBar(title, total, where)
        else:
            self._log = where

    def __enter__(self) -> "Bar":
        if self._shown is not None:
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Say that `done` pieces are finished, of how many, and what is worth knowing.

        The rate counts from the first pieces: what was found done is not work.
        """
        now, self.total = perf_counter(), total or self.total
        if self._first is None and done > 0:
            self._first = (now, done)
        since, before = self._first or (now, done)
        elapsed, new = now - since, done - before
        rate = f"{new / elapsed:.3g} {self.unit}/s" if new and elapsed > 0 else ""
        left = f"{elapsed / new * (self.total - done):.0f} s left" if self._timed and new and done < self.total else ""
        if self._shown is not None:
            self._shown.draw(done, self.total, _joined(rate, left, note))
            return
        last = done == self.total and done != self._said
        if last or (done > 0 and now - self._written >= _LOG_EVERY):
            self._written, self._said = now, done
            counted = f"{done} of {self.total} {self.unit}" if self.total else f"{done} {self.unit}"
            if self._log is not None:
                line = f"{self.title}: {_joined(counted, rate, note, left)}"
                self._log.print(line, markup=False, soft_wrap=True)


def _standard_error() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


class _TerminalBar:
    def __init__(self, title: str, total: int, console: "Console") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, TextColumn("{task.fields[text]}", markup=False), console=console)
        self._task = self._progress.add_task(title, total=total or None, text="")

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def draw(self, done: int, total: int, text: str) -> None:
        self._progress.update(self._task, completed=done, total=total or None, text=text)


class _NotebookBar:
    """A bar of the browser's own, in the output of a notebook's cell."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._handle: Any = None

    def start(self) -> None:
        shown = import_module("IPython.display").display
        self._handle = shown(_NotebookLine(self._title, 0, 0, ""), display_id=True)

    def stop(self) -> None:
        """It stays as it is."""

    def draw(self, done: int, total: int, text: str) -> None:
        if self._handle is not None:
            self._handle.update(_NotebookLine(self._title, done, total, text))


class _NotebookLine:
    """What a notebook shows of a bar at one time."""

    def __init__(self, title: str, done: int, total: int, text: str) -> None:
        self._title, self._share = title, f' value="{done}" max="{total}"' if total else ""
        self._words = _joined(f"{done} of {total}" if total else str(done), text)

    def _repr_html_(self) -> str:
        return f"<div>{escape(self._title)} <progress{self._share}></progress> {escape(self._words)}</div>"

    def __repr__(self) -> str:
        return f"{self._title}: {self._words}"


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel, with a browser in front; IPython is not imported to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
