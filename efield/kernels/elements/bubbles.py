"""Quadratic bubbles on the edges of linear tetrahedra: what linear potentials lack. SI units.

The bubble of edge (a, b) is 4 l_a l_b, zero at all nodes. Sums over tetrahedra run in one thread and in a fixed order;
the conductivity is given as in `tets`.
"""

import numpy as np
from numba import njit, prange

from efield.kernels.elements.tets import _face_vector, _six_volumes, conduct
from efield.kernels.geometry.stars import nodes_around

# Corners of the six edges of a tetrahedron, in the order of `quadratic`.
_FIRST = np.array([0, 0, 0, 1, 1, 2], dtype=np.int64)
_SECOND = np.array([1, 2, 3, 2, 3, 3], dtype=np.int64)


@njit(cache=True, parallel=True)
def higher_neighbors(tets, start, star, row, columns):
    """For each node the nodes of higher number that share an edge with it, ascending, to columns[row[i] : row[i + 1]].

    With empty columns they are counted into row[i + 1] instead; then the caller sums.
    """
    for index in prange(start.shape[0] - 1):
        i = np.int64(index)
        near = np.empty(4 * (start[i + 1] - start[i]), dtype=np.int32)
        size, lower = nodes_around(tets, start, star, i, near), 0
        while lower < size and near[lower] <= i:
            lower += 1
        if not columns.shape[0]:
            row[i + 1] = size - lower
            continue
        for q in range(size - lower):
            columns[row[i] + q] = near[lower + q]


@njit(cache=True, parallel=True)
def edges_of_tets(tets, row, columns):
    """(m, 6) numbers of the edges of each tetrahedron: places of `columns`, as `higher_neighbors` fills them."""
    found = np.empty((tets.shape[0], 6), dtype=np.int32)
    for t in prange(tets.shape[0]):
        for k in range(6):
            a, b = tets[t, _FIRST[k]], tets[t, _SECOND[k]]
            low, high = min(a, b), max(a, b)
            q = row[low]
            while columns[q] != high:
                q += 1
            found[t, k] = q
    return found


@njit(cache=True)
def _slopes(points, tet, g):
    """Gradients g (4, 3) of the barycentric coordinates of a tetrahedron; returns its volume."""
    for k in range(4):
        _face_vector(points, tet, k, g[k])
    six = _six_volumes(points, tet, g[0])
    for k in range(4):
        for d in range(3):
            g[k, d] /= six
    return six / 6.0


@njit(cache=True)
def _add_moments(g, scale, flow, edges, t, out):
    """Adds to out[edges] the integrals of flow . grad(bubble) over a tetrahedron, for a flow (4, 3) at its corners.

    scale is its volume, times sigma unless the flow has it; the flow is linear, so that the integral of l_a times it is
    volume (sum + own) / 20.
    """
    x, y, z = 0.0, 0.0, 0.0
    for k in range(4):
        x, y, z = x + flow[k, 0], y + flow[k, 1], z + flow[k, 2]
    for k in range(6):
        a, b = _FIRST[k], _SECOND[k]
        value = g[b, 0] * (x + flow[a, 0]) + g[b, 1] * (y + flow[a, 1]) + g[b, 2] * (z + flow[a, 2])
        value += g[a, 0] * (x + flow[b, 0]) + g[a, 1] * (y + flow[b, 1]) + g[a, 2] * (z + flow[b, 2])
        out[edges[t, k]] += 0.2 * scale * value


@njit(cache=True)
def _conducted(sigma, t, flow):
    """Turns the rows of a flow into sigma times them, up to the factor that is returned."""
    factor = 1.0
    for k in range(4):
        factor = conduct(sigma, t, flow[k])
    return factor


