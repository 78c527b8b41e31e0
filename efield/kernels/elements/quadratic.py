"""Element loops of quadratic tetrahedra with straight edges. SI units.

Ten unknowns per tetrahedron: the corners 0-3, then the middles of edges 01, 02, 03, 12, 13, 23. Products of shape
functions come as tables of exact integrals (see `efield.fem.quadratic`). Rows are gathered, and conductivities
given, as in `tets`.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.tets import conduct
from efield.kernels.geometry.stars import place_of
from efield.kernels.parts import in_parts
from efield.kernels.triples import cross, dot, seen


@njit(cache=True)
def gradients(points, tets, t, g):
    """Gradients g (4, 3) of the barycentric coordinates of tetrahedron t; returns its volume."""
    i = tets[t, 0]
    a, b, c = seen(points, i, tets[t, 1]), seen(points, i, tets[t, 2]), seen(points, i, tets[t, 3])
    g1, g2, g3 = cross(b, c), cross(c, a), cross(a, b)
    six = dot(a, g1)
    for d in range(3):
        g[1, d], g[2, d], g[3, d] = g1[d] / six, g2[d] / six, g3[d] / six
        g[0, d] = -g[1, d] - g[2, d] - g[3, d]
    return six / 6.0


def stiffness(points, tets, dofs, sigma, start, around, row, columns, table):
    """Values at the columns (`stars.neighbors`); table (10, 10, 4, 4) weighs the products of gradients."""
    values = np.zeros(len(columns))
    _stiffness(len(start) - 1, points, tets, dofs, sigma, start, around, row, columns, table, values)
    return values


@in_parts
def _stiffness(first, last, points, tets, dofs, sigma, start, around, row, columns, table, values):
    g, flow, gram = np.empty((4, 3)), np.empty((4, 3)), np.empty((4, 4))
    for i in range(first, last):
        low = row[i]
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            scale = gradients(points, tets, t, g)
            for a in range(4):
                for d in range(3):
                    flow[a, d] = g[a, d]
            factor = 1.0
            for a in range(4):
                factor = conduct(sigma, t, flow[a])
            scale *= factor
            for a in range(4):
                for b in range(4):
                    gram[a, b] = scale * (g[a, 0] * flow[b, 0] + g[a, 1] * flow[b, 1] + g[a, 2] * flow[b, 2])
            own = place_of(dofs, t, i)
            for k in range(10):
                value = 0.0
                for a in range(4):
                    for b in range(4):
                        value += table[own, k, a, b] * gram[a, b]
                q = low
                while columns[q] != dofs[t, k]:
                    q += 1
                values[q] += value


@in_parts(new=lambda points, tets, dofs, sigma, start, around, table, dadt: np.zeros((len(start) - 1, dadt.shape[2])))
def induced_load(first, last, points, tets, dofs, sigma, start, around, table, dadt, load):
    """Right-hand sides (n, k): minus the integral of sigma grad(shape) . dA/dt, dadt (n, 3, k) at the unknowns.

    table (10, 4, 10) holds the integrals of gradient coefficients with shape functions: exact for quadratic dA/dt.
    """
    g = np.empty((4, 3))
    for i in range(first, last):
        for s in range(start[i], start[i + 1]):
            t = np.int64(around[s])
            scale = -gradients(points, tets, t, g)
            factor = 1.0
            for a in range(4):
                factor = conduct(sigma, t, g[a])
            scale *= factor
            own = place_of(dofs, t, i)
            for k in range(10):
                j = dofs[t, k]
                for d in range(3):
                    weight = 0.0
                    for a in range(4):
                        weight += table[own, a, k] * g[a, d]
                    weight *= scale
                    for c in range(load.shape[1]):
                        load[i, c] += weight * dadt[j, d, c]


@in_parts(new=lambda points, tets, dofs, phi, dadt, shape, slope: np.zeros((len(tets), 3, phi.shape[1])))
def field_at(first, last, points, tets, dofs, phi, dadt, shape, slope, field):
    """E (m, 3, k) at one place in every tetrahedron.

    shape (10,) are the shape functions there, slope (10, 4) the coefficients of their gradients over the gradients
    of the barycentric coordinates.
    """
    g = np.empty((4, 3))
    for t in range(first, last):
        gradients(points, tets, t, g)
        for k in range(10):
            j = dofs[t, k]
            for d in range(3):
                along = slope[k, 0] * g[0, d] + slope[k, 1] * g[1, d] + slope[k, 2] * g[2, d] + slope[k, 3] * g[3, d]
                for c in range(phi.shape[1]):
                    field[t, d, c] -= shape[k] * dadt[j, d, c] + along * phi[j, c]
