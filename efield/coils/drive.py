"""A coil that is held somewhere and driven: several of them make a montage whose fields add."""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.model import Coil, given_coil
from efield.coils.polarity import signed
from efield.coils.primary import dadt
from efield.ground import checks
from efield.ground.card import Card, Carded, place, rate
from efield.ground.pose import Pose, given_pose


@dataclass(frozen=True, eq=False, repr=False)
class Drive(Carded):
    """One current: a coil, where it is, and how fast its current changes.

    Parameters
    ----------
    coil : Coil
    pose : Pose
        Coil to head.
    didt : float, A/s
    current : {"normal", "reverse"}
        Direction of the current, as a stimulator's switch sets it; "reverse" turns the sign of `didt`.

    Raises
    ------
    InputError
        If `didt` is not finite or looks like A/us, or coil and pose are not what they must be.

    Examples
    --------
    >>> coil, pose = ef.load_coil("d70"), ef.Pose.from_axes((0, 0, 95), (0, 1, 0), (0, 0, -1))
    >>> ef.Drive(coil, pose, didt=80e6, current="reverse")
    Drive
      coil    magstim-70mm-figure8
      center  (0.0, 0.0, 95.0) mm
      dI/dt   -8e+07 A/s (-80 A/us)
    """

    coil: Coil
    pose: Pose
    didt: float = 1e6
    current: InitVar[str] = "normal"

    def __post_init__(self, current: str) -> None:
        given_coil(self.coil), given_pose(self.pose)
        object.__setattr__(self, "didt", signed(checks.rate("didt", self.didt), current))

    @classmethod
    def at_any_rate(cls, coil: Coil, pose: Pose, didt: float) -> "Drive":
        """A drive whose rate was computed: that of a field per A/s looks like A/us, and is none."""
        drive = cls(coil, pose, 0.0)
        object.__setattr__(drive, "didt", didt)
        return drive

    def dadt(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) rate of change of this coil's vector potential at (n, 3) points in head coordinates, V/m."""
        return dadt(self.coil, self.pose, points_mm, self.didt)

    def _card(self) -> Card:
        rows = (("coil", self.coil.name), ("center", place(self.pose.center_mm)), ("dI/dt", rate(self.didt)))
        return Card("Drive", rows)


def total_dadt(drives: Iterable[Drive], points_mm: ArrayLike) -> NDArray[np.float64]:
    """(n, 3) rate of change of the vector potential of several drives at (n, 3) points in head coordinates, V/m."""
    return np.asarray(np.sum([drive.dadt(points_mm) for drive in drives], axis=0))
