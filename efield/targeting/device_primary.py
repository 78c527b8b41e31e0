"""The primary fields of placements where the solver wants them: in memory, or written on its GPU."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.coils.model import Coil
from efield.coils.on_device import DeviceCoil, can_be_on_device
from efield.fem.problem import FemProblem
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.targeting.prepared import prepared_coil

if TYPE_CHECKING:
    from efield.targeting.simulate import Evaluate


@lru_cache(maxsize=2)
def _device_coil(coil: Coil, exact: bool, cache: Path | None) -> DeviceCoil:
    return DeviceCoil(coil, None if exact else prepared_coil(coil, cache))


def primary_of(
    problem: FemProblem,
    coil: Coil,
    poses: Sequence[Pose],
    didt: float,
    exact: bool,
    evaluate: "Evaluate",
    cache: Path | None = None,
) -> Any:
    """What `FemProblem.answers` takes for a coil at several poses.

    Parameters
    ----------
    evaluate : callable
        dA/dt (n, 3) of a pose at points in mm for a dI/dt, on the CPU.
    cache : Path, optional
        Folder of coils' stored vector potentials.

    Raises
    ------
    InputError
        If a node lies on a source of the coil, when it is evaluated.
    """
    if not problem.is_resident or not can_be_on_device(coil):
        return np.stack([evaluate(pose, problem.nodes_mm, didt) for pose in poses], axis=-1)

    def write(chosen: slice, points: Any, out: Any) -> None:
        if _device_coil(coil, exact, cache).write(poses[chosen], didt, points, out):
            return
        for pose in poses[chosen]:  # says where
            evaluate(pose, problem.nodes_mm, didt)
        raise InputError("the coil must not touch the head's nodes; instead one lies on a wire or dipole")

    return write
