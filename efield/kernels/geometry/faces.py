"""Faces of tetrahedra."""

import numpy as np
from numba import njit


# Another thread may load or write meanwhile.
@njit(cache=True, nogil=True)
def unshared_and_crowded_faces(tets, corners, n_points):
    """Numbers 4 t + f of the faces that belong to one tetrahedron only, and to more than two, ascending (int64).

    tets (m, 4) int32; corners (4, 3) int64, which corners of a tetrahedron make up its face f. Faces are put in one
    bucket per lowest node; the couple of dozen in a bucket are compared with one another.
    """
    n_faces = 4 * tets.shape[0]
    start = np.zeros(n_points + 1, dtype=np.int64)
    for t in range(tets.shape[0]):
        for f in range(4):
            low = min(tets[t, corners[f, 0]], tets[t, corners[f, 1]], tets[t, corners[f, 2]])
            start[low + 1] += 1
    for i in range(n_points):
        start[i + 1] += start[i]
    fill = start[:-1].copy()
    middle = np.empty(n_faces, dtype=np.int32)
    high = np.empty(n_faces, dtype=np.int32)
    number = np.empty(n_faces, dtype=np.int64)
    for t in range(tets.shape[0]):
        for f in range(4):
            a, b, c = tets[t, corners[f, 0]], tets[t, corners[f, 1]], tets[t, corners[f, 2]]
            low, top = min(a, b, c), max(a, b, c)
            place = fill[low]
            fill[low] += 1
            middle[place] = (a + b + c) - low - top
            high[place] = top
            number[place] = 4 * t + f
    others = np.zeros(n_faces, dtype=np.uint8)
    for i in range(n_points):
        for p in range(start[i], start[i + 1]):
            for q in range(p + 1, start[i + 1]):
                if middle[p] == middle[q] and high[p] == high[q]:
                    others[number[p]] = min(others[number[p]] + 1, 2)
                    others[number[q]] = min(others[number[q]] + 1, 2)
    return np.flatnonzero(others == 0), np.flatnonzero(others == 2)
