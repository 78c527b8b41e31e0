"""Shape of tetrahedra: mean-ratio-like quality, radius ratio, dihedral angles."""

import numpy as np
from numba import njit

from efield.kernels.parts import in_parts
from efield.kernels.triples import cross, dot

_SCALE = 6.0 * np.sqrt(2.0)


@njit(cache=True)
def quality(p0, p1, p2, p3):
    """6 sqrt(2) V / l_rms^3: 1 for the regular tetrahedron, 0 for a flat one, negative for an inverted one."""
    a0, a1, a2 = p1[0] - p0[0], p1[1] - p0[1], p1[2] - p0[2]
    b0, b1, b2 = p2[0] - p0[0], p2[1] - p0[1], p2[2] - p0[2]
    c0, c1, c2 = p3[0] - p0[0], p3[1] - p0[1], p3[2] - p0[2]
    det = a0 * (b1 * c2 - b2 * c1) - a1 * (b0 * c2 - b2 * c0) + a2 * (b0 * c1 - b1 * c0)
    squares = a0 * a0 + a1 * a1 + a2 * a2 + b0 * b0 + b1 * b1 + b2 * b2 + c0 * c0 + c1 * c1 + c2 * c2
    squares += (b0 - a0) ** 2 + (b1 - a1) ** 2 + (b2 - a2) ** 2
    squares += (c0 - a0) ** 2 + (c1 - a1) ** 2 + (c2 - a2) ** 2
    squares += (c0 - b0) ** 2 + (c1 - b1) ** 2 + (c2 - b2) ** 2
    mean = squares / 6.0
    if mean <= 0.0:
        return 0.0
    return _SCALE * (det / 6.0) / (mean * np.sqrt(mean))


@njit(cache=True)
def worst_in_star(points, tets, pointers, star, v, x, y, z, enough, first):
    """The worst quality around node `v` if it sat at (x, y, z), and its place in `star`; the node is left where it is.

    Stops at the first tetrahedron not better than `enough`: the result is then only known to be at most that. It
    begins with place `first` of the star: what ruled out one move of a node mostly rules out the next.
    """
    low, high = pointers[v], pointers[v + 1]
    worst, where = np.inf, first
    if low == high:
        return worst, where
    ox, oy, oz = points[v, 0], points[v, 1], points[v, 2]
    points[v, 0], points[v, 1], points[v, 2] = x, y, z
    for n in range(low - 1, high):
        if n == first:
            continue
        s = first if n < low else n
        t = star[s]
        q = quality(points[tets[t, 0]], points[tets[t, 1]], points[tets[t, 2]], points[tets[t, 3]])
        if q < worst:
            worst, where = q, s
            if worst <= enough:
                break
    points[v, 0], points[v, 1], points[v, 2] = ox, oy, oz
    return worst, where


@in_parts(new=lambda points, tets: np.empty((len(tets), 3)))
def dihedral_range_and_radius_ratio(first, last, points, tets, values):
    """(m, 3) smallest and largest dihedral angle (rad) and radius ratio 3 r_in / r_out of each tetrahedron."""
    corners = np.empty((4, 3))
    for t in range(first, last):
        for k in range(4):
            for d in range(3):
                corners[k, d] = points[tets[t, k], d]
        smallest, largest, ratio = _angles_and_ratio(corners)
        values[t, 0], values[t, 1], values[t, 2] = smallest, largest, ratio


@njit(cache=True)
def _angles_and_ratio(p):
    edges = np.empty((3, 3))
    for k in range(3):
        for d in range(3):
            edges[k, d] = p[k + 1, d] - p[0, d]
    # Area vectors of the four faces, all out (or, of an inverted tetrahedron, all in); they add up to zero.
    normals = np.empty((4, 3))
    for k in range(3):
        x, y, z = cross(edges[(k + 2) % 3], edges[(k + 1) % 3])
        normals[k + 1, 0], normals[k + 1, 1], normals[k + 1, 2] = x, y, z
    w = np.empty(3)
    area = 0.0
    for d in range(3):
        normals[0, d] = -normals[1, d] - normals[2, d] - normals[3, d]
        w[d] = 0.0
        for k in range(3):
            w[d] -= dot(edges[k], edges[k]) * normals[k + 1, d]
    volume6 = -dot(edges[0], normals[1])
    for k in range(4):
        doubled_area = np.sqrt(dot(normals[k], normals[k]))
        area += 0.5 * doubled_area
        for d in range(3):
            normals[k, d] /= max(doubled_area, 1e-300)
    smallest, largest = np.pi, 0.0
    for i in range(3):
        for j in range(i + 1, 4):
            plus, minus = 0.0, 0.0
            for d in range(3):
                plus += (normals[i, d] + normals[j, d]) ** 2
                minus += (normals[i, d] - normals[j, d]) ** 2
            # The outward normals of two faces include pi minus the dihedral angle; the half-angle form keeps
            # its digits near 0 and pi, where arccos loses them.
            angle = 2.0 * np.arctan2(np.sqrt(plus), np.sqrt(minus))
            smallest, largest = min(smallest, angle), max(largest, angle)
    # r_in = 3 V / A and 12 V r_out = |a^2 (b x c) + b^2 (c x a) + c^2 (a x b)|
    length = np.sqrt(dot(w, w))
    if length == 0.0 or area == 0.0:
        return smallest, largest, 0.0
    return smallest, largest, 3.0 * (0.5 * volume6 / area) * (2.0 * volume6 / length)
