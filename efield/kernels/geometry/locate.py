"""Which tetrahedron holds a point: a grid of bins over the tetrahedra. Any length unit, the same throughout."""

import numpy as np
from numba import njit

from efield.kernels.parts import in_parts
from efield.kernels.triples import cross, dot, less, row, seen


@njit(cache=True)
def _bin_range(points, tet, origin, size, shape, low, high):
    """First and last bin along each axis that the tetrahedron's bounding box touches."""
    for d in range(3):
        a = min(points[tet[0], d], points[tet[1], d], points[tet[2], d], points[tet[3], d])
        b = max(points[tet[0], d], points[tet[1], d], points[tet[2], d], points[tet[3], d])
        low[d] = max(0, int((a - origin[d]) / size))
        high[d] = min(shape[d] - 1, int((b - origin[d]) / size))


@njit(cache=True)
def fill_bins(points, tets, origin, size, shape):
    """Tetrahedra whose bounding box touches each bin: row starts (bins + 1,) int64, numbers int32, ascending."""
    start = np.zeros(shape[0] * shape[1] * shape[2] + 1, dtype=np.int64)
    low, high = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for t in range(tets.shape[0]):
        _bin_range(points, tets[t], origin, size, shape, low, high)
        for x in range(low[0], high[0] + 1):
            for y in range(low[1], high[1] + 1):
                for z in range(low[2], high[2] + 1):
                    start[(x * shape[1] + y) * shape[2] + z + 1] += 1
    for b in range(start.shape[0] - 1):
        start[b + 1] += start[b]
    fill = start[:-1].copy()
    inside = np.empty(start[-1], dtype=np.int32)
    for t in range(tets.shape[0]):
        _bin_range(points, tets[t], origin, size, shape, low, high)
        for x in range(low[0], high[0] + 1):
            for y in range(low[1], high[1] + 1):
                for z in range(low[2], high[2] + 1):
                    b = (x * shape[1] + y) * shape[2] + z
                    inside[fill[b]] = t
                    fill[b] += 1
    return start, inside


@njit(cache=True)
def _weights(points, tet, x, y, z, out):
    """Barycentric coordinates of (x, y, z) and the smallest of them."""
    i = tet[0]
    a, b, c = seen(points, i, tet[1]), seen(points, i, tet[2]), seen(points, i, tet[3])
    p = less((x, y, z), row(points, i))
    n, m = cross(b, c), cross(a, p)
    inverse = 1.0 / dot(a, n)
    out[1], out[2], out[3] = dot(p, n) * inverse, dot(m, c) * inverse, -dot(m, b) * inverse
    out[0] = 1.0 - out[1] - out[2] - out[3]
    return min(out[0], out[1], out[2], out[3])


def _nowhere(points, tets, start, inside, targets, *_):
    return np.full(len(targets), -1, dtype=np.int64), np.full((len(targets), 4), np.nan)


@in_parts(new=_nowhere)
def find_tets(first, last, points, tets, start, inside, targets, bins, order, tolerance, found, weights):
    """Tetrahedron (q,) int64 of each target, -1 outside, and barycentric coordinates (q, 4).

    Targets are taken in the given order (q,): bin by bin, neighboring tetrahedra stay in the cache.

    A target counts as inside when no coordinate is below -tolerance; of several, the tetrahedron with the lowest
    number is taken. Outside, the coordinates are nan.
    """
    trial = np.empty(4)
    for p in range(first, last):
        q = order[p]
        b = bins[q]
        if b < 0:
            continue
        x, y, z = targets[q, 0], targets[q, 1], targets[q, 2]
        for s in range(start[b], start[b + 1]):
            if _weights(points, tets[inside[s]], x, y, z, trial) >= -tolerance:
                found[q] = inside[s]
                for k in range(4):
                    weights[q, k] = trial[k]
                break
