"""The patch of tetrahedra around a node, on the side of one tissue, and the fit of a potential over it. SI units.

One (node, tissue) pair is one patch: a node on an interface has one for every tissue it touches.
"""

import numpy as np
from numba import njit

from efield.kernels.elements.fits import UNKNOWNS, factor, harmonic_sums, row_sums, substitute
from efield.kernels.parts import helper, in_parts
from efield.kernels.triples import seen, six_volumes, turned
from efield.kernels.vectors import WIDTH

# Fewer neighbors than this and the patch takes in the next ring: half again as many as unknowns.
_ENOUGH = 12
# Nodes of a patch, at most: whole vectors.
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


@in_parts
def neighbors(begun, ended, tets, tissue, start, around, row, tags, bounds, begins, room, sizes, filled):
    """Pairs that share a tetrahedron of their tissue with each pair, those of the nodes of a part one behind the other.

    Places are shared out as in `stars.neighbors`.
    """
    seen, stamp = np.full(start.shape[0], -1, np.int32), np.int64(0)
    for part in range(begun, ended):
        last = begins[part]
        for i in range(bounds[part], bounds[part + 1]):
            for p in range(row[i], row[i + 1]):
                tag, begin = tags[p], last
                stamp += 1
                seen[i] = stamp
                for s in range(start[i], start[i + 1]):
                    t = around[s]
                    if tissue[t] == tag:
                        for k in range(4):
                            j = tets[t, k]
                            room[last] = j
                            last += seen[j] != stamp
                            seen[j] = stamp
                for q in range(begin, last):
                    pair = row[room[q]]
                    while tags[pair] != tag:
                        pair += 1
                    room[q] = pair
                sizes[p] = last - begin
        filled[part] = last - begins[part]


@helper
def ring_of_node(pair, nodes, first, near, members, seen, stamp):
    """The node of a pair and then all that share a tetrahedron with it, to the front of `members`; returns how many."""
    i, p, size = nodes[pair], pair, np.int64(1)
    members[0], seen[i] = i, stamp
    while p > 0 and nodes[p - 1] == i:
        p -= 1
    while p < nodes.shape[0] and nodes[p] == i:
        for s in range(first[p], first[p + 1]):
            j = nodes[near[s]]
            if size < members.shape[0]:
                members[size] = j
                size += seen[j] != stamp
                seen[j] = stamp
        p += 1
    return size


@helper
def primary_fit(points, members, size, lean, matrix):
    """The linear fit of dA/dt about the first of the members of its ring, over all others; A is smooth everywhere.

    Places over the squared distance in lean (3, MOST), and the factor of the normal equations.
    """
    xx, xy, yy, xz, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    i = members[0]
    for q in range(1, size):
        j = members[q]
        x, y, z = seen(points, i, j)
        weight = 1.0 / (x * x + y * y + z * z)
        a, b, c = x * weight, y * weight, z * weight
        lean[0, q], lean[1, q], lean[2, q] = a, b, c
        xx, xy, yy, xz, yz, zz = xx + x * a, xy + x * b, yy + y * b, xz + x * c, yz + y * c, zz + z * c
    matrix[0], matrix[1], matrix[2], matrix[3], matrix[4], matrix[5] = xx, xy, yy, xz, yz, zz
    factor(matrix, 3, 3)


@helper
def primary_gradient(dadt, k, members, size, lean, matrix, primary):
    """d(dA/dt)_c / dx_d at a node in primary[k, c, d], for field k of dadt (n, 3, b)."""
    for c in range(3):
        x, y, z, own = 0.0, 0.0, 0.0, dadt[members[0], c, k]
        for q in range(1, size):
            value = dadt[members[q], c, k] - own
            x, y, z = x + lean[0, q] * value, y + lean[1, q] * value, z + lean[2, q] * value
        primary[k, c, 0], primary[k, c, 1], primary[k, c, 2] = x, y, z
        substitute(matrix, 3, primary, 9 * k + 3 * c)


@helper
def _mean_tensor(points, tets, tissue, sigma, start, around, i, tag, mean):
    """Volume mean of sigma over the tetrahedra of one tissue around node i, over a third of its trace."""
    mean[:, :] = 0.0
    for s in range(start[i], start[i + 1]):
        t = np.int64(around[s])
        if tissue[t] == tag:
            volume = six_volumes(points, tets, t)
            for d in range(3):
                for c in range(3):
                    mean[d, c] += volume * sigma[t, d, c]
    third = (mean[0, 0] + mean[1, 1] + mean[2, 2]) / 3.0
    for d in range(3):
        for c in range(3):
            mean[d, c] /= third


