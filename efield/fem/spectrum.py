"""An upper bound of the spectrum that a smoother must damp: a mode above its interval would be amplified."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

#: Steps of Lanczos. From a random start the largest Ritz value of so many is below 0.9 of the largest eigenvalue of a
#: million unknowns with a probability of less than 0.7 %, whatever the matrix (Kuczynski & Wozniakowski 1992, theorem
#: 4.1: 1.648 sqrt(n) exp(-(2 steps - 1) sqrt(0.1))); the residual covers what is missing where it is not small.
_STEPS: Final = 20


def top_of_spectrum(matrix: csr_matrix, inverse_diagonal: NDArray[np.float64]) -> float:
    """A bound from above of the eigenvalues of D^-1 A.

    The largest Ritz value of a few Lanczos steps plus the residual of its vector, as long as the absolute sums of the
    rows (Gershgorin), which never fail, are not lower.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        Symmetric positive semidefinite.
    inverse_diagonal : (n,) ndarray
        Zero for unknowns that the smoother leaves alone.

    References
    ----------
    Zhou Y, Li RC. Bounding the spectrum of large Hermitian matrices. Linear Algebra Appl 2011;435:480-493.
    Kuczynski J, Wozniakowski H. Estimating the largest eigenvalue by the power and Lanczos algorithms with a random
    start. SIAM J Matrix Anal Appl 1992;13:1094-1122.
    """
    root = np.sqrt(inverse_diagonal)
    # Not `abs(matrix)`, which sorts the matrix that is given, and others that share its indices.
    sums = root * (csr_matrix((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape) @ root)
    return min(_lanczos_bound(matrix, root), float(sums.max(initial=0.0)))


def _lanczos_bound(matrix: csr_matrix, root: NDArray[np.float64]) -> float:
    """Largest Ritz value of R A R, R = diag(root), plus its residual.

    The sums are NumPy's own, whose order does not depend on the number of threads as a linear-algebra library's may.
    """
    x = np.where(root > 0, np.random.default_rng(0).standard_normal(len(root)), 0.0)
    before = np.zeros_like(x)
    diagonal: list[float] = []
    beside = [float(np.sqrt(np.sum(x * x)))]
    while len(diagonal) < _STEPS and beside[-1] > 1e-12 * max(1.0, *diagonal, 0.0):
        x /= beside[-1]
        image = root * (matrix @ (root * x)) - (beside[-1] if diagonal else 0.0) * before
        diagonal.append(float(np.sum(x * image)))
        image -= diagonal[-1] * x
        before, x = x, image
        beside.append(float(np.sqrt(np.sum(x * x))))
    if not diagonal:
        return 0.0
    inner = np.array(beside[1:-1])
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(inner, 1) + np.diag(inner, -1))
    return float(values[-1] + beside[-1] * abs(vectors[-1, -1]))
