"""A map of heights of a surface over a plane: which points are surely above it. Coordinates are in any one unit."""

import numpy as np
from numba import njit, prange


@njit(cache=True, error_model="numpy")
def highest(corners, step, heights):
    """Raise a map (n, n) to at least the highest point of triangles (t, 3, 3) over each of its squares.

    The map's squares have sides of `step` and its middle is at x = y = 0; z is the height. Never too low: over a square
    a triangle counts with its plane's highest point there, or that of its corners if this is lower.
    """
    n = heights.shape[0]
    half = 0.5 * n * step
    for t in range(corners.shape[0]):
        c = corners[t]
        low_x, high_x = min(c[0, 0], c[1, 0], c[2, 0]), max(c[0, 0], c[1, 0], c[2, 0])
        low_y, high_y = min(c[0, 1], c[1, 1], c[2, 1]), max(c[0, 1], c[1, 1], c[2, 1])
        if high_x < -half or high_y < -half or low_x >= half or low_y >= half:
            continue
        top = max(c[0, 2], c[1, 2], c[2, 2])
        ux, uy, uz = c[1, 0] - c[0, 0], c[1, 1] - c[0, 1], c[1, 2] - c[0, 2]
        vx, vy, vz = c[2, 0] - c[0, 0], c[2, 1] - c[0, 1], c[2, 2] - c[0, 2]
        area = ux * vy - uy * vx
        flat = abs(area) > 1e-9 * step * step  # a triangle on edge has no plane over the squares
        slope_x = (uz * vy - uy * vz) / area if flat else 0.0
        slope_y = (ux * vz - uz * vx) / area if flat else 0.0
        reach = 0.5 * step * (abs(slope_x) + abs(slope_y))
        for i in range(max(0, int((low_x + half) / step)), min(n, int((high_x + half) / step) + 1)):
            for j in range(max(0, int((low_y + half) / step)), min(n, int((high_y + half) / step) + 1)):
                z = top
                if flat:
                    x, y = (i + 0.5) * step - half - c[0, 0], (j + 0.5) * step - half - c[0, 1]
                    z = min(z, c[0, 2] + slope_x * x + slope_y * y + reach)
                heights[i, j] = max(heights[i, j], z)


@njit(cache=True, parallel=True, error_model="numpy")
def all_above(matrices, points, step, heights, margin):
    """Whether all points (k, 3), taken to the map's frame by matrices (p, 4, 4), are above it by more than margin.

    The nine squares around a point count. A point beside the map is not above it.
    """
    n = heights.shape[0]
    half = 0.5 * n * step
    result = np.zeros(matrices.shape[0], np.bool_)
    for p in prange(matrices.shape[0]):
        m, clear = matrices[p], True
        for k in range(points.shape[0]):
            x, y, z = points[k, 0], points[k, 1], points[k, 2]
            i = int(np.floor((m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3] + half) / step))
            j = int(np.floor((m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3] + half) / step))
            level = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3] - margin
            if i < 1 or j < 1 or i >= n - 1 or j >= n - 1:
                clear = False
                break
            for a in range(i - 1, i + 2):
                for b in range(j - 1, j + 2):
                    clear = clear and level > heights[a, b]
            if not clear:
                break
        result[p] = clear
    return result
