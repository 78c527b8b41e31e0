"""Volumes and centers of tetrahedra."""

import numpy as np
from numba import njit

from efield.kernels.triples import six_volumes


@njit(cache=True)
def signed_volumes(points, tets):
    """(m,) volumes of tetrahedra, negative where inverted. points (n, 3) float64, tets (m, 4) int32."""
    out = np.empty(tets.shape[0])
    for t in range(tets.shape[0]):
        out[t] = six_volumes(points, tets, t) / 6.0
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
