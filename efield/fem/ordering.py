"""The order in which the solver keeps its unknowns.

A row of the matrix gathers the values of its neighbors. Where neighbors are far apart in memory every one of them is
a cache miss: with nodes in random order a block of 16 right-hand sides took 2.8 times as long at 176 thousand nodes
and 5.8 times at 540 thousand (benchmarks/ordering.py). Only the solver sees this order; potentials come back in that of
the mesh.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

#: Neighbors of n unknowns in space can be about n^(2/3) apart in memory: a layer of the mesh. The default head comes to
#: 0.8 times that, where a better order gained 3 to 13 %; a sphere of `efield` to 3.3, random order to 12 and more.
_GOOD_SPREAD: Final = 2.0


def spread(matrix: csr_matrix) -> float:
    """Mean distance |i - j| of coupled unknowns, in units of n^(2/3)."""
    n = matrix.shape[0]
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(matrix.indptr))
    return float(np.abs(rows - matrix.indices).mean() / n ** (2 / 3)) if matrix.nnz else 0.0


def local_order(matrix: csr_matrix) -> NDArray[np.int32] | None:
    """(n,) unknowns in an order that keeps neighbors together; None where they are together already.

    References
    ----------
    Cuthill E, McKee J. Reducing the bandwidth of sparse symmetric matrices. Proc 24th National Conference ACM
    1969:157-172.
    """
    if spread(matrix) <= _GOOD_SPREAD:
        return None
    return np.asarray(reverse_cuthill_mckee(matrix, symmetric_mode=True))


def reordered(matrix: csr_matrix, rows: NDArray[np.int32] | None, columns: NDArray[np.int32] | None) -> csr_matrix:
    """The matrix with its rows and columns in other orders; None leaves them."""
    moved = matrix if rows is None else matrix[rows]
    moved = moved if columns is None else moved[:, columns]
    return csr_matrix(moved)