def frames(points, tets, tissue, sigma, start, around, nodes, tags, chosen):
    """Coordinates y = frame x about the nodes of chosen pairs in which the tissue conducts alike in all directions.

    [:, 0] of (q, 2, 3, 3) are tensors L L^T, the mean of sigma over a third of its trace, [:, 1] frames, the inverse
    of L. For numbers both would be the identity: none (0, 2, 3, 3) are returned.
    """
    if sigma.shape[1] == 1:
        return np.empty((0, 2, 3, 3))
    found = np.empty((len(chosen), 2, 3, 3))
    _frames(len(chosen), points, tets, tissue, sigma, start, around, nodes, tags, chosen, found)
    return found


@in_parts
def _frames(begin, end, points, tets, tissue, sigma, start, around, nodes, tags, chosen, found):
    for p in range(begin, end):
        tensor, frame = found[p, 0], found[p, 1]
        _mean_tensor(points, tets, tissue, sigma, start, around, nodes[chosen[p]], np.int64(tags[chosen[p]]), tensor)
        for j in range(3):
            for k in range(j):
                frame[k, j] = 0.0
            for k in range(j, 3):
                value = tensor[k, j]
                for q in range(j):
                    value -= frame[k, q] * frame[j, q]
                frame[k, j] = np.sqrt(value) if k == j else value / frame[j, j]
        for j in range(3):
            frame[j, j] = 1.0 / frame[j, j]
            for k in range(j + 1, 3):
                value = 0.0
                for q in range(j, k):
                    value -= frame[k, q] * frame[q, j]
                frame[k, j] = value / frame[k, k]


@helper
def frame_of(frames, p, tensor, frame):
    """Fills tensor and frame of chosen pair p: the identity if there are none."""
    for d in range(3):
        for c in range(3):
            if frames.shape[0]:
                tensor[d, c], frame[d, c] = frames[p, 0, d, c], frames[p, 1, d, c]
            else:
                tensor[d, c] = frame[d, c] = 1.0 if c == d else 0.0


@helper
def _places(points, nodes, pairs, members, size, alike, frame, places):
    """The nodes of pairs and their places (3, size) seen from the first, in y = frame x; returns the largest entry.

    The last vector is filled up with the first. If tissue conducts alike in all directions, y = x.
    """
    i, most, more, last = nodes[pairs[0]], 0.0, 0.0, 0.0
    for q in range(-(-size // WIDTH) * WIDTH):
        j = nodes[pairs[q]] if q < size else i
        members[q] = j
        x, y, z = seen(points, i, j)
        if not alike:
            x, y, z = turned(frame, (x, y, z))
        places[0, q], places[1, q], places[2, q] = x, y, z
        x, y, z = abs(x), abs(y), abs(z)
        most, more, last = x if x > most else most, y if y > more else more, z if z > last else last
    return max(most, more, last)


@helper
def harmonic_fit(phi, k, members, size, scale, divergence, basis, matrix, values, fit):
    """Coefficients (8,) of the quadratic that fits phi[:, k] about a node and has the Laplacian -divergence.

    It passes through phi at the node itself, the first of the members. values (MOST,) is space.
    """
    own, share = phi[members[0], k], divergence * scale * scale / 6.0
    for q in range(-(-size // WIDTH) * WIDTH):
        values[q] = phi[members[q], k] - own + share * basis[UNKNOWNS, q]
    row_sums(basis, values, size, fit)
    substitute(matrix, UNKNOWNS, fit, np.int64(0))


@helper
def _next_ring(begin, size, first, near, pairs, seen, stamp):
    """Adds the neighbors of pairs[begin:size]; what does not fit is left out. Returns the new size."""
    for q in range(begin, size):
        for s in range(first[pairs[q]], first[pairs[q] + 1]):
            if size < pairs.shape[0]:
                pair = near[s]
                pairs[size] = pair
                size += seen[pair] != stamp
                seen[pair] = stamp
    return size


@helper
def prepare(mesh, p, alike, pairs, members, places, frame, basis, matrix, seen, stamp):
    """The patch of pair p, its nodes in `members`, and the factor of its fit; returns its size and its scale.

    If one ring of neighbors does not determine all unknowns, the patch takes in the next.
    """
    points, nodes, first, near = mesh
    pairs[0], seen[p], size, scale = p, stamp, np.int64(1), 0.0
    for ring in range(2):
        size = _next_ring(np.int64(ring), size, first, near, pairs, seen, stamp)
        if ring == 0 and size <= _ENOUGH:
            continue
        scale = _places(points, nodes, pairs, members, size, alike, frame, places)
        harmonic_sums(places, 1.0 / scale, size, basis, matrix)
        if not factor(matrix, UNKNOWNS, 3):
            break
    return size, scale
