"""Loops of reciprocity: the potential of nodal currents outside the head, and many placements of a coil in it."""

import numpy as np
from numba import njit

from efield.kernels.lanes import LANES, blocks, fma, load, store
from efield.kernels.octree import find, powers, slopes
from efield.kernels.parts import helper, in_parts
from efield.kernels.reduced.leaves import ROWS, products, value
from efield.kernels.triples import row, turned

#: Lattice points along each axis that share one source, and that one value is interpolated from.
STENCIL = 8

_FARTHEST = 1 << 62


@njit(cache=True)
def _lagrange(t, weights):
    """Lagrange polynomials through 0, 1, ... 7 at t."""
    for j in range(STENCIL):
        value = 1.0
        for k in range(STENCIL):
            if k != j:
                value *= (t - k) / (j - k)
        weights[j] = value


@njit(cache=True)
def _stencil(point, origin, step, first, weights):
    """First lattice index and the weights along each axis, the point as near to the middle as can be."""
    for d in range(3):
        x = (point[d] - origin[d]) / step
        first[d] = int(np.floor(x)) - (STENCIL // 2 - 1)
        _lagrange(x - first[d], weights[d])


@njit(cache=True)
def spread(points, currents, origin, step, lattice):
    """Add sources (n, c) at points (n, 3) to a lattice (nx, ny, nz, c); the transpose of `gather`."""
    first, w = np.empty(3, np.int64), np.empty((3, STENCIL))
    for i in range(points.shape[0]):
        _stencil(points[i], origin, step, first, w)
        for a in range(STENCIL):
            for b in range(STENCIL):
                for d in range(STENCIL):
                    weight = w[0, a] * w[1, b] * w[2, d]
                    for c in range(lattice.shape[3]):
                        lattice[first[0] + a, first[1] + b, first[2] + d, c] += weight * currents[i, c]


@njit(cache=True)
def _add_row(weight, values, start, total, first, count):
    """Add so many numbers of values (n,), from the start on, times a weight to those of total (m,) from the first on.

    Numbers instead of slices, each of which would be counted in and out.
    """
    source, target = values[start : start + count], total[first : first + count]
    for j in range(count):
        target[j] += weight * source[j]


def gather(points, origin, step, lattice):
    """Values (n, c) at points (n, 3) of a field on a lattice (nx, ny, nz, c), by polynomials of degree 7."""
    result = np.zeros((len(points), lattice.shape[3]))
    _gather(len(points), points, origin, step, lattice.reshape(-1), np.array(lattice.shape), result)
    return result


@in_parts
def _gather(first, last, points, origin, step, lattice, shape, result):
    fields = result.shape[1]
    corner, w, total = np.empty(3, np.int64), np.empty((3, STENCIL)), np.empty(STENCIL * fields)
    for i in range(first, last):
        _stencil(points[i], origin, step, corner, w)
        total[:] = 0.0
        for a in range(STENCIL):
            for b in range(STENCIL):
                start = ((corner[0] + a) * shape[1] + corner[1] + b) * shape[2] + corner[2]
                _add_row(w[0, a] * w[1, b], lattice, start * fields, total, np.int64(0), STENCIL * fields)
        for d in range(STENCIL):
            for c in range(fields):
                result[i, c] += w[2, d] * total[d * fields + c]


@njit(cache=True)
def _stencils(center, offsets, origin, step, weights):
    """For one axis: first index and weights (n, STENCIL) of each of center + offsets (n,), and the range of indices."""
    first = np.empty(offsets.shape[0], np.int64)
    low, high = _FARTHEST, -_FARTHEST
    for n in range(offsets.shape[0]):
        x = (center + offsets[n] - origin) / step
        first[n] = int(np.floor(x)) - (STENCIL // 2 - 1)
        low, high = min(low, first[n]), max(high, first[n])
        _lagrange(x - first[n], weights[n])
    return first, low, high + STENCIL


def gather_grids(centers, offsets, origin, step, lattice):
    """`gather` on a grid of all combinations of offsets (n,) around each of centers (m, 3): (m, n, n, n, c).

    One axis after the other, which takes a quarter of the time (8 offsets, most of them less than 1 mm apart).
    """
    count = len(offsets)
    result = np.zeros((len(centers), count, count, count, lattice.shape[3]))
    grid = lattice.reshape(-1), np.array(lattice.shape)
    _gather_grids(len(centers), centers, offsets, origin, step, *grid, result.reshape(-1))
    return result


@in_parts
def _gather_grids(first, last, centers, offsets, origin, step, lattice, shape, result):
    count, fields = offsets.shape[0], shape[3]
    w = np.empty((3, count, STENCIL))
    for m in range(first, last):
        fx, _, _ = _stencils(centers[m, 0], offsets, origin[0], step, w[0])
        fy, y0, y1 = _stencils(centers[m, 1], offsets, origin[1], step, w[1])
        fz, z0, z1 = _stencils(centers[m, 2], offsets, origin[2], step, w[2])
        width = (z1 - z0) * fields
        rows, along_z = np.empty((y1 - y0) * width), np.empty(width)
        for a in range(count):
            rows[:] = 0.0
            for s in range(STENCIL):
                for y in range(y1 - y0):
                    start = ((fx[a] + s) * shape[1] + y0 + y) * shape[2] + z0
                    _add_row(w[0, a, s], lattice, start * fields, rows, y * width, width)
            for b in range(count):
                along_z[:] = 0.0
                for s in range(STENCIL):
                    _add_row(w[1, b, s], rows, (fy[b] - y0 + s) * width, along_z, np.int64(0), width)
                for d in range(count):
                    here = ((m * count + a) * count + b) * count + d
                    for s in range(STENCIL):
                        _add_row(w[2, d, s], along_z, (fz[d] - z0 + s) * fields, result, here * fields, fields)


@njit(cache=True)
def smoothed(squared):
    """1/r for r >= 1 from r squared; within, its expansion in r squared around 1, which is smooth at 0."""
    if squared >= 1.0:
        return 1.0 / np.sqrt(squared)
    x = squared - 1.0
    return 1.0 + x * (-1 / 2 + x * (3 / 8 + x * (-5 / 16 + x * 35 / 128)))


def smoothed_on(count, step, reach):
    """`smoothed(r / reach) / reach` at the points of a periodic lattice (count, count, count), r from the first."""
    result = np.empty((count, count, count))
    _smoothed_on(count, step, reach, result)
    return result


@in_parts
def _smoothed_on(first, last, step, reach, result):
    count, scale = result.shape[0], (step / reach) ** 2
    for i in range(first, last):
        for j in range(count):
            for k in range(count):
                a, b, c = min(i, count - i), min(j, count - j), min(k, count - k)
                result[i, j, k] = smoothed(scale * (a * a + b * b + c * c)) / reach


@in_parts
def add_near(first, last, points, sources, currents, origin, reach, starts, result):
    """Add to result (n, c) what `smoothed` leaves out of 1/r, at points (n, 3): sums over sources nearer than `reach`.

    The sources (k, 3), with currents (k, c), are sorted by the cubes of width `reach` they lie in, counted from the
    origin; starts (nx, ny, nz + 1) says where those of each cube begin, the last one of a column where it ends.
    """
    nx, ny, nz = starts.shape[0], starts.shape[1], starts.shape[2] - 1
    for i in range(first, last):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        a = int(np.floor((x - origin[0]) / reach))
        b = int(np.floor((y - origin[1]) / reach))
        c = int(np.floor((z - origin[2]) / reach))
        if c < -1 or c > nz:
            continue
        low, high = max(c - 1, 0), min(c + 2, nz)
        for p in range(max(a - 1, 0), min(a + 2, nx)):
            for q in range(max(b - 1, 0), min(b + 2, ny)):
                for k in range(starts[p, q, low], starts[p, q, high]):
                    dx, dy, dz = sources[k, 0] - x, sources[k, 1] - y, sources[k, 2] - z
                    squared = dx * dx + dy * dy + dz * dz
                    # A source on the point itself is inside the head: never looked at.
                    if 0.0 < squared < reach * reach:
                        w = 1.0 / np.sqrt(squared) - smoothed(squared / (reach * reach)) / reach
                        for d in range(result.shape[1]):
                            result[i, d] += w * currents[k, d]


@in_parts(new=lambda points, places, currents: np.empty_like(points), rows=blocks)
def inverse_distance(first, last, points, places, currents, result):
    """Sums (n, 3) of currents (k, 3) over the distance from places (k, 3) to points (n, 3)."""
    for block in range(first, last):
        at, total = np.empty((3, LANES)), np.zeros((3, LANES))
        load(points, block * LANES, at)
        for k in range(places.shape[0]):
            x, y, z = places[k, 0], places[k, 1], places[k, 2]
            a, b, c = currents[k, 0], currents[k, 1], currents[k, 2]
            for i in range(LANES):
                dx, dy, dz = at[0, i] - x, at[1, i] - y, at[2, i] - z
                w = 1.0 / np.sqrt(fma(dx, dx, fma(dy, dy, dz * dz)))
                total[0, i] = fma(w, a, total[0, i])
                total[1, i] = fma(w, b, total[1, i])
                total[2, i] = fma(w, c, total[2, i])
        store(total, 1.0, block * LANES, result)


@helper
def _leaf_of(m, points, i, center, half, children):
    """What `find` says of point i of a coil at a placement."""
    x, y, z = turned(m, row(points, i))
    x, y, z = x + m[0, 3] - center[0], y + m[1, 3] - center[1], z + m[2, 3] - center[2]
    return find(x, y, z, half, children)


@helper
def _single(a):
    return np.float32(a[0]), np.float32(a[1]), np.float32(a[2])


@in_parts(new=lambda matrices, *tree: np.empty((len(matrices), tree[-1].shape[1])))
def placements(first, last, matrices, points, weights, center, half, children, coefficients, result):
    """Sums (p, d) over a coil's points of its weights times each of d stored fields, for each of p placements.

    matrices (p, 4, 4) take the coil's points (k, 3) and weights (k, 3) to the head, in m; center, half and children are
    an octree as in `octree`, coefficients (leaves, d, 3, TERMS) float32 its leaves, as in `leaves.value`.
    nan where a point is not in a leaf.
    """
    pairs = np.zeros(ROWS[0], np.float32)
    for p in range(first, last):
        m, total = matrices[p], result[p]
        total[:] = 0.0
        for i in range(points.shape[0]):
            leaf, x, y, z, _ = _leaf_of(m, points, i, center, half, children)
            if leaf < 0:
                total[:] = np.nan
                break
            vector = _single(turned(m, row(weights, i)))
            along = powers(x)
            products(powers(y), powers(z), pairs)
            for q in range(total.shape[0]):
                total[q] += value(coefficients[leaf, q], along, vector, pairs)


@in_parts(new=lambda matrices, *tree: np.empty((len(matrices), tree[-1].shape[1])))
def dipole_placements(first, last, matrices, points, moments, center, half, children, coefficients, result):
    """`placements` of dipoles: sums (p, d) of moments (k, 3) times the curl of each stored field at points (k, 3)."""
    zero, pairs = np.float32(0.0), np.zeros((3, ROWS[0]), np.float32)
    for p in range(first, last):
        m, total = matrices[p], result[p]
        total[:] = 0.0
        for i in range(points.shape[0]):
            leaf, x, y, z, size = _leaf_of(m, points, i, center, half, children)
            if leaf < 0:
                total[:] = np.nan
                break
            a, b, c = _single(turned(m, (moments[i, 0] / size, moments[i, 1] / size, moments[i, 2] / size)))
            px, py, pz = powers(x), powers(y), powers(z)
            products(py, pz, pairs[0])
            products(slopes(y), pz, pairs[1])
            products(py, slopes(z), pairs[2])
            for q in range(total.shape[0]):
                f = coefficients[leaf, q]
                total[q] += value(f, slopes(x), (zero, c, -b), pairs[0])
                total[q] += value(f, px, (-c, zero, a), pairs[1]) + value(f, px, (b, -a, zero), pairs[2])
