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
# Nodes of a patch, at most.
_MOST = 512
# Pairs are shared out in this many parts at most, of this many pairs at least.
_PARTS, _PART = 64, 256


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
def _ring(tets, tissue, start, around, i, tag, members, size, seen, stamp):
    """Adds to `members` the nodes that share a tetrahedron with node i, of one tissue (or any, for tag -1).

    Members that are in already have `stamp` in seen (n,); what does not fit into `members` is left out.
    """
    for s in range(start[i], start[i + 1]):
        t = around[s]
        if tag >= 0 and tissue[t] != tag:
            continue
        for k in range(4):
            j = tets[t, k]
            if seen[j] != stamp and size < members.shape[0]:
                seen[j] = stamp
                members[size] = j
                size += 1
    return size


@njit(cache=True)
def _factor(matrix, unknowns, linear, out):
    """Cholesky factor in place of the lower half; returns how many unknowns were left out, marked in out (u,).

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
        out[j] = j >= linear and pivot <= max(_PIVOT * matrix[j, j], _NEGLIGIBLE * largest)
        if out[j]:
            dropped += 1
            for i in range(j, unknowns):
                matrix[i, j] = 0.0
            matrix[j, j] = 1.0
            for q in range(j):
                matrix[j, q] = 0.0
            continue
        root = np.sqrt(pivot)
        matrix[j, j] = root
        for i in range(j + 1, unknowns):
            value = matrix[i, j]
            for q in range(j):
                value -= matrix[i, q] * matrix[j, q]
            matrix[i, j] = value / root
    return dropped


@njit(cache=True)
def _substitute(matrix, out, rhs, unknowns):
    """Solves with the factor; rhs (u,) becomes the solution, zero where an unknown was left out."""
    for j in range(unknowns):
        if out[j]:
            rhs[j] = 0.0
        for q in range(j):
            rhs[j] -= matrix[j, q] * rhs[q]
        rhs[j] /= matrix[j, j]
    for j in range(unknowns - 1, -1, -1):
        for q in range(j + 1, unknowns):
            rhs[j] -= matrix[q, j] * rhs[q]
        rhs[j] /= matrix[j, j]


@njit(cache=True)
def _primary_fit(points, i, members, size, matrix, out):
    """Factor of the fit of d(dA/dt)/dx at node i, by a linear fit over all its neighbors; A is smooth everywhere."""
    matrix[:3, :3] = 0.0
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
    _factor(matrix, 3, 3, out)


@njit(cache=True)
def _primary_gradient(points, dadt, k, i, members, size, matrix, out, primary):
    """d(dA/dt)_c / dx_d at node i in primary[c, d], for field k of dadt (n, 3, b)."""
    primary[:, :] = 0.0
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
            for c in range(3):
                primary[c, d] += x[d] * (dadt[j, c, k] - dadt[i, c, k]) / square
    for c in range(3):
        _substitute(matrix, out, primary[c], 3)


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
def _harmonic_basis(i, members, size, places, scale, basis, matrix):
    """The fit of a potential about node i by a quadratic of known Laplacian, before any potential.

    Eight harmonic polynomials at the members' places in units of `scale`, each over the squared distance in
    basis (size, 9), whose last column is that square; each neighbor's difference quotient counts alike.
    """
    matrix[:, :] = 0.0
    value = np.empty(_UNKNOWNS)
    for q in range(size):
        if members[q] == i:
            continue
        x, y, z = places[q, 0] / scale, places[q, 1] / scale, places[q, 2] / scale
        square = x * x + y * y + z * z
        value[0], value[1], value[2] = x, y, z
        value[3], value[4], value[5] = x * y, y * z, x * z
        value[6], value[7] = x * x - y * y, 2.0 * z * z - x * x - y * y
        for a in range(_UNKNOWNS):
            weighted = value[a] / square
            basis[q, a] = weighted
            for b in range(a + 1):
                matrix[a, b] += weighted * value[b]
        basis[q, _UNKNOWNS] = square


@njit(cache=True)
def _harmonic_fit(phi, k, i, members, size, scale, divergence, basis, matrix, out, fit):
    """Coefficients (8,) of the quadratic that fits phi[:, k] about node i and has the Laplacian -divergence.

    It passes through phi at the node itself.
    """
    fit[:] = 0.0
    for q in range(size):
        j = members[q]
        if j == i:
            continue
        value = phi[j, k] - phi[i, k] + divergence * scale * scale * basis[q, _UNKNOWNS] / 6.0
        for a in range(_UNKNOWNS):
            fit[a] += basis[q, a] * value
    _substitute(matrix, out, fit, _UNKNOWNS)


@njit(cache=True)
def _prepare(mesh, i, tag, members, places, frame, basis, matrix, out, seen, stamp):
    """The patch of one (node, tissue) pair and the factor of its fit; returns its size and its scale.

    If one ring of neighbors does not determine all unknowns, the patch takes in the next.
    """
    points, tets, tissue, sigma, start, around = mesh
    size, scale = np.int64(1), 0.0
    members[0], seen[i] = i, stamp
    for ring in range(2):
        for q in range(size):
            size = _ring(tets, tissue, start, around, members[q], tag, members, size, seen, stamp)
        if ring == 0 and size <= _ENOUGH:
            continue
        scale = _places(points, i, members, size, sigma, frame, places)
        _harmonic_basis(i, members, size, places, scale, basis, matrix)
        if not _factor(matrix, _UNKNOWNS, 3, out):
            break
    return size, scale


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


@njit(cache=True)
def _recover_range(mesh, nodes, tags, phi, dadt, first, last, field, gradient):
    """Pairs first to last of `recover`; pairs of one node share the gradient of its primary field."""
    points, tets, tissue, sigma, start, around = mesh
    width = phi.shape[1]
    seen, stamp = np.zeros(points.shape[0], np.int32), np.int64(0)
    ring, members, places = np.empty(_MOST, np.int64), np.empty(_MOST, np.int64), np.empty((_MOST, 3))
    basis, matrix, out = (
        np.empty((_MOST, _UNKNOWNS + 1)),
        np.empty((_UNKNOWNS, _UNKNOWNS)),
        np.empty(_UNKNOWNS, np.bool_),
    )
    linear, primary, fit = np.empty((3, 3)), np.empty((width, 3, 3)), np.empty(_UNKNOWNS)
    tensor, frame = np.empty((3, 3)), np.empty((3, 3))
    for p in range(first, last):
        i = nodes[p]
        if p == first or nodes[p - 1] != i:
            stamp += 1
            size = _ring(tets, tissue, start, around, i, np.int64(-1), ring, np.int64(0), seen, stamp)
            _primary_fit(points, i, ring, size, linear, out)
            for k in range(width):
                _primary_gradient(points, dadt, k, i, ring, size, linear, out, primary[k])
        _frame(points, tets, tissue, sigma, start, around, i, np.int64(tags[p]), tensor, frame)
        stamp += 1
        size, scale = _prepare(mesh, i, np.int64(tags[p]), members, places, frame, basis, matrix, out, seen, stamp)
        for k in range(width):
            divergence = 0.0
            for d in range(3):
                for c in range(3):
                    divergence += tensor[d, c] * primary[k, c, d]
            _harmonic_fit(phi, k, i, members, size, scale, divergence, basis, matrix, out, fit)
            _write_field(fit, scale, frame, dadt, i, p, k, field)
            if gradient.shape[0]:
                _write_gradient(fit, scale, frame, divergence, primary[k], p, k, gradient)


@njit(cache=True, parallel=True)
def recover(points, tets, tissue, sigma, start, around, nodes, tags, phi, dadt, gradient):
    """E (q, 3, b) at (node, tissue) pairs nodes (q,), tags (q,) for potentials phi (n, b) and dadt (n, 3, b).

    gradient (q, 3, 3, b), or empty if it is not wanted, becomes that of E; [d, c] is dE_c/dx_d. sigma is (m,), then
    taken to be constant in each tissue, or (m, 3, 3), then replaced by its mean around each node. With a constant
    sigma, sigma : grad(dA/dt + grad phi) = 0 ties the second derivatives of phi together, which spares one unknown and
    most of the noise of a free quadratic fit. Each pair is computed alone: its bits do not depend on the others asked.
    """
    mesh = (points, tets, tissue, sigma, start, around)
    field = np.empty((nodes.shape[0], 3, phi.shape[1]))
    parts = max(1, min(_PARTS, nodes.shape[0] // _PART))
    for part in prange(parts):
        first, last = part * nodes.shape[0] // parts, (part + 1) * nodes.shape[0] // parts
        _recover_range(mesh, nodes, tags, phi, dadt, first, last, field, gradient)
    return field


@njit(cache=True)
def functional(points, tets, tissue, sigma, start, around, nodes, tags, weights):
    """The transpose of `recover`: what sums over pairs of weights (q, 3, b) . E mean for the potential and for dA/dt.

    Returns on_phi (n, b) and on_dadt (n, 3, b), so that the sums are those of on_phi . phi and on_dadt . dadt.
    """
    mesh = (points, tets, tissue, sigma, start, around)
    n, width = points.shape[0], weights.shape[2]
    on_phi, on_dadt = np.zeros((n, width)), np.zeros((n, 3, width))
    seen, stamp, x = np.zeros(n, np.int32), np.int64(0), np.empty(3)
    ring, members, places = np.empty(_MOST, np.int64), np.empty(_MOST, np.int64), np.empty((_MOST, 3))
    basis, matrix, out = (
        np.empty((_MOST, _UNKNOWNS + 1)),
        np.empty((_UNKNOWNS, _UNKNOWNS)),
        np.empty(_UNKNOWNS, np.bool_),
    )
    linear, primary, fit = np.empty((3, 3)), np.empty((3, 3)), np.empty(_UNKNOWNS)
    tensor, frame = np.empty((3, 3)), np.empty((3, 3))
    for p in range(nodes.shape[0]):
        i = nodes[p]
        stamp += 1
        around_size = _ring(tets, tissue, start, around, i, np.int64(-1), ring, np.int64(0), seen, stamp)
        _primary_fit(points, i, ring, around_size, linear, out)
        _frame(points, tets, tissue, sigma, start, around, i, np.int64(tags[p]), tensor, frame)
        stamp += 1
        size, scale = _prepare(mesh, i, np.int64(tags[p]), members, places, frame, basis, matrix, out, seen, stamp)
        for k in range(width):
            fit[:] = 0.0
            for d in range(3):
                on_dadt[i, d, k] -= weights[p, d, k]
                for c in range(3):
                    fit[d] -= frame[d, c] * weights[p, c, k] / scale
            _substitute(matrix, out, fit, _UNKNOWNS)
            divergence = 0.0
            for q in range(size):
                j = members[q]
                if j == i:
                    continue
                value = 0.0
                for a in range(_UNKNOWNS):
                    value += basis[q, a] * fit[a]
                on_phi[j, k] += value
                on_phi[i, k] -= value
                divergence += value * scale * scale * basis[q, _UNKNOWNS] / 6.0
            for c in range(3):
                for d in range(3):
                    primary[c, d] = divergence * tensor[d, c]
                _substitute(linear, out, primary[c], 3)
            for q in range(around_size):
                j = ring[q]
                if j == i:
                    continue
                square = 0.0
                for d in range(3):
                    x[d] = points[j, d] - points[i, d]
                    square += x[d] * x[d]
                for c in range(3):
                    value = (primary[c, 0] * x[0] + primary[c, 1] * x[1] + primary[c, 2] * x[2]) / square
                    on_dadt[j, c, k] += value
                    on_dadt[i, c, k] -= value
    return on_phi, on_dadt


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


@njit(cache=True, parallel=True)
def centers(field, corners):
    """(k, 3, b) means of a field (p, 3, b) over the pairs at the corners (k, 4) of tetrahedra: E at their centers."""
    out = np.empty((corners.shape[0], 3, field.shape[2]))
    for t in prange(corners.shape[0]):
        for d in range(3):
            for k in range(field.shape[2]):
                value = 0.0
                for c in range(4):
                    value += field[corners[t, c], d, k]
                out[t, d, k] = value / 4.0
    return out
