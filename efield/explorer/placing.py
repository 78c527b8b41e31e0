"""How a coil is held, in people's words: a place on the scalp, an angle, tilts and a gap; to a pose, and back."""

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from scipy.spatial.transform import Rotation

from efield.coils.model import Coil
from efield.coils.polarity import turn_deg
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError, OutsideHeadError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.sweeping.grid import plane_over
from efield.targeting.collision import TOUCHING_MM, clearance_mm, scalp_distance, settle
from efield.targeting.placement import scalp_tree, smoothed_normal
from efield.targeting.tangent import medial_sign, tangent_direction, y_axis
from efield.targeting.targets import Target

#: Ranges of what may be asked for: the same words, units and meanings as those of a grid of placements.
RANGES: Final[dict[str, tuple[float, float]]] = {
    "u_mm": (-80.0, 80.0),
    "v_mm": (-80.0, 80.0),
    "angle_deg": (-360.0, 360.0),
    "tilt_x_deg": (-40.0, 40.0),
    "tilt_y_deg": (-40.0, 40.0),
    "distance_mm": (-20.0, 60.0),
}

#: Those that a placement has itself.
OWN: Final = ("angle_deg", "tilt_x_deg", "tilt_y_deg", "distance_mm")

#: A ray to the scalp begins so far out, ends so far in, and is on it within so little (mm); it has so many steps.
_OUT_MM, _IN_MM, _ON_MM, _STEPS = 80.0, 80.0, 0.005, 200

#: A coil that is to be pressed in is first laid with this gap (mm).
_LAID_MM: Final = 0.5


@dataclass(frozen=True, eq=False)
class Placement:
    """How a coil is held.

    Parameters
    ----------
    foot_mm : (3,) float
        Where the coil's axis meets the scalp.
    angle_deg : float
        Of the induced current: 0 anterior, 90 medial.
    tilt_x_deg, tilt_y_deg : float
        About the coil's x axis, then its y axis.
    distance_mm : float
        Smallest gap from scalp to casing; negative presses the coil into the head.
    """

    foot_mm: FloatArray
    angle_deg: float
    tilt_x_deg: float = 0.0
    tilt_y_deg: float = 0.0
    distance_mm: float = 4.0

    def to_json(self) -> dict[str, Any]:
        """Numbers by name."""
        return {"foot_mm": self.foot_mm.tolist()} | {name: round(float(getattr(self, name)), 4) for name in OWN}


