"""Coarser grids below a matrix and the ways up from them: smoothed aggregation, put together from pyamg's parts."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

#: Strength threshold of the aggregation. On sphere and folded heads 0.02 to 0.08 took 12 to 20 iterations; the usual
#: 0 took 42 on the sphere, and 0.12 took 24 to 47. Lower thresholds coarsen faster and set up sooner.
_STRENGTH: Final = 0.035
_COARSEST: Final = 500

#: Steps that lower the energy of the ways up: 4 took 87 iterations on a jittered grid of 20 thousand nodes, 10 took 74.
_ENERGY_STEPS: Final = 10

Coarser = tuple[csr_matrix, csr_matrix]


def coarsened(matrix: csr_matrix, points: NDArray[np.float64] | None = None) -> list[Coarser]:
    """(way up, matrix) of every grid below a symmetric positive semidefinite matrix, from the finest to the coarsest.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        Couplings of the nodes of a mesh.
    points : (n, 3) ndarray, optional
        Where the nodes are. With them the ways up hold every linear function besides the constants, and have as little
        energy as they can: for meshes of flat elements, at three times the work. The flat tetrahedron over a square
        ties the sums of its two diagonals together, which costs a linear function nothing; one that is constant in
        pieces breaks such ties all along its steps, and no grid made of those helps.

    References
    ----------
    Vanek P, Mandel J, Brezina M. Algebraic multigrid by smoothed aggregation for second and fourth order elliptic
    problems. Computing 1996;56:179-196.
    Mandel J, Brezina M, Vanek P. Energy optimization of algebraic multigrid bases. Computing 1999;62:205-228.
    """
    # A copy, as some of what follows sorts the rows that it is given, and with them the order of a solver's sums.
    matrix, block = matrix.copy(), 1
    given = np.ones((matrix.shape[0], 1)) if points is None else _linear(points)
    found: list[Coarser] = []
    while matrix.shape[0] > _COARSEST:
        up, given = _smooth_constants(matrix, given) if points is None else _least_energy(matrix, given, block)
        if up.shape[1] >= up.shape[0]:
            break
        matrix, block = up.T @ matrix @ up, given.shape[1]
        found.append((csr_matrix(up), csr_matrix(matrix)))
    return found


def _linear(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) the functions 1, x, y and z, alike in size."""
    centered = points - points.mean(axis=0)
    return np.column_stack([np.ones(len(points)), centered / centered.std()])


def _smooth_constants(matrix: Any, given: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
    """The way up that holds `given` (n, 1), and what is given below it: constants in pieces, once smoothed."""
    from pyamg.aggregation.aggregate import standard_aggregation
    from pyamg.aggregation.smooth import jacobi_prolongation_smoother
    from pyamg.aggregation.tentative import fit_candidates
    from pyamg.strength import symmetric_strength_of_connection

    strong = symmetric_strength_of_connection(matrix, theta=_STRENGTH)
    aggregates = with_lone_unknowns(standard_aggregation(strong)[0], csr_matrix(matrix))
    pieces, below = fit_candidates(aggregates, given)
    # Row by row weights need no random vectors: the same grids every time. Weak couplings left out keep coarse rows
    # short: on the default head the matrices of all grids hold 1.42 times the entries of the finest instead of 1.69.
    options = {"omega": 4 / 3, "weighting": "local", "filter_entries": True}
    return jacobi_prolongation_smoother(matrix, pieces, strong, below, **options), below


def _least_energy(matrix: csr_matrix, given: NDArray[np.float64], block: int) -> tuple[Any, NDArray[np.float64]]:
    """The same for `given` (n, c) by conjugate gradients; a node has `block` unknowns.

    Neighbors aggregate whatever their couplings, which say more of the elements' shapes than of what goes together.
    """
    from pyamg.aggregation.aggregate import standard_aggregation
    from pyamg.aggregation.smooth import energy_prolongation_smoother
    from pyamg.aggregation.tentative import fit_candidates

    nodes = matrix.tobsr((block, block))
    beside = csr_matrix((np.ones(len(nodes.indices)), nodes.indices, nodes.indptr), shape=2 * (len(nodes.indptr) - 1,))
    pieces, below = fit_candidates(standard_aggregation(beside)[0], given)
    rows = matrix if block == 1 else nodes
    up = energy_prolongation_smoother(rows, pieces, beside, below, None, (False, {}), maxiter=_ENERGY_STEPS)
    return csr_matrix(up), below


def with_lone_unknowns(aggregates: csr_matrix, matrix: csr_matrix) -> csr_matrix:
    """Aggregates (n, k), those in none added to the one that most of their couplings lead to.

    An unknown that conducts little among some that conduct much is strongly coupled to none. Left out, it would be
    held at zero by the coarser grids, which then had no constants: conjugate gradients stalled.
    """
    while len(lone := np.flatnonzero(np.diff(aggregates.indptr) == 0)):
        near = csr_matrix(abs(matrix[lone]) @ aggregates)
        found = np.flatnonzero(near.sum(axis=1))
        if not len(found):
            break
        where = (lone[found], np.ravel(near[found].argmax(axis=1)))
        aggregates = csr_matrix(
            aggregates + csr_matrix((np.ones(len(found), aggregates.dtype), where), aggregates.shape)
        )
    return aggregates
