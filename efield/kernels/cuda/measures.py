"""Measures of many fields at the same places, as `efield.kernels.measures` has them: a block of threads for a field.

Threads share the places out among themselves, and what they find is put together in pairs, in a fixed order. A weighted
percentile is found without sorting, by halving the interval that it lies in.
"""

import math

import numpy as np
from numba import cuda

from efield.kernels.cuda.launch import MEASURING


@cuda.jit(device=True)
def _together(shared, total, highest, lowest):
    """Over all threads of the block: the sum, the largest and the smallest of what they bring."""
    t = cuda.threadIdx.x
    shared[0, t], shared[1, t], shared[2, t] = total, highest, lowest
    cuda.syncthreads()
    half = MEASURING // 2
    while half > 0:
        if t < half:
            shared[0, t] += shared[0, t + half]
            shared[1, t] = max(shared[1, t], shared[1, t + half])
            shared[2, t] = min(shared[2, t], shared[2, t + half])
        cuda.syncthreads()
        half //= 2
    total, highest, lowest = shared[0, 0], shared[1, 0], shared[2, 0]
    cuda.syncthreads()
    return total, highest, lowest


@cuda.jit(device=True)
def _weighed(shared, values, weights, p, sign, limit):
    """Weight of the values sign * values[p] up to a limit, the largest of these, and the smallest of the others."""
    total, below, above = 0.0, -math.inf, math.inf
    for i in range(cuda.threadIdx.x, weights.shape[0], MEASURING):
        value = sign * values[p, i]
        if value <= limit:
            total += weights[i]
            below = max(below, value)
        else:
            above = min(above, value)
    return _together(shared, total, below, above)


@cuda.jit(device=True)
def _percentile(shared, values, weights, p, sign, percent):
    """The smallest of sign * values[p] (k,) that `percent` of the weight does not exceed.

    It lies between two of the values. Each look halves the interval, and moves its ends to the next values.
    """
    whole, high, _ = _weighed(shared, values, weights, p, sign, math.inf)
    low = -_weighed(shared, values, weights, p, -sign, math.inf)[1]
    wanted = percent / 100.0 * whole
    while low < high:
        middle = low + 0.5 * (high - low)
        if not middle < high:
            middle = low
        weight, below, above = _weighed(shared, values, weights, p, sign, middle)
        if weight >= wanted:
            high = below
        else:
            low = above
    return high


@cuda.jit(device=True)
def _mean_of(e, p, rows, i, d):
    """Component d of the mean of the rows of e[p] that belong to place i."""
    value = 0.0
    for c in range(rows.shape[1]):
        value += e[p, rows[i, c], d]
    return value / rows.shape[1]


@cuda.jit(device=True)
def _in_target(shared, e, p, corners, weights, direction, size, out):
    """What the measures in the target need of one field, and where |E| is kept: out 0 to 4 and 9 to 11."""
    x, y, z, mean, whole, highest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(cuda.threadIdx.x, weights.shape[0], MEASURING):
        ex, ey, ez = _mean_of(e, p, corners, i, 0), _mean_of(e, p, corners, i, 1), _mean_of(e, p, corners, i, 2)
        size[p, i] = math.sqrt(ex * ex + ey * ey + ez * ez)
        whole += weights[i]
        mean += weights[i] * size[p, i]
        highest = max(highest, size[p, i])
        x += weights[i] * ex
        y += weights[i] * ey
        z += weights[i] * ez
    whole, highest, _ = _together(shared, whole, highest, 0.0)
    mean = _together(shared, mean, 0.0, 0.0)[0] / whole
    x, y, z = (
        _together(shared, x, 0.0, 0.0)[0] / whole,
        _together(shared, y, 0.0, 0.0)[0] / whole,
        _together(shared, z, 0.0, 0.0)[0] / whole,
    )
    half, tail = _percentile(shared, size, weights, p, 1.0, 50.0), _percentile(shared, size, weights, p, 1.0, 99.0)
    if cuda.threadIdx.x == 0:
        along = x * direction[0] + y * direction[1] + z * direction[2]
        rx, ry, rz = x - along * direction[0], y - along * direction[1], z - along * direction[2]
        length, across = math.sqrt(x * x + y * y + z * z), math.sqrt(rx * rx + ry * ry + rz * rz)
        out[p, 0], out[p, 1], out[p, 2], out[p, 3], out[p, 4] = mean, half, tail, highest, length
        out[p, 9], out[p, 10] = along, across
        out[p, 11] = math.atan2(across, along) * (180.0 / math.pi) if length > 0.0 else math.nan


@cuda.jit(device=True)
def _on_cortex(shared, e, p, faces, normals, areas, inward, out):
    """What the measures on the target's faces need of one field: out 5 to 8."""
    normal, tangential, whole = 0.0, 0.0, 0.0
    for f in range(cuda.threadIdx.x, areas.shape[0], MEASURING):
        x, y, z = _mean_of(e, p, faces, f, 0), _mean_of(e, p, faces, f, 1), _mean_of(e, p, faces, f, 2)
        outward = x * normals[f, 0] + y * normals[f, 1] + z * normals[f, 2]
        inward[p, f] = -outward
        whole += areas[f]
        normal += areas[f] * abs(outward)
        tangential += areas[f] * math.sqrt(max(x * x + y * y + z * z - outward * outward, 0.0))
    whole = _together(shared, whole, 0.0, 0.0)[0]
    normal, tangential = _together(shared, normal, 0.0, 0.0)[0], _together(shared, tangential, 0.0, 0.0)[0]
    if areas.shape[0] > 0:
        into, out_of = (
            _percentile(shared, inward, areas, p, 1.0, 99.0),
            _percentile(shared, inward, areas, p, -1.0, 99.0),
        )
        normal, tangential = normal / whole, tangential / whole
    else:
        normal, into, out_of, tangential = math.nan, math.nan, math.nan, math.nan
    if cuda.threadIdx.x == 0:
        out[p, 5], out[p, 6], out[p, 7], out[p, 8] = normal, into, out_of, tangential


@cuda.jit(cache=True)
def measures(e, corners, weights, direction, faces, normals, areas, size, inward, out):
    """Measures out (b, 12) of fields e (b, r, 3); the rest as in `efield.kernels.measures.measures`.

    size (b, k) and inward (b, f) are work space. Launched as b blocks of `launch.MEASURING` threads.
    """
    # Here, because a function that has one and is called by two others cannot be compiled.
    shared = cuda.shared.array((3, MEASURING), np.float64)
    p = cuda.blockIdx.x
    _in_target(shared, e, p, corners, weights, direction, size, out)
    _on_cortex(shared, e, p, faces, normals, areas, inward, out)
