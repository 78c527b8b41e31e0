"""Recovery of a smooth field within each tissue, by least squares over the patch of tetrahedra around a node.

SI units. One (node, tissue) pair is one row: a node on an interface has a row for every tissue it touches. Rows
are written by one thread each, so results are the same bits for any number of threads.
"""

import numpy as np
from numba import njit, prange

from efield.kernels.elements.quadratic import gradients

_UNKNOWNS = 8
# Fewer neighbors than this and the patch takes in the next ring: half again as many as unknowns.
_ENOUGH = 12
# A quadratic term whose pivot falls below this share of its diagonal is not determined by the patch: left out.
_PIVOT = 1e-3
# A term this much smaller on the patch than the largest is rounding, such as x y where all neighbors lie on the axes.
_NEGLIGIBLE = 1e-3


@njit(cache=True)
def tissues_of_nodes(tissue, start, around):
    """Distinct tissues at each node: row starts (n + 1,) int64 and tags (p,), ascending per node."""
    n = start.shape[0] - 1
    row = np.zeros(n + 1, dtype=np.int64)
    tags = np.empty(around.shape[0], dtype=tissue.dtype)
    size = 0
    for i in range(n):
        first = size
        for s in range(start[i], start[i + 1]):
            tag = tissue[around[s]]
            q = size
            while q > first and tags[q - 1] > tag:
                q -= 1
            if q > first and tags[q - 1] == tag:
                continue
            for r in range(size, q, -1):
                tags[r] = tags[r - 1]
            tags[q] = tag
            size += 1
        row[i + 1] = size
    return row, tags[:size].copy()


@njit(cache=True)
def _ring(tets, tissue, start, around, i, tag, members, size):
    """Adds to `members` the nodes that share a tetrahedron with node i, of one tissue (or any, for tag -1)."""
    for s in range(start[i], start[i + 1]):
        t = around[s]
        if tag >= 0 and tissue[t] != tag:
            continue
        for k in range(4):
            j = tets[t, k]
            known = size == members.shape[0]
            for q in range(size):
                if members[q] == j:
                    known = True
                    break
            if not known:
                members[size] = j
                size += 1
    return size


@njit(cache=True)
def _solve(matrix, rhs, unknowns, linear):
    """Solves by Cholesky in place, rhs (u, c) becoming the solution; returns how many unknowns were left out.

    The first `linear` unknowns are kept always; a later one that the patch does not determine becomes zero.
    """
    dropped = 0
    largest = 0.0
    for j in range(unknowns):
        largest = max(largest, matrix[j, j])
    for j in range(unknowns):
        pivot = matrix[j, j]
        for q in range(j):
            pivot -= matrix[j, q] * matrix[j, q]
        if j >= linear and pivot <= max(_PIVOT * matrix[j, j], _NEGLIGIBLE * largest):
            dropped += 1
            for i in range(j, unknowns):
                matrix[i, j] = 0.0
            matrix[j, j] = 1.0
            for q in range(j):
                matrix[j, q] = 0.0
            for c in range(rhs.shape[1]):
                rhs[j, c] = 0.0
            continue
        root = np.sqrt(pivot)
        matrix[j, j] = root
        for i in range(j + 1, unknowns):
            value = matrix[i, j]
            for q in range(j):
                value -= matrix[i, q] * matrix[j, q]
            matrix[i, j] = value / root
    for c in range(rhs.shape[1]):
        for j in range(unknowns):
            for q in range(j):
                rhs[j, c] -= matrix[j, q] * rhs[q, c]
            rhs[j, c] /= matrix[j, j]
        for j in range(unknowns - 1, -1, -1):
            for q in range(j + 1, unknowns):
                rhs[j, c] -= matrix[q, j] * rhs[q, c]
            rhs[j, c] /= matrix[j, j]
    return dropped


@njit(cache=True)
def _primary_gradient(points, dadt, i, members, size, matrix, rhs):
    """d(dA/dt)_c / dx_d at node i in rhs[d, c], by a linear fit over all its neighbors; A is smooth everywhere."""
    matrix[:3, :3] = 0.0
    rhs[:3, :] = 0.0
    x = np.empty(3)
    for q in range(size):
        j = members[q]
        if j == i:
            continue
        square = 0.0
        for d in range(3):
            x[d] = points[j, d] - points[i, d]
            square += x[d] * x[d]
        for d in range(3):
            for b in range(d + 1):
                matrix[d, b] += x[d] * x[b] / square
            for c in range(3):
                rhs[d, c] += x[d] * (dadt[j, c] - dadt[i, c]) / square
    _solve(matrix, rhs, 3, 3)


