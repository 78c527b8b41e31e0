"""Who touches whom in a mesh: cells and nodes around a node, neighbors across faces, connected pieces.

Cells are tetrahedra by their corners (m, 4), or second-order ones by all their unknowns (m, 10).
"""

import numpy as np
from numba import njit

from efield.kernels.parts import helper, in_parts


@njit(cache=True)
def node_stars(cells, n_nodes):
    """Cells around each node: row starts (n + 1,) int64 and cell numbers (c m,) int32, ascending; cells (m, c)."""
    start = np.zeros(n_nodes + 1, dtype=np.int64)
    for t in range(cells.shape[0]):
        for k in range(cells.shape[1]):
            start[cells[t, k] + 1] += 1
    for i in range(n_nodes):
        start[i + 1] += start[i]
    fill = start[:-1].copy()
    star = np.empty(cells.size, dtype=np.int32)
    for t in range(cells.shape[0]):
        for k in range(cells.shape[1]):
            i = cells[t, k]
            star[fill[i]] = t
            fill[i] += 1
    return start, star


@helper
def place_of(cells, t, i):
    """Which corner of cell t node i is."""
    k = 0
    while cells[t, k] != i:
        k += 1
    return k


@helper
def _nodes_around(cells, start, star, i, seen, near, begin):
    """Nodes that share a cell with node i, itself included, ascending, to near[begin:]; returns where they end.

    seen (n,) holds i nowhere before.
    """
    end = begin
    for s in range(start[i], start[i + 1]):
        t = star[s]
        for k in range(cells.shape[1]):
            j = cells[t, k]
            near[end] = j
            end += seen[j] != i
            seen[j] = i
    for q in range(begin + 1, end):
        j, r = near[q], q
        while r > begin and near[r - 1] > j:
            near[r] = near[r - 1]
            r -= 1
        near[r] = j
    return end


@in_parts
def neighbors(begun, ended, cells, start, star, bounds, begins, room, sizes, filled):
    """Nodes that share a cell with each node, itself included, ascending, those of a part one behind the other.

    Parts begin with nodes bounds (k + 1,), and at begins (k + 1,) of `room`, which has a place for each corner of each
    cell around a node. sizes (n,) and filled (k,) become how many there are of each node and part.
    """
    seen = np.full(start.shape[0] - 1, -1, np.int32)
    for part in range(begun, ended):
        end = begins[part]
        for i in range(bounds[part], bounds[part + 1]):
            sizes[i] = -end
            end = _nodes_around(cells, start, star, i, seen, room, end)
            sizes[i] += end
        filled[part] = end - begins[part]


@njit(cache=True, nogil=True)
def _faces_from(tets, star, first, last, i, keys, owners):
    """Faces of the cells star[first:last] whose lowest node is i: the two others as one number, and 4 cell + corner.

    Returns how many they are.
    """
    size = 0
    for s in range(first, last):
        t = np.int64(star[s])
        own = place_of(tets, t, i)
        for step in range(3):
            k = (own + 1 + step) % 4
            a, b = np.int64(tets[t, (own + 1 + (step + 1) % 3) % 4]), np.int64(tets[t, (own + 1 + (step + 2) % 3) % 4])
            if min(a, b) > i:
                keys[size], owners[size] = (min(a, b) << 32) | max(a, b), 4 * t + k
                size += 1
    return size


def face_neighbors(tets, start, star):
    """(m, 4) tetrahedron across the face opposite each corner; -1 where there is none, -2 for more than one.

    A face is looked at from its lowest node, among the couple of dozen that have the same.
    """
    neighbors = np.full(tets.shape, -1, dtype=np.int32)
    most = 3 * int(np.diff(start).max(initial=0))
    _face_neighbors(len(start) - 1, tets, start, star, most, neighbors)
    return neighbors


@in_parts
def _face_neighbors(first, last, tets, start, star, most, neighbors):
    keys, owners = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    for i in range(first, last):
        size = _faces_from(tets, star, start[i], start[i + 1], i, keys, owners)
        for p in range(size):
            q = 0
            while keys[q] != keys[p]:
                q += 1
            if q == p:
                continue
            one, other = owners[q], owners[p]
            if neighbors[one // 4, one % 4] == -1:
                neighbors[one // 4, one % 4], neighbors[other // 4, other % 4] = other // 4, one // 4
                continue
            for r in range(q, p + 1):
                if keys[r] == keys[p]:
                    neighbors[owners[r] // 4, owners[r] % 4] = -2


@njit(cache=True)
def pieces(neighbors, groups):
    """(m,) number of the face-connected piece of equal `groups` value that each tetrahedron belongs to."""
    m = neighbors.shape[0]
    piece = np.full(m, -1, dtype=np.int32)
    stack = np.empty(m, dtype=np.int32)
    count = 0
    for seed in range(m):
        if piece[seed] >= 0:
            continue
        piece[seed] = count
        stack[0] = seed
        height = 1
        while height > 0:
            height -= 1
            t = stack[height]
            for k in range(4):
                other = neighbors[t, k]
                if other >= 0 and piece[other] < 0 and groups[other] == groups[t]:
                    piece[other] = count
                    stack[height] = other
                    height += 1
        count += 1
    return piece


@njit(cache=True)
def rank_masks(tets, ranks, neighbors, n_nodes):
    """(n,) bit set of the ranks around each node; bit 0 stands for the outside of the mesh."""
    masks = np.zeros(n_nodes, dtype=np.uint32)
    for t in range(tets.shape[0]):
        own = np.uint32(1) << np.uint32(ranks[t])
        for k in range(4):
            masks[tets[t, k]] |= own
            if neighbors[t, k] == -1:
                for j in range(4):
                    if j != k:
                        masks[tets[t, j]] |= np.uint32(1)
    return masks
