"""Recovery of a smooth field within each tissue, by least squares over the patch of tetrahedra around a node.

SI units. Each (node, tissue) pair is computed alone, so results are the same bits for any number of threads, whatever
else is asked for.
"""

import numpy as np

from efield.kernels.elements.fits import PACKED, UNKNOWNS
from efield.kernels.elements.patches import (
    MOST,
    frame_of,
    harmonic_fit,
    prepare,
    primary_fit,
    primary_gradient,
    ring_of_node,
)
from efield.kernels.parts import helper, in_parts


@helper
def _write_field(fit, scale, frame, dadt, i, p, k, field):
    """E at pair p, for field k, from the coefficients of a fit about node i in y = frame x."""
    for d in range(3):
        slope = frame[0, d] * fit[0] + frame[1, d] * fit[1] + frame[2, d] * fit[2]
        field[p, d, k] = -dadt[i, d, k] - slope / scale


@helper
def _write_gradient(fit, scale, frame, divergence, primary, bend, p, k, gradient):
    """gradient[p, :, :, k] of E in x from the coefficients of a fit in y = frame x, whose Laplacian is -divergence.

    bend (3, 3) is space.
    """
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
            gradient[p, d, c, k] = -second - primary[k, c, d]


@in_parts(new=lambda points, patches, chosen, frames, phi, *_: np.empty((len(chosen), 3, phi.shape[1])))
def recover(begin, end, points, patches, chosen, frames, phi, dadt, gradient, field):
    """E (q, 3, b) at the chosen (q,) of the (node, tissue) pairs for potentials phi (n, b) and dadt (n, 3, b).

    points are those of the nodes; patches are nodes (p,) of all pairs, and who is beside whom, first (p + 1,) and near
    (s,) (`patches.neighbors`). gradient (q, 3, 3, b), or empty if it is not wanted, becomes that of E; [d, c] is
    dE_c/dx_d. Conductivity is taken to be constant in each tissue, or, if it is tensors, replaced by its mean around
    each node (frames: `patches.frames`). With a constant sigma, sigma : grad(dA/dt + grad phi) = 0 ties the second
    derivatives of phi together, which spares one unknown and most of the noise of a free quadratic fit. Each pair is
    computed alone: its bits do not depend on the others asked.
    """
    nodes, first, near = patches
    mesh, alike = (points, nodes, first, near), frames.shape[0] == 0
    width = phi.shape[1]
    seen, stamp = np.zeros(max(points.shape[0], nodes.shape[0]), np.int32), np.int64(0)
    pairs, members, places = np.empty(MOST, np.int64), np.empty(MOST, np.int64), np.empty((3, MOST))
    basis, values, matrix, fit = np.empty((UNKNOWNS + 1, MOST)), np.empty(MOST), np.empty(PACKED), np.empty(UNKNOWNS)
    lean, linear, primary = np.empty((3, MOST)), np.empty(6), np.empty((width, 3, 3))
    tensor, frame, bend = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for p in range(begin, end):
        pair = chosen[p]
        i = nodes[pair]
        if p == begin or nodes[chosen[p - 1]] != i:  # pairs of one node share the gradient of its primary field
            stamp += 1
            size = ring_of_node(pair, nodes, first, near, members, seen, stamp)
            primary_fit(points, members, size, lean, linear)
            for k in range(width):
                primary_gradient(dadt, k, members, size, lean, linear, primary)
        frame_of(frames, p, tensor, frame)
        stamp += 1
        size, scale = prepare(mesh, pair, alike, pairs, members, places, frame, basis, matrix, seen, stamp)
        for k in range(width):
            divergence = 0.0
            for d in range(3):
                for c in range(3):
                    divergence += tensor[d, c] * primary[k, c, d]
            harmonic_fit(phi, k, members, size, scale, divergence, basis, matrix, values, fit)
            _write_field(fit, scale, frame, dadt, i, p, k, field)
            if gradient.shape[0]:
                _write_gradient(fit, scale, frame, divergence, primary, bend, p, k, gradient)


@in_parts(
    new=lambda points, tets, tissue, row, tags, field, gradient, tet, weights, targets: np.full(targets.shape, np.nan)
)
def evaluate(first, last, points, tets, tissue, row, tags, field, gradient, tet, weights, targets, found):
    """E (q, 3) at targets (q, 3) inside tetrahedra (q,) with barycentric weights (q, 4); nan where tet is -1.

    The four corners' values and gradients are blended so that a quadratic field comes out exactly: the sum of
    w_k (E_k + grad E_k . (x - x_k) / 2).
    """
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


@in_parts(new=lambda field, corners: np.empty((len(corners), *field.shape[1:])))
def centers(first, last, field, corners, means):
    """(k, 3, b) means of a field (p, 3, b) over the pairs at the corners (k, 4) of tetrahedra: E at their centers."""
    for t in range(first, last):
        for d in range(3):
            for k in range(field.shape[2]):
                value = 0.0
                for c in range(4):
                    value += field[corners[t, c], d, k]
                means[t, d, k] = value / 4.0
