"""Who touches whom in a tetrahedral mesh: tetrahedra around a node, neighbors across faces, connected pieces."""

import numpy as np
from numba import njit, prange


@njit(cache=True)
def node_stars(tets, n_nodes):
    """Row pointers (n + 1,) and tetrahedron numbers (4 m,) of the star of every node."""
    pointers = np.zeros(n_nodes + 1, dtype=np.int32)
    for t in range(tets.shape[0]):
        for k in range(4):
            pointers[tets[t, k] + 1] += 1
    for v in range(n_nodes):
        pointers[v + 1] += pointers[v]
    filled = pointers[:-1].copy()
    star = np.empty(pointers[-1], dtype=np.int32)
    for t in range(tets.shape[0]):
        for k in range(4):
            v = tets[t, k]
            star[filled[v]] = t
            filled[v] += 1
    return pointers, star


@njit(cache=True, parallel=True)
def face_neighbors(tets, pointers, star):
    """(m, 4) tetrahedron across the face opposite each corner; -1 where there is none, -2 for more than one."""
    neighbors = np.empty(tets.shape, dtype=np.int32)
    for t in prange(tets.shape[0]):
        for k in range(4):
            a, b, c = tets[t, (k + 1) % 4], tets[t, (k + 2) % 4], tets[t, (k + 3) % 4]
            found = -1
            for s in range(pointers[a], pointers[a + 1]):
                other = star[s]
                if other == t:
                    continue
                hits = 0
                for i in range(4):
                    hits += tets[other, i] == b or tets[other, i] == c
                if hits == 2:
                    found = other if found == -1 else -2
            neighbors[t, k] = found
    return neighbors


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
