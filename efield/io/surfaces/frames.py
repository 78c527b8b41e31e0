"""Where the vertices of a surface file are: in the image, in FreeSurfer's surface RAS, or nowhere in a head.

FreeSurfer says in GIFTI files beside the coordinates (``VolGeom...``) where the volume lies whose center is the origin
of surface RAS: https://surfer.nmr.mgh.harvard.edu/fswiki/CoordinateSystems. The kinds of surfaces (``GeometricType``)
are those of GIFTI 1.0.
"""

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError
from efield.io.bounded.cursor import Cursor
from efield.io.surfaces import freesurfer

#: Kinds of surfaces that have the vertices of a cortex and are not where it is.
_ELSEWHERE: Final = re.compile(r"(very)?_?inflated|(semi)?spher\w*|ellips\w*|flat", re.IGNORECASE)
_ELSEWHERE_NAME: Final = re.compile(r"[lr]h\.(?:.*\.)?(very_?inflated|inflated|sphere|qsphere|flat)\b.*", re.IGNORECASE)
#: A map of a cortex is nearly flat (0.06 of its larger spread, fsaverage5), and wider than any piece so flat (mm).
_FLAT: Final = 0.1
_WIDER_THAN_MM: Final = 100.0

_FARTHEST_MM: Final = 1e4
_UNKNOWN_SPACE: Final = 0


def check_name(cursor: Cursor) -> None:
    """Refuse what FreeSurfer names as a surface that does not lie where the cortex is, ``lh.inflated``.

    Raises
    ------
    FileFormatError
    """
    if kind := _ELSEWHERE_NAME.fullmatch(cursor.path.name):
        raise _not_in_place(cursor, kind[1])


def check_in_place(cursor: Cursor, coordinates: Any, points: NDArray[np.float64]) -> None:
    """Refuse surfaces that stand for a cortex and do not lie where it is."""
    kind = str(coordinates.meta.get("GeometricType", ""))
    if _ELSEWHERE.fullmatch(kind):
        raise _not_in_place(cursor, kind)
    if len(points) > 3 and np.isfinite(points).all() and np.ptp(points, axis=0).max() > _WIDER_THAN_MM:
        spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(points.T)), 0.0))
        if spread[0] < _FLAT * spread[2]:
            raise _not_in_place(cursor, "Flat")


def _not_in_place(cursor: Cursor, kind: str) -> FileFormatError:
    return cursor.error(
        "a surface must lie where the cortex is, as white, pial or central ones do; instead this one is "
        f"{kind.lower()}: give one of those, whose vertices are the same, or say in_image_mm=True if you know better"
    )


def in_image(cursor: Cursor, coordinates: Any, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points, moved from FreeSurfer's surface RAS if they are in it, as its binary surfaces are."""
    if int(coordinates.coordsys.dataspace) != _UNKNOWN_SPACE:
        return points
    center = _geometry_of(cursor, coordinates, "C")
    if center is None:
        return points
    axes = [_geometry_of(cursor, coordinates, axis) for axis in "XYZ"]
    if any(axis is None for axis in axes):  # a conformed volume, whose axes are those of surface RAS
        return points + center
    return freesurfer.from_surface_ras(cursor, points, np.column_stack(axes), center)  # type: ignore[arg-type]


def _geometry_of(cursor: Cursor, coordinates: Any, letter: str) -> NDArray[np.float64] | None:
    """What ``VolGeom<letter>_R``, ``_A`` and ``_S`` say; None if one of them is missing."""
    texts = [coordinates.meta.get(f"VolGeom{letter}_{axis}") for axis in "RAS"]
    if None in texts:
        return None
    try:
        values = np.array([float(text) for text in texts])
    except ValueError as error:
        raise cursor.error(f"VolGeom{letter} must be numbers; instead they are not; the file is damaged") from error
    if not np.isfinite(values).all() or np.abs(values).max() > _FARTHEST_MM:
        raise cursor.error(f"VolGeom{letter} must be finite and near the image; instead it is not; the file is damaged")
    return values