@njit(cache=True)
def _mean_tensor(points, tets, tissue, sigma, start, around, i, tag, mean):
    """Volume mean of sigma over the tetrahedra of one tissue around node i, over a third of its trace."""
    g = np.empty((4, 3))
    mean[:, :] = 0.0
    for s in range(start[i], start[i + 1]):
        t = around[s]
        if tissue[t] == tag:
            volume = gradients(points, tets, t, g)
            for d in range(3):
                for c in range(3):
                    mean[d, c] += volume * sigma[t, d, c]
    third = (mean[0, 0] + mean[1, 1] + mean[2, 2]) / 3.0
    for d in range(3):
        for c in range(3):
            mean[d, c] /= third


@njit(cache=True)
def _frame(points, tets, tissue, sigma, start, around, i, tag, tensor, frame):
    """Coordinates y = frame x about node i in which the tissue conducts alike in all directions.

    tensor = L L^T is the mean of sigma over a third of its trace, frame the inverse of L. For a scalar sigma both are
    the identity; the branch is taken when compiling.
    """
    for d in range(3):
        for c in range(3):
            frame[d, c] = 1.0 if c == d else 0.0
            tensor[d, c] = frame[d, c]
    if sigma.ndim == 1:
        return
    _mean_tensor(points, tets, tissue, sigma, start, around, i, tag, tensor)
    lower = tensor.copy()
    for j in range(3):
        for k in range(j, 3):
            for q in range(j):
                lower[k, j] -= lower[k, q] * lower[j, q]
            lower[k, j] = np.sqrt(lower[j, j]) if k == j else lower[k, j] / lower[j, j]
    for c in range(3):
        for d in range(3):
            for q in range(d):
                frame[d, c] -= lower[d, q] * frame[q, c]
            frame[d, c] /= lower[d, d]


@njit(cache=True)
def _places(points, i, members, size, sigma, frame, places):
    """Places (size, 3) of the members seen from node i, in the coordinates y = frame x; returns the largest entry."""
    largest = 0.0
    for q in range(size):
        for d in range(3):
            places[q, d] = points[members[q], d] - points[i, d]
        if sigma.ndim > 1:
            a, b, c = places[q, 0], places[q, 1], places[q, 2]
            for d in range(3):
                places[q, d] = frame[d, 0] * a + frame[d, 1] * b + frame[d, 2] * c
        for d in range(3):
            largest = max(largest, abs(places[q, d]))
    return largest


@njit(cache=True)
def _harmonic_fit(points, phi, i, members, size, sigma, frame, divergence, places, basis, matrix, rhs):
    """Fits phi about node i by a quadratic whose Laplacian is -divergence, in the coordinates y = frame x.

    Each neighbor's difference quotient counts alike, and the fit passes through phi at the node itself. Lengths
    are scaled by the patch; returns the scale and the number of quadratic terms left out, with the coefficients in
    rhs (8, 1).
    """
    scale = _places(points, i, members, size, sigma, frame, places)
    matrix[:, :] = 0.0
    rhs[:, :] = 0.0
    for q in range(size):
        j = members[q]
        if j == i:
            continue
        x, y, z = places[q, 0] / scale, places[q, 1] / scale, places[q, 2] / scale
        square = x * x + y * y + z * z
        basis[0], basis[1], basis[2] = x, y, z
        basis[3], basis[4], basis[5] = x * y, y * z, x * z
        basis[6], basis[7] = x * x - y * y, 2.0 * z * z - x * x - y * y
        value = phi[j] - phi[i] + divergence * scale * scale * square / 6.0
        for a in range(_UNKNOWNS):
            weighted = basis[a] / square
            for b in range(a + 1):
                matrix[a, b] += weighted * basis[b]
            rhs[a, 0] += weighted * value
    dropped = _solve(matrix, rhs, _UNKNOWNS, 3)
    return scale, dropped


