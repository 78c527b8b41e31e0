"""What published tables say of trains: a cell, or that there is none. Reports with source and margin; no judgement.

References
----------
Wassermann 1998, Electroencephalogr Clin Neurophysiol 108:1-16 (longest single trains, read in a reprint).
Chen et al. 1997, Electroencephalogr Clin Neurophysiol 105:415 (time between trains, abstract).
Westin et al. 2013, Clin Neurophysiol 125:142 (thresholds found by watching).
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from typing import Any, Final

from efield.dosing.marks import DISCLAIMER, WORDS, packaged
from efield.dosing.protocols import Protocol, session_of
from efield.dosing.trains import Trains
from efield.dosing.words import METHODS
from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError

NOT_TABULATED: Final = "not tabulated"
_NO_JUDGEMENT: Final = "what tables say of single trains; screening, monitoring and the decision are a clinician's"


@dataclass(frozen=True)
class TrainCell:
    """One cell of the table of longest single trains.

    Parameters
    ----------
    freq_hz, percent : float
        Its row, and its column in percent of the motor threshold.
    text : str
        As printed: ``"4.2"``, or ``">5"`` where 5 s is the longest that was tested.
    """

    freq_hz: float
    percent: float
    text: str

    @property
    def seconds(self) -> float:
        """The number in it."""
        return float(self.text.lstrip(">"))

    def verdict(self, train_s: float) -> str:
        """Where a train lies: in words, none of which is a judgement."""
        longer = train_s > self.seconds
        if self.text.startswith(">"):  # the longest that was tested, not a limit that was found
            return "longer than tested" if longer else "within what was tested"
        return "longer than the cell" if longer else "within the cell"


@dataclass(frozen=True, repr=False)
class Safety(Carded):
    """What the tables say of the trains of a session.

    Parameters
    ----------
    trains : Trains
    percent : float
        Intensity in percent of the motor threshold as given.
    method : {"emg", "visual"}
        How that threshold was found.
    cell : TrainCell or None
        The cell of these trains; None where there is none.
    verdict : str
        ``within the cell``, ``longer than the cell``, ``within what was tested``, ``longer than tested`` or
        ``not tabulated``.
    notes : tuple of str
        Why there is no cell, what is remembered but was not read, and what sources say of intervals.
    """

    trains: Trains
    percent: float
    method: str
    cell: TrainCell | None
    verdict: str
    notes: tuple[str, ...]

    @property
    def margin_s(self) -> float | None:
        """Seconds from the train's length to the cell's number; negative where the train is longer."""
        return None if self.cell is None else self.cell.seconds - self.trains.train_s

    def lines(self) -> list[str]:
        """The whole report."""
        table = packaged("trains.toml")
        asked = f"{self.trains.words}, at {self.percent:g} % of the motor threshold ({self.method})"
        known = f"{table['source']} [{WORDS[table['mark']]}]; {table['about']}"
        return [asked, f"single train: {self._found()}", *self.notes, f"table: {known}", _NO_JUDGEMENT, DISCLAIMER]

    def _found(self) -> str:
        if self.cell is None or self.margin_s is None:
            return self.verdict
        kept = f"{abs(self.margin_s):g} s {'longer' if self.margin_s < 0 else 'left'}"
        return f"{self.verdict} ({self.cell.text} s at {self.cell.freq_hz:g} Hz, {self.cell.percent:g} %; {kept})"

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dump`."""
        cell = None if self.cell is None else self.cell.text
        own = {"verdict": self.verdict, "cell_s": cell, "margin_s": self.margin_s}
        return own | {"percent": self.percent, "method": self.method, "report": self.lines()}

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _card(self) -> Card:
        rows = (
            ("trains", self.trains.words),
            ("intensity", f"{self.percent:g} % of the motor threshold ({self.method})"),
            ("single train", self._found()),
            ("table", packaged("trains.toml")["source"]),
            ("note", DISCLAIMER),
        )
        return Card("Safety", rows)


def safety(trains: Trains | Protocol | str, percent: float | None = None, *, method: str = "emg") -> Safety:
    """What published tables say of some trains at an intensity.

    Parameters
    ----------
    trains : Trains, Protocol or str
        A session, or a published protocol or its name.
    percent : float, optional
        Intensity in percent of the resting motor threshold; that of the protocol unless given.
    method : {"emg", "visual"}
        How the threshold was found: the tables rest on thresholds by EMG, and one found by watching is higher.

    Raises
    ------
    InputError
        If the trains or the intensity are not known.

    Examples
    --------
    >>> session = ef.Trains(freq_hz=10, train_s=4, trains=20, iti_s=56)
    >>> ef.safety(session, 120).verdict, ef.safety(session, 80).verdict
    ('within the cell', 'not tabulated')
    """
    checks.choice("method", method, METHODS)
    source, session = session_of(trains)
    given = _percent(source, percent)
    emg = given if method == "emg" else given * (1 + visual()["higher_percent"] / 100)
    cell, why = _cell(session.freq_hz, emg), [*_doubts(source), *_visual(given, method)]
    if isinstance(source, Protocol) and source.of_active_threshold:
        cell, why = None, [*why, "the intensity is of an active threshold, the table's is of a resting one"]
    elif cell is None:
        why.append(_why_none(session.freq_hz, emg))
    verdict = NOT_TABULATED if cell is None else cell.verdict(session.train_s)
    notes = (*why, *_remembered(session, given), *_intervals(session, emg, cell))
    return Safety(session, given, method, cell, verdict, notes)


