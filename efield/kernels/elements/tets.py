"""Element loops of linear tetrahedra. SI units; tetrahedra must have positive volume.

Everything gathers row by row through the list of tetrahedra around each node, so each row is written by one
thread, sums run in a fixed order, and results are the same bits for any number of threads.

The conductivity sigma is (m, 1, 1) of numbers, or (m, 3, 3) of symmetric tensors. Small functions are put into their
callers before types are found: a view of an array that is passed on is counted in and out, which took longer than they.
"""

import numpy as np
from numba import njit

from efield.kernels.geometry.stars import place_of
from efield.kernels.parts import helper, in_parts
from efield.kernels.triples import cross, dot, seen

# Outward order of the face opposite each corner, so that its area vector points into the tetrahedron.
_FACES = np.array([[1, 3, 2], [0, 2, 3], [0, 3, 1], [0, 1, 2]], dtype=np.int64)
# Edge between two corners, in the order of `quadratic`.
_EDGES = np.array([[-1, 0, 1, 2], [0, -1, 3, 4], [1, 3, -1, 5], [2, 4, 5, -1]], dtype=np.int64)


@njit(inline="always")
def _face_vector(points, tets, t, k, out):
    """6 V grad(shape function k), from the area of the face opposite corner k."""
    a, b, c = tets[t, _FACES[k, 0]], tets[t, _FACES[k, 1]], tets[t, _FACES[k, 2]]
    out[0], out[1], out[2] = cross(seen(points, a, b), seen(points, a, c))


@njit(inline="always")
def _six_volumes(points, tets, t, face0):
    """6 V from the face vector of corner 0."""
    return dot(face0, seen(points, tets[t, 1], tets[t, 0]))


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


@helper
def _scaled(factor, a):
    return factor * a[0], factor * a[1], factor * a[2]


@helper
def slopes(points, tets, t):
    """Volume of tetrahedron t and gradients of its barycentric coordinates."""
    i = tets[t, 0]
    a, b, c = seen(points, i, tets[t, 1]), seen(points, i, tets[t, 2]), seen(points, i, tets[t, 3])
    six = dot(a, cross(b, c))
    g1, g2, g3 = _scaled(1.0 / six, cross(b, c)), _scaled(1.0 / six, cross(c, a)), _scaled(1.0 / six, cross(a, b))
    x, y, z = g1[0] + g2[0] + g3[0], g1[1] + g2[1] + g3[1], g1[2] + g2[2] + g3[2]
    return six / 6.0, (-x, -y, -z), g1, g2, g3


@helper
def flow_of(sigma, t, g):
    """The current that flows with a gradient in tetrahedron t, over sigma if that is a number."""
    if sigma.shape[1] == 1:
        return g
    x = sigma[t, 0, 0] * g[0] + sigma[t, 0, 1] * g[1] + sigma[t, 0, 2] * g[2]
    y = sigma[t, 1, 0] * g[0] + sigma[t, 1, 1] * g[1] + sigma[t, 1, 2] * g[2]
    return x, y, sigma[t, 2, 0] * g[0] + sigma[t, 2, 1] * g[1] + sigma[t, 2, 2] * g[2]


@helper
def products(points, tets, sigma, t):
    """Volume grad(l_a) . sigma grad(l_b) for the six edges ab of tetrahedron t, in the order of `quadratic`.

    Before them the gradients, the currents (`flow_of`), and the factor that the latter lack.
    """
    scale, g0, g1, g2, g3 = slopes(points, tets, t)
    if sigma.shape[1] == 1:
        scale *= sigma[t, 0, 0]
    f0, f1, f2, f3 = flow_of(sigma, t, g0), flow_of(sigma, t, g1), flow_of(sigma, t, g2), flow_of(sigma, t, g3)
    k01, k02, k03 = scale * dot(g0, f1), scale * dot(g0, f2), scale * dot(g0, f3)
    k12, k13, k23 = scale * dot(g1, f2), scale * dot(g1, f3), scale * dot(g2, f3)
    return (g0, g1, g2, g3), (f0, f1, f2, f3), scale, (k01, k02, k03, k12, k13, k23)


def stiffness(points, tets, sigma, start, around, row, columns):
    """Values of the stiffness matrix at the columns (`stars.neighbors`): integral of sigma grad.grad."""
    edges, values = np.empty((len(tets), 6)), np.zeros(len(columns))
    _products(len(tets), points, tets, sigma, edges)
    _stiffness(len(start) - 1, tets, edges, start, around, row, columns, values)
    return values


@in_parts
def _products(first, last, points, tets, sigma, edges):
    for t in range(first, last):
        k = products(points, tets, sigma, t)[3]
        edges[t, 0], edges[t, 1], edges[t, 2], edges[t, 3], edges[t, 4], edges[t, 5] = k


@in_parts
def _stiffness(first, last, tets, edges, start, around, row, columns, values):
    place = np.empty(row.shape[0], np.int64)
    for i in range(first, last):
        for q in range(row[i], row[i + 1]):
            place[columns[q]] = q
        own = 0.0
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            corner = place_of(tets, t, i)
            for k in range(4):
                if k != corner:
                    value = edges[t, _EDGES[corner, k]]
                    values[place[tets[t, k]]] += value
                    own -= value
        # Gradients add up to nothing, so that rows do.
        if row[i] < row[i + 1]:
            values[place[i]] = own


@in_parts(new=lambda points, tets, sigma, start, around, dadt: np.zeros((len(start) - 1, dadt.shape[2])))
def induced_load(first, last, points, tets, sigma, start, around, dadt, load):
    """Right-hand sides (n, k): minus the integral of sigma grad(shape) . dA/dt, for dadt (n, 3, k) at the nodes.

    dA/dt is averaged over the corners, exact for a linear dA/dt.
    """
    face = np.empty(3)
    for i in range(first, last):
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            _face_vector(points, tets, t, place_of(tets, t, i), face)
            scale = -conduct(sigma, t, face) / 24.0
            p, q, r, v = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
            for d in range(3):
                weight = scale * face[d]
                for c in range(load.shape[1]):
                    load[i, c] += weight * (dadt[p, d, c] + dadt[q, d, c] + dadt[r, d, c] + dadt[v, d, c])


@in_parts(new=lambda points, tets, phi, dadt: np.empty((len(tets), 3, phi.shape[1])))
def element_field(first, last, points, tets, phi, dadt, field):
    """E (m, 3, k) = -(mean dA/dt of the corners) - grad phi, for phi (n, k) and dadt (n, 3, k)."""
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
