"""Volumes and centers of tetrahedra."""

import numpy as np
from numba import njit


@njit(cache=True)
def signed_volumes(points, tets):
    """(m,) volumes of tetrahedra, negative where inverted. points (n, 3) float64, tets (m, 4) int32."""
    out = np.empty(tets.shape[0])
    for t in range(tets.shape[0]):
        p, q, r, s = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
        ax, ay, az = points[q, 0] - points[p, 0], points[q, 1] - points[p, 1], points[q, 2] - points[p, 2]
        bx, by, bz = points[r, 0] - points[p, 0], points[r, 1] - points[p, 1], points[r, 2] - points[p, 2]
        cx, cy, cz = points[s, 0] - points[p, 0], points[s, 1] - points[p, 1], points[s, 2] - points[p, 2]
        out[t] = (ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)) / 6.0
    return out


@njit(cache=True)
def centers(points, tets):
    """(m, 3) means of the corners of tetrahedra. points (n, 3) float64, tets (m, 4) int32."""
    out = np.empty((tets.shape[0], 3))
    for t in range(tets.shape[0]):
        p, q, r, s = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
        for axis in range(3):
            out[t, axis] = 0.25 * (points[p, axis] + points[q, axis] + points[r, axis] + points[s, axis])
    return out
