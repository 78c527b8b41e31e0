"""What is wrong with a study, all at once: each problem with its place in the file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from efield.ground.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    place : str
        Dotted key, such as ``grid.spacing_mm``; empty for the file as a whole.
    message : str
        What must hold, what was found, and what to do.
    line : int or None
        Line of the file, where it could be found.
    """

    place: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


class StudyError(InputError):
    """A study that cannot be run; `problems` holds everything that was found wrong, not only the first.

    Parameters
    ----------
    name : str
        The study's file.
    problems : sequence of Problem
    """

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.name, self.problems = name, tuple(problems)
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        super().__init__(f"{name} has {count}: " + "; ".join(str(problem) for problem in problems))


@dataclass
class Problems:
    """Collects problems while a study is read.

    Parameters
    ----------
    text : str
        The file's text, in which the lines of keys are looked up.
    """

    text: str = ""
    found: list[Problem] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        """Note one problem."""
        self.found.append(Problem(place, message, line_of(self.text, place)))

    def in_order(self) -> list[Problem]:
        """By line; what has none comes last."""
        return sorted(self.found, key=lambda one: (one.line is None, one.line or 0))

    def attempt(self, place: str, call: Callable[[], T], default: T) -> T:
        """The result of a call; if it raises `InputError`, that is noted and the default stands in."""
        try:
            return call()
        except InputError as error:
            self.add(place, str(error))
            return default


#: Keys that were called otherwise before.
RENAMED_KEYS: Final = {"metrics": "measures"}


class Section:
    """One table of a study: what is taken from it is checked; what nobody takes is unknown.

    Parameters
    ----------
    values : mapping
        The table as tomllib gives it; anything else is noted and read as empty.
    place : str
        Its dotted key; empty for the whole file.
    problems : Problems
    """

    def __init__(self, values: object, place: str, problems: Problems) -> None:
        if not isinstance(values, Mapping):
            problems.add(place, f"{place} must be a table; instead it is {_kind(values)}")
            values = {}
        self.values: Mapping[str, Any] = values
        self.place, self.problems = place, problems
        self._known: set[str] = set()

    def name(self, key: str) -> str:
        """Dotted name of a key of this table."""
        return f"{self.place}.{key}" if self.place else key

    def take(self, key: str, check: Callable[[str, Any], T], default: T) -> T:
        """The value of a key, checked by ``check(name, value)``; the default where it is absent or wrong."""
        self._known.add(key)
        if key not in self.values:
            return default
        return self.problems.attempt(self.name(key), lambda: check(self.name(key), self.values[key]), default)

    def section(self, key: str) -> "Section":
        """A table inside this one; empty if it is absent."""
        self._known.add(key)
        return Section(self.values.get(key, {}), self.name(key), self.problems)

    def need(self, *keys: str) -> None:
        """Note the keys that must be there and are not."""
        for key in keys:
            if key not in self.values:
                self.problems.add(self.place, f"{self.name(key)} must be given; it is missing")

    def close(self) -> None:
        """Note every key that was never asked for, with the nearest that exists."""
        for key in self.values:
            if key not in self._known:
                near = get_close_matches(key, self._known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(self._known))}"
                if RENAMED_KEYS.get(key) in self._known:
                    hint = f"it is called {RENAMED_KEYS[key]!r} now"
                self.problems.add(self.name(key), f"{self.name(key)} is not known; {hint}")


def line_of(text: str, place: str) -> int | None:
    """Line (from 1) of a dotted key in a TOML text, or of the innermost table around it that can be found."""
    parts = place.split(".") if place else []
    table: list[str] = []
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?\s*([^\]#]+?)\s*\]", line):
            table = [part.strip().strip("\"'") for part in header.group(1).split(".")]
            path = table
        elif entry := re.match(r"\s*([\w\-\"'.]+)\s*=", line):
            path = table + [part.strip("\"'") for part in entry.group(1).split(".")]
        else:
            continue
        if path == parts[: len(path)] and (best is None or len(path) > best[0]):
            best = (len(path), number)
    return None if best is None else best[1]


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return f"{value!r}"
