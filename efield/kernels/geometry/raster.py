"""Fields on tetrahedra, sampled on a regular grid."""

import numpy as np
from numba import njit

from efield.kernels.triples import cross, dot, less, row


@njit(cache=True, inline="always")
def _rows(a, b, c, d, count):
    """First of the `count` grid rows between four coordinates, and the one after the last."""
    first, last = np.ceil(min(min(a, b), min(c, d)) - 1e-9), np.floor(max(max(a, b), max(c, d)) + 1e-9)
    return np.uint64(max(first, 0.0)), np.uint64(max(min(last + 1.0, float(count)), 0.0))


# Another thread may load or write meanwhile.
@njit(cache=True, nogil=True, error_model="numpy")
def paint_magnitude(points, tets, values, volume):
    """Write |v| into every grid point of `volume` that lies in one of the tetrahedra; others are left alone.

    points (n, 3) float64 node coordinates in grid index units; tets (m, 4) int32; values (n, 3) float64 at the nodes,
    linear within a tetrahedron; volume (nx, ny, nz) float32, changed in place. A grid point on a shared face takes the
    value of the last tetrahedron that holds it. One pass over the tetrahedra is far cheaper than a search per point.
    Local coordinates come from Cramer's rule; flat tetrahedra are not allowed.
    """
    tolerance = -1e-9
    for t in range(tets.shape[0]):
        p, q, r, s = np.uint64(tets[t, 0]), np.uint64(tets[t, 1]), np.uint64(tets[t, 2]), np.uint64(tets[t, 3])
        o, a, b, c = row(points, p), row(points, q), row(points, r), row(points, s)
        first_i, last_i = _rows(o[0], a[0], b[0], c[0], volume.shape[0])
        first_j, last_j = _rows(o[1], a[1], b[1], c[1], volume.shape[1])
        first_k, last_k = _rows(o[2], a[2], b[2], c[2], volume.shape[2])
        if first_i >= last_i or first_j >= last_j or first_k >= last_k:
            continue
        a, b, c = less(a, o), less(b, o), less(c, o)
        # Rows of the inverse of [a b c], up to the determinant.
        bc, ca, ab = cross(b, c), cross(c, a), cross(a, b)
        over = 1.0 / dot(a, bc)
        for i in range(first_i, last_i):
            for j in range(first_j, last_j):
                for k in range(first_k, last_k):
                    x = i - o[0], j - o[1], k - o[2]
                    u, v, w = dot(x, bc) * over, dot(x, ca) * over, dot(x, ab) * over
                    rest = 1.0 - u - v - w
                    if u < tolerance or v < tolerance or w < tolerance or rest < tolerance:
                        continue
                    total = 0.0
                    for axis in range(3):
                        e = rest * values[p, axis] + u * values[q, axis] + v * values[r, axis] + w * values[s, axis]
                        total += e * e
                    volume[i, j, k] = np.sqrt(total)
