"""What of a problem goes to the GPU. What works on one is imported when it does."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from efield.fem.assembly import LinearElements
from efield.fem.gpu.device import DeviceMemoryError, widest_that_fits
from efield.fem.solvers import MultigridCG
from efield.fem.system import Solver
from efield.ground.errors import EfieldWarning

if TYPE_CHECKING:
    from efield.fem.gpu.elements import DeviceElements
    from efield.fem.gpu.solver import DeviceCG


@dataclass(frozen=True, eq=False)
class OnGpu:
    """A solver on the device and, of first-order elements, the mesh."""

    solver: "DeviceCG"
    elements: "DeviceElements | None"


def on_gpu(host: Solver, linear: LinearElements, order: int, *, asked: bool) -> OnGpu | None:
    """A solver and its elements on the GPU; None where the CPU is to compute.

    Parameters
    ----------
    host : Solver
        As the CPU has prepared it.
    linear : LinearElements
    order : {1, 2}
    asked : bool
        Whether a GPU was asked for by name, so that it is said when none is used.

    Raises
    ------
    SolverError
        If one was asked for and its memory does not hold the head.
    """
    if not isinstance(host, MultigridCG):
        return None
    if host.preconditioner.strong:
        if asked:
            warnings.warn(
                "the CPU computes, because the head has flat tetrahedra (see efield mesh info), which need a smoother "
                "that takes unknowns one after another",
                EfieldWarning,
                stacklevel=3,
            )
        return None
    try:
        return _prepared(host, linear, order)
    except DeviceMemoryError:
        if asked:
            raise
        return None


def _prepared(host: MultigridCG, linear: LinearElements, order: int) -> OnGpu:
    indptr, columns, _ = host.csr
    widest = widest_that_fits(len(indptr) - 1, len(columns), len(linear.tets))
    from efield.fem.gpu.elements import DeviceElements
    from efield.fem.gpu.solver import DeviceCG

    solver = DeviceCG(host, widest)
    return OnGpu(solver, DeviceElements(linear, solver) if order == 1 else None)
