"""Published protocols of rTMS of M1 for neuropathic pain, each cell with how well it is known."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from efield.dosing.evidence import Statement, statements_about
from efield.dosing.marks import DISCLAIMER, LEGEND, SIGNS, WORDS, verified
from efield.dosing.trains import Trains
from efield.dosing.words import EVIDENCE
from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.listing import Listing

#: Columns of the table and what they are, in the order in which they are shown.
COLUMNS: Final = {
    "study": "study",
    "year": "year",
    "reference": "reference",
    "pain": "pain",
    "design": "design",
    "n": "people",
    "target": "target",
    "body_part": "part of M1",
    "coil": "coil",
    "orientation": "coil orientation, as printed",
    "current": "induced current",
    "freq_hz": "rate (Hz)",
    "intensity_percent": "intensity (% of threshold)",
    "threshold": "threshold",
    "train_s": "train (s)",
    "trains": "trains",
    "iti_s": "between trains (s)",
    "pulses": "pulses per session",
    "sessions": "sessions",
    "schedule": "schedule",
    "outcome": "outcome",
    "evidence": "evidence, as we read the outcome",
}
_LISTED: Final = {
    "freq_hz": "Hz",
    "intensity_percent": "% of MT",
    "train_s": "train s",
    "trains": "trains",
    "iti_s": "gap s",
    "pulses": "pulses",
    "sessions": "sessions",
}


@dataclass(frozen=True)
class Cell:
    """What a protocol says in one column, and how well that is known.

    Parameters
    ----------
    text : str
        Empty where nothing was read.
    mark : str
        A key of `efield.dosing.marks.WORDS`.
    """

    text: str
    mark: str

    @property
    def value(self) -> float | None:
        """The number, where there is exactly one."""
        try:
            return float(self.text)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.text}{SIGNS[self.mark]}" if self.text else ""


@dataclass(frozen=True, repr=False)
class Protocol(Carded):
    """One arm of a trial.

    Parameters
    ----------
    name : str
        Such as ``P08``.
    cells : mapping of str to Cell
        By the names in `COLUMNS`.
    pain_types, body_parts : tuple of str
        Words to search by.
    source : str
        Where it was read.
    status : str
        What was read, what was derived and what is from memory, in words.
    """

    name: str
    cells: Mapping[str, Cell]
    pain_types: tuple[str, ...]
    body_parts: tuple[str, ...]
    source: str
    status: str

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping can be neither pickled nor copied deeply.
        return Protocol, (self.name, dict(self.cells), self.pain_types, self.body_parts, self.source, self.status)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", MappingProxyType(dict(self.cells)))

    def number(self, column: str) -> float | None:
        """The number in a column; None where it has none or several."""
        return self.cells[checks.choice("column", column, COLUMNS)].value

    @property
    def trains(self) -> Trains:
        """Its trains.

        Raises
        ------
        InputError
            If rate, length or number of the trains were not read; the message names them.
        """
        needed = {name: self.number(name) for name in ("freq_hz", "train_s", "trains")}
        missing = [
            f"{COLUMNS[name]} ({self.cells[name].text or 'not read'})" for name in needed if needed[name] is None
        ]
        if missing:
            raise InputError(
                f"{self.name} must say one rate, length and number of trains; instead it lacks {', '.join(missing)}: "
                "give the trains yourself"
            )
        count = needed.pop("trains") or 0
        return Trains(**{k: v or 0.0 for k, v in needed.items()}, trains=int(count), iti_s=self.number("iti_s"))

    @property
    def of_active_threshold(self) -> bool:
        """Whether its intensity is a percentage of the active motor threshold."""
        return self.cells["threshold"].text.startswith("AMT")

    @property
    def unverified(self) -> tuple[str, ...]:
        """Names of the columns whose content is inferred or from memory."""
        return tuple(name for name, cell in self.cells.items() if cell.text and not verified(cell.mark))

    @property
    def evidence(self) -> tuple[Statement, ...]:
        """What reviews and large trials say, for and against."""
        return statements_about(self.body_parts)

    def lines(self) -> list[str]:
        """Everything known of it, with what speaks against it."""
        rows = [(title, self.cells[name]) for name, title in COLUMNS.items() if self.cells[name].text]
        wide = max(len(title) for title, _ in rows)
        shown = [f"{title:<{wide}}  {cell}{_doubt(cell)}" for title, cell in rows]
        own = self.cells["evidence"].text
        shown[-1] += f" ({EVIDENCE[own]})"
        notes = [f"what was read: {self.status}", f"source: {self.source}"]
        beside = ["evidence beside it:", *(f"  {statement}" for statement in self.evidence)]
        return [self.name, *shown, *notes, *beside, LEGEND, DISCLAIMER]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _card(self) -> Card:
        cells = self.cells
        dose = (
            f"{cells['freq_hz']} Hz, {cells['intensity_percent']} % of {cells['threshold']}, {cells['pulses']} pulses"
        )
        doubts = ", ".join(self.unverified)
        rows = (
            ("pain", f"{cells['pain']} (n {cells['n']})"),
            ("dose", dose),
            ("evidence", f"{cells['evidence']}: {cells['outcome'] or 'outcome not read'}"),
            ("UNVERIFIED", doubts),
            ("note", DISCLAIMER),
        )
        return Card(f"Protocol {self.name}: {cells['study']} {cells['year']}", rows)


def _doubt(cell: Cell) -> str:
    return "" if cell.mark == "read" else f"  [{WORDS[cell.mark]}]"


@cache
def _table() -> Mapping[str, Protocol]:
    with (Path(__file__).parent / "protocols.csv").open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["id"]: _protocol(row) for row in csv.DictReader(file)})


def _protocol(row: Mapping[str, str]) -> Protocol:
    marks = dict(mark.split(":") for mark in row["marks"].split())
    cells = {name: Cell(row[name], marks.get(name, "read")) for name in COLUMNS}
    tags = tuple(row["pain_tags"].split()), tuple(row["part_tags"].split())
    return Protocol(row["id"], cells, *tags, row["source"], row["status"])


def pain_types() -> tuple[str, ...]:
    """The words that `list_protocols` knows for pain."""
    return tuple(sorted({word for one in _table().values() for word in one.pain_types}))


def body_parts() -> tuple[str, ...]:
    """The words that `list_protocols` knows for the part of M1."""
    return tuple(sorted({word for one in _table().values() for word in one.body_parts}))


def protocol(name: str) -> Protocol:
    """A published protocol by its name.

    Parameters
    ----------
    name : str
        Such as ``"P08"``, in any case.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> ef.protocol("P08").trains.pulses
    1000.0
    >>> ef.protocol("P30").unverified
    ('intensity_percent', 'threshold')
    """
    words = {one.lower(): one for one in _table()}
    wanted = str(name).strip()
    return _table()[checks.choice("protocol", words.get(wanted.lower(), wanted), _table())]


def wanted_percent(given: Protocol | None, asked: float | None) -> float:
    """The intensity that is asked for, in percent of the resting motor threshold; that of a protocol, or 100.

    Raises
    ------
    InputError
        That names ``--percent``, where it is not positive, or the protocol has not one number of a resting threshold.
    """
    if asked is not None:
        return checks.percent_of_threshold("--percent", asked)
    if given is None:
        return 100.0
    own = given.number("intensity_percent")
    if own is None:
        text = given.cells["intensity_percent"].text
        raise InputError(f"--percent must be given with {given.name}, whose intensity is {text or 'not known'}")
    if given.of_active_threshold:
        raise InputError(
            f"--percent must be given with {given.name}, whose intensity is {own:g} % of an active motor threshold: "
            "say what it is of the resting one"
        )
    return own


def session_of(trains: Trains | Protocol | str) -> tuple[Trains | Protocol, Trains]:
    """What was given, a name as its protocol, and its trains.

    Raises
    ------
    InputError
        If it is none of these, or the protocol's trains were not read.
    """
    source = protocol(trains) if isinstance(trains, str) else trains
    session = source.trains if isinstance(source, Protocol) else source
    if not isinstance(session, Trains):
        raise InputError(f"trains must be Trains, a Protocol or its name; instead received {checks.kind(trains)}")
    return source, session


def list_protocols(*, pain: str | None = None, body_part: str | None = None, evidence: str | None = None) -> Listing:
    """Published protocols, as a sequence of names that shows a table; what speaks against them stands below it.

    Parameters
    ----------
    pain : str, optional
        A type of pain, one of `pain_types()`.
    body_part : str, optional
        The part of M1 that was stimulated, one of `body_parts()`; "pain-region" is the painful part's own area.
    evidence : str, optional
        How the trial came out: for, against, mixed, no-sham or unstated (`efield.dosing.words.EVIDENCE`).

    Raises
    ------
    InputError
        If a word is not known.

    Examples
    --------
    >>> "P08" in ef.list_protocols(pain="spinal-cord", evidence="against")
    True
    """
    found = chosen(pain, body_part, evidence)
    rows = [(one.name, f"{one.cells['study']} {one.cells['year']}", *_row(one)) for one in found]
    asked = ", ".join(word for word in (pain, body_part, evidence) if word)
    title = f"{len(found)} of {len(_table())} protocols{f' ({asked})' if asked else ''}"
    beside = [str(one) for one in statements_about((body_part,) if body_part else ()) if one.sign != "for"]
    columns = ("name", "study", "pain", "part of M1", *_LISTED.values(), "evidence")
    return Listing(title, columns, rows, "\n".join([LEGEND, *beside, DISCLAIMER]))


def chosen(pain: str | None, body_part: str | None, evidence: str | None) -> list[Protocol]:
    """The protocols that `list_protocols` lists."""
    if pain is not None:
        checks.choice("pain", pain, pain_types())
    if body_part is not None:
        checks.choice("body_part", body_part, body_parts())
    if evidence is not None:
        checks.choice("evidence", evidence, EVIDENCE)
    return [
        one
        for one in _table().values()
        if pain in (None, *one.pain_types)
        and body_part in (None, *one.body_parts)
        and evidence in (None, one.cells["evidence"].text)
    ]


def _row(one: Protocol) -> list[str]:
    words = [", ".join(one.pain_types), ", ".join(one.body_parts)]
    return [*words, *(str(one.cells[name]) for name in _LISTED), str(one.cells["evidence"])]
