"""What the command line prints: answers, notes beside them, and how far work is (a bar, or plain lines in a log)."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from efield.ground import progress

#: Results go to standard output, everything else to standard error, so that ``--json`` can be piped.
OUT = Console(highlight=False, markup=False)
ERR = Console(stderr=True, highlight=False, markup=False)


def say(text: str) -> None:
    """A line of the answer, printed as it is: the terminal breaks it."""
    OUT.print(text, markup=False, soft_wrap=True)


def aside(text: str) -> None:
    """A line beside the answer."""
    ERR.print(text, markup=False, soft_wrap=True)


def remark(text: object) -> None:
    """What must be known beside the answer."""
    aside(f"note: {text}")


def print_json(document: Any) -> None:
    """The answer for machines."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def answer(document: Any, as_json: bool, *shown: Table | str) -> None:
    """The answer: JSON for machines, or tables and lines for people."""
    if as_json:
        print_json(document)
        return
    for one in shown:
        OUT.print(one, markup=False, soft_wrap=isinstance(one, str))


def say_written(document: dict[str, Any]) -> None:
    """Notes on results, and the files that they were written to."""
    for note in document["notes"]:
        remark(note)
    say(f"written: {', '.join(str(Path(document['folder']) / name) for name in document['files'])}")


class Steps:
    """Announces the steps of a long job and remembers how long each took.

    Parameters
    ----------
    total : int
        Number of steps.
    progress : bool or callable, optional
        True shows them on standard error; a callable is told (done, total, note) as each begins, and at the end.
    """

    def __init__(self, total: int, progress: progress.Progress = True) -> None:
        self.total, self._progress = total, progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        """One step; on a terminal a spinner runs until it ends, in a log there is one line when it does."""
        label = f"[{len(self.seconds) + 1}/{self.total}] {title}"
        start = perf_counter()
        if self._progress is True:
            with ERR.status(label):
                yield
            self.seconds[title] = perf_counter() - start
            ERR.print(f"{label:<56} {self.seconds[title]:6.1f} s", markup=False, soft_wrap=True)
            return
        with progress.told(self._progress, title, "steps") as tell:
            tell(len(self.seconds), self.total, title)
            yield
            self.seconds[title] = perf_counter() - start
            if len(self.seconds) == self.total:
                tell(self.total, self.total, "")


class Bar(progress.Bar):
    """A bar on standard error that shares its console with the other lines there."""

    def __init__(self, title: str, total: int, unit: str, *, timed: bool = True) -> None:
        super().__init__(title, total, unit, ERR, timed=timed)
