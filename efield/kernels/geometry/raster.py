"""Fields on tetrahedra, sampled on a regular grid."""

import numpy as np
from numba import njit


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
        ox, oy, oz = points[p, 0], points[p, 1], points[p, 2]
        ax, ay, az = points[q, 0], points[q, 1], points[q, 2]
        bx, by, bz = points[r, 0], points[r, 1], points[r, 2]
        cx, cy, cz = points[s, 0], points[s, 1], points[s, 2]
        first_i, last_i = _rows(ox, ax, bx, cx, volume.shape[0])
        first_j, last_j = _rows(oy, ay, by, cy, volume.shape[1])
        first_k, last_k = _rows(oz, az, bz, cz, volume.shape[2])
        if first_i >= last_i or first_j >= last_j or first_k >= last_k:
            continue
        ax, ay, az = ax - ox, ay - oy, az - oz
        bx, by, bz = bx - ox, by - oy, bz - oz
        cx, cy, cz = cx - ox, cy - oy, cz - oz
        # Rows of the inverse of [a b c], up to the determinant.
        bcx, bcy, bcz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        cax, cay, caz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        abx, aby, abz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        over = 1.0 / (ax * bcx + ay * bcy + az * bcz)
        for i in range(first_i, last_i):
            for j in range(first_j, last_j):
                for k in range(first_k, last_k):
                    x, y, z = i - ox, j - oy, k - oz
                    u = (x * bcx + y * bcy + z * bcz) * over
                    v = (x * cax + y * cay + z * caz) * over
                    w = (x * abx + y * aby + z * abz) * over
                    rest = 1.0 - u - v - w
                    if u < tolerance or v < tolerance or w < tolerance or rest < tolerance:
                        continue
                    total = 0.0
                    for axis in range(3):
                        e = rest * values[p, axis] + u * values[q, axis] + v * values[r, axis] + w * values[s, axis]
                        total += e * e
                    volume[i, j, k] = np.sqrt(total)
