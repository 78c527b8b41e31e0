"""Fields on tetrahedra, sampled on a regular grid."""

import numpy as np
from numba import njit


# Another thread may load or write meanwhile.
@njit(cache=True, nogil=True)
def paint_magnitude(points, tets, values, volume):
    """Write |v| into every grid point of `volume` that lies in one of the tetrahedra; others are left alone.

    points (n, 3) float64 node coordinates in grid index units; tets (m, 4) int32; values (n, 3) float64 at the nodes,
    linear within a tetrahedron; volume (nx, ny, nz) float32, changed in place. A grid point on a shared face takes the
    value of the last tetrahedron that holds it. One pass over the tetrahedra is far cheaper than a search per point.
    Local coordinates come from Cramer's rule; flat tetrahedra are not allowed.
    """
    tolerance = -1e-9
    low = np.empty(3, dtype=np.int64)
    high = np.empty(3, dtype=np.int64)
    for t in range(tets.shape[0]):
        p, q, r, s = tets[t]
        for axis in range(3):
            a, b, c, d = points[p, axis], points[q, axis], points[r, axis], points[s, axis]
            low[axis] = max(0, int(np.ceil(min(a, b, c, d) - 1e-9)))
            high[axis] = min(volume.shape[axis] - 1, int(np.floor(max(a, b, c, d) + 1e-9)))
        if low[0] > high[0] or low[1] > high[1] or low[2] > high[2]:
            continue
        ox, oy, oz = points[p]
        ax, ay, az = points[q, 0] - ox, points[q, 1] - oy, points[q, 2] - oz
        bx, by, bz = points[r, 0] - ox, points[r, 1] - oy, points[r, 2] - oz
        cx, cy, cz = points[s, 0] - ox, points[s, 1] - oy, points[s, 2] - oz
        # Rows of the inverse of [a b c], up to the determinant.
        bcx, bcy, bcz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        cax, cay, caz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        abx, aby, abz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        det = ax * bcx + ay * bcy + az * bcz
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    x, y, z = i - ox, j - oy, k - oz
                    u = (x * bcx + y * bcy + z * bcz) / det
                    v = (x * cax + y * cay + z * caz) / det
                    w = (x * abx + y * aby + z * abz) / det
                    rest = 1.0 - u - v - w
                    if u < tolerance or v < tolerance or w < tolerance or rest < tolerance:
                        continue
                    total = 0.0
                    for axis in range(3):
                        e = rest * values[p, axis] + u * values[q, axis] + v * values[r, axis] + w * values[s, axis]
                        total += e * e
                    volume[i, j, k] = np.sqrt(total)
