"""Streamlines: lines that follow the induced field through the brain, as the current does in tissue without fibers."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.rows import distinct_rows
from efield.head.locate import locator_of
from efield.head.tissue import CSF, GRAY_MATTER, WHITE_MATTER
from efield.viz.scale import Scale
from efield.viz.shapes import Shape, joined, tube

if TYPE_CHECKING:
    from efield.targeting.field import EField


#: Lines start within this distance of the place, at least so far apart, and are followed so far each way (mm).
_AROUND_MM: Final = 18.0
_APART_MM: Final = 6.0
_LENGTH_MM: Final = 30.0

#: Length of a step, mm: the field is linear in elements of two to four millimeters.
_STEP_MM: Final = 1.0

_RADIUS_MM: Final = 0.35
_SIDES: Final = 5

#: Lines end at the skull; gyri are joined through the fluid between them.
_INSIDE: Final = (WHITE_MATTER, GRAY_MATTER, CSF)


def streamline_shape(field: "EField", center_mm: FloatArray, scale: Scale) -> Shape | None:
    """Streamlines through the brain around a place, as tubes colored by |E|; None if there is no brain near it.

    Parameters
    ----------
    field : EField
    center_mm : (3,) float
    scale : Scale
        Of |E|.
    """
    lines = streamlines(field, center_mm)
    if not lines:
        return None
    surface = joined("streamlines", [tube(line, _RADIUS_MM, _SIDES) for line in lines])
    values = np.linalg.norm(np.nan_to_num(field.at(surface.points_mm)), axis=1)
    return Shape("streamlines", surface, "plain", values=values, scale=scale)


def streamlines(field: "EField", center_mm: FloatArray) -> list[FloatArray]:
    """Lines (n, 3) in mm along E, each through one of the evenly spread starts around a place."""
    starts = _starts(field, center_mm)
    if not len(starts):
        return []
    forward, backward = (_followed(field, starts, sign) for sign in (1.0, -1.0))
    lines = [np.concatenate([back[:0:-1], ahead]) for back, ahead in zip(backward, forward, strict=True)]
    return [line for line in lines if len(line) > 2]


def _starts(field: "EField", center_mm: FloatArray) -> FloatArray:
    """Centers of tetrahedra of gray and white matter near a place, one in each cube."""
    head = field.head
    near = np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER))
    near &= np.linalg.norm(head.barycenters - center_mm, axis=1) < _AROUND_MM
    points = head.barycenters[near]
    cubes = np.floor((points - center_mm) / _APART_MM).astype(np.int64)
    return np.asarray(points[distinct_rows(cubes)[0]])


def _followed(field: "EField", starts: FloatArray, sign: float) -> list[FloatArray]:
    """From each start along the field (or against it) by midpoint steps, until the brain or the length ends."""
    steps = int(_LENGTH_MM / _STEP_MM)
    track = np.full((steps + 1, *starts.shape), np.nan)
    track[0] = starts
    alive = np.arange(len(starts))
    for step in range(steps):
        here = track[step, alive]
        middle = here + sign * _STEP_MM / 2 * _direction(field, here)
        there = here + sign * _STEP_MM * _direction(field, middle)
        inside = np.isfinite(there).all(axis=1)
        inside[inside] = _in_brain(field, there[inside])
        alive = alive[inside]
        track[step + 1, alive] = there[inside]
        if not len(alive):
            break
    return [line[np.isfinite(line[:, 0])] for line in track.transpose(1, 0, 2)]


def _direction(field: "EField", points: FloatArray) -> FloatArray:
    """(n, 3) unit vectors along the recovered field; nan outside the head, and where there is no field."""
    e, known = np.full(points.shape, np.nan), np.isfinite(points).all(axis=1)
    e[known] = field.at(points[known])
    size = np.linalg.norm(e, axis=1, keepdims=True)
    return np.asarray(np.divide(e, size, out=np.full_like(e, np.nan), where=size > 0))


def _in_brain(field: "EField", points: FloatArray) -> NDArray[np.bool_]:
    tet = locator_of(field.head).find(points)[0]
    return np.asarray((tet >= 0) & np.isin(field.head.tissue[tet], _INSIDE))
