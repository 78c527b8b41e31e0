"""Conforming bisection of tetrahedra by Maubach's rule, with an edge hash for the midpoints.

A tetrahedron carries its corners in order and a generation g in {0, 1, 2}; it is always cut at the edge from its
first to its last corner (Maubach 1995, SIAM J Sci Comput 16:210; Stevenson 2008, Math Comp 77:227).
"""

import numpy as np
from numba import njit

from efield.kernels.meshing.trilinear import value_at
from efield.kernels.parts import in_parts
from efield.kernels.triples import along, row, seen, six_volumes

_HASH_MULTIPLIER = -7046029254386353131  # 2^64 / golden ratio, as a signed number
EMPTY = -1
_REGULAR = 6.0 * np.sqrt(2.0)  # edge^3 / volume of the regular tetrahedron


@njit(cache=True)
def edge_slot(keys, a, b):
    """Where the edge (a, b) is, or would be, in the open-addressing table `keys` (length a power of two)."""
    low, high = (a, b) if a < b else (b, a)
    key = (np.int64(low) << 32) | np.int64(high)
    mask = keys.shape[0] - 1
    mixed = key * _HASH_MULTIPLIER
    slot = (mixed ^ (mixed >> 31)) & mask
    while keys[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot, key


@njit(cache=True)
def _grown_table(keys, middles):
    new_keys = np.full(2 * keys.shape[0], EMPTY, dtype=np.int64)
    new_middles = np.empty(2 * keys.shape[0], dtype=np.int32)
    for s in range(keys.shape[0]):
        if keys[s] != EMPTY:
            slot, key = edge_slot(new_keys, np.int32(keys[s] >> 32), np.int32(keys[s] & 0xFFFFFFFF))
            new_keys[slot] = key
            new_middles[slot] = middles[s]
    return new_keys, new_middles


@njit(cache=True)
def doubled_rows(array):
    """A copy of an (n, k) array with room for as many rows again; the new rows are not set."""
    # Element by element: assigning a slice compiles numpy's broadcasting errors too, which takes seconds.
    grown = np.empty((2 * array.shape[0], array.shape[1]), dtype=array.dtype)
    for i in range(array.shape[0]):
        for j in range(array.shape[1]):
            grown[i, j] = array[i, j]
    return grown


@njit(cache=True)
def doubled(array):
    """A copy of an (n,) array with as many zeros behind it."""
    grown = np.zeros(2 * array.shape[0], dtype=array.dtype)
    for i in range(array.shape[0]):
        grown[i] = array[i]
    return grown


@in_parts
def mark_coarse(first, last, points, tets, active, sizes, floors, fields, inverse_spacing, tolerance, marked):
    """Flag those of the tetrahedra that are active and exceed the size field or do not resolve one of the level sets.

    A level set is not resolved where its value at a quarter point of an edge has the other sign than the linear
    interpolant and differs from it by more than `tolerance` times the edge; below the `floors` size that no
    longer counts.
    """
    for t in range(first, last):
        marked[t] = 0
        if active[t] == 0:
            continue
        marked[t] = _too_coarse(points, tets, t, sizes, floors, fields, inverse_spacing, tolerance)


@njit(cache=True)
def _too_coarse(points, tets, t, sizes, floors, fields, inverse_spacing, tolerance):
    tet = tets[t]
    p0, p1, p2, p3 = points[tet[0]], points[tet[1]], points[tet[2]], points[tet[3]]
    edge = (_REGULAR * abs(six_volumes(points, tets, t)) / 6.0) ** (1.0 / 3.0)
    cx = 0.25 * (p0[0] + p1[0] + p2[0] + p3[0])
    cy = 0.25 * (p0[1] + p1[1] + p2[1] + p3[1])
    cz = 0.25 * (p0[2] + p1[2] + p2[2] + p3[2])
    wanted = value_at(sizes, inverse_spacing, cx, cy, cz)
    floor = value_at(floors, inverse_spacing, cx, cy, cz)
    for k in range(4):
        p = points[tet[k]]
        x, y, z = 0.5 * (cx + p[0]), 0.5 * (cy + p[1]), 0.5 * (cz + p[2])
        wanted = min(wanted, value_at(sizes, inverse_spacing, x, y, z))
        floor = min(floor, value_at(floors, inverse_spacing, x, y, z))
    if edge > 1.13 * wanted:
        return 1
    if edge <= floor:
        return 0
    for f in range(fields.shape[0]):
        if _unresolved(points, tet, fields[f], inverse_spacing, tolerance, edge):
            return 1
    return 0


@njit(cache=True)
def _unresolved(points, tet, field, inverse_spacing, tolerance, edge):
    corner = np.empty(4)
    nearest = np.inf
    for k in range(4):
        p = points[tet[k]]
        corner[k] = value_at(field, inverse_spacing, p[0], p[1], p[2])
        nearest = min(nearest, abs(corner[k]))
    if nearest > 1.5 * edge:
        return False
    for i in range(3):
        for j in range(i + 1, 4):
            p, way = row(points, tet[i]), seen(points, tet[i], tet[j])
            for quarter in range(1, 4):
                s = 0.25 * quarter
                linear = corner[i] + s * (corner[j] - corner[i])
                value = value_at(field, inverse_spacing, *along(p, s, way))
                if value * linear < 0.0 and abs(value - linear) > tolerance * edge:
                    return True
    return False


@njit(cache=True)
def _cut_in_two(t, n_tets, tets, generations, middle):
    z0, z1, z2, z3 = tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3]
    g = generations[t]
    tets[t, 0], tets[t, 1], tets[t, 2], tets[t, 3] = z0, middle, z1, z2
    if g == 0:
        tets[n_tets, 0], tets[n_tets, 1], tets[n_tets, 2], tets[n_tets, 3] = z3, middle, z2, z1
    else:
        tets[n_tets, 0], tets[n_tets, 1], tets[n_tets, 2], tets[n_tets, 3] = z3, middle, z1, z2
    generations[t] = (g + 1) % 3
    generations[n_tets] = (g + 1) % 3


