"""Fields from modes stored as 16-bit integers with one scale per row: half the memory to read, which is all the time.

Every row is one thread's, so results are the same bits for any number of threads.
"""

import numpy as np
from numba import njit

from efield.kernels.lanes import dot, fma
from efield.kernels.parts import in_parts

#: Fields that are expanded together.
WIDTH = 64

#: Rows that one thread expands before it writes them: field by field, or a cache line would be written many times.
_TILE = 32


@in_parts
def quantize(first, last, rows, modes, scale):
    """Write rows (m, r) as integers modes (m, r) int16 times scale (m,) float32; a row's largest value is 32767."""
    for i in range(first, last):
        largest = 0.0
        for j in range(rows.shape[1]):
            largest = max(largest, abs(rows[i, j]))
        step = np.float32(largest / 32767.0)
        scale[i] = step
        for j in range(rows.shape[1]):
            modes[i, j] = np.int16(max(-32767.0, min(32767.0, np.rint(rows[i, j] / step)))) if step > 0 else 0


@in_parts
def _expand(first, last, modes, scale, vector, field):
    for i in range(first, last):
        field[i] = scale[i] * dot(modes, i, vector, np.int64(0))


def expand(modes, scale, vector):
    """Field (m,) float32 of coefficients (r,) float32 on one thread."""
    field = np.empty(len(modes), np.float32)
    _expand.kernel(0, len(modes), modes, scale, vector[None], field)
    return field


def expand_on_all(modes, scale, vector):
    """The same on all threads: one thread alone does not use all of the memory's bandwidth."""
    field = np.empty(len(modes), np.float32)
    _expand(len(modes), modes, scale, vector[None], field)
    return field


@njit(cache=True)
def _add_modes(row, coefficients, total):
    """total (WIDTH,) = row (r,) int16 times coefficients (r, WIDTH)."""
    for w in range(WIDTH):
        total[w] = np.float32(0.0)
    k = 0
    # Eight modes for each time the totals are read and written.
    while k + 8 <= row.shape[0]:
        a, b, c, d = np.float32(row[k]), np.float32(row[k + 1]), np.float32(row[k + 2]), np.float32(row[k + 3])
        k += 4
        e, f, g, h = np.float32(row[k]), np.float32(row[k + 1]), np.float32(row[k + 2]), np.float32(row[k + 3])
        k += 4
        x = coefficients[k - 8 : k]
        for w in range(WIDTH):
            half = fma(d, x[3, w], fma(c, x[2, w], fma(b, x[1, w], fma(a, x[0, w], total[w]))))
            total[w] = fma(h, x[7, w], fma(g, x[6, w], fma(f, x[5, w], fma(e, x[4, w], half))))
    while k < row.shape[0]:
        a = np.float32(row[k])
        for w in range(WIDTH):
            total[w] = fma(a, coefficients[k, w], total[w])
        k += 1


@in_parts
def expand_block(first, last, modes, scale, rows, coefficients, out):
    """Chosen rows (c,) of the fields of coefficients (r, WIDTH) float32: out (WIDTH, c) float32.

    Every field goes through the same operations in the same order, in its own lane: its bits do not depend on its
    place in the block or on the other fields, which a matrix product of a library does not promise.
    """
    total, tile = np.empty(WIDTH, np.float32), np.empty((WIDTH, _TILE), np.float32)
    for low in range(first, last, _TILE):
        high = min(last, low + _TILE)
        for q in range(low, high):
            _add_modes(modes[rows[q]], coefficients, total)
            for w in range(WIDTH):
                tile[w, q - low] = scale[rows[q]] * total[w]
        for w in range(WIDTH):
            for q in range(low, high):
                out[w, q] = tile[w, q - low]


def times(matrix, vector):
    """Matrix (m, s) times vector (s,) in float64 on one thread."""
    return times_each(matrix, vector[None])[0]


@in_parts(new=lambda matrix, vectors: np.empty((len(vectors), len(matrix))))
def times_each(first, last, matrix, vectors, result):
    """Matrix (m, s) times each of vectors (p, s): (p, m) float64; one vector is one thread's."""
    for p in range(first, last):
        for i in range(matrix.shape[0]):
            result[p, i] = dot(matrix, i, vectors, p)
