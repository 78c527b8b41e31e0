"""The direction of the induced current that excites a place best: by rule, or across the wall of its sulcus.

References
----------
Brasil-Neto et al. 1992, J Clin Neurophysiol 9:132, for the 45-degree rule at the hand area.
"""

from typing import Final

import numpy as np

from efield.ground.arrays import FloatArray
from efield.head.mesh import HeadMesh
from efield.head.surface import cortex, nearest, scalp
from efield.targeting.tangent import medial_sign, tangent_direction

#: Cortex within this distance of the target votes on the direction of the sulcal wall (mm).
_WALL_RADIUS_MM: Final = 10.0

#: A wall counts as one wall when this share of the votes lies along a single axis ...
_WALL_COHERENCE: Final = 0.6

#: ... and is believed to be the central sulcus when it is this near to the 45-degree rule (degrees).
_WALL_FROM_RULE_DEG: Final = 45.0


def preferred_direction(
    head: HeadMesh, center: FloatArray, angle_deg: float, *, use_wall: bool
) -> tuple[FloatArray, str]:
    """The unit direction (3,) at a place, and where it comes from.

    Parameters
    ----------
    head : HeadMesh
    center : (3,) float, mm
    angle_deg : float
        The rule: from anterior toward medial.
    use_wall : bool
        Whether the wall of a sulcus near the rule's direction is believed instead.
    """
    rule = rule_direction(head, center, angle_deg)
    if use_wall:
        wall, coherence = _sulcal_wall_normal(head, center)
        wall = wall if wall @ rule > 0 else -wall
        off = float(np.degrees(np.arccos(np.clip(wall @ rule, -1.0, 1.0))))
        if coherence >= _WALL_COHERENCE and off <= _WALL_FROM_RULE_DEG:
            return (
                wall,
                f"across the central sulcus (its wall's normal, {off:.0f} deg from the 45-degree rule)",
            )
    return rule, f"{angle_deg:g} degrees from anterior toward medial, tangential to the scalp"


def rule_direction(head: HeadMesh, point: FloatArray, angle_deg: float = 45.0) -> FloatArray:
    """(3,) the direction at an angle from anterior toward medial, tangential to the scalp nearest to a point."""
    surface = scalp(head)
    outward = surface.normals[nearest(surface.points_mm, point)[0]]
    return tangent_direction(outward, angle_deg, medial_sign(point))


def _sulcal_wall_normal(head: HeadMesh, center: FloatArray) -> tuple[FloatArray, float]:
    """Common axis of the cortical walls around a point and the share of them along it (1/3 random, 1 one wall).

    Walls are the cortex whose normal is nearly tangential to the scalp; the crown of a gyrus does not vote. Both banks
    of a sulcus have the same axis, so the axis does not depend on which of them is nearer.
    """
    surface = cortex(head)
    near = np.linalg.norm(surface.centers_mm - center, axis=1) <= _WALL_RADIUS_MM
    outer = scalp(head)
    up = outer.normals[nearest(outer.points_mm, center)[0]]
    normals, areas = surface.triangle_normals[near], surface.areas[near]
    is_wall = np.abs(normals @ up) < 0.5
    if not is_wall.any():
        return up, 0.0
    flat = normals[is_wall] - np.outer(normals[is_wall] @ up, up)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    values, axes = np.linalg.eigh((flat * areas[is_wall, None]).T @ flat)
    return np.asarray(axes[:, -1]), float(values[-1] / values.sum())
