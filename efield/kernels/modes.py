"""Fields from modes stored as 16-bit integers with one scale per row: half the memory to read, which is all the time.

Every row is one thread's, so results are the same bits for any number of threads.
"""

import numpy as np
from numba import njit, prange

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


@njit(cache=True)
def unpack(modes, scale, rows, out):
    """Rows (c,) of the modes as numbers: out (c, r) float32; on one thread, as it is done for small parts."""
    for k in range(rows.shape[0]):
        i = rows[k]
        for j in range(modes.shape[1]):
            out[k, j] = scale[i] * np.float32(modes[i, j])


@njit(cache=True, fastmath=_FAST)
def times(matrix, vector):
    """Matrix (m, s) times vector (s,) in float64 on one thread."""
    result = np.empty(matrix.shape[0])
    for i in range(matrix.shape[0]):
        total = 0.0
        for j in range(matrix.shape[1]):
            total += matrix[i, j] * vector[j]
        result[i] = total
    return result


@njit(cache=True, parallel=True)
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
