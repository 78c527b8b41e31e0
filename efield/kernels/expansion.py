"""Loops of the fast engines: the field of nodal currents outside the head, and where a pose is over the scalp."""

import numpy as np
from numba import njit, prange

from efield.kernels.octree import _chebyshev, _find

_FAST = {"reassoc", "contract"}  # why: see dipoles.py

#: Lattice points along each axis that share one source, and that one value is interpolated from.
STENCIL = 8


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
    """Add sources (n, 3) at points (n, 3) to a lattice (3, nx, ny, nz); the transpose of `gather`."""
    first, w = np.empty(3, np.int64), np.empty((3, STENCIL))
    for i in range(points.shape[0]):
        _stencil(points[i], origin, step, first, w)
        for c in range(3):
            for a in range(STENCIL):
                for b in range(STENCIL):
                    value = currents[i, c] * w[0, a] * w[1, b]
                    for d in range(STENCIL):
                        lattice[c, first[0] + a, first[1] + b, first[2] + d] += value * w[2, d]


@njit(cache=True, parallel=True)
def gather(points, origin, step, lattice):
    """Values (n, 3) at points (n, 3) of a field on a lattice (3, nx, ny, nz), by polynomials of degree 7."""
    result = np.zeros((points.shape[0], 3))
    for i in prange(points.shape[0]):
        first, w = np.empty(3, np.int64), np.empty((3, STENCIL))
        _stencil(points[i], origin, step, first, w)
        for c in range(3):
            for a in range(STENCIL):
                for b in range(STENCIL):
                    row = 0.0
                    for d in range(STENCIL):
                        row += w[2, d] * lattice[c, first[0] + a, first[1] + b, first[2] + d]
                    result[i, c] += w[0, a] * w[1, b] * row
    return result


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def inverse_distance(points, places, currents):
    """Sums (n, 3) of currents (k, 3) over the distance from places (k, 3) to points (n, 3)."""
    result = np.empty_like(points)
    for i in prange(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        ax, ay, az = 0.0, 0.0, 0.0
        for k in range(places.shape[0]):
            dx = x - places[k, 0]
            dy = y - places[k, 1]
            dz = z - places[k, 2]
            w = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
            ax += w * currents[k, 0]
            ay += w * currents[k, 1]
            az += w * currents[k, 2]
        result[i, 0] = ax
        result[i, 1] = ay
        result[i, 2] = az
    return result


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def placements(matrices, points, weights, center, half, children, coefficients):
    """Sums (p,) over a coil's points of its weights times the stored field, for each of p placements.

    matrices (p, 4, 4) take the coil's points (k, 3) and weights (k, 3) to the head, in m; center, half, children and
    coefficients are an octree as in `octree.evaluate`. nan where a point is not in a leaf.
    """
    result = np.empty(matrices.shape[0])
    for p in prange(matrices.shape[0]):
        m = matrices[p]
        g, h = np.empty(192, np.float32), np.empty(24, np.float32)
        total = 0.0
        for i in range(points.shape[0]):
            u, v, w = points[i, 0], points[i, 1], points[i, 2]
            leaf, x, y, z = _find(
                m[0, 0] * u + m[0, 1] * v + m[0, 2] * w + m[0, 3] - center[0],
                m[1, 0] * u + m[1, 1] * v + m[1, 2] * w + m[1, 3] - center[1],
                m[2, 0] * u + m[2, 1] * v + m[2, 2] * w + m[2, 3] - center[2],
                half,
                children,
            )
            if leaf < 0:
                total = np.nan
                break
            f = coefficients[leaf]
            p0, p1, p2, p3, p4, p5, p6, p7 = _chebyshev(x)
            for j in range(192):
                low = p0 * f[0, j] + p1 * f[1, j] + p2 * f[2, j] + p3 * f[3, j]
                g[j] = low + p4 * f[4, j] + p5 * f[5, j] + p6 * f[6, j] + p7 * f[7, j]
            p0, p1, p2, p3, p4, p5, p6, p7 = _chebyshev(y)
            for j in range(24):
                low = p0 * g[j] + p1 * g[24 + j] + p2 * g[48 + j] + p3 * g[72 + j]
                h[j] = low + p4 * g[96 + j] + p5 * g[120 + j] + p6 * g[144 + j] + p7 * g[168 + j]
            p0, p1, p2, p3, p4, p5, p6, p7 = _chebyshev(z)
            for d in range(3):
                o = 8 * d
                low = p0 * h[o] + p1 * h[o + 1] + p2 * h[o + 2] + p3 * h[o + 3]
                value = low + p4 * h[o + 4] + p5 * h[o + 5] + p6 * h[o + 6] + p7 * h[o + 7]
                turned = m[d, 0] * weights[i, 0] + m[d, 1] * weights[i, 1] + m[d, 2] * weights[i, 2]
                total += turned * value
        result[p] = total
    return result


@njit(cache=True, fastmath=_FAST)
def product(matrix, vector):
    """Matrix (m, r) float32, C order, times vector (r,) float32 on one thread: it is bound by memory, not by sums."""
    result = np.empty(matrix.shape[0], np.float32)
    for i in range(matrix.shape[0]):
        total = np.float32(0.0)
        for j in range(matrix.shape[1]):
            total += matrix[i, j] * vector[j]
        result[i] = total
    return result


@njit(cache=True)
def _surface(u, v, width, shape, out):
    """Height and the two slopes of polynomials (3, q, q) at u, v."""
    for k in range(3):
        total, power = 0.0, 1.0
        for a in range(shape.shape[1]):
            row, other = 0.0, 1.0
            for b in range(shape.shape[2]):
                row += shape[k, a, b] * other
                other *= v / width
            total += row * power
            power *= u / width
        out[k] = total


@njit(cache=True)
def station(center, axis, width, shape):
    """Position on a patch of scalp, cosine of the tilt, and distance, of a pose in the patch's frame.

    center (3,) and axis (3,) are the pose's center and its direction away from the head; shape (3, q, q) holds the
    polynomials of height and slopes in units of width, which bounds where they are evaluated.
    """
    surface = np.empty(3)
    u, v = center[0], center[1]
    distance, tilt = 0.0, 0.0
    for _ in range(8):
        shrink = min(1.0, width / max(np.hypot(u, v), 1e-12))
        _surface(u * shrink, v * shrink, width, shape, surface)
        length = np.sqrt(surface[1] ** 2 + surface[2] ** 2 + 1.0)
        nx, ny, nz = surface[1] / length, surface[2] / length, 1.0 / length
        dx, dy, dz = center[0] - u * shrink, center[1] - v * shrink, center[2] - surface[0]
        distance = dx * nx + dy * ny + dz * nz
        u, v = center[0] - distance * nx, center[1] - distance * ny
        tilt = axis[0] * nx + axis[1] * ny + axis[2] * nz
    return np.hypot(u, v), tilt, distance
