"""Coils from drawings: the path of a wire as ``.csv``, or the windings in a few lines of ``.toml``."""

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil, Segments
from efield.coils.shapes import circular, figure8
from efield.coils.winding import Winding
from efield.ground import checks
from efield.ground.errors import FileFormatError, InputError, naming
from efield.io.bounded.cursor import file_bytes
from efield.io.coils.stl import read_stl

#: A wire whose ends are this near to each other (mm) is closed by a straight piece; beyond, it is refused.
CLOSED_MM: Final = 1.0

#: A wire is at least this long from end to end (mm); a smaller one is a drawing in meters.
_SMALLEST_MM: Final = 1.0

#: Ends nearer than this (mm) differ by the rounding of the file only.
_SAME_MM: Final = 1e-3
_MOST_PROBLEMS: Final = 12

_HEADER: Final = re.compile(r"x(_mm)?,y(_mm)?,z(_mm)?(,turns)?", re.IGNORECASE)


def read_wire(path: str | os.PathLike[str]) -> Coil:
    """A coil from the path of its wire.

    Parameters
    ----------
    path : path_like
        ``.csv``: one point per row, x, y, z in mm of the coil frame, and optionally a fourth column with the number
        of turns; current runs from row to row. A blank line starts a new path, in series. Each path must come back
        to its start. The first row may name the columns; ``#`` starts a comment.

    Returns
    -------
    Coil
        Thin wires; its casing is not known, so the wires themselves must stay clear of the head.

    Raises
    ------
    FileFormatError
        With all problems found: rows that are not numbers, open paths and the gap in them, varying turns, meters.
    """
    problems: list[str] = []
    paths = _paths(_text(path), problems)
    closed = [_closed(wire, problems) for wire in paths]
    if paths and not problems and np.ptp(np.concatenate([w.points for w in paths]), axis=0).max() < _SMALLEST_MM:
        problems.append("the whole wire is less than 1 mm wide; coordinates must be in mm")
    if not paths and not problems:
        problems.append("there must be rows of x, y, z in mm; instead there are none")
    _refuse(path, problems)
    gaps = [float(np.linalg.norm(w.points[-1] - w.points[0])) for w in paths]
    notes = tuple(
        f"path from line {w.line} closed by a straight piece of {gap:.2g} mm"
        for w, gap in zip(paths, gaps, strict=True)
        if gap > _SAME_MM
    )
    turns = np.concatenate(
        [np.full(len(points) - 1, wire.turns[0]) for points, wire in zip(closed, paths, strict=True)]
    )
    return Coil(
        name=Path(path).stem,
        sources=(Segments(np.concatenate([p[:-1] for p in closed]), np.concatenate([p[1:] for p in closed]), turns),),
        windings=tuple(closed),
        citation=f"{Path(path).name}, as read",
        assumptions=("the wire is infinitely thin", *notes),
    )


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return file_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: must be text in UTF-8; instead it is binary or in another encoding") from error


def _refuse(path: str | os.PathLike[str], problems: list[str]) -> None:
    """One error with everything that is wrong with a file."""
    if problems:
        more = f"; and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
        raise FileFormatError(f"{path}: {'; '.join(problems[:_MOST_PROBLEMS])}{more}")


@dataclass
class _Wire:
    """The rows of one path: the line it starts on, points in mm and turns."""

    line: int
    rows: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def points(self) -> NDArray[np.float64]:
        points = np.array([row[:3] for row in self.rows])
        # A point given twice in a row adds nothing, and would be a wire without a length.
        kept = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
        return np.asarray(points[kept])

    @property
    def turns(self) -> list[float]:
        return [row[3] if len(row) > 3 else 1.0 for row in self.rows]


def _paths(text: str, problems: list[str]) -> list[_Wire]:
    paths: list[_Wire] = []
    fresh = True
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].replace(";", ",").strip()
        cells = [cell.strip() for cell in content.split(",")] if "," in content else content.split()
        if not any(cells):
            fresh = fresh or "#" not in line
            continue
        if not paths and _HEADER.fullmatch(",".join(cells)):
            continue
        row = _row(cells)
        if row is None:
            problems.append(f"line {number} must be x, y, z in mm (and turns); instead received {content[:40]!r}")
            continue
        if fresh:
            paths.append(_Wire(number))
        paths[-1].rows.append(row)
        fresh = False
    return paths


def _row(cells: list[str]) -> tuple[float, ...] | None:
    try:
        row = tuple(float(cell) for cell in cells)
    except ValueError:
        return None
    return row if len(row) in (3, 4) and np.isfinite(row).all() else None


