"""An incomplete Cholesky factor U, A ~ U^T U, and solves with it, for blocks of right-hand sides.

By one thread each, as every row needs the last: the same bits for any number of threads.
"""

import numpy as np
from numba import njit

# Of a diagonal of 1: where the pattern is full, what is left of the last pivot of a part is rounding, of either sign.
_ROUNDING = 1e-12


@njit(cache=True)
def factorize(indptr, columns, values):
    """Upper rows, sorted, the diagonal (1, or 0 for a row to be left alone) first, become those of U in place.

    What falls outside the pattern is not dropped but moved to both diagonals by its size (Ajiz & Jennings 1984): the
    pivots stay positive for any positive semidefinite A, and U^T U - A is positive semidefinite.
    """
    for k in range(indptr.shape[0] - 1):
        first, end = indptr[k], indptr[k + 1]
        pivot = np.sqrt(values[first]) if values[first] > _ROUNDING else np.inf
        values[first] = pivot
        for s in range(first + 1, end):
            values[s] /= pivot
        for s in range(first + 1, end):
            q, stop = indptr[columns[s]], indptr[columns[s] + 1]
            diagonal = q
            values[diagonal] -= values[s] * values[s]
            for t in range(s + 1, end):
                fill = values[s] * values[t]
                while q < stop and columns[q] < columns[t]:
                    q += 1
                if q < stop and columns[q] == columns[t]:
                    values[q] -= fill
                else:
                    values[diagonal] += abs(fill)
                    values[indptr[columns[t]]] += abs(fill)


@njit(cache=True)
def solve(indptr, columns, values, x):
    """x (n, k) = (U^T U)^-1 x in place; rows with an infinite diagonal become zero."""
    n, width = x.shape
    for i in range(n):
        for c in range(width):
            x[i, c] /= values[indptr[i]]
        for s in range(indptr[i] + 1, indptr[i + 1]):
            j, u = columns[s], values[s]
            for c in range(width):
                x[j, c] -= u * x[i, c]
    for k in range(n):
        i = n - 1 - k
        for s in range(indptr[i] + 1, indptr[i + 1]):
            j, u = columns[s], values[s]
            for c in range(width):
                x[i, c] -= u * x[j, c]
        for c in range(width):
            x[i, c] /= values[indptr[i]]
