"""Sparse products, smoothing steps and conjugate-gradient updates on blocks of right-hand sides.

Blocks are (n, k) with the k columns side by side, so that one pass over a matrix serves all of them. Matrices are
compressed rows. Rows are written by one thread each and sums run over fixed chunks of rows, so results are the same
bits for any number of threads. float32 or float64, as the arrays come; all arrays of a call share no memory. A single
column is summed in a register, in the same order: half the time.
"""

import numpy as np
from numba import njit, prange

# Rows whose products are summed together; fixed, so that sums do not depend on the number of threads.
_CHUNK = 2048


@njit(cache=True, parallel=True)
def add_product(indptr, indices, values, x, scale, out):
    """out += scale A x: the only product, so that it is compiled once per precision."""
    for i in prange(indptr.shape[0] - 1):
        if x.shape[1] == 1:
            total = out[i, 0]
            for s in range(indptr[i], indptr[i + 1]):
                total += scale * values[s] * x[indices[s], 0]
            out[i, 0] = total
            continue
        for s in range(indptr[i], indptr[i + 1]):
            j, a = indices[s], scale * values[s]
            for c in range(x.shape[1]):
                out[i, c] += a * x[j, c]


@njit(cache=True, parallel=True)
def smoothing_step(indptr, indices, values, inverse_diagonal, load, x, keep, rate, step, out):
    """One Chebyshev step: step = keep step + rate D^-1 (load - A x), out = x + step."""
    for i in prange(indptr.shape[0] - 1):
        weight = rate * inverse_diagonal[i]
        if x.shape[1] == 1:
            left = load[i, 0]
            for s in range(indptr[i], indptr[i + 1]):
                left -= values[s] * x[indices[s], 0]
            step[i, 0] = keep * step[i, 0] + weight * left
            out[i, 0] = x[i, 0] + step[i, 0]
            continue
        for c in range(x.shape[1]):
            out[i, c] = load[i, c]
        for s in range(indptr[i], indptr[i + 1]):
            j, a = indices[s], values[s]
            for c in range(x.shape[1]):
                out[i, c] -= a * x[j, c]
        for c in range(x.shape[1]):
            step[i, c] = keep * step[i, c] + weight * out[i, c]
            out[i, c] = x[i, c] + step[i, c]


@njit(cache=True)
def _sum_chunks(parts):
    total = np.zeros(parts.shape[1])
    for q in range(parts.shape[0]):
        for c in range(parts.shape[1]):
            total[c] += parts[q, c]
    return total


@njit(cache=True, parallel=True)
def dots(a, b):
    """Column by column a . b (k,), summed in float64."""
    n, width = a.shape
    chunks = (n + _CHUNK - 1) // _CHUNK
    parts = np.zeros((chunks, width))
    for q in prange(chunks):
        for i in range(q * _CHUNK, min(n, (q + 1) * _CHUNK)):
            for c in range(width):
                parts[q, c] += a[i, c] * b[i, c]
    return _sum_chunks(parts)


@njit(cache=True, parallel=True)
def descend(alpha, direction, image, x, remainder, scale, scaled):
    """x += alpha direction; remainder -= alpha image; scaled = scale remainder. Returns |remainder|^2 (k,)."""
    n, width = x.shape
    chunks = (n + _CHUNK - 1) // _CHUNK
    parts = np.zeros((chunks, width))
    for q in prange(chunks):
        for i in range(q * _CHUNK, min(n, (q + 1) * _CHUNK)):
            for c in range(width):
                x[i, c] += alpha[c] * direction[i, c]
                r = remainder[i, c] - alpha[c] * image[i, c]
                remainder[i, c] = r
                scaled[i, c] = scale[c] * r
                parts[q, c] += r * r
    return _sum_chunks(parts)


@njit(cache=True, parallel=True)
def turn(beta, preconditioned, direction):
    """direction = preconditioned + beta direction."""
    for i in prange(direction.shape[0]):
        for c in range(direction.shape[1]):
            direction[i, c] = preconditioned[i, c] + beta[c] * direction[i, c]
