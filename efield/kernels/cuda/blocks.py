"""Conjugate gradients on blocks of right-hand sides: products, sums, updates. float64.

Blocks are (n, k), launched as `launch.by_chunk` says unless a docstring says otherwise; what is a number for each
column is (k,) or (1, k) and stays on the device. Sums of products leave one part for each chunk in parts (chunks, k),
which `sums` adds. Matrices are compressed rows with columns of unsigned integers, which spares a test for negative
ones.
"""

import numpy as np
from numba import cuda

from efield.kernels.cuda.launch import CHUNK, ROWS, WIDEST, narrow, wide


@cuda.jit(device=True)
def _sum_of_rows(value, out, q):
    """out[q, c] = the sum of what the threads of lane c bring, in pairs."""
    shared = cuda.shared.array((ROWS, WIDEST), np.float64)
    c, y = cuda.threadIdx.x, cuda.threadIdx.y
    shared[y, c] = value
    cuda.syncthreads()
    half = ROWS // 2
    while half > 0:
        if y < half:
            shared[y, c] += shared[y + half, c]
        cuda.syncthreads()
        half //= 2
    if y == 0:
        out[q, c] = shared[0, c]


@cuda.jit(device=True)
def _row_times(indptr, indices, values, i, x, c):
    """Row i of a matrix times column c of x."""
    total = 0.0
    for s in range(indptr[i], indptr[i + 1]):
        total += values[s] * x[indices[s], c]
    return total


@cuda.jit(device=True)
def _ratio(top, bottom):
    return top / bottom if bottom > 0.0 else 0.0


@cuda.jit(cache=True)
def sums(parts, start, out):
    """out (p, k) = sums of parts[start[p] : start[p + 1]], one block of threads for each p."""
    c, y, p = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.x
    total = 0.0
    for q in range(start[p] + y, start[p + 1], ROWS):
        total += parts[q, c]
    _sum_of_rows(total, out, p)


@cuda.jit(cache=True)
def part_sums(block, members, bounds, parts):
    """Sums of block over the rows members[bounds[q] : bounds[q + 1]], one block of threads for each q."""
    c, y, q = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.x
    total = 0.0
    for s in range(bounds[q] + y, bounds[q + 1], ROWS):
        total += block[members[s], c]
    _sum_of_rows(total, parts, q)


@cuda.jit(cache=True)
def subtract_means(block, part, totals, sizes):
    """block -= totals / sizes of the part that each row belongs to."""
    c = cuda.threadIdx.x
    first = cuda.blockIdx.x * CHUNK
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, block.shape[0]), ROWS):
        p = part[i]
        block[i, c] -= totals[p, c] / sizes[p]


@cuda.jit(cache=True)
def zero(block):
    """block = 0."""
    c = cuda.threadIdx.x
    first = cuda.blockIdx.x * CHUNK
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, block.shape[0]), ROWS):
        block[i, c] = 0.0


@cuda.jit(cache=True)
def put_back(found, order, out):
    """out[order[i]] = found[i], as many columns as out has."""
    c = cuda.threadIdx.x
    first = cuda.blockIdx.x * CHUNK
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, found.shape[0]), ROWS):
        if c < out.shape[1]:
            out[order[i], c] = found[i, c]


@cuda.jit(cache=True)
def remainder(indptr, indices, values, load, x, out, parts):
    """out = load - A x, and the parts of |out|^2."""
    c = cuda.threadIdx.x
    first, total = cuda.blockIdx.x * CHUNK, 0.0
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, x.shape[0]), ROWS):
        value = load[i, c] - _row_times(indptr, indices, values, i, x, c)
        out[i, c] = value
        total += value * value
    _sum_of_rows(total, parts, cuda.blockIdx.x)


@cuda.jit(cache=True)
def product(indptr, indices, values, x, out, parts):
    """out = A x, and the parts of x . out."""
    c = cuda.threadIdx.x
    first, total = cuda.blockIdx.x * CHUNK, 0.0
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, x.shape[0]), ROWS):
        value = _row_times(indptr, indices, values, i, x, c)
        out[i, c] = value
        total += x[i, c] * value
    _sum_of_rows(total, parts, cuda.blockIdx.x)


@cuda.jit(cache=True)
def begin(remainder, scale, scaled, direction, parts):
    """scaled = scale remainder as the V-cycle stores it, direction = 0, and the parts of |remainder|^2."""
    c = cuda.threadIdx.x
    first, total = cuda.blockIdx.x * CHUNK, 0.0
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, remainder.shape[0]), ROWS):
        value = remainder[i, c]
        scaled[i, c] = narrow(np.float32(scale[c] * value))
        direction[i, c] = 0.0
        total += value * value
    _sum_of_rows(total, parts, cuda.blockIdx.x)


@cuda.jit(cache=True)
def dot_stored(remainder, preconditioned, parts):
    """Parts of remainder . preconditioned, the latter as the V-cycle stores it."""
    c = cuda.threadIdx.x
    first, total = cuda.blockIdx.x * CHUNK, 0.0
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, remainder.shape[0]), ROWS):
        total += remainder[i, c] * np.float64(wide(preconditioned[i, c]))
    _sum_of_rows(total, parts, cuda.blockIdx.x)


@cuda.jit(cache=True)
def turn(now, before, preconditioned, direction):
    """direction = preconditioned + now / before direction."""
    c = cuda.threadIdx.x
    beta = _ratio(now[0, c], before[0, c])
    first = cuda.blockIdx.x * CHUNK
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, direction.shape[0]), ROWS):
        direction[i, c] = np.float64(wide(preconditioned[i, c])) + beta * direction[i, c]


@cuda.jit(cache=True)
def descend(now, curvature, active, direction, image, x, remainder, scale, scaled, parts):
    """x += alpha direction; remainder -= alpha image; scaled as in `begin`; and the parts of |remainder|^2.

    alpha = now / curvature, zero in columns that are not active.
    """
    c = cuda.threadIdx.x
    alpha = _ratio(now[0, c], curvature[0, c]) if active[c] != 0 else 0.0
    first, total = cuda.blockIdx.x * CHUNK, 0.0
    for i in range(first + cuda.threadIdx.y, min(first + CHUNK, x.shape[0]), ROWS):
        x[i, c] += alpha * direction[i, c]
        value = remainder[i, c] - alpha * image[i, c]
        remainder[i, c] = value
        scaled[i, c] = narrow(np.float32(scale[c] * value))
        total += value * value
    _sum_of_rows(total, parts, cuda.blockIdx.x)


@cuda.jit(cache=True)
def rest(square, limit, now, before, active):
    """Columns whose remainder is within its limit rest; before = now. One block of k threads."""
    c = cuda.threadIdx.x
    before[0, c] = now[0, c]
    if square[0, c] <= limit[c] * limit[c]:
        active[c] = 0
