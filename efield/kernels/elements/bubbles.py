"""Quadratic bubbles on the edges of linear tetrahedra: what linear potentials lack. SI units.

The bubble of edge (a, b) is 4 l_a l_b, zero at all nodes; the conductivity is given as in `tets`. What a tetrahedron
adds to any of the matrices follows from its six numbers volume grad(l_a) . sigma grad(l_b). Sums over tetrahedra run in
`PARTS` parts of them, each in one thread and in a fixed order: the same bits for any number of threads.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.tets import _face_vector, _six_volumes, conduct
from efield.kernels.geometry.stars import nodes_around
from efield.kernels.parts import in_parts

# Sums over tetrahedra are taken in so many parts.
PARTS = 4

# Corners of the six edges of a tetrahedron, in the order of `quadratic`.
_FIRST = np.array([0, 0, 0, 1, 1, 2], dtype=np.int64)
_SECOND = np.array([1, 2, 3, 2, 3, 3], dtype=np.int64)


@in_parts
def higher_neighbors(begun, ended, tets, start, star, bounds, room, sizes, filled):
    """Nodes of higher number that share an edge with each node, ascending; arguments as in `patches.neighbors`."""
    for part in range(begun, ended):
        begin = 3 * start[bounds[part]]
        last = begin
        for i in range(bounds[part], bounds[part + 1]):
            sizes[i] = nodes_around(tets, start, star, i, i + 1, room[last:])
            last += sizes[i]
        filled[part] = last - begin


def edges_of_tets(tets, row, columns):
    """(m, 6) numbers of the edges of each tetrahedron: places of `columns`, as `higher_neighbors` fills them."""
    found = np.empty((len(tets), 6), dtype=np.int32)
    _edges_of_tets(len(tets), tets, row, columns, found)
    return found


@in_parts
def _edges_of_tets(first, last, tets, row, columns, found):
    for t in range(first, last):
        for k in range(6):
            a, b = tets[t, _FIRST[k]], tets[t, _SECOND[k]]
            low, high = min(a, b), max(a, b)
            q = row[low]
            while columns[q] != high:
                q += 1
            found[t, k] = q


@njit(cache=True)
def _slopes(points, tets, t, g):
    """Gradients g (4, 3) of the barycentric coordinates of tetrahedron t; returns its volume."""
    for k in range(4):
        _face_vector(points, tets, t, k, g[k])
    six = _six_volumes(points, tets, t, g[0])
    for k in range(4):
        for d in range(3):
            g[k, d] /= six
    return six / 6.0


@njit(cache=True)
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def balance(points, tets, sigma, edges, phi, dadt, residual, diagonal):
    """(m, 6) volume grad(l_a) . sigma grad(l_b) for the edges of each tetrahedron.

    The sums of residual and diagonal (PARTS, e) over the parts become what E = -dA/dt - grad phi leaves to the bubbles,
    integrals of sigma E . grad(bubble) for phi (n,) and dadt (n, 3), and the diagonal of their stiffness matrix.
    """
    stiffness = np.empty((len(tets), 6))
    _balance(PARTS, points, tets, sigma, edges, phi, dadt, stiffness, residual, diagonal)
    return stiffness


@in_parts
def _balance(first, last, points, tets, sigma, edges, phi, dadt, stiffness, residual, diagonal):
    m = tets.shape[0]
    g, conducted, flow, whole, own = np.empty((4, 3)), np.empty((4, 3)), np.empty((4, 3)), np.empty(3), np.empty(4)
    for part in range(first, last):
        residual[part] = 0.0
        diagonal[part] = 0.0
        for t in range(part * m // PARTS, (part + 1) * m // PARTS):
            scale = _slopes(points, tets, t, g)
            factor = 1.0
            for k in range(4):
                for d in range(3):
                    conducted[k, d] = g[k, d]
                factor = conduct(sigma, t, conducted[k])
            scale *= factor
            for d in range(3):
                slope = 0.0
                for k in range(4):
                    slope += phi[tets[t, k]] * g[k, d]
                whole[d] = 0.0
                for k in range(4):
                    flow[k, d] = -dadt[tets[t, k], d] - slope
                    whole[d] += flow[k, d]
            for k in range(4):
                own[k] = scale * _dot(g[k], conducted[k])
            for k in range(6):
                a, b, e = _FIRST[k], _SECOND[k], edges[t, k]
                stiffness[t, k] = scale * _dot(g[a], conducted[b])
                # The integral of l_a times a linear flow is volume (sum + own) / 20.
                value = _dot(conducted[b], whole) + _dot(conducted[b], flow[a])
                value += _dot(conducted[a], whole) + _dot(conducted[a], flow[b])
                residual[part, e] += 0.2 * scale * value
                diagonal[part, e] += 1.6 * (own[a] + own[b] + stiffness[t, k])


@njit(cache=True)
def _moments(stiffness, edges, x, t, heights, products, moments):
    """Integrals moments[a, b] of sigma (gradient at corner a) . grad(l_b) of bubbles times x, their sums in moments[4].

    heights and products (4, 4) are space for 4 x and the products of gradients of tetrahedron t.
    """
    for k in range(4):
        heights[k, k], products[k, k] = 0.0, 0.0
    for k in range(6):
        a, b = _FIRST[k], _SECOND[k]
        heights[a, b] = heights[b, a] = 4.0 * x[edges[t, k]]
        products[a, b] = products[b, a] = stiffness[t, k]
        products[a, a] -= stiffness[t, k]
        products[b, b] -= stiffness[t, k]
    for b in range(4):
        moments[4, b] = 0.0
        for a in range(4):
            value = 0.0
            for c in range(4):
                value += heights[a, c] * products[c, b]
            moments[a, b] = value
            moments[4, b] += value


@in_parts
def apply(first, last, stiffness, edges, x, out):
    """The sum of out (PARTS, e) over the parts becomes the stiffness matrix of the bubbles times x (e,)."""
    m = edges.shape[0]
    heights, products, moments = np.empty((4, 4)), np.empty((4, 4)), np.empty((5, 4))
    for part in range(first, last):
        out[part] = 0.0
        for t in range(part * m // PARTS, (part + 1) * m // PARTS):
            _moments(stiffness, edges, x, t, heights, products, moments)
            for k in range(6):
                a, b = _FIRST[k], _SECOND[k]
                out[part, edges[t, k]] += 0.2 * (moments[a, b] + moments[b, a] + moments[4, a] + moments[4, b])


@in_parts
def load(first, last, stiffness, tets, edges, x, out):
    """Integrals of sigma grad u . grad(l), u the bubbles times x, as the sum of out (PARTS, n) over the parts."""
    m = edges.shape[0]
    heights, products, moments = np.empty((4, 4)), np.empty((4, 4)), np.empty((5, 4))
    for part in range(first, last):
        out[part] = 0.0
        for t in range(part * m // PARTS, (part + 1) * m // PARTS):
            _moments(stiffness, edges, x, t, heights, products, moments)
            for k in range(4):
                out[part, tets[t, k]] += 0.25 * moments[4, k]


@njit(cache=True)
def _slope_at_corners(g, x, edges, t, flow):
    """Gradient flow (4, 3) of the bubbles times x (e,) at the corners of tetrahedron t."""
    flow[:, :] = 0.0
    for k in range(6):
        a, b, height = _FIRST[k], _SECOND[k], 4.0 * x[edges[t, k]]
        for d in range(3):
            flow[a, d] += height * g[b, d]
            flow[b, d] += height * g[a, d]


def field_at(points, tets, edges, phi, dadt, x, chosen, weights):
    """E (q, 3) at barycentric coordinates weights (q, 4) of tetrahedra chosen (q,), with the bubbles times x."""
    field = np.empty((len(chosen), 3))
    _field_at(len(chosen), points, tets, edges, phi, dadt, x, chosen, weights, field)
    return field


@in_parts
def _field_at(first, last, points, tets, edges, phi, dadt, x, chosen, weights, field):
    g, flow = np.empty((4, 3)), np.empty((4, 3))
    for q in range(first, last):
        t = chosen[q]
        _slopes(points, tets, t, g)
        _slope_at_corners(g, x, edges, t, flow)
        for d in range(3):
            value = 0.0
            for k in range(4):
                i = tets[t, k]
                value -= phi[i] * g[k, d] + weights[q, k] * (dadt[i, d] + flow[k, d])
            field[q, d] = value
