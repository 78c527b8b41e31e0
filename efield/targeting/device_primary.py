"""The primary fields of placements where the solver wants them: in memory, or written on its GPU."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from efield.coils.drive import Drive
from efield.coils.model import Coil
from efield.coils.on_device import DeviceCoil, can_be_on_device, write_primary
from efield.fem.problem import FemProblem
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.targeting.prepared import prepared_coil


@lru_cache(maxsize=8)
def _device_coil(coil: Coil, exact: bool, cache: Path | None) -> DeviceCoil:
    return DeviceCoil(coil, None if exact else prepared_coil(coil, cache))


def primary_of(
    problem: FemProblem,
    placements: Sequence[Sequence[Drive]],
    exact: Callable[[Coil], bool],
    in_memory: Callable[[], FloatArray],
    cache: Path | None = None,
) -> Any:
    """What `FemProblem.answers` takes for some placements.

    Parameters
    ----------
    problem : FemProblem
    placements : sequence of sequences of Drive
        The coils that are driven together in each.
    exact : callable
        Whether a coil is summed over its sources, or stored.
    in_memory : callable
        Gives dA/dt (n, 3, k) of them at `problem.nodes_mm`, on the CPU.
    cache : Path, optional
        Folder of coils' stored vector potentials.

    Raises
    ------
    InputError
        If a node lies on a source of a coil, when it is evaluated.
    """
    coils = {drive.coil for driven in placements for drive in driven}
    if not problem.is_resident or not all(map(can_be_on_device, coils)):
        return in_memory()

    def write(chosen: slice, points: Any, out: Any) -> None:
        on_device = {coil: _device_coil(coil, exact(coil), cache) for coil in coils}
        placed = [[(on_device[one.coil], one.pose, one.didt) for one in driven] for driven in placements[chosen]]
        if not write_primary(placed, points, out):
            in_memory()  # says where
            raise InputError("the coil must not touch the head's nodes; instead one lies on a wire or dipole")

    return write
