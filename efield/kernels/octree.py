"""A vector field stored as Chebyshev polynomials on the leaves of an octree.

Each leaf holds, for each power of x, the 8 x 3 x 8 float32 coefficients of y, component and z in one row: the
contraction over x and y then runs in vector registers (measured 61 ns per point).
"""

import numpy as np
from numba import njit, prange

ORDER = 8

_FAST = {"reassoc", "contract"}  # why: see dipoles.py


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _chebyshev(t):
    """Chebyshev polynomials of degree 0 to 7."""
    t = np.float32(t)
    d = np.float32(2.0) * t
    t2 = d * t - np.float32(1.0)
    t3 = d * t2 - t
    t4 = d * t3 - t2
    t5 = d * t4 - t3
    t6 = d * t5 - t4
    return np.float32(1.0), t, t2, t3, t4, t5, t6, d * t6 - t5


@njit(cache=True, error_model="numpy")
def _find(x, y, z, half, children):
    """Leaf number, negative where none is stored; and the position in the leaf from -1 to 1."""
    # nan must count as outside, so the comparison asks for inside.
    if not (abs(x) <= half and abs(y) <= half and abs(z) <= half):
        return -1, x, y, z
    cell = 0
    while True:
        half *= 0.5
        octant = (1 if x > 0.0 else 0) + (2 if y > 0.0 else 0) + (4 if z > 0.0 else 0)
        x += -half if x > 0.0 else half
        y += -half if y > 0.0 else half
        z += -half if z > 0.0 else half
        cell = children[cell, octant]
        if cell <= 0:
            return -2 - cell, x / half, y / half, z / half


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def evaluate(points, rotation, center, half, children, coefficients):
    """Values (n, 3) in head axes at points (n, 3) in head coordinates in m.

    rotation (3, 3) and center (3,) take the tree's frame to the head's; half is the half width in m of the root cube
    around the tree's origin; children (c, 8) holds for each octant the next cell if positive, -2 - leaf if the
    octant is a leaf, and 0 where the field is not stored; coefficients (leaves, 8, 192) float32. A point that is
    not in a leaf gets nan.
    """
    result = np.empty_like(points)
    for i in prange(points.shape[0]):
        sx = points[i, 0] - center[0]
        sy = points[i, 1] - center[1]
        sz = points[i, 2] - center[2]
        leaf, x, y, z = _find(
            rotation[0, 0] * sx + rotation[1, 0] * sy + rotation[2, 0] * sz,
            rotation[0, 1] * sx + rotation[1, 1] * sy + rotation[2, 1] * sz,
            rotation[0, 2] * sx + rotation[1, 2] * sy + rotation[2, 2] * sz,
            half,
            children,
        )
        if leaf < 0:
            result[i, 0] = np.nan
            result[i, 1] = np.nan
            result[i, 2] = np.nan
        else:
            f = coefficients[leaf]
            g = np.empty(192, np.float32)
            h = np.empty(24, np.float32)
            p0, p1, p2, p3, p4, p5, p6, p7 = _chebyshev(x)
            for j in range(192):
                low = p0 * f[0, j] + p1 * f[1, j] + p2 * f[2, j] + p3 * f[3, j]
                g[j] = low + p4 * f[4, j] + p5 * f[5, j] + p6 * f[6, j] + p7 * f[7, j]
            p0, p1, p2, p3, p4, p5, p6, p7 = _chebyshev(y)
            for j in range(24):
                low = p0 * g[j] + p1 * g[24 + j] + p2 * g[48 + j] + p3 * g[72 + j]
                h[j] = low + p4 * g[96 + j] + p5 * g[120 + j] + p6 * g[144 + j] + p7 * g[168 + j]
            p0, p1, p2, p3, p4, p5, p6, p7 = _chebyshev(z)
            ax = p0 * h[0] + p1 * h[1] + p2 * h[2] + p3 * h[3] + p4 * h[4] + p5 * h[5] + p6 * h[6] + p7 * h[7]
            ay = p0 * h[8] + p1 * h[9] + p2 * h[10] + p3 * h[11] + p4 * h[12] + p5 * h[13] + p6 * h[14] + p7 * h[15]
            az = p0 * h[16] + p1 * h[17] + p2 * h[18] + p3 * h[19] + p4 * h[20] + p5 * h[21] + p6 * h[22] + p7 * h[23]
            for j in range(3):
                result[i, j] = rotation[j, 0] * ax + rotation[j, 1] * ay + rotation[j, 2] * az
    return result
