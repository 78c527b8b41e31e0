"""How far a coil is from where it should be, by the technique that holds it, and what placements come of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError

if TYPE_CHECKING:
    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.head.mesh import HeadMesh

#: Of a plane error with equal normal parts (Rayleigh): its mean and its median, over the SD of one part.
_PLANE_MEAN: Final = float(np.sqrt(np.pi / 2))
_PLANE_MEDIAN: Final = float(np.sqrt(2 * np.log(2)))
#: Mean size of a normal number, and median length of three of them (Maxwell), over their SD.
_LINE_MEAN: Final = float(np.sqrt(2 / np.pi))
_SPACE_MEDIAN: Final = 1.5382

#: Random quantiles stay this far from 0 and 1: 3.5 standard deviations.
_TAIL: Final = 2.5e-4


@dataclass(frozen=True)
class Misplacement:
    """Standard deviations of where a coil is, around where it should be; all parts are normal and independent.

    Parameters
    ----------
    position_mm : float
        Along the scalp, in each of two directions.
    yaw_deg : float
        About the coil's z axis: the angle of the handle.
    tilt_deg : float
        About each of the coil's x and y axes.
    distance_mm : float
        Away from the scalp and toward it.
    source : str

    Raises
    ------
    InputError
        If a deviation is negative, or all are zero.
    """

    position_mm: float = 0.0
    yaw_deg: float = 0.0
    tilt_deg: float = 0.0
    distance_mm: float = 0.0
    source: str = "given"

    def __post_init__(self) -> None:
        for name in ("position_mm", "yaw_deg", "tilt_deg", "distance_mm"):
            checks.in_range(name, getattr(self, name), 0.0, 60.0)
        if not any((self.position_mm, self.yaw_deg, self.tilt_deg, self.distance_mm)):
            raise InputError("a misplacement must have one deviation above zero; leave placement out for none")

    def __str__(self) -> str:
        parts = f"SD {self.position_mm:.2g} mm along the scalp, {self.yaw_deg:.2g} deg of the handle"
        return f"{parts}, {self.tilt_deg:.2g} deg of tilt, {self.distance_mm:.2g} mm of distance ({self.source})"

    def offsets(self, number: int) -> FloatArray:
        """(number, 6) offsets of a Halton sequence: along x, y (mm), distance (mm), turns about x, y, z (degrees)."""
        spread = np.array([*2 * [self.position_mm], self.distance_mm, *2 * [self.tilt_deg], self.yaw_deg])
        from scipy.stats import norm, qmc  # half a second that every command would spend

        quantiles = qmc.Halton(6, scramble=False).random(number + 1)[1:]
        return np.asarray(norm.ppf(np.clip(quantiles, _TAIL, 1 - _TAIL)) * spread)

    def placements(self, head: "HeadMesh", coil: "Coil", pose: "Pose", number: int) -> "list[Pose]":
        """Poses around a planned one: moved along the scalp, which turns the coil with it, and lifted where it touches.

        Parameters
        ----------
        head : HeadMesh
        coil : Coil
        pose : Pose
            Planned.
        number : int
        """
        from efield.planning.displaced_pose import displaced_pose  # the words of this file are those of options

        return [displaced_pose(head, coil, pose, offset) for offset in self.offsets(number)]


#: What was measured, turned into standard deviations.
TECHNIQUES: Final[dict[str, Misplacement]] = {
    "cap": Misplacement(
        position_mm=10.66 / _PLANE_MEAN,
        tilt_deg=7.79 / _PLANE_MEAN,
        yaw_deg=5.99 / _LINE_MEAN,
        source="means of 10.66 mm, 7.79 and 5.99 deg: Caulfield 2022, Brain Stimul 15:1192",
    ),
    "navigated": Misplacement(
        position_mm=0.3 / _PLANE_MEAN,
        tilt_deg=0.34 / _PLANE_MEAN,
        yaw_deg=0.22 / _LINE_MEAN,
        source="means of 0.3 mm, 0.34 and 0.22 deg, without the error of registration: Caulfield 2022, Brain Stimul "
        "15:1192",
    ),
    "robot": Misplacement(
        position_mm=1.34 / _PLANE_MEDIAN,
        tilt_deg=3.48 / _SPACE_MEDIAN,
        yaw_deg=3.48 / _SPACE_MEDIAN,
        source="medians of 1.34 mm and 3.48 deg by a second navigator: Goetz 2019, preprint",
    ),
}


def misplacement(given: "Misplacement | str") -> Misplacement:
    """A misplacement, or that of a technique by its name.

    Raises
    ------
    InputError
        If there is no such technique.
    """
    if isinstance(given, Misplacement):
        return given
    if not isinstance(given, str):
        raise InputError(
            f"placement must be one of {', '.join(TECHNIQUES)} or a Misplacement; instead received {checks.kind(given)}"
        )
    return TECHNIQUES[checks.choice("placement", given, TECHNIQUES)]
