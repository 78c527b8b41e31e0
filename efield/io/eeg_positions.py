"""Electrode positions as subject folders carry them: rows of ``type,x,y,z,name`` in mm.

Format: the comma-separated positions of SimNIBS, https://simnibs.github.io/simnibs (file formats).
"""

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.head.cap import FIDUCIAL_NAMES
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor

_KINDS: Final = ("Electrode", "ReferenceElectrode", "Fiducial", "Generic")
#: Rows of coil positions hold a frame, not a point; they are passed over.
_COIL_KINDS: Final = ("CoilPos", "Coil")
_LARGEST_BYTES: Final = 1 << 22
#: No point of a head is this far from the origin of its image (mm), and no cap is within 1 mm of it.
_FARTHEST_MM: Final = 1000.0
_LIKE_METERS: Final = 1.0
#: Places that differ by less (mm) are one, written with other digits.
_SAME_MM: Final = 0.01


@dataclass(frozen=True, repr=False)
class CapFile(Carded):
    """A cap that is read when it is asked for; a `Cap` of a head.

    Parameters
    ----------
    path : Path
        ``.csv``, see `read_eeg_positions`.
    """

    path: Path

    @cached_property
    def positions(self) -> dict[str, NDArray[np.float64]]:
        """Positions by name, each (3,) mm.

        Raises
        ------
        FileFormatError
            If the file cannot be read.
        """
        return read_eeg_positions(self.path)

    @property
    def origin(self) -> str:
        """The file, in its folder, as a person knows it."""
        folders = [part for part in self.path.absolute().parts if part.startswith("m2m_")]
        return f"cap {self.path.name}" + (f" of {folders[-1]}" if folders else "")

    def _card(self) -> Card:
        return Card("CapFile", (("file", self.origin),))


def read_eeg_positions(path: str | os.PathLike[str]) -> dict[str, NDArray[np.float64]]:
    """The positions of a cap, by name.

    Parameters
    ----------
    path : path_like
        ``.csv`` with rows ``Electrode,x,y,z,name``; also ``ReferenceElectrode``, ``Fiducial`` and ``Generic``. A second
        point of an electrode (its direction) may stand between z and the name. Coil positions and one line of column
        names are passed over.

    Returns
    -------
    dict of str to (3,) float, mm
        In the order of the file. A row without a name is called ``row N`` after its line.

    Raises
    ------
    FileFormatError
        If the file is missing, is not such a table, has a name at two places, or its numbers cannot be millimeters.
    """
    cursor = Cursor.open(path)
    if len(cursor.data) > _LARGEST_BYTES:
        raise cursor.error(f"a cap must be a short table; instead the file has {len(cursor.data)} bytes; is it a cap?")
    try:
        rows = list(csv.reader(StringIO(cursor.data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise cursor.error(f"a cap must be comma-separated text; instead: {error}; export it again") from error
    found: dict[str, NDArray[np.float64]] = {}
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if any(cells) and not (number == 1 and _is_heading(cells)) and cells[0] not in _COIL_KINDS:
            name, point = _position(cursor, number, cells)
            # Caps list an inion that is an electrode as a fiducial, too.
            if name in found and float(np.abs(found[name] - point).max()) > _SAME_MM:
                raise cursor.error(
                    f"a name must stand for one place; instead {name!r} has another in line {number}; rename one"
                )
            found.setdefault(name, checks.read_only(point))
    if not found:
        raise cursor.error("a cap must have rows such as Electrode,x,y,z,name; instead there are none")
    if max(np.abs(point).max() for point in found.values()) < _LIKE_METERS:
        raise cursor.error("positions must be in millimeters; instead they look like meters: multiply them by 1000")
    return found


def write_eeg_positions(path: str | os.PathLike[str], positions: Mapping[str, NDArray[np.float64]]) -> None:
    """Write positions as SimNIBS reads them; those of `FIDUCIAL_NAMES` become fiducials, the others electrodes.

    Parameters
    ----------
    path : path_like
        ``.csv``; written completely or not at all.
    positions : mapping of str to (3,) array_like, mm

    Raises
    ------
    InputError
        If there are none, or one is not three finite numbers.
    """
    if not positions:
        raise InputError("positions must hold at least one point; instead there is none")
    points = {name: checks.vector(f"positions[{name!r}]", point) for name, point in positions.items()}
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        for name, point in points.items():
            rows.writerow(["Fiducial" if name in FIDUCIAL_NAMES else "Electrode", *(f"{x:.6f}" for x in point), name])


def _is_heading(cells: list[str]) -> bool:
    return cells[0] not in _KINDS and len(cells) > 3 and not any(_number(cell) is not None for cell in cells[1:4])


def _position(cursor: Cursor, number: int, cells: list[str]) -> tuple[str, NDArray[np.float64]]:
    if cells[0] not in _KINDS:
        raise cursor.error(
            f"line {number} must start with one of {', '.join(_KINDS)}; instead received {cells[0][:40]!r}"
        )
    point = [_number(cell) for cell in cells[1:4]]
    if len(point) < 3 or any(x is None or not isfinite(x) or abs(x) > _FARTHEST_MM for x in point):
        raise cursor.error(f"line {number} must have x, y, z in mm; instead received {cells[1:4]}; correct it")
    rest = cells[7:] if len(cells) >= 7 and all(_number(cell) is not None for cell in cells[4:7]) else cells[4:]
    return (rest[0] if rest and rest[0] else f"row {number}"), np.array(point, dtype=np.float64)


def _number(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None
