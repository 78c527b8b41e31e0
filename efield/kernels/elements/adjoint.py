"""Transposed element loops of linear tetrahedra, for functionals of the field. SI units; volumes are positive.

Rows gather through the list of tetrahedra around each node, as in `tets.py`: the same bits for any thread count.
"""

import numpy as np

from efield.kernels.elements.tets import _face_vector, _six_volumes, conduct
from efield.kernels.geometry.stars import place_of
from efield.kernels.parts import in_parts


@in_parts(new=lambda points, tets, start, around, weights: np.zeros((len(start) - 1, weights.shape[2])))
def gradient_load(first, last, points, tets, start, around, weights, load):
    """(n, k) sums over the tetrahedra around each node of w . grad(shape function), for w (m, 3, k)."""
    face, own = np.empty(3), np.empty(3)
    for i in range(first, last):
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            _face_vector(points, tets, t, place_of(tets, t, i), own)
            _face_vector(points, tets, t, np.int64(0), face)
            scale = 1.0 / _six_volumes(points, tets, t, face)
            for d in range(3):
                for c in range(load.shape[1]):
                    load[i, c] += scale * own[d] * weights[t, d, c]


def nodal_weights(points, tets, sigma, start, around, potential, weights):
    """(n, 3, k) sums over the tetrahedra around each node of (V sigma grad(potential) - w) / 4; sigma as in `tets`."""
    return _gathered(start, around, _current(points, tets, sigma, potential, weights))


@in_parts(new=lambda points, tets, sigma, potential, weights: np.empty(weights.shape))
def _current(first, last, points, tets, sigma, potential, weights, current):
    face = np.empty(3)
    for t in range(first, last):
        for d in range(3):
            for c in range(weights.shape[2]):
                current[t, d, c] = -0.25 * weights[t, d, c]
        for k in range(4):
            _face_vector(points, tets, t, k, face)
            scale = conduct(sigma, t, face) / 24.0
            for d in range(3):
                for c in range(weights.shape[2]):
                    current[t, d, c] += scale * face[d] * potential[tets[t, k], c]


@in_parts(new=lambda start, around, current: np.zeros((len(start) - 1, *current.shape[1:])))
def _gathered(first, last, start, around, current, result):
    for i in range(first, last):
        for s in range(start[i], start[i + 1]):
            for d in range(3):
                for c in range(current.shape[2]):
                    result[i, d, c] += current[around[s], d, c]
