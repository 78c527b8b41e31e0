"""Which of many poses are surely clear of the head: a quick test before the exact one of `collision`.

Over each position the scalp is drawn as a map of its heights above the tangent plane, never too low. A coil all of
whose points are above it cannot touch: outward of it there is no scalp. Others are looked at exactly.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.kernels import heights as kernels
from efield.targeting.collision import casing_points_mm

FloatArray = NDArray[np.float64]

#: Side of the map's squares (mm). A point counts as its square and the eight around it: 2 mm to each side at least.
_STEP_MM: Final = 2.0

#: Points of a casing that is a surface are at most 3 mm apart, so no part of it is farther than this from one (mm).
_BETWEEN_POINTS_MM: Final = 1.75


def surely_clear(head: HeadMesh, coil: Coil | None, places: FloatArray, matrices: FloatArray) -> NDArray[np.bool_]:
    """Whether coils are surely clear of the head; False means that it is not known.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil, optional
        A flat plate of 170 x 90 mm if not given.
    places : (k, 4, 4) float
        Two tangents, the outward normal and the scalp point of each position, in head coordinates in mm.
    matrices : (k * m, 4, 4) float
        The m poses at the first position, then those at the second, and so on.

    Returns
    -------
    (k * m,) ndarray of bool
    """
    windings = () if coil is None else coil.windings
    points = np.concatenate([casing_points_mm(coil), *windings])
    margin = 0.0 if coil is None or coil.casing is None else _BETWEEN_POINTS_MM
    reach = float(np.linalg.norm(points, axis=1).max())
    size = 2 * int(np.ceil((reach + 4 * _STEP_MM) / _STEP_MM))
    surface = scalp(head)
    corners = surface.points_mm[surface.triangles]
    found = []
    for place, here in zip(places, matrices.reshape(len(places), -1, 4, 4), strict=True):
        rotation, origin = place[:3, :3], place[:3, 3]
        over = np.full((size, size), -np.inf)
        kernels.highest((corners - origin) @ rotation, _STEP_MM, over)
        found.append(kernels.all_above(np.linalg.inv(place) @ here, points, _STEP_MM, over, margin))
    return np.concatenate(found)
