"""The patch of tetrahedra around a node, on the side of one tissue, and the fit of a potential over it. SI units.

One (node, tissue) pair is one patch: a node on an interface has one for every tissue it touches.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.quadratic import gradients
from efield.kernels.lanes import add_outer
from efield.kernels.parts import in_parts

UNKNOWNS = 8
# Fewer neighbors than this and the patch takes in the next ring: half again as many as unknowns.
_ENOUGH = 12
# A quadratic term whose pivot falls below this share of its diagonal is not determined by the patch: left out.
_PIVOT = 1e-3
# A term this much smaller on the patch than the largest is rounding, such as x y where all neighbors lie on the axes.
_NEGLIGIBLE = 1e-3
# Nodes of a patch, at most.
MOST = 512


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
def corners(tets, tissue, row, tags, chosen):
    """(k, 4) pairs at the corners of tetrahedra chosen (k,), on the side of their own tissue; row, tags as above."""
    out = np.empty((chosen.shape[0], 4), np.int64)
    for k in range(chosen.shape[0]):
        t = chosen[k]
        for c in range(4):
            p = row[tets[t, c]]
            while tags[p] != tissue[t]:
                p += 1
            out[k, c] = p
    return out


@njit(cache=True)
def ring_of(tets, tissue, start, around, i, tag, members, size, seen, stamp):
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


@in_parts
def neighbors(begun, ended, tets, tissue, start, around, row, tags, bounds, room, sizes, filled):
    """Pairs that share a tetrahedron of their tissue with each pair, those of the nodes of a part one behind the other.

    Parts begin with nodes bounds (k + 1,), and in `room` three places per tetrahedron around the nodes before, since a
    tetrahedron has three further nodes. sizes (p,) and filled (k,) become how many there are of each pair and part.
    """
    seen, stamp, ring = np.full(start.shape[0], -1, np.int32), np.int64(0), np.empty(MOST, np.int64)
    for part in range(begun, ended):
        begin = 3 * start[bounds[part]]
        last = begin
        for i in range(bounds[part], bounds[part + 1]):
            for p in range(row[i], row[i + 1]):
                stamp += 1
                seen[i] = stamp
                size = ring_of(tets, tissue, start, around, i, np.int64(tags[p]), ring, np.int64(0), seen, stamp)
                sizes[p] = size
                for q in range(size):
                    pair = row[ring[q]]
                    while tags[pair] != tags[p]:
                        pair += 1
                    room[last + q] = pair
                last += size
        filled[part] = last - begin


@njit(cache=True)
def factor(matrix, unknowns, linear, out):
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
def substitute(matrix, out, rhs, unknowns):
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
def offset(points, i, j, x):
    """Place x (3,) of node j as seen from node i; returns the squared distance."""
    square = 0.0
    for d in range(3):
        x[d] = points[j, d] - points[i, d]
        square += x[d] * x[d]
    return square


@njit(cache=True)
def primary_fit(points, i, members, size, matrix, out):
    """Factor of the fit of d(dA/dt)/dx at node i, by a linear fit over all its neighbors; A is smooth everywhere."""
    matrix[:3, :3] = 0.0
    x = np.empty(3)
    for q in range(size):
        j = members[q]
        if j == i:
            continue
        weight = 1.0 / offset(points, i, j, x)
        for d in range(3):
            for b in range(d + 1):
                matrix[d, b] += x[d] * x[b] * weight
    factor(matrix, np.int64(3), np.int64(3), out)


@njit(cache=True)
def primary_gradient(points, dadt, k, i, members, size, matrix, out, primary):
    """d(dA/dt)_c / dx_d at node i in primary[c, d], for field k of dadt (n, 3, b)."""
    primary[:, :] = 0.0
    x = np.empty(3)
    for q in range(size):
        j = members[q]
        if j == i:
            continue
        weight = 1.0 / offset(points, i, j, x)
        for d in range(3):
            for c in range(3):
                primary[c, d] += x[d] * (dadt[j, c, k] - dadt[i, c, k]) * weight
    for c in range(3):
        substitute(matrix, out, primary[c], np.int64(3))


@njit(cache=True)
def _mean_tensor(points, tets, tissue, sigma, start, around, i, tag, mean):
    """Volume mean of sigma over the tetrahedra of one tissue around node i, over a third of its trace."""
    g = np.empty((4, 3))
    mean[:, :] = 0.0
    for s in range(start[i], start[i + 1]):
        t = np.int64(around[s])
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
def tissue_frame(points, tets, tissue, sigma, start, around, i, tag, tensor, frame):
    """Coordinates y = frame x about node i in which the tissue conducts alike in all directions.

    tensor = L L^T is the mean of sigma over a third of its trace, frame the inverse of L. For numbers both are
    the identity.
    """
    for d in range(3):
        for c in range(3):
            frame[d, c] = 1.0 if c == d else 0.0
            tensor[d, c] = frame[d, c]
    if sigma.shape[1] == 1:
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
        if sigma.shape[1] > 1:
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
    value, unit = np.empty(UNKNOWNS), 1.0 / scale
    for q in range(size):
        if members[q] == i:
            continue
        x, y, z = places[q, 0] * unit, places[q, 1] * unit, places[q, 2] * unit
        square = x * x + y * y + z * z
        value[0], value[1], value[2] = x, y, z
        value[3], value[4], value[5] = x * y, y * z, x * z
        value[6], value[7] = x * x - y * y, 2.0 * z * z - x * x - y * y
        weight = 1.0 / square
        for a in range(UNKNOWNS):
            basis[q, a] = value[a] * weight
        basis[q, UNKNOWNS] = square
        add_outer(basis[q], value, matrix)


@njit(cache=True)
def harmonic_fit(phi, k, i, members, size, scale, divergence, basis, matrix, out, fit):
    """Coefficients (8,) of the quadratic that fits phi[:, k] about node i and has the Laplacian -divergence.

    It passes through phi at the node itself.
    """
    fit[:] = 0.0
    for q in range(size):
        j = members[q]
        if j == i:
            continue
        value = phi[j, k] - phi[i, k] + divergence * scale * scale * basis[q, UNKNOWNS] / 6.0
        for a in range(UNKNOWNS):
            fit[a] += basis[q, a] * value
    substitute(matrix, out, fit, np.int64(UNKNOWNS))


@njit(cache=True)
def _ring_around(p, first, near, pairs, seen, stamp):
    """Pair p and its neighbors to the front of `pairs`; returns how many they are."""
    pairs[0], seen[p] = p, stamp
    size = min(first[p + 1] - first[p], pairs.shape[0] - 1)
    for q in range(size):
        pairs[q + 1] = near[first[p] + q]
        seen[pairs[q + 1]] = stamp
    return size + 1


@njit(cache=True)
def _next_ring(size, first, near, pairs, seen, stamp):
    """Adds the neighbors of pairs[1:size]; what does not fit is left out. Returns the new size."""
    inner = size
    for q in range(1, inner):
        for s in range(first[pairs[q]], first[pairs[q] + 1]):
            if seen[near[s]] != stamp and size < pairs.shape[0]:
                pairs[size], seen[near[s]] = near[s], stamp
                size += 1
    return size


@njit(cache=True)
def prepare(mesh, p, pairs, members, places, frame, basis, matrix, out, seen, stamp):
    """The patch of pair p, its nodes in `members`, and the factor of its fit; returns its size and its scale.

    If one ring of neighbors does not determine all unknowns, the patch takes in the next.
    """
    points, sigma, nodes, first, near = mesh
    size, scale = _ring_around(p, first, near, pairs, seen, stamp), 0.0
    for ring in range(2):
        if ring == 1:
            size = _next_ring(size, first, near, pairs, seen, stamp)
        elif size <= _ENOUGH:
            continue
        for q in range(size):
            members[q] = nodes[pairs[q]]
        scale = _places(points, members[0], members, size, sigma, frame, places)
        _harmonic_basis(members[0], members, size, places, scale, basis, matrix)
        if not factor(matrix, np.int64(UNKNOWNS), np.int64(3), out):
            break
    return size, scale
