"""A target on the middle of the cortex: the vertices that make it up, and what a field is there."""

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import OutsideHeadError
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.surface import TriangleSurface
from efield.targeting.field import EField
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]


def middle_near(
    head: HeadMesh, center_mm: FloatArray, reach: float
) -> tuple[TriangleSurface, NDArray[np.intp], FloatArray]:
    """The middle of the cortex, its vertices within a reach that are in the head, and the share of area of all."""
    surface = mid_surface(head)
    thirds = np.repeat(surface.areas / 3.0, 3)
    share = np.bincount(surface.triangles.ravel(), thirds, len(surface.points_mm)).astype(np.float64)
    near = np.linalg.norm(surface.points_mm - center_mm, axis=1) <= reach
    chosen = np.flatnonzero(near & (share > 0))
    tet, _ = Locator(head).find(surface.points_mm[chosen])
    return surface, chosen[tet >= 0], share


def middle_magnitude(field: EField, target: Target) -> float:
    """The measure `midsurface_mean_magnitude` of a full solve, V/m: mean |E|, by area, within the target's radius.

    Raises
    ------
    InputError
        If the head has no white or gray matter.
    OutsideHeadError
        If the middle of the cortex is nowhere within the target's radius.
    """
    surface, chosen, share = middle_near(field.head, target.center_mm, target.radius_mm)
    if not len(chosen):
        raise OutsideHeadError(
            f"target {target.name} must reach the middle of the cortex; instead it has no vertex within "
            f"{target.radius_mm:g} mm: move the target or enlarge its radius"
        )
    magnitude = np.linalg.norm(field.at(surface.points_mm[chosen]), axis=1)
    return float(np.average(magnitude, weights=share[chosen]))
