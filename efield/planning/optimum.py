"""The best placement that was found, how exact it must be, and what else is as good."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.ground.card import Card, Carded, place
from efield.ground.pose import Pose
from efield.planning.goals import goal_words

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False, repr=False)
class Optimum(Carded):
    """The best placement, how much better it is, what else is as good, and how exact it must be.

    Parameters
    ----------
    goal, unit : str
    pose : Pose
    place : dict of str to float
        `u_mm`, `v_mm`, `angle_deg`, `tilt_x_deg`, `tilt_y_deg` of the pose.
    value : float
        The goal there, of a full solve.
    mesh_error : float
        Estimate of how far the mesh leads it astray, in its unit.
    gain : float
        Over the plain placement (over the target, 45 degrees, the same distance), as a share: 0.1 is 10 %. Infinite
        where that drives the current the other way.
    plain : Pose
    alternatives : list of (Pose, float)
        Other distinct optima within 2 % of the best, and the goal of a full solve there.
    tolerance_mm, tolerance_deg : float
        So far along the scalp, in the worst direction, and so far of the handle's angle, to the worse side, 5 % are
        lost; infinite where less is lost in all of the search.
    loss : xarray.Dataset
        `loss` over u_mm, v_mm and angle_deg: the share of the goal that is lost there; nan where no coil may be.
    predicted_error : float
        How far the interpolation was off at the best placement, as a share of the goal.
    solves : int
        Placements that were solved.
    """

    goal: str
    unit: str
    pose: Pose
    place: dict[str, float]
    value: float
    mesh_error: float
    gain: float
    plain: Pose
    alternatives: list[tuple[Pose, float]]
    tolerance_mm: float
    tolerance_deg: float
    loss: "xarray.Dataset"
    predicted_error: float
    solves: int

    def to_json(self) -> dict[str, Any]:
        """Everything but the map, ready for `json.dump`; what is infinite is None."""
        others = [{"pose": pose.matrix.tolist(), "value": value} for pose, value in self.alternatives]
        limits = {"tolerance_mm": self.tolerance_mm, "tolerance_deg": self.tolerance_deg}
        return {
            "goal": self.goal,
            "unit": self.unit,
            "pose": self.pose.matrix.tolist(),
            "place": self.place,
            "value": self.value,
            "value_says": self.value_says,
            "mesh_error": self.mesh_error,
            "gain": self.gain if np.isfinite(self.gain) else None,
            "gain_says": self.gain_says,
            "alternatives": others,
            **{name: limit if np.isfinite(limit) else None for name, limit in limits.items()},
            "predicted_error": self.predicted_error,
            "solves": self.solves,
        }

    @property
    def value_says(self) -> str:
        """The value in words, with the mesh's error."""
        return goal_words(self.goal, self.value, self.mesh_error)

    @property
    def gain_says(self) -> str:
        """The gain in words."""
        return f"{100 * self.gain:+.1f} %" if np.isfinite(self.gain) else "at 45 degrees the current runs the other way"

    @property
    def tolerance_says(self) -> str:
        """Where 5 % are lost, in words."""
        far, turned = f"{self.tolerance_mm:.3g} mm along the scalp", f"{self.tolerance_deg:.3g} deg"
        return " or ".join(
            text if np.isfinite(limit) else f"no {what} that was looked at"
            for text, limit, what in ((far, self.tolerance_mm, "place"), (turned, self.tolerance_deg, "angle"))
        )

    def _card(self) -> Card:
        rows = (
            (self.goal, f"{self.value_says}, gain {self.gain_says}"),
            ("center", place(self.pose.center_mm)),
            ("angle", f"{self.place['angle_deg']:.0f} deg; others as good: {len(self.alternatives)}"),
            ("5 % lost", f"at {self.tolerance_says}"),
            ("solves", str(self.solves)),
        )
        return Card("Optimum", rows)
