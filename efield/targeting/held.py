"""Whether a coil is held where anybody would hold it: clear of the head, near it, facing it, and over its target.

One check for Python and the command line. Where a pose fails it, the common mistake that explains it is named: meters,
other axes, LPS for RAS.
"""

from typing import Final
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.errors import CollisionError, EfieldWarning
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.targeting.collision import clearance_mm, is_clear, scalp_distance
from efield.targeting.placement import scalp_tree, smoothed_normal
from efield.targeting.pose_check import MIDLINE_MM
from efield.targeting.pose_mistakes import trials

#: Farther than this from the scalp no coil is held (mm): studies of distance end at a tenth of it or less.
FARTHEST_MM: Final = 150.0

#: A coil whose axis is this far from the scalp's inward normal shows the head its edge or its back (degrees); a sham
#: coil is turned by up to 90.
MOST_TURNED_DEG: Final = 110.0

#: The axis of a coil that is meant for a target passes it within this (mm), however unusual the placement, and at no
#: greater depth.
_BESIDE_MM: Final = 40.0
_DEEPEST_MM: Final = 130.0

#: A reading explains a pose if the coil is then so near to the head (mm), so flat on it (degrees), and passes a target
#: within so much (mm).
_NEAR_MM: Final = 60.0
_FLAT_DEG: Final = 35.0
_OVER_MM: Final = 20.0

#: So many poses are looked at one by one, which takes a millisecond or two each.
_MOST: Final = 1000

_INSIST: Final = "allow_collision=True (--allow-collision) computes it all the same"


def check_held(head: HeadMesh, coil: Coil | None, pose: Pose, target_mm: FloatArray | None = None) -> None:
    """Refuse a pose at which nobody holds a coil.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil, optional
        A flat plate of 170 x 90 mm unless given.
    pose : Pose
    target_mm : (3,) float, optional
        What the coil is held for: then also a pose whose frame was mistaken, and which lies over another part of the
        head for that reason, is refused.

    Raises
    ------
    CollisionError
        If any of the casing or winding lies in the head, the coil is farther than `FARTHEST_MM` from it, is turned away
        by more than `MOST_TURNED_DEG`, or its axis passes the target because of a mistake that can be named. The
        message names the mistake and how to insist.

    Warns
    -----
    EfieldWarning
        If the coil is over the other half of the head than the target, and no mistake explains it.
    """
    if fault := _fault(head, coil, pose):
        mistake = _mistake(head, coil, pose)
        raise CollisionError(f"{fault}: {mistake or 'move the pose, or look at its axes and units'}; {_INSIST}")
    if target_mm is None or not misses(pose, target_mm):
        return
    if mistake := _mistake(head, coil, pose, target_mm):
        raise CollisionError(
            f"the coil must be held over its target; instead its axis passes it by {miss_mm(pose, target_mm):.0f} mm: "
            f"{mistake}; {_INSIST}"
        )
    if opposite(head, pose, target_mm):
        warn("the coil is over the other half of the head than its target", EfieldWarning, stacklevel=3)


def check_all_held(head: HeadMesh, coil: Coil, matrices: FloatArray) -> None:
    """`check_held` of poses (p, 4, 4); of more than `_MOST` by their centers and axes alone, in microseconds each.

    Raises
    ------
    CollisionError
        With the number of the first such pose. Of many: if a center is in the head or more than `FARTHEST_MM` from it,
        or an axis points away from it.
    """
    many = len(matrices) > _MOST
    for number in _suspects(head, matrices) if many else range(len(matrices)):
        try:
            check_held(head, None if many else coil, Pose(matrices[number]))
        except CollisionError as error:
            raise CollisionError(f"pose {number}: {error}") from None


def _suspects(head: HeadMesh, matrices: FloatArray) -> NDArray[np.intp]:
    """Which poses (p, 4, 4) have a center in the head or far from it, or an axis that points away from it."""
    distance, centers = scalp_distance(head), matrices[:, :3, 3]
    height = distance(centers)
    inward = distance.find(centers)[0] - centers
    turned = np.einsum("pk,pk->p", inward, matrices[:, :3, 2]) < np.cos(np.radians(MOST_TURNED_DEG)) * height
    # Of a center within a millimeter of the scalp the nearest place does not tell where the head is.
    return np.flatnonzero((height < -0.5) | (height > FARTHEST_MM) | (turned & (height > 1.0)))


