"""``.stl`` surfaces, text or binary: the casing of a coil, in mm of the coil frame."""

import os
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.casing import Casing
from efield.ground.errors import naming
from efield.ground.rows import distinct_rows
from efield.io.bounded.cursor import Cursor, numbers

_HEADER_BYTES: Final = 84
_FACET: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

#: Casings are between these sizes (mm); others are drawings in meters or micrometers.
_SMALLEST_MM: Final = 2.0
_LARGEST_MM: Final = 2000.0


def read_stl(path: str | os.PathLike[str]) -> Casing:
    """A casing from an ``.stl`` file.

    Parameters
    ----------
    path : path_like
        Text or binary, in mm; the origin and axes must be those of the coil frame.

    Returns
    -------
    Casing
        Corners that coincide are one vertex. The file's normals are not used.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, holds no triangles, values that are not finite, or is not in mm.
    """
    cursor = Cursor.open(path)
    corners = _corners(cursor)
    if not np.isfinite(corners).all():
        raise cursor.error("corners must be finite; instead the file holds nan or inf")
    size = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    if not _SMALLEST_MM <= size <= _LARGEST_MM:
        raise cursor.error(
            f"a casing must be in millimeters, {_SMALLEST_MM:g} to {_LARGEST_MM:g} of them wide; "
            f"instead it is {size:.3g} wide; export the drawing in millimeters"
        )
    points = corners.reshape(-1, 3)
    first, number = distinct_rows(points)
    with naming(cursor.path):
        return Casing(points[first], number.reshape(-1, 3))


def _corners(cursor: Cursor) -> NDArray[np.float64]:
    """(t, 3, 3) corners of the triangles."""
    if len(cursor.data) >= _HEADER_BYTES:
        count = int(np.frombuffer(cursor.data, "<u4", 1, 80)[0])
        # Binary files may start with "solid" too; only they have exactly this size.
        if len(cursor.data) == _HEADER_BYTES + count * _FACET.itemsize and count:
            return np.asarray(np.frombuffer(cursor.data, _FACET, count, _HEADER_BYTES)["corners"], np.float64)
    if not cursor.data.lstrip().lower().startswith(b"solid"):
        raise cursor.error("an .stl file must be text or binary and complete; instead it is damaged or cut off")
    return _text_corners(cursor)


def _text_corners(cursor: Cursor) -> NDArray[np.float64]:
    words = cursor.data.lower().split(b"vertex")
    if len(words) % 3 != 1 or len(words) < 4 or b"endsolid" not in words[-1]:
        raise cursor.error("an .stl file must hold whole triangles and an end; instead it is damaged or cut off")
    flat = numbers(b" ".join(b" ".join(word.split()[:3]) for word in words[1:]), np.float64)
    if flat is None or len(flat) != 3 * (len(words) - 1):
        raise cursor.error("every vertex must be three numbers; instead the file is damaged")
    return flat.reshape(-1, 3, 3)
