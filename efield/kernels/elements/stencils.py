"""The recovered field as sums of nodal values: the fits of `recovery.recover`, written down once for many fields.

At the pair of node i and a tissue, with A for dA/dt at the nodes,

    E_d = -A_d(i) + sum_j slopes[j, d] phi(j) + shares[d] sum_j bends[j] . A(j),

the first sum over the patch of the pair, the second, the divergence of A, over all neighbors of the node. SI units.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.patches import (
    MOST,
    UNKNOWNS,
    offset,
    prepare,
    primary_fit,
    ring_of,
    substitute,
    tissue_frame,
)


@njit(cache=True)
def _write_slopes(size, scale, frame, basis, matrix, out, slopes, shares):
    """Slopes of the members of a patch, whose first is the node itself, and shares (3,) of the divergence."""
    fit = np.empty(UNKNOWNS)
    for d in range(3):
        fit[:] = 0.0
        for a in range(3):
            fit[a] = -frame[a, d] / scale
        substitute(matrix, out, fit, np.int64(UNKNOWNS))
        slopes[0, d], shares[d] = 0.0, 0.0
        for q in range(1, size):
            value = 0.0
            for a in range(UNKNOWNS):
                value += basis[q, a] * fit[a]
            slopes[q, d] = value
            slopes[0, d] -= value
            shares[d] += value * scale * scale * basis[q, UNKNOWNS] / 6.0


@njit(cache=True)
def _write_bends(points, i, ring, size, matrix, out, tensor, bends):
    """What dA/dt at the neighbors of node i adds to its divergence, tensor : grad(dA/dt)."""
    x, weights, own = np.empty(3), np.empty((3, 3)), 0
    for c in range(3):
        for d in range(3):
            weights[c, d] = tensor[d, c]
        substitute(matrix, out, weights[c], np.int64(3))
    for q in range(size):
        if ring[q] == i:
            own = q
    bends[own] = 0.0
    for q in range(size):
        if q == own:
            continue
        near = 1.0 / offset(points, i, ring[q], x)
        for c in range(3):
            bends[q, c] = (weights[c, 0] * x[0] + weights[c, 1] * x[1] + weights[c, 2] * x[2]) * near
            bends[own, c] -= bends[q, c]


@njit(cache=True, nogil=True)
def stencils(mesh, patches, chosen):
    """The sums of the chosen pairs (q,); mesh and patches as `recovery.recover` takes them.

    Returns lengths (q, 2) of the two sums of each pair; nodes and slopes (s,), (s, 3) of the first; nodes and bends
    (r,), (r, 3) of the second; and shares (q, 3).
    """
    points, tets, tissue, sigma, start, around = mesh
    nodes, tags, first, near = patches
    count = chosen.shape[0]
    # Of this much room only what is filled takes memory.
    members, slopes = np.empty(count * MOST, np.int32), np.empty((count * MOST, 3))
    ring, bends = np.empty(count * MOST, np.int32), np.empty((count * MOST, 3))
    lengths, shares = np.empty((count, 2), np.int64), np.empty((count, 3))
    seen, stamp = np.zeros(max(points.shape[0], nodes.shape[0]), np.int32), np.int64(0)
    pairs, inside, places = np.empty(MOST, np.int64), np.empty(MOST, np.int64), np.empty((MOST, 3))
    basis, matrix, out = np.empty((MOST, UNKNOWNS + 1)), np.empty((UNKNOWNS, UNKNOWNS)), np.empty(UNKNOWNS, np.bool_)
    linear, tensor, frame = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    m, r = 0, 0
    for p in range(count):
        pair = chosen[p]
        i = nodes[pair]
        tissue_frame(points, tets, tissue, sigma, start, around, i, np.int64(tags[pair]), tensor, frame)
        stamp += 1
        size = ring_of(tets, tissue, start, around, i, np.int64(-1), inside, np.int64(0), seen, stamp)
        primary_fit(points, i, inside, size, linear, out)
        _write_bends(points, i, inside, size, linear, out, tensor, bends[r:])
        for q in range(size):
            ring[r + q] = inside[q]
        r += size
        lengths[p, 1] = size
        stamp += 1
        fitted = points, sigma, nodes, first, near
        size, scale = prepare(fitted, pair, pairs, inside, places, frame, basis, matrix, out, seen, stamp)
        _write_slopes(size, scale, frame, basis, matrix, out, slopes[m:], shares[p])
        for q in range(size):
            members[m + q] = inside[q]
        m += size
        lengths[p, 0] = size
    return lengths, members[:m].copy(), slopes[:m].copy(), ring[:r].copy(), bends[:r].copy(), shares