@njit(cache=True)
def _has_split_edge(tet, touched, keys):
    count = 0
    for k in range(4):
        count += touched[tet[k]]
    if count < 2:
        return False
    for i in range(3):
        if touched[tet[i]] == 0:
            continue
        for j in range(i + 1, 4):
            if touched[tet[j]] == 1:
                slot, _ = edge_slot(keys, tet[i], tet[j])
                if keys[slot] != EMPTY:
                    return True
    return False


@njit(cache=True)
def bisect(points, tets, generations, marked, keys, middles, n_edges):
    """Bisect the marked tetrahedra, then every one with a hanging node, until the mesh conforms.

    Returns the new points, tets, generations, a flag per tetrahedron that is new, and the edge table.
    """
    n_points, n_tets = points.shape[0], tets.shape[0]
    points, tets = doubled_rows(points), doubled_rows(tets)
    generations = doubled(generations)
    fresh = np.zeros(tets.shape[0], dtype=np.uint8)
    touched = np.zeros(points.shape[0], dtype=np.uint8)
    first, changed = True, True
    while changed:
        changed = False
        last = n_tets
        for t in range(last):
            if (first and marked[t] == 0) or (not first and not _has_split_edge(tets[t], touched, keys)):
                continue
            changed = True
            if n_tets == tets.shape[0]:
                tets, generations, fresh = doubled_rows(tets), doubled(generations), doubled(fresh)
            if n_points == points.shape[0]:
                points, touched = doubled_rows(points), doubled(touched)
            if 3 * n_edges > keys.shape[0]:
                keys, middles = _grown_table(keys, middles)
            a, b = tets[t, 0], tets[t, 3]
            slot, key = edge_slot(keys, a, b)
            if keys[slot] == EMPTY:
                keys[slot] = key
                middles[slot] = n_points
                for d in range(3):
                    points[n_points, d] = 0.5 * (points[a, d] + points[b, d])
                touched[a], touched[b] = 1, 1
                n_points += 1
                n_edges += 1
            _cut_in_two(t, n_tets, tets, generations, middles[slot])
            fresh[t], fresh[n_tets] = 1, 1
            n_tets += 1
        first = False
    return (
        points[:n_points].copy(),
        tets[:n_tets].copy(),
        generations[:n_tets].copy(),
        fresh[:n_tets].copy(),
        keys,
        middles,
        n_edges,
    )