def _closed(wire: _Wire, problems: list[str]) -> NDArray[np.float64]:
    """(p, 3) points of a path whose last is its first."""
    points = wire.points
    where = f"the path from line {wire.line}"
    if len(points) < 3:
        problems.append(f"{where} must have three different points or more; instead it has {len(points)}")
    elif (gap := float(np.linalg.norm(points[-1] - points[0]))) > CLOSED_MM:
        problems.append(
            f"{where} must come back to its start within {CLOSED_MM:g} mm; instead its ends are {gap:.3g} mm apart; "
            "repeat the first point at the end"
        )
    if len(set(wire.turns)) > 1:
        problems.append(f"{where} must have one number of turns; instead it has {sorted(set(wire.turns))[:4]}")
    elif wire.turns[0] == 0:
        problems.append(f"{where} must have turns other than 0")
    same = np.linalg.norm(points[-1] - points[0]) <= _SAME_MM and len(points) > 1
    return np.vstack([points[:-1] if same else points, points[:1]])


# --- windings in TOML

_TYPES: Final = ("circular", "figure8", "double-cone")
_NEEDED: Final = ("type", "turns", "inner_diameter_mm", "outer_diameter_mm", "wire_width_mm", "wire_height_mm")


def _whole(name: str, value: Any) -> int:
    return checks.whole(name, value, 1, 1000)


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name} must be a text; instead received {value!r}")
    return value


def _length(name: str, value: Any) -> float:
    if isinstance(value, bool | str):
        raise InputError(f"{name} must be a number in mm; instead received {value!r}")
    return checks.in_range(name, checks.positive(name, value), 0.0, 1000.0)


def _rate(name: str, value: Any) -> float:
    rate = checks.in_range(name, value, 0.0, 1e10)
    if rate < 1e5:
        raise InputError(f"{name} must be in A/s; instead received {value!r}; 120 A/us is written 120e6")
    return rate


_READERS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "name": _word,
    "citation": _word,
    "type": lambda name, value: checks.choice(name, _word(name, value), _TYPES),
    "turns": _whole,
    "layers": _whole,
    "inner_diameter_mm": _length,
    "outer_diameter_mm": _length,
    "wire_width_mm": _length,
    "wire_height_mm": _length,
    "separation_mm": _length,
    "casing_mm": lambda name, value: checks.in_range(name, value, 0.0, 100.0),
    "opening_deg": lambda name, value: checks.in_range(name, value, 60.0, 180.0),
    "open_center": checks.flag,
    "spiral": checks.flag,
    "max_didt": _rate,
    "casing_file": _word,
}


def read_windings(path: str | os.PathLike[str]) -> Coil:
    """A coil from the numbers of its windings.

    Parameters
    ----------
    path : path_like
        ``.toml`` with ``type`` (``circular``, ``figure8`` or ``double-cone``), ``turns``, ``inner_diameter_mm``,
        ``outer_diameter_mm``, ``wire_width_mm`` and ``wire_height_mm``; and, if wanted, ``name``, ``layers``,
        ``casing_mm`` (0), ``separation_mm`` (wings touch), ``opening_deg`` (180; double cone 100), ``open_center``
        (double cone true), ``spiral``, ``max_didt`` (A/s), ``casing_file`` (an ``.stl`` beside it), ``citation``.

    Raises
    ------
    FileFormatError
        With all problems found.
    """
    problems: list[str] = []
    values = _values(path, problems)
    _refuse(path, problems)
    with naming(path):
        coil = _coil(Path(path), values)
    if "casing_file" in values:
        coil = coil.with_casing(read_stl(Path(path).parent / values["casing_file"]))
    return replace(coil, citation=values.get("citation", f"{Path(path).name}, as read"))


def _values(path: str | os.PathLike[str], problems: list[str]) -> dict[str, Any]:
    """The entries of the file, checked; everything that is wrong is added to `problems`."""
    try:
        given = tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.append(f"must be TOML; instead: {str(error)[:120]}")
        return {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        try:
            values[key] = _READERS[checks.choice("a key", key, _READERS)](key, value)
        except InputError as error:
            problems.append(str(error))
    problems += [f"{key} is missing" for key in _NEEDED if key not in given]
    if values.get("type") == "circular":
        only = [key for key in ("separation_mm", "opening_deg") if key in values]
        problems += [f"{key} is for two wings; a circular coil has one: leave it out" for key in only]
    return values


def _coil(path: Path, values: dict[str, Any]) -> Coil:
    sizes = ("inner_diameter_mm", "outer_diameter_mm", "turns", "wire_width_mm", "wire_height_mm")
    extra = {key: values[key] for key in ("layers", "spiral") if key in values}
    winding = Winding(*(values[key] for key in sizes), **extra)
    casing, cone = values.get("casing_mm", 0.0), values["type"] == "double-cone"
    is_open = values.get("open_center", cone)
    if values["type"] == "circular":
        shape = circular(winding, casing, open_center=is_open)
    else:
        opening = values.get("opening_deg", 100.0 if cone else 180.0)
        separation = values.get("separation_mm")
        shape = figure8(winding, casing, separation_mm=separation, opening_deg=opening, open_center=is_open)
    return shape.coil(values.get("name", path.stem), max_didt=values.get("max_didt"))