@njit(cache=True)
def _add_diagonal(g, scale, conducted, edges, t, out):
    """Adds to out[edges] the integrals of sigma |grad(bubble)|^2; conducted are the rows of g with sigma applied."""
    for k in range(6):
        a, b = _FIRST[k], _SECOND[k]
        value = 0.0
        for d in range(3):
            value += g[a, d] * conducted[a, d] + g[b, d] * conducted[b, d]
            value += 0.5 * (g[a, d] * conducted[b, d] + g[b, d] * conducted[a, d])
        out[edges[t, k]] += 1.6 * scale * value


@njit(cache=True)
def residual_and_diagonal(points, tets, sigma, edges, n_edges, phi, dadt):
    """What E = -dA/dt - grad phi leaves to the bubbles, and the diagonal of their stiffness matrix, both (e,).

    The first are integrals of sigma E . grad(bubble), for phi (n,) and dadt (n, 3).
    """
    residual, diagonal = np.zeros(n_edges), np.zeros(n_edges)
    g, flow = np.empty((4, 3)), np.empty((4, 3))
    for t in range(tets.shape[0]):
        volume = _slopes(points, tets[t], g)
        for d in range(3):
            slope = 0.0
            for k in range(4):
                slope += phi[tets[t, k]] * g[k, d]
            for k in range(4):
                flow[k, d] = -dadt[tets[t, k], d] - slope
        scale = volume * _conducted(sigma, t, flow)
        _add_moments(g, scale, flow, edges, t, residual)
        for k in range(4):
            for d in range(3):
                flow[k, d] = g[k, d]
        scale = volume * _conducted(sigma, t, flow)
        _add_diagonal(g, scale, flow, edges, t, diagonal)
    return residual, diagonal


@njit(cache=True)
def _slope_at_corners(g, x, edges, t, flow):
    """Gradient flow (4, 3) of the bubbles times x (e,) at the corners of tetrahedron t."""
    flow[:, :] = 0.0
    for k in range(6):
        a, b, height = _FIRST[k], _SECOND[k], 4.0 * x[edges[t, k]]
        for d in range(3):
            flow[a, d] += height * g[b, d]
            flow[b, d] += height * g[a, d]


@njit(cache=True)
def apply(points, tets, sigma, edges, x):
    """(e,) the stiffness matrix of the bubbles times x (e,)."""
    out = np.zeros_like(x)
    g, flow = np.empty((4, 3)), np.empty((4, 3))
    for t in range(tets.shape[0]):
        volume = _slopes(points, tets[t], g)
        _slope_at_corners(g, x, edges, t, flow)
        factor = _conducted(sigma, t, flow)
        _add_moments(g, factor * volume, flow, edges, t, out)
    return out


@njit(cache=True, parallel=True)
def mean_flow(points, tets, sigma, edges, x):
    """(m, 3, 1) integral of sigma grad u over each tetrahedron, for the bubbles u times x (e,)."""
    out = np.empty((tets.shape[0], 3, 1))
    for index in prange(tets.shape[0]):
        t = np.int64(index)
        g, flow = np.empty((4, 3)), np.empty((4, 3))
        volume = _slopes(points, tets[t], g)
        _slope_at_corners(g, x, edges, t, flow)
        scale = 0.25 * volume * _conducted(sigma, t, flow)
        for d in range(3):
            out[t, d, 0] = scale * (flow[0, d] + flow[1, d] + flow[2, d] + flow[3, d])
    return out


@njit(cache=True, parallel=True)
def field_at(points, tets, edges, phi, dadt, x, chosen, weights):
    """E (q, 3) at barycentric coordinates weights (q, 4) of tetrahedra chosen (q,), with the bubbles times x."""
    out = np.empty((chosen.shape[0], 3))
    for index in prange(chosen.shape[0]):
        q = np.int64(index)
        t = chosen[q]
        g, flow = np.empty((4, 3)), np.empty((4, 3))
        _slopes(points, tets[t], g)
        _slope_at_corners(g, x, edges, t, flow)
        for d in range(3):
            value = 0.0
            for k in range(4):
                i = tets[t, k]
                value -= phi[i] * g[k, d] + weights[q, k] * (dadt[i, d] + flow[k, d])
            out[q, d] = value
    return out
