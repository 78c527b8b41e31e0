"""Transposed element loops of linear tetrahedra, for functionals of the field. SI units; volumes are positive.

Rows gather through the list of tetrahedra around each node, as in `tets.py`: the same bits for any thread count.
"""

import numpy as np
from numba import njit, prange

from efield.kernels.elements.tets import _face_vector, _six_volumes, conduct


@njit(cache=True, parallel=True)
def gradient_load(points, tets, start, around, weights):
    """(n, k) sums over the tetrahedra around each node of w . grad(shape function), for w (m, 3, k)."""
    n, width = start.shape[0] - 1, weights.shape[2]
    load = np.zeros((n, width))
    for i in prange(n):
        face, own = np.empty(3), np.empty(3)
        for s in range(start[i], start[i + 1]):
            t = around[s]
            tet = tets[t]
            for k in range(4):
                if tet[k] == i:
                    _face_vector(points, tet, k, own)
            _face_vector(points, tet, 0, face)
            scale = 1.0 / _six_volumes(points, tet, face)
            for d in range(3):
                for c in range(width):
                    load[i, c] += scale * own[d] * weights[t, d, c]
    return load


@njit(cache=True, parallel=True)
def nodal_weights(points, tets, sigma, start, around, potential, weights):
    """(n, 3, k) sums over the tetrahedra around each node of (V sigma grad(potential) - w) / 4; sigma as in `tets`."""
    n, width = start.shape[0] - 1, weights.shape[2]
    m = tets.shape[0]
    current = np.empty((m, 3, width))
    for index in prange(m):
        # The bare index is of another type in the threads, and all that takes it would be compiled for both.
        t = np.int64(index)
        tet = tets[t]
        face = np.empty(3)
        for d in range(3):
            for c in range(width):
                current[t, d, c] = -0.25 * weights[t, d, c]
        for k in range(4):
            _face_vector(points, tet, k, face)
            scale = conduct(sigma, t, face) / 24.0
            for d in range(3):
                for c in range(width):
                    current[t, d, c] += scale * face[d] * potential[tet[k], c]
    result = np.zeros((n, 3, width))
    for i in prange(n):
        for s in range(start[i], start[i + 1]):
            for d in range(3):
                for c in range(width):
                    result[i, d, c] += current[around[s], d, c]
    return result
