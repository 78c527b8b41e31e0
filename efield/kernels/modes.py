"""Fields from modes stored as 16-bit integers with one scale per row: half the memory to read, which is all the time.

Every row is one thread's, so results are the same bits for any number of threads.
"""

import numpy as np
from numba import njit, prange

#: Fields that are expanded together.
WIDTH = 64

_FAST = {"reassoc", "contract"}  # why: see dipoles.py


@njit(cache=True, parallel=True, error_model="numpy")
def quantize(rows, modes, scale):
    """Write rows (m, r) as integers modes (m, r) int16 times scale (m,) float32; a row's largest value is 32767."""
    for i in prange(rows.shape[0]):
        largest = 0.0
        for j in range(rows.shape[1]):
            largest = max(largest, abs(rows[i, j]))
        step = np.float32(largest / 32767.0)
        scale[i] = step
        for j in range(rows.shape[1]):
            modes[i, j] = np.int16(max(-32767.0, min(32767.0, np.rint(rows[i, j] / step)))) if step > 0 else 0


@njit(cache=True, fastmath=_FAST)
def _row(modes, vector):
    total = np.float32(0.0)
    for j in range(vector.shape[0]):
        total += np.float32(modes[j]) * vector[j]
    return total


@njit(cache=True)
def expand(modes, scale, vector):
    """Field (m,) float32 of coefficients (r,) float32 on one thread."""
    result = np.empty(modes.shape[0], np.float32)
    for i in range(modes.shape[0]):
        result[i] = scale[i] * _row(modes[i], vector)
    return result


@njit(cache=True, parallel=True)
def expand_on_all(modes, scale, vector):
    """The same on all threads: one thread alone does not use all of the memory's bandwidth."""
    result = np.empty(modes.shape[0], np.float32)
    for i in prange(modes.shape[0]):
        result[i] = scale[i] * _row(modes[i], vector)
    return result


@njit(cache=True, parallel=True, fastmath={"contract"})
def expand_block(modes, scale, rows, coefficients, out):
    """Chosen rows (c,) of the fields of coefficients (r, WIDTH) float32: out (WIDTH, c) float32.

    Every field goes through the same operations in the same order, in its own lane: its bits do not depend on its
    place in the block or on the other fields, which a matrix product of a library does not promise.
    """
    r = modes.shape[1]
    for chunk in prange((rows.shape[0] + 31) // 32):
        total = np.empty(WIDTH, np.float32)
        for q in range(chunk * 32, min(rows.shape[0], chunk * 32 + 32)):
            row = modes[rows[q]]
            for w in range(WIDTH):
                total[w] = np.float32(0.0)
            k = 0
            # Eight modes for each time the totals are read and written.
            while k + 8 <= r:
                a0, a1, a2, a3 = (
                    np.float32(row[k]),
                    np.float32(row[k + 1]),
                    np.float32(row[k + 2]),
                    np.float32(row[k + 3]),
                )
                k += 4
                a4, a5, a6, a7 = (
                    np.float32(row[k]),
                    np.float32(row[k + 1]),
                    np.float32(row[k + 2]),
                    np.float32(row[k + 3]),
                )
                k += 4
                c = coefficients[k - 8 : k]
                for w in range(WIDTH):
                    low = total[w] + a0 * c[0, w] + a1 * c[1, w] + a2 * c[2, w] + a3 * c[3, w]
                    total[w] = low + a4 * c[4, w] + a5 * c[5, w] + a6 * c[6, w] + a7 * c[7, w]
            while k < r:
                a0 = np.float32(row[k])
                for w in range(WIDTH):
                    total[w] += a0 * coefficients[k, w]
                k += 1
            for w in range(WIDTH):
                out[w, q] = scale[rows[q]] * total[w]


@njit(cache=True, fastmath=_FAST)
def _dot(a, b):
    total = 0.0
    for j in range(a.shape[0]):
        total += a[j] * b[j]
    return total


@njit(cache=True)
def times(matrix, vector):
    """Matrix (m, s) times vector (s,) in float64 on one thread."""
    result = np.empty(matrix.shape[0])
    for i in range(matrix.shape[0]):
        result[i] = _dot(matrix[i], vector)
    return result


@njit(cache=True, parallel=True)
def times_each(matrix, vectors):
    """Matrix (m, s) times each of vectors (p, s): (p, m) float64."""
    result = np.empty((vectors.shape[0], matrix.shape[0]))
    for p in prange(vectors.shape[0]):
        result[p] = times(matrix, vectors[p])
    return result


@njit(cache=True, parallel=True, fastmath=_FAST)
def reading(values):
    """Sum of a long float64 array on all threads: what the memory gives when it is only read."""
    parts = np.zeros(64)
    size = values.shape[0] // 64
    for part in prange(64):
        total = 0.0
        for i in range(part * size, (part + 1) * size):
            total += values[i]
        parts[part] = total
    return parts.sum()
