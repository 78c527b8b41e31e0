"""What the command line shows on standard error while it works: steps and bars on a terminal, plain lines in a log."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: Results go to standard output, everything else to standard error, so that ``--json`` can be piped.
OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)

#: Seconds between two lines of a bar that is written to a log.
_LOG_EVERY = 10.0


class Steps:
    """Announces the steps of a long job and remembers how long each took.

    Parameters
    ----------
    total : int
        Number of steps.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        """One step; on a terminal a spinner runs until it ends, in a log there is one line when it does."""
        label = f"[{len(self.seconds) + 1}/{self.total}] {title}"
        start = perf_counter()
        with ERR.status(label):
            yield
        self.seconds[title] = perf_counter() - start
        ERR.print(f"{label:<56} {self.seconds[title]:6.1f} s", markup=False, soft_wrap=True)


class Bar:
    """Counts the pieces of a long job: a bar with rate and time left on a terminal, a line now and then in a log.

    Parameters
    ----------
    title : str
        What is being done.
    total : int
        Number of pieces.
    unit : str
        What a piece is, in the plural.
    """

    def __init__(self, title: str, total: int, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self._first: tuple[float, int] | None = None
        self._written, self._said = float("-inf"), -1
        rest = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *rest,
            console=ERR,
            disable=not ERR.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, rate="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, note: str = "", total: int | None = None) -> None:
        """Say that `done` pieces are finished, and how many there are if that is known only now.

        The rate counts from the first call: what was found done is not work.
        """
        now, self.total = perf_counter(), total or self.total
        if self._first is None:
            self._first = (now, done)
        elapsed, new = now - self._first[0], done - self._first[1]
        rate = f"{new / elapsed:.3g} {self.unit}/s" if new and elapsed > 0 else ""
        text = ", ".join(part for part in (rate, note) if part)
        self._progress.update(self._task, completed=done, total=self.total, rate=text)
        last = done == self.total and done != self._said
        if not ERR.is_terminal and (now - self._written >= _LOG_EVERY or last):
            self._written, self._said = now, done
            left = f"{elapsed / new * (self.total - done):.0f} s left" if new and done < self.total else ""
            line = ", ".join(part for part in (f"{done} of {self.total} {self.unit}", text, left) if part)
            ERR.print(f"{self.title}: {line}", markup=False, soft_wrap=True)
