"""Text exports of Brainsight: targets, and samples with their times, stimulator power and motor potentials.

Read of files that versions 7 and 8 wrote; names of the coordinate systems of version 14 after BabelBrain, which reads
and writes them (https://github.com/ProteusMRIgHIFU/BabelBrain). ``Stim. Power`` is taken for percent of the maximum
output (unverified).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from efield.io.bounded.cursor import Cursor
from efield.io.poses.axes import to_theirs
from efield.io.poses.raw import Raw, Told
from efield.io.poses.words import decoded, finite_number, on_one_line

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

#: Coordinates of an image file, all RAS: its qform or sform, by the code in its header. Version 14 says which of them.
_SPACES: Final = ("Scanner", "Aligned", "MNI-152", "Talairach", "Other-Template")
SYSTEMS: Final = tuple(f"NIfTI:{form}{space}" for form in ("", "Q:", "S:") for space in _SPACES)

_PLACE: Final = ("Loc. X", "Loc. Y", "Loc. Z")
_TURN: Final = tuple(f"m{axis}n{row}" for axis in range(3) for row in range(3))
_GROUPS: Final = {"Target Name": "target", "Sample Name": "sample"}
_MISSING: Final = ("(null)", "", "nan")


def read_brainsight(cursor: Cursor, told: Told) -> Raw:
    """Targets and samples.

    Raises
    ------
    FileFormatError
        If the coordinate system is none of a NIfTI image and the caller did not say what its axes are, or something
        stands where a number should.
    """
    lines = decoded(cursor).splitlines()
    raw = Raw(axes=told.axes or "brainsight")
    raw.said = _header(lines, "Coordinate system")
    raw.frame = _frame(cursor, raw.said, told)
    heading: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") and not _is_row(heading, line):
            cells = line.lstrip("# ").split("\t")
            heading = cells if len(cells) > 1 else []
        elif heading and heading[0] in _GROUPS and line.strip():
            _add(cursor, raw, number, dict(zip(heading, line.split("\t"), strict=False)), _GROUPS[heading[0]])
    _times(raw)
    if not raw.names and not raw.dropped:
        raise cursor.error("a Brainsight file must have rows of targets or samples; instead it has none: export them")
    return raw


def _is_row(heading: list[str], line: str) -> bool:
    """Whether a line that begins with # is a row of the table, of a pose whose name begins so."""
    place = dict(zip(heading, line.split("\t"), strict=False)).get("Loc. X", "?").strip()
    return place.lower() in _MISSING or finite_number(place) is not None


def _header(lines: list[str], name: str) -> str:
    start = f"# {name}:".lower()
    return next((line[len(start) :].strip() for line in lines[:40] if line.lower().startswith(start)), "")


def _frame(cursor: Cursor, system: str, told: Told) -> str:
    if told.frame:
        return told.frame
    if system.lower() in {known.lower() for known in SYSTEMS}:
        return "RAS"
    raise cursor.error(
        f"the coordinate system of a Brainsight file must be that of a NIfTI image ({', '.join(SYSTEMS[:4])}, "
        f"NIfTI:S:Scanner, ...); instead it is {system[:40]!r}, whose origin the head's image does not tell: export "
        "again with 'NIfTI:Aligned' or 'NIfTI:Scanner' (from version 14 on NIfTI:Q or NIfTI:S), or say what its axes "
        "are (--frame LPS) if you know that its origin is the image's"
    )


def _add(cursor: Cursor, raw: Raw, number: int, row: Mapping[str, str], group: str) -> None:
    name = row.get("Target Name" if group == "target" else "Sample Name", "").strip()
    cells = [row.get(key, "").strip() for key in (*_PLACE, *_TURN)]
    if any(cell.lower() in _MISSING for cell in cells):
        raw.drop(name, "it has no position or no orientation (not tracked)")
        return
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise cursor.error(f"line {number} must have numbers for {name[:40]!r}; instead: {error}") from error
    matrix = np.eye(4)
    matrix[:3, 3], matrix[:3, :3] = values[:3], values[3:].reshape(3, 3).T
    known: dict[str, float | None] = {} if group == "target" else _pulse(row)
    raw.add(name, matrix, group, known)


