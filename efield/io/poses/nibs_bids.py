"""Positions of NIBS-BIDS: ``*_markers.tsv``, and beside it ``*_coordsystem.json``, ``*_events.tsv``, ``*_nibs.tsv``.

Format: the draft of BEP037, version 6.3 (2026-07); it is not final, and a newer draft is disputed. Whether y of an
element points away from the handle, as in SimNIBS, or along it is open in its examples: the former is taken, unless
the caller says ``axes="handle"``.
"""

import csv
import json
from collections.abc import Sequence
from io import StringIO
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.io.bounded.cursor import Cursor
from efield.io.poses.documents import document
from efield.io.poses.raw import Raw, Told
from efield.io.poses.words import decoded, finite_number, on_one_line

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

SUFFIX: Final = "_markers.tsv"

_CENTER: Final = tuple(f"element_centre_{axis}" for axis in "xyz")
_TURN: Final = tuple(f"element_{column}dir_{axis}" for column in "xyz" for axis in "xyz")
_MM: Final = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_MISSING: Final = ("", "n/a")


def read_nibs_bids(cursor: Cursor, told: Told) -> Raw:
    """The positions that no event names, then a pose for each event.

    Raises
    ------
    FileFormatError
        If a column is missing, the coordinate system is not said or unknown, or an event names an unknown position.
    """
    rows = _rows(cursor)
    missing = [key for key in ("nibs_position_id", *_CENTER, *_TURN) if rows and key not in rows[0]]
    if missing or not rows:
        raise cursor.error(
            f"markers must have rows with columns {', '.join(missing or _CENTER)}; instead they have none"
        )
    raw = Raw(axes=told.axes or "simnibs")
    scale = _coordinates(cursor, raw, told)
    raw.notes.append(
        "NIBS-BIDS leaves open where y points: "
        + ("along the handle was taken (--axes handle)" if raw.axes == "handle" else "away from the handle was taken")
    )
    matrices: dict[str, Any] = {}
    for row in rows:
        name = row["nibs_position_id"]
        if name in matrices:
            raise cursor.error(f"nibs_position_id must be there once; instead {name[:40]!r} is there again")
        matrices[name] = _matrix(cursor, row, scale)
    events = [row for row in _beside(cursor, "events.tsv") if row.get("nibs_position_id") not in (None, *_MISSING)]
    drives = {row.get("nibs_event_id", ""): row for row in _beside(cursor, "nibs.tsv")}
    named = {row["nibs_position_id"] for row in events}
    for row in [*({"nibs_position_id": name} for name in matrices if name not in named), *events]:
        name, is_event = row["nibs_position_id"], len(row) > 1
        if name not in matrices:
            raise cursor.error(f"an event must name a position of the file; instead it names {name[:40]!r}")
        if matrices[name] is None:
            raw.drop(name, "it has no position or no orientation (n/a)")
        else:
            raw.add(name, matrices[name], "event" if is_event else "position", _pulse(row, drives, raw))
    return raw


