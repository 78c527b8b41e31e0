"""Guarded moves of mesh nodes: a node only moves if the worst tetrahedron around it gains.

`kinds` says what a node may do: 0 moves freely, k > 0 lies on the zero set of `fields[k - 1]`, -1 joins several
interfaces and moves only in `untangle`.
"""

import numpy as np
from numba import njit

from efield.kernels.meshing.cutting import foot_point
from efield.kernels.meshing.shapes import quality, worst_in_star
from efield.kernels.meshing.trilinear import value_at
from efield.kernels.triples import along, less, row, six_volumes


@njit(cache=True)
def _star_centroid(points, tets, pointers, star, v):
    x, y, z, total = 0.0, 0.0, 0.0, 0.0
    for s in range(pointers[v], pointers[v + 1]):
        t = star[s]
        p0, p1, p2, p3 = points[tets[t, 0]], points[tets[t, 1]], points[tets[t, 2]], points[tets[t, 3]]
        volume = abs(six_volumes(points, tets, t))
        total += volume
        x += 0.25 * volume * (p0[0] + p1[0] + p2[0] + p3[0])
        y += 0.25 * volume * (p0[1] + p1[1] + p2[1] + p3[1])
        z += 0.25 * volume * (p0[2] + p1[2] + p2[2] + p3[2])
    if total == 0.0:
        return points[v, 0], points[v, 1], points[v, 2]
    return x / total, y / total, z / total


@njit(cache=True)
def _sheet_mean(points, sheet_pointers, sheet, v, weight):
    x, y, z = 0.0, 0.0, 0.0
    count = sheet_pointers[v + 1] - sheet_pointers[v]
    if count == 0:
        return points[v, 0], points[v, 1], points[v, 2]
    for s in range(sheet_pointers[v], sheet_pointers[v + 1]):
        w = sheet[s]
        x += points[w, 0]
        y += points[w, 1]
        z += points[w, 2]
    own = row(points, v)
    return along(own, weight, less((x / count, y / count, z / count), own))


@njit(cache=True)
def smooth(points, tets, pointers, star, kinds, sheet_pointers, sheet, fields, inverse_spacing, good, weight, sweeps):
    """Sweeps of guarded Laplacian moves, in place; nodes of an interface go back onto it by two Newton steps."""
    for _ in range(sweeps):
        for v in range(points.shape[0]):
            kind = kinds[v]
            if kind < 0 or pointers[v] == pointers[v + 1]:
                continue
            ox, oy, oz = points[v, 0], points[v, 1], points[v, 2]
            before, place = worst_in_star(points, tets, pointers, star, v, ox, oy, oz, -np.inf, pointers[v])
            if kind == 0:
                if before > good:
                    continue
                gx, gy, gz = _star_centroid(points, tets, pointers, star, v)
            else:
                gx, gy, gz = _sheet_mean(points, sheet_pointers, sheet, v, weight)
            step = 1.0
            for _ in range(4):
                x, y, z = ox + step * (gx - ox), oy + step * (gy - oy), oz + step * (gz - oz)
                if kind > 0:
                    x, y, z = foot_point(fields[kind - 1], inverse_spacing, x, y, z)
                worst, place = worst_in_star(points, tets, pointers, star, v, x, y, z, before, place)
                if worst > before:
                    points[v, 0], points[v, 1], points[v, 2] = x, y, z
                    break
                step *= 0.5


@njit(cache=True)
def _mean_edge(points, tets, pointers, star, v):
    total, count = 0.0, 0
    for s in range(pointers[v], pointers[v + 1]):
        for k in range(4):
            w = tets[star[s], k]
            if w != v:
                square = 0.0
                for d in range(3):
                    square += (points[w, d] - points[v, d]) ** 2
                total += np.sqrt(square)
                count += 1
    return total / count


@njit(cache=True)
def project(points, tets, pointers, star, kinds, fields, inverse_spacing, least_quality, sweeps):
    """Bring interface nodes back onto their level set as far as their star stays above `least_quality`."""
    for _ in range(sweeps):
        for v in range(points.shape[0]):
            kind = kinds[v]
            if kind <= 0 or pointers[v] == pointers[v + 1]:
                continue
            ox, oy, oz = points[v, 0], points[v, 1], points[v, 2]
            fx, fy, fz = foot_point(fields[kind - 1], inverse_spacing, ox, oy, oz)
            distance = np.sqrt((fx - ox) ** 2 + (fy - oy) ** 2 + (fz - oz) ** 2)
            if distance < 1e-4 or distance > _mean_edge(points, tets, pointers, star, v):
                continue
            step, place = 1.0, pointers[v]
            for _ in range(3):
                x, y, z = ox + step * (fx - ox), oy + step * (fy - oy), oz + step * (fz - oz)
                worst, place = worst_in_star(points, tets, pointers, star, v, x, y, z, least_quality, place)
                if worst > least_quality:
                    points[v, 0], points[v, 1], points[v, 2] = x, y, z
                    break
                step *= 0.5


@njit(cache=True)
def _random(state):
    """One xorshift64 step: the next state and a number in [-1, 1)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state, np.float64(state >> np.uint64(11)) / 4503599627370496.0 - 1.0


@njit(cache=True)
def untangle(points, tets, pointers, star, kinds, fields, inverse_spacing, bad, trials, slack, seed, sweeps):
    """Random trial moves of the nodes of bad tetrahedra, in place; improvements of the star's worst are kept.

    A trial is at most a quarter of the mean edge; interface nodes stay within `slack` edges of their level set
    (or no farther from it than they were). Returns the worst quality of the mesh.
    """
    state = np.uint64(seed) * np.uint64(2654435761) + np.uint64(88172645463325252)
    flagged = np.empty(points.shape[0], dtype=np.uint8)
    for _ in range(sweeps):
        flagged[:] = 0
        count = 0
        for t in range(tets.shape[0]):
            if quality(points[tets[t, 0]], points[tets[t, 1]], points[tets[t, 2]], points[tets[t, 3]]) < bad:
                count += 1
                for k in range(4):
                    flagged[tets[t, k]] = 1
        if count == 0:
            break
        for v in range(points.shape[0]):
            if flagged[v] == 0:
                continue
            kind = kinds[v]
            edge = _mean_edge(points, tets, pointers, star, v)
            ox, oy, oz = points[v, 0], points[v, 1], points[v, 2]
            best, place = worst_in_star(points, tets, pointers, star, v, ox, oy, oz, -np.inf, pointers[v])
            allowed = slack * edge
            if kind > 0:
                here = abs(value_at(fields[kind - 1], inverse_spacing, points[v, 0], points[v, 1], points[v, 2]))
                allowed = max(allowed, here)
            reach = 0.25 * edge
            for trial in range(trials):
                state, dx = _random(state)
                state, dy = _random(state)
                state, dz = _random(state)
                x, y, z = points[v, 0] + reach * dx, points[v, 1] + reach * dy, points[v, 2] + reach * dz
                if kind > 0 and abs(value_at(fields[kind - 1], inverse_spacing, x, y, z)) > allowed:
                    continue
                worst, place = worst_in_star(points, tets, pointers, star, v, x, y, z, best, place)
                if worst > best:
                    best = worst
                    points[v, 0], points[v, 1], points[v, 2] = x, y, z
                elif trial % 8 == 7:
                    reach *= 0.5
