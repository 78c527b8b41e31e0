"""A pose next to a planned one, as a coil is held that slips along the scalp."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from efield.coils.model import Coil
from efield.ground.pose import Pose
from efield.head.closest import signed_distance
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.targeting.collision import lift_clear
from efield.targeting.placement import scalp_tree, smoothed_normal

FloatArray = NDArray[np.float64]


def displaced_pose(head: HeadMesh, coil: Coil, pose: Pose, offset: FloatArray) -> Pose:
    """A pose moved along the scalp, with its turn and its gap to the scalp, turned about its own axes and lifted clear.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil
    pose : Pose
    offset : (6,) float
        Along x and y and away from the scalp (mm), and turns about x, y and z (degrees).
    """
    surface, tree = scalp(head), scalp_tree(head)
    moved = pose.center_mm + pose.rotation[:, :2] @ offset[:2]
    feet = signed_distance(surface).find(np.stack([pose.center_mm, moved]))[0]
    before, after = (smoothed_normal(surface, tree, foot) for foot in feet)
    turn = _between(before, after)
    center = feet[1] + turn @ (pose.center_mm - feet[0]) + offset[2] * after
    own = Rotation.from_euler("xyz", offset[3:], degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn @ pose.rotation @ own, center
    return lift_clear(head, coil, Pose(matrix))


def _between(before: FloatArray, after: FloatArray) -> FloatArray:
    """The smallest rotation that takes one unit vector to another."""
    axis = np.cross(before, after)
    sine = np.linalg.norm(axis)
    angle = np.arctan2(sine, before @ after)
    return np.asarray(Rotation.from_rotvec(angle * axis / sine if sine > 0 else np.zeros(3)).as_matrix())
