"""Trilinear sampling of scalar fields on a voxel grid, and distance growth over that grid.

Positions are in the units of the voxel spacing, with the origin at the center of voxel (0, 0, 0); they are
turned into voxel indices by `inverse_spacing`. Outside the grid the nearest voxel's value is returned.
"""

import numpy as np
from numba import njit

from efield.kernels.parts import in_parts


@njit(cache=True, inline="always")
def _cell(position, inverse, size):
    index = position * inverse
    if not index > 0.0:
        return 0, 0.0
    if index >= size - 1:
        return size - 2, 1.0
    low = int(index)
    return low, index - low


@njit(cache=True)
def value_at(field, inverse_spacing, x, y, z):
    """The field at one position; clamped outside the grid (each axis needs at least two voxels)."""
    i, u = _cell(x, inverse_spacing[0], field.shape[0])
    j, v = _cell(y, inverse_spacing[1], field.shape[1])
    k, w = _cell(z, inverse_spacing[2], field.shape[2])
    c00 = field[i, j, k] * (1 - w) + field[i, j, k + 1] * w
    c01 = field[i, j + 1, k] * (1 - w) + field[i, j + 1, k + 1] * w
    c10 = field[i + 1, j, k] * (1 - w) + field[i + 1, j, k + 1] * w
    c11 = field[i + 1, j + 1, k] * (1 - w) + field[i + 1, j + 1, k + 1] * w
    return (c00 * (1 - v) + c01 * v) * (1 - u) + (c10 * (1 - v) + c11 * v) * u


@njit(cache=True)
def gradient_at(field, inverse_spacing, x, y, z):
    """The gradient by central differences over half a voxel, so that it varies smoothly from cell to cell."""
    hx = 0.5 / inverse_spacing[0]
    hy = 0.5 / inverse_spacing[1]
    hz = 0.5 / inverse_spacing[2]
    gx = value_at(field, inverse_spacing, x + hx, y, z) - value_at(field, inverse_spacing, x - hx, y, z)
    gy = value_at(field, inverse_spacing, x, y + hy, z) - value_at(field, inverse_spacing, x, y - hy, z)
    gz = value_at(field, inverse_spacing, x, y, z + hz) - value_at(field, inverse_spacing, x, y, z - hz)
    return gx * inverse_spacing[0], gy * inverse_spacing[1], gz * inverse_spacing[2]


@in_parts(new=lambda field, inverse_spacing, points: np.empty(len(points)))
def sample(first, last, field, inverse_spacing, points, values):
    """The field at (n, 3) positions."""
    for p in range(first, last):
        values[p] = value_at(field, inverse_spacing, points[p, 0], points[p, 1], points[p, 2])


@njit(cache=True, nogil=True)
def limit_growth(values, spacing, slope):
    """Lower `values` in place until no voxel exceeds a neighbor by more than `slope` times their distance.

    One forward and one backward raster pass over the 26 neighbors (a chamfer transform): with slope 1 and
    zeros on a set this is the distance to the set, at most 8 % too long between the 26 directions.
    """
    nx, ny, nz = values.shape
    steps = np.empty((2, 2, 2), dtype=np.float32)
    for a in range(2):
        for b in range(2):
            for c in range(2):
                steps[a, b, c] = slope * np.sqrt((a * spacing[0]) ** 2 + (b * spacing[1]) ** 2 + (c * spacing[2]) ** 2)
    for sweep in range(2):
        turn = 1 if sweep == 0 else -1
        for i0 in range(nx):
            i = i0 if sweep == 0 else nx - 1 - i0
            for j0 in range(ny):
                j = j0 if sweep == 0 else ny - 1 - j0
                if 0 <= i - turn < nx:
                    for b in range(-1, 2):
                        if 0 <= j + b < ny:
                            _lower_row(values, i, j, i - turn, j + b, steps[1, abs(b)])
                if 0 <= j - turn < ny:
                    _lower_row(values, i, j, i, j - turn, steps[0, 1])
                # Last the neighbor in the row itself, which has its own value only now.
                for k0 in range(1, nz):
                    k = k0 if sweep == 0 else nz - 1 - k0
                    values[i, j, k] = min(values[i, j, k], values[i, j, k - turn] + steps[0, 0, 1])


@njit(cache=True, nogil=True)
def _lower_row(values, i, j, p, q, step):
    """Bound row (i, j) by the row (p, q) beside it: straight across, and by both diagonals."""
    last = values.shape[2] - 1
    for k in range(last + 1):
        values[i, j, k] = min(values[i, j, k], values[p, q, k] + step[0])
    for k in range(last):
        values[i, j, k + 1] = min(values[i, j, k + 1], values[p, q, k] + step[1])
        values[i, j, k] = min(values[i, j, k], values[p, q, k + 1] + step[1])
