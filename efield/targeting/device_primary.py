"""The primary fields of placements where the solver wants them: in memory, or written on its GPU."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from efield.coils.drive import Drive
from efield.coils.model import Coil, SampledField
from efield.coils.on_device import DeviceCoil, write_primary
from efield.fem.problem import FemProblem
from efield.ground.arrays import FloatArray
from efield.targeting.prepared import prepared_coil


@lru_cache(maxsize=4)
def _device_coil(coil: Coil, exact: bool, cache: Path | None) -> DeviceCoil:
    sampled = any(isinstance(source, SampledField) for source in coil.sources)
    return DeviceCoil(coil, None if exact or sampled else prepared_coil(coil, cache))


def primary_of(
    problem: FemProblem,
    placements: Sequence[Sequence[Drive]],
    exact: Callable[[Coil], bool],
    in_memory: Callable[[], FloatArray],
    cache: Path | None = None,
) -> Any:
    """What `FemProblem.answers` takes for some placements: on a GPU the CPU helps out beyond a sampled field's grid.

    Parameters
    ----------
    problem : FemProblem
    placements : sequence of sequences of Drive
        The coils that are driven together in each.
    exact : callable
        Whether a coil is summed over its sources, or stored, which a sampled field never is.
    in_memory : callable
        Gives dA/dt (n, 3, k) of them at `problem.nodes_mm`, on the CPU.
    cache : Path, optional
        Folder of coils' stored vector potentials.

    Raises
    ------
    InputError
        If a node lies on a source of a coil or where a sampled field is not known, when it is evaluated.
    """
    if not problem.is_resident:
        return in_memory()

    def write(chosen: slice, points: Any, out: Any) -> FloatArray | None:
        coils = {drive.coil for driven in placements for drive in driven}
        on_device = {coil: _device_coil(coil, exact(coil), cache) for coil in coils}
        placed = [[(on_device[one.coil], one.pose, one.didt) for one in driven] for driven in placements[chosen]]
        # What the GPU does not know the CPU may; where a node lies on a source it says so.
        return None if write_primary(placed, points, out) else in_memory()[..., chosen]

    return write