def warn_if_mistaken(head: HeadMesh, coil: Coil, pose: Pose, target_mm: FloatArray) -> None:
    """Warn of a pose that a common mistake keeps away from a target.

    Warns
    -----
    EfieldWarning
        With the mistake.
    """
    if misses(pose, target_mm) and (mistake := _mistake(head, coil, pose, target_mm)):
        warn(f"the coil's axis passes the target by {miss_mm(pose, target_mm):.0f} mm: {mistake}", EfieldWarning, 3)


def misses(pose: Pose, place_mm: FloatArray) -> bool:
    """Whether a coil's axis passes a place by more than any placement that is meant for it."""
    return miss_mm(pose, place_mm) > _BESIDE_MM


def miss_mm(pose: Pose, place_mm: FloatArray) -> float:
    """Distance of a place from a coil's axis within the head (mm)."""
    away = place_mm - pose.center_mm
    return float(np.linalg.norm(away - np.clip(away @ pose.z, 0.0, _DEEPEST_MM) * pose.z))


def opposite(head: HeadMesh, pose: Pose, place_mm: FloatArray) -> bool:
    """Whether a coil and a place are over different halves of the head, both clearly."""
    across = scalp(head).points_mm[:, 0]
    sides = np.array([pose.center_mm[0], place_mm[0]]) - 0.5 * (across.min() + across.max())
    return bool(np.abs(sides).min() > MIDLINE_MM and sides[0] * sides[1] < 0)


def _fault(head: HeadMesh, coil: Coil | None, pose: Pose) -> str:
    """What is wrong with a pose, and "" if nothing is."""
    name = "it" if coil is None else coil.name
    turned = _turned_deg(head, pose)
    if turned is not None and turned > MOST_TURNED_DEG:
        return f"the coil's z axis must point into the head; instead {name} is turned away by {turned:.0f} degrees"
    if _height_mm(head, pose) > FARTHEST_MM and (gap := clearance_mm(head, coil, pose)) > FARTHEST_MM:
        return f"the coil must be held at the head; instead {name} is {gap:.0f} mm away from it"
    if is_clear(head, coil, pose):
        return ""
    return f"the coil must stay outside the head; instead {name} is inside by {-clearance_mm(head, coil, pose):.2g} mm"


def _height_mm(head: HeadMesh, pose: Pose) -> float:
    """Distance of the coil's origin from the scalp, negative in the head."""
    return float(scalp_distance(head)(pose.center_mm[None])[0])


def _turned_deg(head: HeadMesh, pose: Pose) -> float | None:
    """Angle from the scalp's inward normal to the coil's axis; None in the head, where that says little."""
    if _height_mm(head, pose) <= 0:
        return None
    foot = scalp_distance(head).find(pose.center_mm[None])[0][0]
    outward = smoothed_normal(scalp(head), scalp_tree(head), foot)
    return float(np.degrees(np.arccos(np.clip(-outward @ pose.z, -1.0, 1.0))))


def _mistake(head: HeadMesh, coil: Coil | None, pose: Pose, target_mm: FloatArray | None = None) -> str:
    """The simplest mistake without which the coil would be held at the head, and over a target; "" if there is none."""
    for trial in sorted(trials("simnibs", "RAS", None), key=lambda one: one.wrong):
        other = Pose(trial.undo(pose.matrix[None])[0])
        if target_mm is not None and miss_mm(other, target_mm) > _OVER_MM:
            continue
        turned = _turned_deg(head, other)
        if turned is not None and turned <= _FLAT_DEG and 0 <= clearance_mm(head, coil, other) <= _NEAR_MM:
            # Most commands take a file as it is: it is turned before.
            how = " by `efield poses convert`" if trial.remedy.startswith("read with") else ""
            return f"likely mistake: {trial.mistake} ({trial.remedy}{how})"
    return ""
