"""Snap nodes onto a level set, then cut the tetrahedra it still crosses."""

import numpy as np
from numba import njit

from efield.kernels.meshing.bisection import EMPTY, doubled, doubled_rows, edge_slot
from efield.kernels.meshing.shapes import worst_in_star
from efield.kernels.meshing.trilinear import gradient_at, value_at
from efield.kernels.triples import along, dot, row, seen, six_volumes


@njit(cache=True)
def _root(field, inverse_spacing, p, q, low_value):
    """Fraction from p to q where the field changes sign, by 12 bisections."""
    low, high = 0.0, 1.0
    for _ in range(12):
        t = 0.5 * (low + high)
        value = value_at(
            field, inverse_spacing, p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1]), p[2] + t * (q[2] - p[2])
        )
        if value * low_value > 0.0:
            low = t
        else:
            high = t
    return 0.5 * (low + high)


@njit(cache=True)
def _nearest_crossing(points, tets, pointers, star, field, inverse_spacing, values, v, reach):
    """The crossing nearest to node v within `reach` of an edge: fraction and position; fraction 2 if none."""
    best, x, y, z = 2.0, 0.0, 0.0, 0.0
    best_distance = np.inf
    for s in range(pointers[v], pointers[v + 1]):
        for k in range(4):
            w = tets[star[s], k]
            if values[v] * values[w] >= 0.0:
                continue
            if values[v] / (values[v] - values[w]) > 0.6:
                continue
            t = _root(field, inverse_spacing, points[v], points[w], values[v])
            if t > reach:
                continue
            length = 0.0
            for d in range(3):
                length += (points[w, d] - points[v, d]) ** 2
            distance = t * np.sqrt(length)
            if distance < best_distance:
                best, best_distance = t, distance
                x, y, z = along(row(points, v), t, seen(points, v, w))
    return best, best_distance, x, y, z


@njit(cache=True)
def _in_thin_sheet(points, tets, pointers, star, field, inverse_spacing, values, v):
    """Whether the zero set also passes behind node v, seen from its nearest part: then v holds a sheet open."""
    gradient = gradient_at(field, inverse_spacing, points[v, 0], points[v, 1], points[v, 2])
    length = np.sqrt(dot(gradient, gradient))
    for s in range(pointers[v], pointers[v + 1]):
        for k in range(4):
            w = tets[star[s], k]
            if values[v] * values[w] >= 0.0:
                continue
            way = seen(points, v, w)
            if dot(way, gradient) * np.sign(values[v]) > 0.7 * length * np.sqrt(dot(way, way)):
                return True
    return False


@njit(cache=True)
def foot_point(field, inverse_spacing, x, y, z):
    """Two Newton steps along the gradient toward the zero set."""
    for _ in range(2):
        value = value_at(field, inverse_spacing, x, y, z)
        gx, gy, gz = gradient_at(field, inverse_spacing, x, y, z)
        square = gx * gx + gy * gy + gz * gz
        if square < 1e-4:
            break
        x, y, z = x - value * gx / square, y - value * gy / square, z - value * gz / square
    return x, y, z


@njit(cache=True)
def snap(points, tets, pointers, star, field, inverse_spacing, values, node_bits, bit, reach, least_quality):
    """Move nodes near the zero set of `field` onto it; `points`, `values` and `node_bits` change in place.

    A node moves if a crossing lies within `reach` of an edge and its star stays above `least_quality`. A node
    that is on another interface stays; within 0.7 of the reach it is declared to lie on both. A node that alone
    holds a thin sheet open stays too: snapping it would bridge the sheet.
    """
    for v in range(points.shape[0]):
        if values[v] == 0.0:
            continue
        t, distance, x, y, z = _nearest_crossing(points, tets, pointers, star, field, inverse_spacing, values, v, reach)
        if t > reach:
            continue
        if node_bits[v] != 0:
            if t <= 0.7 * reach:
                values[v] = 0.0
                node_bits[v] |= bit
            continue
        if _in_thin_sheet(points, tets, pointers, star, field, inverse_spacing, values, v):
            continue
        fx, fy, fz = foot_point(field, inverse_spacing, points[v, 0], points[v, 1], points[v, 2])
        step = np.sqrt((fx - points[v, 0]) ** 2 + (fy - points[v, 1]) ** 2 + (fz - points[v, 2]) ** 2)
        near = abs(value_at(field, inverse_spacing, fx, fy, fz)) < 0.1 * distance + 1e-3
        if not (
            step <= 1.3 * distance
            and near
            and worst_in_star(points, tets, pointers, star, v, fx, fy, fz, least_quality, pointers[v])[0]
            > least_quality
        ):
            fx, fy, fz = x, y, z
            worst, _ = worst_in_star(points, tets, pointers, star, v, fx, fy, fz, least_quality, pointers[v])
            if worst <= least_quality:
                continue
        points[v, 0], points[v, 1], points[v, 2] = fx, fy, fz
        values[v] = 0.0
        node_bits[v] |= bit