def _rows(cursor: Cursor) -> list[dict[str, str]]:
    try:
        rows = list(csv.reader(StringIO(decoded(cursor), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise cursor.error(f"a table must be tab-separated text; instead: {error}") from error
    return [{key: cell.strip() for key, cell in zip(rows[0], row, strict=False)} for row in rows[1:] if any(row)]


def _file_beside(cursor: Cursor, kind: str) -> Path | None:
    """The file of the same name and another kind, or the only one of that kind in the folder."""
    same = cursor.path.with_name(cursor.path.name[: -len(SUFFIX)] + "_" + kind)
    if same.is_file():
        return same
    found = sorted(cursor.path.parent.glob(f"*_{kind}"))
    return found[0] if len(found) == 1 else None


def _beside(cursor: Cursor, kind: str) -> list[dict[str, str]]:
    file = _file_beside(cursor, kind)
    return [] if file is None else _rows(Cursor.open(file))


def _coordinates(cursor: Cursor, raw: Raw, told: Told) -> float:
    """Sets the frame; returns how many mm the unit has."""
    file = _file_beside(cursor, "coordsystem.json")
    said: Any = document(Cursor.open(file)) if file else {}
    said = said if isinstance(said, dict) else {}
    raw.said = str(said.get("NIBSCoordinateSystem") or "not said")
    upper = raw.said.upper()
    by_file = "LPS" if "LPS" in upper else "RAS" if "RAS" in upper or upper.startswith("MNI") else None
    frame = told.frame or by_file
    if frame is None:
        raise cursor.error(
            f"the coordinate system must be said in *_coordsystem.json and be one in RAS or LPS; instead it is "
            f"{raw.said[:40]!r}: say which of the two its axes are (--frame RAS or --frame LPS)"
        )
    raw.frame = frame
    unit = str(said.get("NIBSCoordinateUnits") or "mm").lower()
    if unit not in _MM:
        raise cursor.error(f"NIBSCoordinateUnits must be one of {', '.join(_MM)}; instead it is {unit[:20]!r}")
    return _MM[unit]


def _matrix(cursor: Cursor, row: dict[str, str], scale: float) -> Any:
    """The matrix of a row, None if a part of it is not there."""
    cells = [row.get(key, "") for key in (*_CENTER, *_TURN)]
    if any(cell in _MISSING for cell in cells):
        return None
    with cursor.naming(f"position {row['nibs_position_id'][:40]!r}"):
        values = np.array([float(cell) for cell in cells])
    matrix = np.eye(4)
    matrix[:3, 3], matrix[:3, :3] = scale * values[:3], values[3:].reshape(3, 3).T
    return matrix


def _pulse(row: dict[str, str], drives: dict[str, dict[str, str]], raw: Raw) -> dict[str, float | None]:
    drive = drives.get(row.get("nibs_event_id", ""), {})
    intensity, reference = finite_number(drive.get("stimulus_intensity")), drive.get("intensity_reference", "").lower()
    known = {"time_s": finite_number(row.get("onset"))}
    if intensity is None:
        return known
    if "mso" in reference or "maximum" in reference:
        known["intensity_percent"] = intensity
    elif "a/us" in reference or "didt" in reference:
        known["didt"] = intensity * AMPERE_PER_MICROSECOND
    elif (
        note := f"intensities are of another reference ({reference or 'not said'}) and are left out"
    ) not in raw.notes:
        raw.notes.append(note)
    return known


def write_nibs_bids(table: "PoseTable") -> bytes:
    """The positions; what stands beside them is made by `beside_nibs_bids`."""
    rows = [("nibs_position_id", *_CENTER, *_TURN)]
    for name, pose in zip(_ids(table), table, strict=True):
        values = (*pose.center_mm, *pose.rotation.T.ravel())
        rows.append((name, *(f"{value + 0.0:.17g}" for value in values)))
    return _tsv(rows)


def beside_nibs_bids(table: "PoseTable", path: Path) -> dict[Path, bytes]:
    """The coordinate system, and events and their intensities if anything is known of pulses."""
    stem = path.name[: -len(SUFFIX)]
    system = {
        "NIBSCoordinateSystem": "ScanRAS",
        "NIBSCoordinateUnits": "mm",
        "NIBSCoordinateSystemDescription": "RAS of the subject's image. Axes of elements: z into the head, y away from "
        "the handle, x = y x z; a rising current induces E along +y in the cortex "
        "in some coils, along -y in others (efield coils list).",
    }
    found = {path.with_name(f"{stem}_coordsystem.json"): (json.dumps(system, indent=2) + "\n").encode()}
    if table.is_pulse.any():
        events, drives = [("onset", "duration", "nibs_event_id", "nibs_position_id")], []
        for number, name in compress(enumerate(_ids(table)), table.is_pulse):
            known = {key: float(values[number]) for key, values in table.columns.items()}
            event = f"pulse-{number + 1}"
            events.append((_cell(known.get("time_s")), "0", event, name))
            percent, didt = known.get("intensity_percent"), known.get("didt")
            by_rate = didt is not None and not np.isnan(didt)
            value = didt / AMPERE_PER_MICROSECOND if by_rate and didt is not None else percent
            drives.append((event, "TMS", _cell(value), "didt (A/us)" if by_rate else "percent of MSO"))
        heading = ("nibs_event_id", "nibs_type", "stimulus_intensity", "intensity_reference")
        found[path.with_name(f"{stem}_events.tsv")] = _tsv(events)
        found[path.with_name(f"{stem}_nibs.tsv")] = _tsv([heading, *drives])
    return found


def _ids(table: "PoseTable") -> list[str]:
    """Names on one line, each once: a second pose of a name gets its number in the table behind it."""
    found: dict[str, None] = {}
    for number, name in enumerate(map(on_one_line, table.names), 1):
        while name in found or name in _MISSING:
            name = f"{name} ({number})"
        found[name] = None
    return list(found)


def _cell(value: float | None) -> str:
    return "n/a" if value is None or np.isnan(value) else f"{value:.15g}"


def _tsv(rows: Sequence[tuple[str, ...]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in rows).encode()
