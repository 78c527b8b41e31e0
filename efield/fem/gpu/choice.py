"""What of a problem goes to the GPU. What works on one is imported when it does."""

import warnings
from typing import TYPE_CHECKING

from efield.fem.assembly import LinearElements
from efield.fem.gpu.device import DeviceMemoryError, widest_that_fits
from efield.fem.solvers import MultigridCG
from efield.fem.system import Solver
from efield.ground.errors import EfieldWarning

if TYPE_CHECKING:
    from efield.fem.gpu.elements import DeviceElements


def on_gpu(host: Solver, linear: LinearElements, order: int, *, asked: bool) -> tuple[Solver, "DeviceElements | None"]:
    """A solver and, of first-order elements, the mesh on the GPU; the given solver and None where the CPU computes.

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
        return host, None
    if host.preconditioner.strong:
        if asked:
            warnings.warn(
                "the CPU computes, because the head has flat tetrahedra (see efield mesh info), which need a smoother "
                "that takes unknowns one after another",
                EfieldWarning,
                stacklevel=3,
            )
        return host, None
    try:
        return _prepared(host, linear, order)
    except DeviceMemoryError:
        if asked:
            raise
        return host, None


def _prepared(host: MultigridCG, linear: LinearElements, order: int) -> tuple[Solver, "DeviceElements | None"]:
    indptr, columns, _ = host.csr
    widest = widest_that_fits(len(indptr) - 1, len(columns), len(linear.tets))
    from efield.fem.gpu.elements import DeviceElements
    from efield.fem.gpu.solver import DeviceCG

    solver = DeviceCG(host, widest)
    return solver, DeviceElements(linear, solver) if order == 1 else None
