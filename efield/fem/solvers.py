"""Solvers of the singular, symmetric positive semidefinite system of the potential."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components

from efield.ground.errors import SolverError


@dataclass(frozen=True)
class Solution:
    """Potentials and how they were reached.

    Parameters
    ----------
    phi : (n, k) ndarray, V
        One column per right-hand side, with zero mean on every connected part of the mesh.
    iterations : int
        Most iterations any column took.
    residual : float
        Largest true residual |b - K phi| / |b| of any column.
    """

    phi: NDArray[np.float64]
    iterations: int
    residual: float


class Solver(Protocol):
    """Anything that solves K phi = b for blocks b (n, k)."""

    def solve(self, load: NDArray[np.float64], tol: float) -> Solution:
        """Solve to |b - K phi| <= tol |b| in every column."""
        ...


class ConstantsPerPart:
    """The null space: one constant on each connected part of the mesh."""

    def __init__(self, matrix: csr_matrix) -> None:
        self.n_parts, self._part = connected_components(matrix, directed=False)
        self._size = np.bincount(self._part, minlength=self.n_parts).astype(np.float64)

    def remove(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The (n, k) block without its mean on each part."""
        if self.n_parts == 1:
            return np.asarray(block - block.mean(axis=0))
        mean = np.stack(
            [np.bincount(self._part, weights=column, minlength=self.n_parts) for column in block.T], axis=1
        )
        return np.asarray(block - (mean / self._size[:, None])[self._part])


class MultigridCG:
    """Conjugate gradients with an algebraic multigrid preconditioner.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        Stiffness matrix.
    """

    max_iterations = 400

    def __init__(self, matrix: csr_matrix) -> None:
        import pyamg

        self._null = ConstantsPerPart(matrix)
        empty = matrix.diagonal() == 0
        # Unused nodes get the equation phi = 0, which disturbs nothing.
        self._matrix = matrix + diags(empty.astype(np.float64), format="csr") if empty.any() else matrix
        self._levels: Any = pyamg.smoothed_aggregation_solver(
            self._matrix, symmetry="symmetric", max_coarse=500, coarse_solver="pinv"
        )

    def solve(self, load: NDArray[np.float64], tol: float) -> Solution:
        """Solve every column; raises SolverError when one does not converge."""
        columns = [self._solve_one(column, tol) for column in self._null.remove(load).T]
        phi = self._null.remove(np.stack([c[0] for c in columns], axis=1))
        return Solution(phi, max(c[1] for c in columns), max(c[2] for c in columns))

    def _solve_one(self, load: NDArray[np.float64], tol: float) -> tuple[NDArray[np.float64], int, float]:
        norm = float(np.linalg.norm(load))
        if norm == 0:
            return np.zeros_like(load), 0, 0.0
        history: list[float] = []
        # A margin of two, since the recursive residual drifts away from the true one.
        phi = self._levels.solve(
            load / norm, tol=tol / 2, accel="cg", maxiter=self.max_iterations, residuals=history
        )
        residual = float(np.linalg.norm(load / norm - self._matrix @ phi))
        if not residual <= tol:
            raise SolverError(
                f"the solver must reach a residual of {tol:.1e}; instead it stands at {residual:.1e} after "
                f"{len(history) - 1} iterations: check the mesh for slivers and the conductivities for "
                "contrasts above 1e4, or use a larger tol"
            )
        return phi * norm, len(history) - 1, residual