@njit(cache=True)
def _add_tet(out, n, a, b, c, d, points):
    out[n, 0], out[n, 1], out[n, 2], out[n, 3] = a, b, c, d
    if six_volumes(points, out, n) < 0.0:
        out[n, 2], out[n, 3] = d, c
    return n + 1


@njit(cache=True)
def _add_pyramid(out, n, q0, q1, q2, q3, apex, points):
    # The diagonal goes through the smallest node number, so that the two sides of a face always agree.
    if min(q0, q2) < min(q1, q3):
        n = _add_tet(out, n, q0, q1, q2, apex, points)
        return _add_tet(out, n, q0, q2, q3, apex, points)
    n = _add_tet(out, n, q0, q1, q3, apex, points)
    return _add_tet(out, n, q1, q2, q3, apex, points)


@njit(cache=True)
def _add_prism(out, n, a0, a1, a2, b0, b1, b2, points):
    """Three tetrahedra of the prism with triangles a, b and edges ai-bi (Dompierre et al. 1999)."""
    low = min(min(a0, a1, a2), min(b0, b1, b2))
    if low < min(a0, a1, a2):
        a0, a1, a2, b0, b1, b2 = b0, b1, b2, a0, a1, a2
    if low == a1:
        a0, a1, a2, b0, b1, b2 = a1, a2, a0, b1, b2, b0
    elif low == a2:
        a0, a1, a2, b0, b1, b2 = a2, a0, a1, b2, b0, b1
    n = _add_tet(out, n, a0, b0, b1, b2, points)
    if min(a1, b2) < min(a2, b1):
        n = _add_tet(out, n, a0, a1, a2, b2, points)
        return _add_tet(out, n, a0, a1, b2, b1, points)
    n = _add_tet(out, n, a0, a1, a2, b1, points)
    return _add_tet(out, n, a0, a2, b1, b2, points)


@njit(cache=True)
def _edge_nodes(points, tets, field, inverse_spacing, values, node_bits, bit):
    """One new node per crossed edge: the grown points and bits, and the edge table."""
    n = points.shape[0]
    size = 1024
    while size < 4 * n:
        size *= 2
    keys = np.full(size, EMPTY, dtype=np.int64)
    middles = np.empty(size, dtype=np.int32)
    grown, bits = doubled_rows(points), doubled(node_bits)
    for t in range(tets.shape[0]):
        for i in range(3):
            for j in range(i + 1, 4):
                a, b = tets[t, i], tets[t, j]
                if values[a] * values[b] >= 0.0:
                    continue
                slot, key = edge_slot(keys, a, b)
                if keys[slot] != EMPTY:
                    continue
                if n == grown.shape[0]:
                    grown, bits = doubled_rows(grown), doubled(bits)
                if a > b:
                    a, b = b, a
                s = min(0.8, max(0.2, _root(field, inverse_spacing, grown[a], grown[b], values[a])))
                for d in range(3):
                    grown[n, d] = grown[a, d] + s * (grown[b, d] - grown[a, d])
                bits[n] = (bits[a] & bits[b]) | bit
                keys[slot] = key
                middles[slot] = n
                n += 1
    return grown[:n].copy(), bits[:n].copy(), keys, middles


@njit(cache=True)
def _middle(keys, middles, a, b):
    slot, _ = edge_slot(keys, a, b)
    return middles[slot]


