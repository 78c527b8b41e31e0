"""The direct solver: a Cholesky factorization by MKL Pardiso, an optional dependency."""

import os
import weakref
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, triu

from efield.fem.system import ConstantsPerPart, Solution, with_unused_nodes
from efield.ground import memory
from efield.ground.errors import ForkError, MissingDependencyError, SolverError
from efield.ground.turns import in_turn

_SYMMETRIC_POSITIVE_DEFINITE = 2
#: At 15 thousand nodes one direct solve took a third of a multigrid solve, at 69 thousand more than one, besides
#: three to six times the set-up (benchmarks/solver.py --direct, two busy cores).
_LARGEST_THAT_PAYS = 20_000


def memory_estimate(n: int) -> float:
    """Bytes that factorizing a tetrahedral mesh of n nodes takes.

    The factor of a 3-D mesh grows as n^(4/3) under nested dissection (George 1973). It is 1.5 to 2.5 times what was
    taken: 17 MB at 10 thousand nodes of a sphere, 0.16 GB at 43, 0.29 GB at 69 and 2.7 GB at 312 thousand of a head.
    """
    return float(190.0 * n ** (4 / 3))


def fits(n: int) -> bool:
    """Whether the direct solver is installed and its factor of so many unknowns fits half of the free memory."""
    return find_spec("pypardiso") is not None and memory_estimate(n) < 0.5 * memory.available()


def pays_off(n: int) -> bool:
    """Whether the direct solver is quick at this size besides."""
    return n <= _LARGEST_THAT_PAYS and fits(n)


def _library() -> Any:
    try:
        return import_module("pypardiso")
    except ImportError as error:
        raise MissingDependencyError.of("solver='direct'", "mkl", "pypardiso") from error


class DirectSolver:
    """Factorizes once; every solve is a pair of triangular solves.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        Stiffness matrix.

    Raises
    ------
    MissingDependencyError
        If pypardiso is not installed.
    """

    def __init__(self, matrix: csr_matrix) -> None:
        library = _library()
        self._null = ConstantsPerPart.of(matrix)
        self._matrix = with_unused_nodes(matrix)
        self._upper = csr_matrix(triu(self._grounded(), format="csr"))
        self._factorize(library)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_pardiso"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The factor is the library's own: a copy makes another.
        vars(self).update(state)
        self._factorize(_library())

    def _factorize(self, library: Any) -> None:
        self._pardiso: Any = library.PyPardisoSolver(mtype=_SYMMETRIC_POSITIVE_DEFINITE)
        _check_process()
        self._pardiso.factorize(self._upper)
        # The library keeps a factor until it is told; in a forked process it must not be called.
        weakref.finalize(self, _forget, self._pardiso, os.getpid()).atexit = False

    def _grounded(self) -> csr_matrix:
        """The matrix with one node of each part tied to zero by a conductance of its own size.

        For a load without net current no current flows through the tie, so the answer is exact; and a Cholesky
        factorization, unlike an iteration, does not mind one more eigenvalue.
        """
        first = np.unique(self._null.part, return_index=True)[1]
        tied = self._matrix.copy()
        diagonal = tied.diagonal()
        diagonal[first] *= 2
        tied.setdiag(diagonal)
        return tied

    def of_matrix(self, matrix: csr_matrix) -> "DirectSolver":
        """The solver of another matrix."""
        return DirectSolver(matrix)

    @in_turn
    def solve(self, load: NDArray[np.float64], tol: float) -> Solution:
        """Solve every column; raises SolverError when the residual stays above tol."""
        balanced = self._null.remove(load)
        _check_process()
        phi = self._null.remove(np.asarray(self._pardiso.solve(self._upper, balanced)).reshape(balanced.shape))
        image = self._matrix @ phi
        norm = np.linalg.norm(balanced, axis=0)
        reached = np.linalg.norm(balanced - image, axis=0) / np.where(norm > 0, norm, 1.0)
        if not (reached <= tol).all():
            raise SolverError(
                f"the direct solver must reach a residual of {tol:.1e}; instead it stands at {reached.max():.1e}: "
                "check the mesh for slivers and the conductivities for extreme contrasts, or use a larger tol"
            )
        return Solution(phi, 0, float(reached.max()))


@cache
def _first_process() -> int:
    return os.getpid()


def _check_process() -> None:
    """Refuse a process that was forked from one in which the library has run: its OpenMP would wait there for ever."""
    if _first_process() != os.getpid():
        raise ForkError(
            "this process was forked after the direct solver had run, which its library does not survive: start "
            "processes afresh, with multiprocessing.get_context('spawn') or joblib's default, or use "
            "solver='multigrid'"
        )


def _forget(pardiso: Any, process: int) -> None:
    if os.getpid() == process:
        pardiso.free_memory(everything=True)