def _pulse(row: Mapping[str, str]) -> dict[str, float | None]:
    """Power, potential of the first channel, and the time as seconds since 1970."""
    amplitudes = sorted(key for key in row if re.fullmatch(r"EMG Peak-to-peak \d{1,3}", key))
    power = next((key for key in ("Stim. Power A", "Stim. Power") if key in row), "")
    return {
        "intensity_percent": finite_number(row.get(power, "")),
        "mep_uv": finite_number(row.get(amplitudes[0], "")) if amplitudes else None,
        "time_s": _seconds(row.get("Date", ""), row.get("Time", "")),
    }


def _seconds(date: str, time: str) -> float | None:
    try:
        moment = datetime.fromisoformat(f"{date.strip()}T{time.strip()}")
        return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
    except (ValueError, OverflowError):
        return None


def _times(raw: Raw) -> None:
    """Times from the first sample on."""
    stamps = [known["time_s"] for known in raw.known if "time_s" in known]
    if stamps:
        first = min(stamps)
        raw.began = (datetime(1970, 1, 1) + timedelta(seconds=first)).isoformat(timespec="milliseconds")
        raw.known = [
            {**known, "time_s": known["time_s"] - first} if "time_s" in known else known for known in raw.known
        ]


_TARGET: Final = ("Target Name", *_PLACE, *_TURN)
_SAMPLE: Final = (
    *("Sample Name", "Session Name", "Index", "Assoc. Target", *_PLACE, *_TURN),
    *("Stim. Power A", "Date", "Time", "Creation Cause", "Comment", "EMG Peak-to-peak 1"),
)


def write_brainsight(table: "PoseTable") -> bytes:
    """Version 14, in the scanner's coordinates of the sform; poses that something is known of become samples.

    Positions and axes have six decimals, which is more than Brainsight itself writes.
    """
    matrices = to_theirs(table.matrices, "brainsight")
    is_sample = table.is_pulse | np.array([group == "sample" for group in table.groups], bool)
    rows: dict[bool, list[str]] = {False: [], True: []}
    for number, (name, says, matrix) in enumerate(zip(table.names, table.says, matrices, strict=True)):
        place = [f"{value + 0.0:.6f}" for value in (*matrix[:3, 3], *matrix[:3, :3].T.ravel())]
        name = on_one_line(name)
        if is_sample[number]:
            date, time = _date(table, number)
            rest = [_cell(table, "intensity_percent", number), date, time, "efield", says]
            before = [name, "Session 1", str(len(rows[True]) + 1), "(null)"]
            rows[True].append("\t".join([*before, *place, *rest, _cell(table, "mep_uv", number)]))
        else:
            rows[False].append("\t".join([name, *place]))
    system = table.said if table.said in SYSTEMS else "NIfTI:S:Scanner"
    head = [
        *("# Version: 14", f"# Coordinate system: {system}", "# Created by: efield"),
        "# Units: millimetres, degrees, milliseconds, and microvolts",
        "# Encoding: UTF-8",
        "# Notes: Each column is delimited by a tab. y points away from the handle, z out of the head.",
    ]
    blocks = [["# " + "\t".join(_TARGET), *rows[False]], ["# " + "\t".join(_SAMPLE), *rows[True]]]
    return "\n".join([*head, *blocks[0], *(blocks[1] if rows[True] else ()), ""]).encode()


def _cell(table: "PoseTable", column: str, number: int) -> str:
    value = table.columns[column][number] if column in table.columns else np.nan
    return "(null)" if np.isnan(value) else f"{value:.10g}"


def _date(table: "PoseTable", number: int) -> tuple[str, str]:
    if "time_s" not in table.columns or np.isnan(table.columns["time_s"][number]):
        return "(null)", "(null)"
    began = datetime.fromisoformat(table.began or "1970-01-01T00:00:00")
    moment = began + timedelta(seconds=float(table.columns["time_s"][number]))
    return moment.date().isoformat(), moment.time().isoformat(timespec="milliseconds")