@njit(cache=True)
def _write(fit, scale, frame, divergence, dadt, primary, field, gradient):
    """E and its gradient in x from the coefficients of a fit in y = frame x, whose Laplacian is -divergence."""
    bend = np.empty((3, 3))
    for d in range(3):
        slope = frame[0, d] * fit[0, 0] + frame[1, d] * fit[1, 0] + frame[2, d] * fit[2, 0]
        field[d] = -dadt[d] - slope / scale
    curve, third = 1.0 / (scale * scale), divergence / 3.0
    bend[0, 0] = curve * (2.0 * fit[6, 0] - 2.0 * fit[7, 0]) - third
    bend[1, 1] = curve * (-2.0 * fit[6, 0] - 2.0 * fit[7, 0]) - third
    bend[2, 2] = curve * 4.0 * fit[7, 0] - third
    bend[0, 1] = bend[1, 0] = curve * fit[3, 0]
    bend[1, 2] = bend[2, 1] = curve * fit[4, 0]
    bend[0, 2] = bend[2, 0] = curve * fit[5, 0]
    for d in range(3):
        for c in range(3):
            second = 0.0
            for a in range(3):
                for b in range(3):
                    second += frame[a, d] * bend[a, b] * frame[b, c]
            gradient[d, c] = -second - primary[d, c]


@njit(cache=True, parallel=True)
def recover(points, tets, tissue, sigma, start, around, row, tags, phi, dadt):
    """E (p, 3) and its gradient (p, 3, 3; [d, c] is dE_c/dx_d) at every (node, tissue) pair.

    phi (n,) and dadt (n, 3) are nodal. sigma is (m,), then taken to be constant in each tissue, or (m, 3, 3), then
    replaced by its mean around each node. With a constant sigma, sigma : grad(dA/dt + grad phi) = 0 ties the second
    derivatives of phi together, which spares one unknown and most of the noise of a free quadratic fit.
    """
    n = start.shape[0] - 1
    field, gradient = np.empty((tags.shape[0], 3)), np.empty((tags.shape[0], 3, 3))
    for i in prange(n):
        members, places = np.empty(512, dtype=np.int32), np.empty((512, 3))
        matrix, basis = np.empty((_UNKNOWNS, _UNKNOWNS)), np.empty(_UNKNOWNS)
        primary, fit = np.empty((3, 3)), np.empty((_UNKNOWNS, 1))
        tensor, frame = np.empty((3, 3)), np.empty((3, 3))
        if row[i + 1] > row[i]:
            size = _ring(tets, tissue, start, around, i, -1, members, 0)
            _primary_gradient(points, dadt, i, members, size, matrix, primary)
        for p in range(row[i], row[i + 1]):
            _frame(points, tets, tissue, sigma, start, around, i, tags[p], tensor, frame)
            divergence = 0.0
            for d in range(3):
                for c in range(3):
                    divergence += tensor[d, c] * primary[d, c]
            size = _ring(tets, tissue, start, around, i, tags[p], members, 0)
            dropped = 1
            if size > _ENOUGH:
                scale, dropped = _harmonic_fit(
                    points, phi, i, members, size, sigma, frame, divergence, places, basis, matrix, fit
                )
            if dropped:
                for q in range(size):
                    size = _ring(tets, tissue, start, around, members[q], tags[p], members, size)
                scale, dropped = _harmonic_fit(
                    points, phi, i, members, size, sigma, frame, divergence, places, basis, matrix, fit
                )
            _write(fit, scale, frame, divergence, dadt[i], primary, field[p], gradient[p])
    return field, gradient


@njit(cache=True, parallel=True)
def evaluate(points, tets, tissue, row, tags, field, gradient, tet, weights, targets):
    """E (q, 3) at targets (q, 3) inside tetrahedra (q,) with barycentric weights (q, 4); nan where tet is -1.

    The four corners' values and gradients are blended so that a quadratic field comes out exactly: the sum of
    w_k (E_k + grad E_k . (x - x_k) / 2).
    """
    out = np.full(targets.shape, np.nan)
    for q in prange(targets.shape[0]):
        t = tet[q]
        if t < 0:
            continue
        out[q] = 0.0
        for k in range(4):
            i = tets[t, k]
            p = row[i]
            while tags[p] != tissue[t]:
                p += 1
            for c in range(3):
                value = field[p, c]
                for d in range(3):
                    value += 0.5 * gradient[p, d, c] * (targets[q, d] - points[i, d])
                out[q, c] += weights[q, k] * value
    return out
