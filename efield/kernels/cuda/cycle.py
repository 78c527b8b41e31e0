"""Steps of the V-cycle on blocks of right-hand sides: products in float32, vectors as `launch.STORED` keeps them.

Blocks are (n, k), launched as `launch.by_row` says unless a docstring says otherwise. What a call writes to shares no
memory with its other arrays.
"""

import numpy as np
from numba import cuda

from efield.kernels.cuda.launch import ROWS, WIDEST, narrow, wide


@cuda.jit(device=True)
def _row_times(indptr, indices, values, i, x, c):
    """Row i of a matrix times column c of a stored block."""
    total = np.float32(0.0)
    for s in range(indptr[i], indptr[i + 1]):
        total += values[s] * wide(x[indices[s], c])
    return total


@cuda.jit(cache=True)
def first_step(load, inverse_diagonal, rate, x, step):
    """x = step = rate D^-1 load: a Chebyshev step from zero."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, load.shape[0], cuda.gridDim.x * ROWS):
        change = narrow(rate * inverse_diagonal[i] * wide(load[i, c]))
        x[i, c] = change
        step[i, c] = change


@cuda.jit(cache=True)
def smoothing_step(indptr, indices, values, inverse_diagonal, load, x, keep, rate, step, out):
    """One Chebyshev step: step = keep step + rate D^-1 (load - A x), out = x + step."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, load.shape[0], cuda.gridDim.x * ROWS):
        left = wide(load[i, c]) - _row_times(indptr, indices, values, i, x, c)
        change = rate * inverse_diagonal[i] * left
        if keep != np.float32(0.0):
            change += keep * wide(step[i, c])
        step[i, c] = narrow(change)
        out[i, c] = narrow(wide(x[i, c]) + change)


@cuda.jit(cache=True)
def last_step(indptr, indices, values, inverse_diagonal, load, x, keep, rate, step, out):
    """As `smoothing_step`, but the step is not kept."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, load.shape[0], cuda.gridDim.x * ROWS):
        left = wide(load[i, c]) - _row_times(indptr, indices, values, i, x, c)
        change = rate * inverse_diagonal[i] * left + keep * wide(step[i, c])
        out[i, c] = narrow(wide(x[i, c]) + change)


@cuda.jit(cache=True)
def remainder(indptr, indices, values, load, x, out):
    """out = load - A x."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, load.shape[0], cuda.gridDim.x * ROWS):
        out[i, c] = narrow(wide(load[i, c]) - _row_times(indptr, indices, values, i, x, c))


@cuda.jit(cache=True)
def product(indptr, indices, values, x, out):
    """out = A x: the way down."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, out.shape[0], cuda.gridDim.x * ROWS):
        out[i, c] = narrow(_row_times(indptr, indices, values, i, x, c))


@cuda.jit(cache=True)
def add_product(indptr, indices, values, x, out):
    """out += A x: the way up."""
    c = cuda.threadIdx.x
    for i in range(cuda.blockIdx.x * ROWS + cuda.threadIdx.y, out.shape[0], cuda.gridDim.x * ROWS):
        out[i, c] = narrow(wide(out[i, c]) + _row_times(indptr, indices, values, i, x, c))


@cuda.jit(cache=True)
def dense_product(matrix, x, out):
    """out = A x for a matrix (n, n) with every entry: the coarsest grid. One block of threads for each row."""
    shared = cuda.shared.array((ROWS, WIDEST), np.float32)
    c, y, i = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.x
    total = np.float32(0.0)
    for j in range(y, matrix.shape[1], ROWS):
        total += matrix[i, j] * wide(x[j, c])
    shared[y, c] = total
    cuda.syncthreads()
    half = ROWS // 2
    while half > 0:
        if y < half:
            shared[y, c] += shared[y + half, c]
        cuda.syncthreads()
        half //= 2
    if y == 0:
        out[i, c] = narrow(shared[0, c])
