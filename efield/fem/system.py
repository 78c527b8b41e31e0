"""What every solver of the potential shares: the singular, symmetric positive semidefinite system K phi = b."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from efield.ground.card import Card, Carded
from efield.ground.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Carded):
    """Potentials and how they were reached.

    Parameters
    ----------
    phi : (n, k) ndarray, V
        At the nodes, with zero mean on every connected part of the mesh: one column per right-hand side. (n,) of
        `FemProblem.solve` where one primary field was given as such.
    iterations : int
        Most iterations any column took; 0 of a direct solver.
    residual : float
        Largest true residual |b - K phi| / |b| of any column.
    """

    phi: NDArray[np.float64]
    iterations: int
    residual: float

    def _card(self) -> Card:
        shape = " x ".join(map(str, self.phi.shape))
        return Card("Solution", (("size", f"{shape}, V"), ("iterations", str(self.iterations))))


class Solver(Protocol):
    """Anything that solves K phi = b for blocks b (n, k)."""

    def solve(self, load: NDArray[np.float64], tol: float) -> Solution:
        """Solve to |b - K phi| <= tol |b| in every column."""
        ...

    def of_matrix(self, matrix: csr_matrix) -> "Solver":
        """The solver of another matrix of the same size; what took long to prepare may be shared."""
        ...


class ConstantsPerPart:
    """The null space: one constant on each connected part of the mesh.

    Parameters
    ----------
    part : (n,) int
        Number of the part that each node is in, from 0 on.
    """

    def __init__(self, part: NDArray[np.int32]) -> None:
        self.part = part
        self.sizes = np.bincount(part).astype(np.float64)
        self.n_parts = len(self.sizes)

    @classmethod
    def of(cls, matrix: csr_matrix) -> "ConstantsPerPart":
        """That of a stiffness matrix."""
        return cls(connected_components(matrix, directed=False)[1])

    def remove(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The (n, k) block without its mean on each part."""
        sums = [np.bincount(self.part, weights=column, minlength=self.n_parts) for column in block.T]
        mean = np.stack(sums, axis=1) / self.sizes[:, None]
        return np.ascontiguousarray(block - (mean[0] if self.n_parts == 1 else mean[self.part]))


def with_unused_nodes(matrix: csr_matrix) -> csr_matrix:
    """The matrix with the equation phi = 0 at nodes of no tetrahedron, which disturbs nothing.

    A sum of sparse matrices would drop couplings that happen to be zero; the pattern is that of the mesh.
    """
    empty = np.flatnonzero(matrix.diagonal() == 0)
    if not len(empty):
        return matrix
    given = matrix.tocoo()
    rows, columns = (np.concatenate([index, empty]) for index in (given.row, given.col))
    return csr_matrix((np.concatenate([given.data, np.ones(len(empty))]), (rows, columns)), shape=matrix.shape)


def csr_rows(matrix: csr_matrix) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Row starts and columns of a matrix as kernels take them."""
    return matrix.indptr.astype(np.int32, copy=False), matrix.indices.astype(np.int32, copy=False)


def csr_arrays(name: str, matrix: csr_matrix) -> dict[str, NDArray[Any]]:
    """The three arrays of a matrix, by names that begin with `name`."""
    return {f"{name}_rows": matrix.indptr, f"{name}_columns": matrix.indices, f"{name}_values": matrix.data}


def csr_from_arrays(name: str, arrays: Mapping[str, NDArray[Any]], shape: tuple[int, int]) -> csr_matrix:
    """The matrix that `csr_arrays` took apart; what indexes memory is checked.

    Raises
    ------
    InputError
        If the arrays are missing or those of no matrix of this shape.
    """
    try:
        values, columns, rows = (arrays[f"{name}_{part}"] for part in ("values", "columns", "rows"))
        matrix = csr_matrix((values, columns, rows), shape=shape)
        matrix.check_format(full_check=True)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{name} must be a matrix of shape {shape}; instead: {error}; prepare it again") from error
    if matrix.dtype != np.float64:
        raise InputError(f"{name} must hold float64; instead it holds {matrix.dtype}; prepare it again")
    return matrix
