"""Recovery of a smooth field within each tissue, by least squares over the patch of tetrahedra around a node.

SI units. Each (node, tissue) pair is computed alone, so results are the same bits for any number of threads, whatever
else is asked for.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.patches import (
    MOST,
    UNKNOWNS,
    harmonic_fit,
    offset,
    prepare,
    primary_fit,
    primary_gradient,
    ring_of,
    substitute,
    tissue_frame,
)
from efield.kernels.parts import in_parts


@njit(cache=True)
def _write_field(fit, scale, frame, dadt, i, p, k, field):
    """E at pair p, for field k, from the coefficients of a fit about node i in y = frame x."""
    for d in range(3):
        slope = frame[0, d] * fit[0] + frame[1, d] * fit[1] + frame[2, d] * fit[2]
        field[p, d, k] = -dadt[i, d, k] - slope / scale


@njit(cache=True)
def _write_gradient(fit, scale, frame, divergence, primary, p, k, gradient):
    """gradient[p, :, :, k] of E in x from the coefficients of a fit in y = frame x, whose Laplacian is -divergence."""
    bend = np.empty((3, 3))
    curve, third = 1.0 / (scale * scale), divergence / 3.0
    bend[0, 0] = curve * (2.0 * fit[6] - 2.0 * fit[7]) - third
    bend[1, 1] = curve * (-2.0 * fit[6] - 2.0 * fit[7]) - third
    bend[2, 2] = curve * 4.0 * fit[7] - third
    bend[0, 1] = bend[1, 0] = curve * fit[3]
    bend[1, 2] = bend[2, 1] = curve * fit[4]
    bend[0, 2] = bend[2, 0] = curve * fit[5]
    for d in range(3):
        for c in range(3):
            second = 0.0
            for a in range(3):
                for b in range(3):
                    second += frame[a, d] * bend[a, b] * frame[b, c]
            gradient[p, d, c, k] = -second - primary[c, d]


def recover(mesh, patches, chosen, phi, dadt, gradient):
    """E (q, 3, b) at the chosen (q,) of the (node, tissue) pairs for potentials phi (n, b) and dadt (n, 3, b).

    mesh is points, tets, tissue, sigma, start and around (`node_stars`); patches are nodes (p,) and tags (p,) of all
    pairs, and who is beside whom, first (p + 1,) and near (s,) (`patches.neighbors`). gradient (q, 3, 3, b), or empty
    if it is not wanted, becomes that of E; [d, c] is dE_c/dx_d. sigma is (m, 1, 1), then taken to be constant in
    each tissue, or (m, 3, 3), then replaced by its mean around each node. With a constant sigma, sigma : grad(dA/dt +
    grad phi) = 0 ties the second derivatives of phi together, which spares one unknown and most of the noise of a free
    quadratic fit. Each pair is computed alone: its bits do not depend on the others asked.
    """
    field = np.empty((len(chosen), 3, phi.shape[1]))
    _recover(len(chosen), mesh, patches, chosen, phi, dadt, field, gradient)
    return field


@in_parts
def _recover(begin, end, mesh, patches, chosen, phi, dadt, field, gradient):
    """Places begin to end of `recover`; pairs of one node share the gradient of its primary field."""
    points, tets, tissue, sigma, start, around = mesh
    nodes, tags, first, near = patches
    width = phi.shape[1]
    seen, stamp = np.zeros(max(points.shape[0], nodes.shape[0]), np.int32), np.int64(0)
    pairs, members, places = np.empty(MOST, np.int64), np.empty(MOST, np.int64), np.empty((MOST, 3))
    basis, matrix, out = (
        np.empty((MOST, UNKNOWNS + 1)),
        np.empty((UNKNOWNS, UNKNOWNS)),
        np.empty(UNKNOWNS, np.bool_),
    )
    linear, primary, fit = np.empty((3, 3)), np.empty((width, 3, 3)), np.empty(UNKNOWNS)
    tensor, frame = np.empty((3, 3)), np.empty((3, 3))
    for p in range(begin, end):
        pair = chosen[p]
        i = nodes[pair]
        if p == begin or nodes[chosen[p - 1]] != i:
            stamp += 1
            size = ring_of(tets, tissue, start, around, i, np.int64(-1), members, np.int64(0), seen, stamp)
            primary_fit(points, i, members, size, linear, out)
            for k in range(width):
                primary_gradient(points, dadt, k, i, members, size, linear, out, primary[k])
        tissue_frame(points, tets, tissue, sigma, start, around, i, np.int64(tags[pair]), tensor, frame)
        stamp += 1
        fitted = points, sigma, nodes, first, near
        size, scale = prepare(fitted, pair, pairs, members, places, frame, basis, matrix, out, seen, stamp)
        for k in range(width):
            divergence = 0.0
            for d in range(3):
                for c in range(3):
                    divergence += tensor[d, c] * primary[k, c, d]
            harmonic_fit(phi, k, i, members, size, scale, divergence, basis, matrix, out, fit)
            _write_field(fit, scale, frame, dadt, i, p, k, field)
            if gradient.shape[0]:
                _write_gradient(fit, scale, frame, divergence, primary[k], p, k, gradient)


@njit(cache=True)
def _spread(points, i, ring, size, matrix, out, tensor, divergence, primary, k, on_dadt):
    """Takes a weight of the divergence at node i back to dA/dt at its neighbors: the transpose of its linear fit."""
    x = np.empty(3)
    for c in range(3):
        for d in range(3):
            primary[c, d] = divergence * tensor[d, c]
        substitute(matrix, out, primary[c], np.int64(3))
    for q in range(size):
        j = ring[q]
        if j == i:
            continue
        weight = 1.0 / offset(points, i, j, x)
        for c in range(3):
            value = (primary[c, 0] * x[0] + primary[c, 1] * x[1] + primary[c, 2] * x[2]) * weight
            on_dadt[j, c, k] += value
            on_dadt[i, c, k] -= value


@njit(cache=True)
def functional(mesh, patches, chosen, weights):
    """The transpose of `recover`: what sums over pairs of weights (q, 3, b) . E mean for the potential and for dA/dt.

    Returns on_phi (n, b) and on_dadt (n, 3, b), so that the sums are those of on_phi . phi and on_dadt . dadt.
    """
    points, tets, tissue, sigma, start, around = mesh
    nodes, tags, first, near = patches
    n, width = points.shape[0], weights.shape[2]
    on_phi, on_dadt = np.zeros((n, width)), np.zeros((n, 3, width))
    seen, stamp = np.zeros(max(n, nodes.shape[0]), np.int32), np.int64(0)
    ring, pairs, members = np.empty(MOST, np.int64), np.empty(MOST, np.int64), np.empty(MOST, np.int64)
    places = np.empty((MOST, 3))
    basis, matrix, out = np.empty((MOST, UNKNOWNS + 1)), np.empty((UNKNOWNS, UNKNOWNS)), np.empty(UNKNOWNS, np.bool_)
    linear, primary, fit = np.empty((3, 3)), np.empty((3, 3)), np.empty(UNKNOWNS)
    tensor, frame = np.empty((3, 3)), np.empty((3, 3))
    for p in range(chosen.shape[0]):
        pair = chosen[p]
        i = nodes[pair]
        stamp += 1
        around_size = ring_of(tets, tissue, start, around, i, np.int64(-1), ring, np.int64(0), seen, stamp)
        primary_fit(points, i, ring, around_size, linear, out)
        tissue_frame(points, tets, tissue, sigma, start, around, i, np.int64(tags[pair]), tensor, frame)
        stamp += 1
        fitted = points, sigma, nodes, first, near
        size, scale = prepare(fitted, pair, pairs, members, places, frame, basis, matrix, out, seen, stamp)
        for k in range(width):
            fit[:] = 0.0
            for d in range(3):
                on_dadt[i, d, k] -= weights[p, d, k]
                for c in range(3):
                    fit[d] -= frame[d, c] * weights[p, c, k] / scale
            substitute(matrix, out, fit, np.int64(UNKNOWNS))
            divergence = 0.0
            for q in range(size):
                if members[q] == i:
                    continue
                value = 0.0
                for a in range(UNKNOWNS):
                    value += basis[q, a] * fit[a]
                on_phi[members[q], k] += value
                on_phi[i, k] -= value
                divergence += value * scale * scale * basis[q, UNKNOWNS] / 6.0
            _spread(points, i, ring, around_size, linear, out, tensor, divergence, primary, k, on_dadt)
    return on_phi, on_dadt


def evaluate(points, tets, tissue, row, tags, field, gradient, tet, weights, targets):
    """E (q, 3) at targets (q, 3) inside tetrahedra (q,) with barycentric weights (q, 4); nan where tet is -1.

    The four corners' values and gradients are blended so that a quadratic field comes out exactly: the sum of
    w_k (E_k + grad E_k . (x - x_k) / 2).
    """
    found = np.full(targets.shape, np.nan)
    _evaluate(len(found), points, tets, tissue, row, tags, field, gradient, tet, weights, targets, found)
    return found


@in_parts
def _evaluate(first, last, points, tets, tissue, row, tags, field, gradient, tet, weights, targets, found):
    for q in range(first, last):
        t = tet[q]
        if t < 0:
            continue
        found[q] = 0.0
        for k in range(4):
            i = tets[t, k]
            p = row[i]
            while tags[p] != tissue[t]:
                p += 1
            for c in range(3):
                value = field[p, c]
                for d in range(3):
                    value += 0.5 * gradient[p, d, c] * (targets[q, d] - points[i, d])
                found[q, c] += weights[q, k] * value


def centers(field, corners):
    """(k, 3, b) means of a field (p, 3, b) over the pairs at the corners (k, 4) of tetrahedra: E at their centers."""
    means = np.empty((len(corners), *field.shape[1:]))
    _centers(len(corners), field, corners, means)
    return means


@in_parts
def _centers(first, last, field, corners, means):
    for t in range(first, last):
        for d in range(3):
            for k in range(field.shape[2]):
                value = 0.0
                for c in range(4):
                    value += field[corners[t, c], d, k]
                means[t, d, k] = value / 4.0
