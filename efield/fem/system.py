"""What every solver of the potential shares: the singular, symmetric positive semidefinite system K phi = b."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components


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
        self.n_parts, self.part = connected_components(matrix, directed=False)
        self._size = np.bincount(self.part, minlength=self.n_parts).astype(np.float64)

    def remove(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The (n, k) block without its mean on each part."""
        sums = [np.bincount(self.part, weights=column, minlength=self.n_parts) for column in block.T]
        mean = np.stack(sums, axis=1) / self._size[:, None]
        return np.ascontiguousarray(block - (mean[0] if self.n_parts == 1 else mean[self.part]))


def with_unused_nodes(matrix: csr_matrix) -> csr_matrix:
    """The matrix with the equation phi = 0 at nodes of no tetrahedron, which disturbs nothing."""
    empty = matrix.diagonal() == 0
    return csr_matrix(matrix + diags(empty.astype(np.float64))) if empty.any() else matrix