def table() -> tuple[TrainCell, ...]:
    """Every cell of the table of longest single trains."""
    data = packaged("trains.toml")
    rows = data["seconds"].items()
    return tuple(
        TrainCell(float(hz), float(percent), text)
        for hz, texts in rows
        for percent, text in zip(data["percent"], texts, strict=True)
    )


def visual() -> dict[str, Any]:
    """How much higher thresholds found by watching are: `higher_percent`, `range_percent` and the `source`."""
    found: dict[str, Any] = packaged("trains.toml")["visual"]
    return found


def _cell(freq_hz: float, percent: float) -> TrainCell | None:
    return next((one for one in table() if isclose(one.freq_hz, freq_hz) and isclose(one.percent, percent)), None)


def _why_none(freq_hz: float, percent: float) -> str:
    """Why there is no cell, with the cells to both sides where the row exists."""
    row = [one for one in table() if isclose(one.freq_hz, freq_hz)]
    if not row:
        rates = sorted({one.freq_hz for one in table()})
        return f"no row for {freq_hz:g} Hz (rows: {', '.join(f'{hz:g}' for hz in rates)} Hz)"
    place = bisect([one.percent for one in row], percent)
    if place in (0, len(row)):
        return f"no column {'below' if place == 0 else 'above'} {row[min(place, len(row) - 1)].percent:g} %"
    beside = (f"{one.percent:g} %: {one.text} s" for one in row[place - 1 : place + 1])
    return f"no column for {percent:.4g} %; the cells beside it are {' and '.join(beside)}"


def _percent(source: Trains | Protocol, percent: float | None) -> float:
    if percent is not None:
        return checks.percent_of_threshold("percent", percent)
    own = source.number("intensity_percent") if isinstance(source, Protocol) else None
    if own is None:
        raise InputError("percent must be given: the intensity in percent of the motor threshold was not read")
    return own


def _doubts(source: Trains | Protocol) -> Iterator[str]:
    if isinstance(source, Protocol):
        for name in ("freq_hz", "intensity_percent", "train_s", "trains", "iti_s"):
            cell = source.cells[name]
            if cell.text and cell.mark != "read":
                yield f"{source.name}, {name} {cell.text}: {WORDS[cell.mark]}"


def _visual(percent: float, method: str) -> Iterator[str]:
    if method == "visual":
        data = visual()
        low, high = (percent * (1 + more / 100) for more in data["range_percent"])
        yield (
            f"by watching, thresholds are {data['higher_percent']:g} % higher than by EMG: {percent:g} % is about "
            f"{percent * (1 + data['higher_percent'] / 100):.0f} % ({low:.0f} to {high:.0f} %) of the EMG threshold, "
            f"which the table is of [{data['source']}]"
        )


def _remembered(session: Trains, percent: float) -> Iterator[str]:
    for one in packaged("trains.toml")["remembered"]:
        if isclose(one["freq_hz"], session.freq_hz) and isclose(one["percent"], percent):
            cell = TrainCell(one["freq_hz"], one["percent"], one["seconds"])
            yield (
                f"{WORDS[one['mark']]}: {one['source']}, {cell.percent:g} %: {cell.text} s; against it the train is "
                f"{cell.verdict(session.train_s)}"
            )


def _intervals(session: Trains, percent: float, cell: TrainCell | None) -> Iterator[str]:
    """What sources say of anything but the single train."""
    data = packaged("trains.toml")
    chen, japan = data["chen"], data["japan"]
    if cell is not None:
        shorter = cell.seconds * (1 - chen["shorten_by"])
        yield f"Chen 1997 would cut earlier durations by 25 %: {shorter:.3g} s instead of {cell.seconds:g} s"
    if session.trains > 1:
        yield f"between trains: {_gap(session, percent, chen)}"
    if session.freq_hz >= data["cortex"]["below_hz"]:
        least = data["cortex"]["below_hz"]
        yield f"{session.freq_hz:g} Hz: {least} Hz never on the cortex [{data['cortex']['source']}]"
    if session.freq_hz <= japan["freq_hz"] and percent <= japan["percent"]:
        yield (
            f"at most {japan['pulses_a_week']} pulses a week at up to 1 Hz and the resting threshold "
            f"[{japan['source']}]; this session has {session.pulses:g}"
        )


def _gap(session: Trains, percent: float, chen: dict[str, Any]) -> str:
    if session.iti_s is None:
        return "the time between trains is not known"
    if session.iti_s <= chen["too_short_s"] and percent > chen["above_percent"]:
        return f"{session.iti_s:g} s: 1 s or less was found too short above 100 % [{chen['source']}]"
    most = (chen["train_s"], chen["percent"], chen["trains"])
    within = all(own <= limit for own, limit in zip((session.train_s, percent, session.trains), most, strict=True))
    if isclose(session.freq_hz, chen["freq_hz"]) and within and session.iti_s >= chen["gap_s"]:
        return f"within what was tested: 10 trains of 20 Hz, 1.6 s, 110 %, 5 s apart [{chen['source']}]"
    return f"no source that was read speaks of {session.iti_s:g} s between such trains"
