"""Poses in JSON: our own lists, the ``summary.json`` of a simulation, and matrices of others."""

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.io.bounded.cursor import Cursor
from efield.io.poses.raw import COLUMNS, Raw, Told, stacked, unsaid
from efield.io.poses.words import CONVENTION, decoded

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

_MATRIX: Final = ("matrix", "matsimnibs", "pose")
_LIST: Final = "poses"


def document(cursor: Cursor) -> Any:
    """What a JSON file holds.

    Raises
    ------
    FileFormatError
        If it is no JSON.
    """
    try:
        return json.loads(decoded(cursor))
    except (ValueError, RecursionError) as error:
        raise cursor.error(f"the file must be JSON; instead: {error}; copy or save it again") from error


def read_json(cursor: Cursor, told: Told) -> Raw:
    """A matrix or a list of them, bare or under ``matrix``, ``matsimnibs``, ``pose`` or ``poses``.

    Raises
    ------
    FileFormatError
        If there is no matrix at any of these places.
    """
    whole = document(cursor)
    raw = unsaid(told)
    if isinstance(whole, dict) and isinstance(whole.get(_LIST), list):
        _check_frame(cursor, whole, told)
        raw.said, raw.began = str(whole.get("said") or whole.get("frame") or raw.said), str(whole.get("began") or "")
        whole = whole[_LIST]
    elif isinstance(whole, dict) and "efield" in whole and "pose" in whole:
        raw.said = "RAS, of a simulation by efield"
        whole = [{**whole, "name": str(whole.get("coil") or "")}, *_others(whole)]
    entries = whole if isinstance(whole, list) and whole and all(isinstance(one, dict) for one in whole) else [whole]
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            _check_frame(cursor, entry, told)
        _add(cursor, raw, number, entry)
    return raw


def _check_frame(cursor: Cursor, whole: dict[str, Any], told: Told) -> None:
    """Refuse what says LPS, but not whether its matrices are in it or were turned to RAS when it was written."""
    if told.frame is None and "convention" not in whole and str(whole.get("frame")).upper() == "LPS":
        raise cursor.error("its frame is LPS, but it does not say of what: say --frame LPS, or RAS if it was turned")


def _others(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Coils that were driven at the same time."""
    also = summary.get("also")
    others = [one for one in also if isinstance(one, dict)] if isinstance(also, list) else []
    return [{**one, "name": f"{one.get('coil') or 'coil'}, also", "group": "also"} for one in others]


def _add(cursor: Cursor, raw: Raw, number: int, entry: Any) -> None:
    value, name, group = entry, "", ""
    known: dict[str, float | None] = {}
    if isinstance(entry, dict):
        value = next((entry[key] for key in _MATRIX if key in entry), None)
        name, group = str(entry.get("name") or ""), str(entry.get("group") or "")
        known = {key: _number(entry.get(key)) for key in COLUMNS}
    try:
        matrices = stacked(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise cursor.error(
            f"pose {number} must be 16 numbers, a 4x4 matrix, bare or under {', '.join(_MATRIX)}; instead: {error}"
        ) from error
    for matrix in matrices:
        raw.add(name, matrix, group, known)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e300 else None


def write_json(table: "PoseTable") -> bytes:
    """Everything that a table knows."""
    poses = []
    currents = table.currents().tolist()
    for number, (name, pose, says) in enumerate(zip(table.names, table, table.says, strict=True)):
        entry: dict[str, Any] = {"name": name, "matrix": pose.matrix.tolist()}
        entry |= {"group": table.groups[number]} if table.groups[number] else {}
        known = {key: float(values[number]) for key, values in table.columns.items()}
        entry |= {key: value for key, value in known.items() if not np.isnan(value)}
        entry |= {"handle": pose.handle.tolist(), "says": says}
        entry |= {} if table.induced is None else {"induced_current": currents[number]}
        poses.append(entry)
    whole = {
        "convention": CONVENTION,
        "frame": "RAS",
        "said": table.said,
        "began": table.began,
        "dropped": [{"name": one.name, "reason": one.reason} for one in table.dropped],
        _LIST: poses,
    }
    return (json.dumps(whole, indent=2) + "\n").encode()
