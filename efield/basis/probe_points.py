"""Where a reduced basis looks at the primary field.

In the head each component of dA/dt is harmonic, so what it is on a surface around the brain says what it is inside.
Samples on such a surface, at the depth of the target and far beyond the patch on all sides, determined the field
about three times better than as many spread through the brain, or through the patch (measured on a sphere).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.head.closest import farthest_points
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.targeting.targets import Target

#: Number of sample points; 300 lost accuracy, 1000 gained none (measured on a sphere).
COUNT: Final = 600

#: For any coil, whose field is less smooth.
COUNT_ANY: Final = 900

#: Samples at this distance from the patch's center count half: what is far from the patch matters less to its field.
#: With it, 96 snapshots did what 112 do without (measured on a sphere); 25 to 60 mm make little difference.
_HALF_AT_MM: Final = 40.0

#: Scalp this far from the patch's center is still looked at (mm).
_REACH_MM: Final = 120.0

#: Shallowest and deepest surface of the samples below the scalp (mm).
_DEPTHS_MM: Final = (10.0, 20.0)


def sample_points(head: HeadMesh, foot: NDArray[np.float64], target: Target, count: int = COUNT) -> NDArray[np.float64]:
    """(s, 3) points in mm, evenly spaced on a surface at the target's depth below the scalp.

    Parameters
    ----------
    head : HeadMesh
    foot : (3,) float, mm
        Scalp in the middle of where coils are held.
    target : Target
    count : int
        Most points wanted; a coarse scalp gives fewer.
    """
    surface = scalp(head)
    depth = float(np.clip(np.linalg.norm(foot - target.center_mm), *_DEPTHS_MM))
    candidates = np.concatenate(
        [
            surface.points_mm - depth * surface.normals,
            surface.centers_mm - depth * surface.triangle_normals,
        ]
    )
    near = np.concatenate([surface.points_mm, surface.centers_mm])
    candidates = candidates[np.linalg.norm(near - foot, axis=1) <= _REACH_MM]
    return farthest_points(candidates, count, int(np.argmin(np.linalg.norm(candidates - foot, axis=1))))


def emphasis(points: NDArray[np.float64], foot: NDArray[np.float64]) -> NDArray[np.float64]:
    """(s * 3,) weight of each component of the samples at points (s, 3) in mm, around a foot (3,)."""
    distance = np.linalg.norm(points - foot, axis=1)
    return np.repeat(1.0 / (1.0 + (distance / _HALF_AT_MM) ** 2), 3)