@njit(cache=True)
def cut(points, tets, field, inverse_spacing, values, node_bits, tet_bits, bit):
    """Split the tetrahedra with both signs and give those on the positive side `bit`.

    Returns the new points, tets, node bits and tetrahedron bits.
    """
    points, node_bits, keys, middles = _edge_nodes(points, tets, field, inverse_spacing, values, node_bits, bit)
    out = np.empty((3 * tets.shape[0] + 1024, 4), dtype=np.int32)
    out_bits = np.empty(out.shape[0], dtype=tet_bits.dtype)
    # A literal 0 is a type of its own, for which what is called would be compiled again.
    n = np.int64(0)
    up, down, flat = np.empty(4, np.int32), np.empty(4, np.int32), np.empty(4, np.int32)
    for t in range(tets.shape[0]):
        if n + 6 > out.shape[0]:
            out, out_bits = doubled_rows(out), doubled(out_bits)
        n_up, n_down, n_flat = np.int64(0), np.int64(0), np.int64(0)
        for k in range(4):
            v = tets[t, k]
            if values[v] > 0.0:
                up[n_up] = v
                n_up += 1
            elif values[v] < 0.0:
                down[n_down] = v
                n_down += 1
            else:
                flat[n_flat] = v
                n_flat += 1
        start = n
        if n_up == 0 or n_down == 0:
            for k in range(4):
                out[n, k] = tets[t, k]
            inside = n_up > 0
            if n_flat == 4:
                inside = _center_value(points, tets[t], field, inverse_spacing) > 0.0
            out_bits[n] = tet_bits[t] | bit if inside else tet_bits[t]
            n += 1
            continue
        n = _cut_side(out, n, up, n_up, down, n_down, flat, n_flat, keys, middles, points)
        for s in range(start, n):
            out_bits[s] = tet_bits[t] | bit
        start = n
        n = _cut_side(out, n, down, n_down, up, n_up, flat, n_flat, keys, middles, points)
        for s in range(start, n):
            out_bits[s] = tet_bits[t]
    return points, out[:n].copy(), node_bits, out_bits[:n].copy()


@njit(cache=True)
def _center_value(points, tet, field, inverse_spacing):
    x, y, z = 0.0, 0.0, 0.0
    for k in range(4):
        x += 0.25 * points[tet[k], 0]
        y += 0.25 * points[tet[k], 1]
        z += 0.25 * points[tet[k], 2]
    return value_at(field, inverse_spacing, x, y, z)


@njit(cache=True)
def _cut_side(out, n, mine, n_mine, other, n_other, flat, n_flat, keys, middles, points):
    """The part of a crossed tetrahedron on the side of the nodes `mine`."""
    a = mine[0]
    if n_mine == 1 and n_other == 1:
        return _add_tet(out, n, a, _middle(keys, middles, a, other[0]), flat[0], flat[1], points)
    if n_mine == 1 and n_other == 2:
        m0, m1 = _middle(keys, middles, a, other[0]), _middle(keys, middles, a, other[1])
        return _add_tet(out, n, a, m0, m1, flat[0], points)
    if n_mine == 1:
        m0, m1 = _middle(keys, middles, a, other[0]), _middle(keys, middles, a, other[1])
        return _add_tet(out, n, a, m0, m1, _middle(keys, middles, a, other[2]), points)
    b = mine[1]
    if n_mine == 2 and n_other == 1:
        m0, m1 = _middle(keys, middles, a, other[0]), _middle(keys, middles, b, other[0])
        return _add_pyramid(out, n, a, b, m1, m0, flat[0], points)
    if n_mine == 2:
        ma0, ma1 = _middle(keys, middles, a, other[0]), _middle(keys, middles, a, other[1])
        mb0, mb1 = _middle(keys, middles, b, other[0]), _middle(keys, middles, b, other[1])
        return _add_prism(out, n, a, ma0, ma1, b, mb0, mb1, points)
    c = mine[2]
    ma, mb = _middle(keys, middles, a, other[0]), _middle(keys, middles, b, other[0])
    return _add_prism(out, n, a, b, c, ma, mb, _middle(keys, middles, c, other[0]), points)
