"""How a grid of the V-cycle is smoothed: Chebyshev steps, over its diagonal or over an incomplete factor."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, triu

from efield.fem.system import csr_rows
from efield.kernels.elements import incomplete

#: Where so many rows have such a sum of positive couplings over their diagonal, elements are flat. Of head meshes at
#: most 1e-5 of the rows do, of Delaunay meshes of random points and of grids 2e-3 and more (benchmarks/hard_meshes.py).
_FLAT_SHARE: Final = 1e-4
_FLAT_COUPLING: Final = 1.2

Csr = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]

#: Chebyshev steps, and the part of the spectrum that they damp: from its top to so much below; coarser grids have the
#: rest. Over the factor 3 steps to a tenth took 58 iterations on a jittered grid of 20 thousand nodes, 4 to a twentieth
#: 52, in the same time.
OVER_DIAGONAL: Final = (2, 10.0)
OVER_FACTOR: Final = (4, 20.0)

#: Ahead of the bound of the spectrum, which holds with a probability that is high and not one.
SAFETY: Final = 1.05


def chebyshev_steps(top: float, count: int, share: float) -> list[tuple[np.float32, np.float32]]:
    """(keep, rate) of each step of the Chebyshev iteration on [top / share, top] (Saad 2003, algorithm 12.1)."""
    center, half = 0.5 * (top + top / share), 0.5 * (top - top / share)
    ratio = half / center
    steps = [(np.float32(0), np.float32(1 / center))]
    for _ in range(count - 1):
        following = 1 / (2 * center / half - ratio)
        steps.append((np.float32(following * ratio), np.float32(2 * following / half)))
        ratio = following
    return steps


def has_slivers(matrix: csr_matrix) -> bool:
    """Whether the elements of a first-order stiffness matrix are so flat that smoothing over the diagonal stalls.

    A well-shaped element couples its corners by negative entries; the two diagonals of a flat one repel.
    """
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    positive = np.bincount(row, weights=np.maximum(matrix.data, 0.0), minlength=matrix.shape[0])
    diagonal = matrix.diagonal()
    return bool(np.mean(positive - diagonal > _FLAT_COUPLING * diagonal) > _FLAT_SHARE)


def as_float32(matrix: csr_matrix) -> Csr:
    """A matrix as kernels take it."""
    return (*csr_rows(matrix), matrix.data.astype(np.float32))


def incomplete_factor(matrix: csr_matrix, inverse_diagonal: NDArray[np.float64]) -> Csr:
    """U of A ~ U^T U on the pattern of A: eigenvalues of (U^T U)^-1 A are at most 1, whatever the elements' shapes.

    Four corners of a flat tetrahedron are bound to each other far more strongly than to the rest. A smoother that takes
    one unknown at a time stalls there; the factor takes them together.

    References
    ----------
    Ajiz MA, Jennings A. A robust incomplete Choleski-conjugate gradient algorithm. Int J Numer Methods Eng
    1984;20:949-966.
    """
    root = np.sqrt(inverse_diagonal)
    upper = csr_matrix(triu(diags(root) @ matrix @ diags(root), format="csr"))
    upper.sort_indices()
    indptr, columns = csr_rows(upper)
    incomplete.factorize(indptr, columns, upper.data)
    back = np.divide(1.0, root, out=np.ones_like(root), where=root > 0)
    return indptr, columns, (upper.data * back[columns]).astype(np.float32)
