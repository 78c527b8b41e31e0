"""The recovered field as sums of nodal values: the fits of `recovery.recover`, written down once for many fields.

At the pair of node i and a tissue, with A for dA/dt at the nodes,

    E_d = -A_d(i) + sum_j slopes[j, d] phi(j) + shares[d] sum_j bends[j] . A(j),

the first sum over the patch of the pair, the second, the divergence of A, over all neighbors of the node. SI units.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.fits import PACKED, UNKNOWNS, substitute
from efield.kernels.elements.patches import MOST, frame_of, prepare, primary_fit, ring_of_node


@njit(cache=True)
def _write_slopes(size, scale, frame, basis, matrix, slopes, shares):
    """Slopes of the members of a patch, whose first is the node itself, and shares (3,) of the divergence."""
    fit = np.empty(UNKNOWNS)
    for d in range(3):
        fit[:] = 0.0
        for a in range(3):
            fit[a] = -frame[a, d] / scale
        substitute(matrix, UNKNOWNS, fit, np.int64(0))
        slopes[0, d], shares[d] = 0.0, 0.0
        for q in range(1, size):
            value = 0.0
            for a in range(UNKNOWNS):
                value += basis[a, q] * fit[a]
            slopes[q, d] = value
            slopes[0, d] -= value
            shares[d] += value * scale * scale * basis[UNKNOWNS, q] / 6.0


@njit(cache=True)
def _write_bends(size, lean, matrix, tensor, bends):
    """What dA/dt at the members of a ring, whose first is the node itself, adds to tensor : grad(dA/dt) there."""
    weights = np.empty(3)
    for c in range(3):
        for d in range(3):
            weights[d] = tensor[d, c]
        substitute(matrix, 3, weights, np.int64(0))
        bends[0, c] = 0.0
        for q in range(1, size):
            bends[q, c] = weights[0] * lean[0, q] + weights[1] * lean[1, q] + weights[2] * lean[2, q]
            bends[0, c] -= bends[q, c]


@njit(cache=True, nogil=True)
def stencils(points, patches, chosen, frames):
    """The sums of the chosen pairs (q,); arguments as `recovery.recover` takes them.

    Returns lengths (q, 2) of the two sums of each pair; nodes and slopes (s,), (s, 3) of the first; nodes and bends
    (r,), (r, 3) of the second; and shares (q, 3).
    """
    nodes, first, near = patches
    mesh, alike = (points, nodes, first, near), frames.shape[0] == 0
    count = chosen.shape[0]
    # Of this much room only what is filled takes memory.
    members, slopes = np.empty(count * MOST, np.int32), np.empty((count * MOST, 3))
    ring, bends = np.empty(count * MOST, np.int32), np.empty((count * MOST, 3))
    lengths, shares = np.empty((count, 2), np.int64), np.empty((count, 3))
    seen, stamp = np.zeros(max(points.shape[0], nodes.shape[0]), np.int32), np.int64(0)
    pairs, inside, places = np.empty(MOST, np.int64), np.empty(MOST, np.int64), np.empty((3, MOST))
    basis, matrix, lean, linear = np.empty((UNKNOWNS + 1, MOST)), np.empty(PACKED), np.empty((3, MOST)), np.empty(6)
    tensor, frame = np.empty((3, 3)), np.empty((3, 3))
    m, r = 0, 0
    for p in range(count):
        pair = chosen[p]

        frame_of(frames, p, tensor, frame)
        stamp += 1
        size = ring_of_node(pair, nodes, first, near, inside, seen, stamp)
        primary_fit(points, inside, size, lean, linear)
        _write_bends(size, lean, linear, tensor, bends[r:])
        for q in range(size):
            ring[r + q] = inside[q]
        r += size
        lengths[p, 1] = size
        stamp += 1
        size, scale = prepare(mesh, pair, alike, pairs, inside, places, frame, basis, matrix, seen, stamp)
        _write_slopes(size, scale, frame, basis, matrix, slopes[m:], shares[p])
        for q in range(size):
            members[m + q] = inside[q]
        m += size
        lengths[p, 0] = size
    return lengths, members[:m].copy(), slopes[:m].copy(), ring[:r].copy(), bends[:r].copy(), shares