@dataclass(frozen=True, eq=False)
class Ground:
    """The scalp that a coil is held over, and the plane that places along it are told in.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil
    plane : (4, 4) float
        Medial, anterior, outward and origin; see `efield.sweeping.grid.plane_over`.
    """

    head: HeadMesh
    coil: Coil
    plane: FloatArray

    @classmethod
    def over(cls, head: HeadMesh, coil: Coil, target: Target) -> Self:
        """The plane over a target."""
        return cls(head, coil, plane_over(head, target))

    def along(self, foot_mm: FloatArray) -> tuple[float, float]:
        """Place u (medial) and v (anterior) of a point, mm from the one over the target."""
        u, v = (foot_mm - self.plane[:3, 3]) @ self.plane[:3, :2]
        return float(u), float(v)

    def changed(self, now: Placement, wish: dict[str, Any]) -> Placement:
        """A placement with what is wished for in the place of what it has.

        Parameters
        ----------
        now : Placement
        wish : dict
            Any of `RANGES`, and ``foot_mm`` (3,), which is moved to the scalp.

        Raises
        ------
        OutsideHeadError
            If there is no scalp there.
        """
        own: dict[str, Any] = {name: float(wish[name]) for name in OWN if name in wish}
        found = replace(now, **own)
        if "foot_mm" in wish:
            foot, _ = scalp_distance(self.head).find(np.asarray(wish["foot_mm"], np.float64)[None])
            return replace(found, foot_mm=foot[0])
        if "u_mm" in wish or "v_mm" in wish:
            u, v = self.along(now.foot_mm)
            at = (float(wish.get("u_mm", u)), float(wish.get("v_mm", v)))
            start = self.plane[:3, 3] + self.plane[:3, :2] @ at
            return replace(found, foot_mm=self._met(start, -self.plane[:3, 2]))
        return found

    def pose(self, placement: Placement) -> Pose:
        """The pose of a placement.

        Raises
        ------
        CollisionError
            If no place on the coil's axis has the gap.
        """
        gap, (base, _) = placement.distance_mm, self._base(placement.foot_mm, placement.angle_deg)
        tilts = Rotation.from_euler("XY", [placement.tilt_x_deg, placement.tilt_y_deg], degrees=True).as_matrix()
        matrix = np.eye(4)
        matrix[:3, :3] = base @ tilts
        laid = max(gap, _LAID_MM)
        matrix[:3, 3] = placement.foot_mm - laid * matrix[:3, 2]
        pose = settle(self.head, self.coil, Pose(matrix), laid)
        return pose if gap >= _LAID_MM else pose.moved((0.0, 0.0, _LAID_MM - gap))

    def placement(self, pose: Pose) -> tuple[Placement, float]:
        """How a coil with a pose is held, and the gap (mm) between it and the scalp, negative in the head."""
        gap = clearance_mm(self.head, self.coil, pose)
        try:
            foot = self._met(pose.center_mm, pose.z)
        except OutsideHeadError:
            foot = scalp_distance(self.head).find(pose.center_mm[None])[0][0]
        zero, right = (self._base(foot, angle)[0] for angle in (0.0, 90.0))
        angle = np.degrees(np.arctan2(right[:, 1] @ pose.y, zero[:, 1] @ pose.y))
        base, _ = self._base(foot, float(angle))
        own = base.T @ pose.rotation
        tilt_x = np.degrees(np.arcsin(np.clip(own[2, 1], -1.0, 1.0)))
        tilt_y = np.degrees(np.arctan2(own[0, 2], own[0, 0]))
        return Placement(foot, float(angle), float(tilt_x), float(tilt_y), gap), gap

    def _base(self, foot_mm: FloatArray, angle_deg: float) -> tuple[FloatArray, FloatArray]:
        """(3, 3) axes of a coil that lies flat there, and the scalp's normal."""
        outward = smoothed_normal(scalp(self.head), scalp_tree(self.head), foot_mm)
        induced = tangent_direction(outward, angle_deg, medial_sign(foot_mm))
        y = y_axis(induced, -outward, turn_deg(self.coil))
        return np.column_stack([np.cross(y, -outward), y, -outward]), outward

    def _met(self, start_mm: FloatArray, along: FloatArray) -> FloatArray:
        """Where a line meets the scalp from outside."""
        distance, step = scalp_distance(self.head), -_OUT_MM
        for _ in range(_STEPS):
            place = start_mm + step * along
            away = float(distance(place[None])[0])
            if away < _ON_MM:
                return place
            step += away
            if step > _IN_MM:
                break
        raise OutsideHeadError("a coil must be held over the scalp; instead there is none below this place: go back")


def wishes(given: Any) -> dict[str, Any]:
    """What a page wishes of a placement, checked.

    Raises
    ------
    InputError
        If a number is none, or out of range.
    """
    if not isinstance(given, dict):
        raise InputError(f"wishes must be numbers by name; instead received {checks.kind(given)}")
    found: dict[str, Any] = {
        name: checks.in_range(name, given[name], *limits) for name, limits in RANGES.items() if name in given
    }
    if "foot_mm" in given:
        found["foot_mm"] = checks.point_mm("foot_mm", given["foot_mm"])
    return found


def together(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Two wishes as one; of two places the later one counts."""
    places = {"foot_mm"} if {"u_mm", "v_mm"} & set(then) else {"u_mm", "v_mm"} if "foot_mm" in then else set()
    return {name: value for name, value in first.items() if name not in places} | then


def overlaps(gap_mm: float) -> bool:
    """Whether a coil is in the head: a gap that rounding cannot have made."""
    return gap_mm < -TOUCHING_MM
