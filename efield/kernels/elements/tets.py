"""Element loops of linear tetrahedra. SI units; tetrahedra must have positive volume.

Everything gathers row by row through the list of tetrahedra around each node, so each row is written by one
thread, sums run in a fixed order, and results are the same bits for any number of threads.

The conductivity sigma is (m, 1, 1) of numbers, or (m, 3, 3) of symmetric tensors. Small functions are put into their
callers before types are found: a view of an array that is passed on is counted in and out, which took longer than they.
"""

import numpy as np
from numba import njit

from efield.kernels.geometry.stars import nodes_around
from efield.kernels.parts import in_parts

# Outward order of the face opposite each corner, so that its area vector points into the tetrahedron.
_FACES = np.array([[1, 3, 2], [0, 2, 3], [0, 3, 1], [0, 1, 2]], dtype=np.int64)


@njit(inline="always")
def _face_vector(points, tets, t, k, out):
    """6 V grad(shape function k), from the area of the face opposite corner k."""
    a, b, c = tets[t, _FACES[k, 0]], tets[t, _FACES[k, 1]], tets[t, _FACES[k, 2]]
    ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
    out[0] = uy * vz - uz * vy
    out[1] = uz * vx - ux * vz
    out[2] = ux * vy - uy * vx


@njit(inline="always")
def _six_volumes(points, tets, t, face0):
    """6 V from the face vector of corner 0."""
    i, j = tets[t, 0], tets[t, 1]
    return (
        face0[0] * (points[i, 0] - points[j, 0])
        + face0[1] * (points[i, 1] - points[j, 1])
        + face0[2] * (points[i, 2] - points[j, 2])
    )


@njit(inline="always")
def conduct(sigma, t, vector):
    """Turns the vector v in place into sigma v / f for tetrahedron t, and returns f.

    A tensor is applied (f = 1), a number left to the factor (f = sigma): isotropic sums round as without tensors.
    """
    if sigma.shape[1] == 1:
        return sigma[t, 0, 0]
    x, y, z = vector[0], vector[1], vector[2]
    for d in range(3):
        vector[d] = sigma[t, d, 0] * x + sigma[t, d, 1] * y + sigma[t, d, 2] * z
    return 1.0


def stiffness(points, tets, sigma, start, around, indptr):
    """Column numbers (ascending per row) and values of the stiffness matrix: integral of sigma grad.grad."""
    columns, values = np.empty(indptr[-1], dtype=np.int32), np.zeros(indptr[-1])
    _stiffness(len(start) - 1, points, tets, sigma, start, around, indptr, columns, values)
    return columns, values


@in_parts
def _stiffness(first, last, points, tets, sigma, start, around, indptr, columns, values):
    own, other, face0 = np.empty(3), np.empty(3), np.empty(3)
    for i in range(first, last):
        low = indptr[i]
        nodes_around(tets, start, around, i, np.int64(0), columns[low : indptr[i + 1]])
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            corner = 0
            for k in range(4):
                if tets[t, k] == i:
                    corner = k
            _face_vector(points, tets, t, np.int64(0), face0)
            _face_vector(points, tets, t, corner, own)
            scale = conduct(sigma, t, own) / (6.0 * _six_volumes(points, tets, t, face0))
            for k in range(4):
                _face_vector(points, tets, t, k, other)
                value = scale * (own[0] * other[0] + own[1] * other[1] + own[2] * other[2])
                q = low
                while columns[q] != tets[t, k]:
                    q += 1
                values[q] += value


def induced_load(points, tets, sigma, start, around, dadt):
    """Right-hand sides (n, k): minus the integral of sigma grad(shape) . dA/dt, for dadt (n, 3, k) at the nodes.

    dA/dt is averaged over the corners, exact for a linear dA/dt.
    """
    load = np.zeros((len(start) - 1, dadt.shape[2]))
    _induced_load(len(load), points, tets, sigma, start, around, dadt, load)
    return load


@in_parts
def _induced_load(first, last, points, tets, sigma, start, around, dadt, load):
    face = np.empty(3)
    for i in range(first, last):
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            corner = 0
            for k in range(4):
                if tets[t, k] == i:
                    corner = k
            _face_vector(points, tets, t, corner, face)
            scale = -conduct(sigma, t, face) / 24.0
            p, q, r, v = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
            for d in range(3):
                weight = scale * face[d]
                for c in range(load.shape[1]):
                    load[i, c] += weight * (dadt[p, d, c] + dadt[q, d, c] + dadt[r, d, c] + dadt[v, d, c])


def element_field(points, tets, phi, dadt):
    """E (m, 3, k) = -(mean dA/dt of the corners) - grad phi, for phi (n, k) and dadt (n, 3, k)."""
    field = np.empty((len(tets), 3, phi.shape[1]))
    _element_field(len(tets), points, tets, phi, dadt, field)
    return field


@in_parts
def _element_field(first, last, points, tets, phi, dadt, field):
    face = np.empty((4, 3))
    for t in range(first, last):
        for k in range(4):
            _face_vector(points, tets, t, k, face[k])
        scale = 1.0 / _six_volumes(points, tets, t, face[0])
        for d in range(3):
            for c in range(phi.shape[1]):
                value = 0.0
                for k in range(4):
                    value -= 0.25 * dadt[tets[t, k], d, c] + scale * face[k, d] * phi[tets[t, k], c]
                field[t, d, c] = value
