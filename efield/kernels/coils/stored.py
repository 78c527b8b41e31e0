"""A vector field stored on the leaves of an octree, by products of polynomials in each coordinate.

Each leaf holds, for each power of x, the 8 x 3 x 8 float32 coefficients of y, component and z in one row: the
contraction over x and y then runs in vector registers (measured 61 ns per point).
"""

import numpy as np
from numba import njit

from efield.kernels.lanes import fma
from efield.kernels.octree import find, powers
from efield.kernels.parts import in_parts


@njit(cache=True)
def _sum8(p, a, b, c, d, e, f, g, h):
    """Value of a polynomial of degree 7 from its coefficients and `powers`."""
    _, p1, p2, p3, p4, p5, p6, p7 = p
    return fma(p7, h, fma(p6, g, fma(p5, f, fma(p4, e, fma(p3, d, fma(p2, c, fma(p1, b, a)))))))


@in_parts(new=lambda points, rotation, center, half, children, coefficients: np.empty_like(points))
def evaluate(first, last, points, rotation, center, half, children, coefficients, result):
    """Values (n, 3) in head axes at points (n, 3) in head coordinates in m.

    rotation (3, 3) and center (3,) take the tree's frame to the head's; half and children are an octree around the
    tree's origin, in m; coefficients (leaves, 8, 192) float32. A point that is not in a leaf gets nan.
    """
    g, h = np.empty(192, np.float32), np.empty(24, np.float32)
    for i in range(first, last):
        sx = points[i, 0] - center[0]
        sy = points[i, 1] - center[1]
        sz = points[i, 2] - center[2]
        leaf, x, y, z, _ = find(
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
            p = powers(x)
            for j in range(192):
                g[j] = _sum8(p, f[0, j], f[1, j], f[2, j], f[3, j], f[4, j], f[5, j], f[6, j], f[7, j])
            p = powers(y)
            for j in range(24):
                low, high = (g[j], g[24 + j], g[48 + j], g[72 + j]), (g[96 + j], g[120 + j], g[144 + j], g[168 + j])
                h[j] = _sum8(p, *low, *high)
            p = powers(z)
            ax = _sum8(p, h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7])
            ay = _sum8(p, h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15])
            az = _sum8(p, h[16], h[17], h[18], h[19], h[20], h[21], h[22], h[23])
            for j in range(3):
                result[i, j] = rotation[j, 0] * ax + rotation[j, 1] * ay + rotation[j, 2] * az
