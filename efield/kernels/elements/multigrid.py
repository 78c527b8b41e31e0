"""Sparse products, smoothing steps and conjugate-gradient updates on blocks of right-hand sides.

Blocks are (n, k) with the k columns side by side, so that one pass over a matrix serves all of them. Matrices are
compressed rows. Rows are written by one thread each and sums run over fixed chunks of rows, so results are the same
bits for any number of threads. float32 or float64, as the arrays come; all arrays of a call share no memory.

A few columns are summed one after the other, each in a register, many beside each other, in the same order. Indices are
unsigned: the compiler then does not ask of every one whether it counts from the end, which took half of the time.
"""

import numpy as np

from efield.kernels.parts import in_parts

# Rows whose products are summed together; fixed, so that sums do not depend on the number of threads.
_CHUNK = np.uint64(2048)

# So many columns fill a vector register.
_MANY = 8

_ONE = np.uint64(1)


def add_product(indptr, indices, values, x, scale, out):
    """out += scale A x: the only product, so that it is compiled once per precision."""
    _add_product(len(out), indptr.view(np.uint32), indices.view(np.uint32), values, x, scale, out)


@in_parts(least=1000)
def _add_product(first, last, indptr, indices, values, x, scale, out):
    width = np.uint64(x.shape[1])
    for i in range(np.uint64(first), np.uint64(last)):
        begin, end = indptr[i], indptr[i + _ONE]
        if width < _MANY:
            for c in range(width):
                total = out[i, c]
                for s in range(begin, end):
                    total += scale * values[s] * x[indices[s], c]
                out[i, c] = total
            continue
        for s in range(begin, end):
            j, a = indices[s], scale * values[s]
            for c in range(width):
                out[i, c] += a * x[j, c]


def smoothing_step(indptr, indices, values, inverse_diagonal, load, x, keep, rate, step, out):
    """One Chebyshev step: step = keep step + rate D^-1 (load - A x), out = x + step."""
    matrix = indptr.view(np.uint32), indices.view(np.uint32), values
    _smoothing_step(len(out), *matrix, inverse_diagonal, load, x, keep, rate, step, out)


@in_parts(least=1000)
def _smoothing_step(first, last, indptr, indices, values, inverse_diagonal, load, x, keep, rate, step, out):
    width = np.uint64(x.shape[1])
    for i in range(np.uint64(first), np.uint64(last)):
        begin, end, weight = indptr[i], indptr[i + _ONE], rate * inverse_diagonal[i]
        if width < _MANY:
            for c in range(width):
                left = load[i, c]
                for s in range(begin, end):
                    left -= values[s] * x[indices[s], c]
                step[i, c] = keep * step[i, c] + weight * left
                out[i, c] = x[i, c] + step[i, c]
            continue
        for c in range(width):
            out[i, c] = load[i, c]
        for s in range(begin, end):
            j, a = indices[s], values[s]
            for c in range(width):
                out[i, c] -= a * x[j, c]
        for c in range(width):
            step[i, c] = keep * step[i, c] + weight * out[i, c]
            out[i, c] = x[i, c] + step[i, c]


def _sums(n, width):
    """What each chunk of n rows sums up, below a row of zeros with which the running sum begins."""
    return np.zeros((1 - (-n // int(_CHUNK)), width))


def dots(a, b):
    """Column by column a . b (k,), summed in float64."""
    sums = _sums(*a.shape)
    _dots(len(sums) - 1, a, b, sums)
    return np.add.accumulate(sums)[-1]


@in_parts(least=4)
def _dots(first, last, a, b, sums):
    n, width = np.uint64(a.shape[0]), np.uint64(a.shape[1])
    for q in range(np.uint64(first), np.uint64(last)):
        begin, end = q * _CHUNK, min(n, (q + _ONE) * _CHUNK)
        if width < _MANY:
            for c in range(width):
                total = 0.0
                for i in range(begin, end):
                    total += a[i, c] * b[i, c]
                sums[q + _ONE, c] = total
            continue
        for i in range(begin, end):
            for c in range(width):
                sums[q + _ONE, c] += a[i, c] * b[i, c]


def descend(alpha, direction, image, x, remainder, scale, scaled):
    """x += alpha direction; remainder -= alpha image; scaled = scale remainder. Returns |remainder|^2 (k,)."""
    sums = _sums(*x.shape)
    _descend(len(sums) - 1, alpha, direction, image, x, remainder, scale, scaled, sums)
    return np.add.accumulate(sums)[-1]


@in_parts(least=4)
def _descend(first, last, alpha, direction, image, x, remainder, scale, scaled, sums):
    n, width = np.uint64(x.shape[0]), np.uint64(x.shape[1])
    for q in range(np.uint64(first), np.uint64(last)):
        begin, end = q * _CHUNK, min(n, (q + _ONE) * _CHUNK)
        if width < _MANY:
            for c in range(width):
                length, factor, total = alpha[c], scale[c], 0.0
                for i in range(begin, end):
                    x[i, c] += length * direction[i, c]
                    r = remainder[i, c] - length * image[i, c]
                    remainder[i, c] = r
                    scaled[i, c] = factor * r
                    total += r * r
                sums[q + _ONE, c] = total
            continue
        for i in range(begin, end):
            for c in range(width):
                x[i, c] += alpha[c] * direction[i, c]
                r = remainder[i, c] - alpha[c] * image[i, c]
                remainder[i, c] = r
                scaled[i, c] = scale[c] * r
                sums[q + _ONE, c] += r * r


def turn(beta, preconditioned, direction):
    """direction = preconditioned + beta direction."""
    _turn(len(direction), beta, preconditioned, direction)


@in_parts(least=8000)
def _turn(first, last, beta, preconditioned, direction):
    width = np.uint64(direction.shape[1])
    for i in range(np.uint64(first), np.uint64(last)):
        for c in range(width):
            direction[i, c] = preconditioned[i, c] + beta[c] * direction[i, c]
