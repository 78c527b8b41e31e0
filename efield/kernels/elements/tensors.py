"""Symmetric 3x3 tensors, one per tetrahedron, and their sampling from a voxel grid."""

import numpy as np
from numba import njit

from efield.kernels.parts import in_parts

# Relative difference of mirrored entries that is rounding.
_ASYMMETRY = 1e-9


@njit(cache=True)
def first_not_positive(tensors):
    """Numbers of the first tensor (m, 3, 3) that is not symmetric, and the first not positive definite; or -1.

    Sylvester's criterion: the three leading minors are positive.
    """
    skew, bad = -1, -1
    for t in range(tensors.shape[0]):
        s = tensors[t]
        size = max(abs(s[0, 0]), abs(s[1, 1]), abs(s[2, 2])) * _ASYMMETRY
        gap = max(abs(s[0, 1] - s[1, 0]), abs(s[0, 2] - s[2, 0]), abs(s[1, 2] - s[2, 1]))
        if gap > size and skew < 0:
            skew = t
        minor = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
        cofactor1 = s[1, 0] * s[2, 2] - s[1, 2] * s[2, 0]
        cofactor2 = s[1, 0] * s[2, 1] - s[1, 1] * s[2, 0]
        cofactor0 = s[1, 1] * s[2, 2] - s[1, 2] * s[2, 1]
        determinant = s[0, 0] * cofactor0 - s[0, 1] * cofactor1 + s[0, 2] * cofactor2
        if bad < 0 and not (s[0, 0] > 0.0 and minor > 0.0 and determinant > 0.0):
            bad = t
        if skew >= 0 and bad >= 0:
            break
    return skew, bad


@in_parts(new=lambda grid, indices: (np.zeros((len(indices), grid.shape[3])), np.empty(len(indices))))
def sample_valid(first, last, grid, indices, values, weights):
    """Trilinear means (n, c) of grid (nx, ny, nz, c) at voxel indices (n, 3), and the weight (n,) of voxels with data.

    A voxel whose values are all zero or not all finite has no data and does not count: the others' weights are
    scaled to one. Within half a voxel outside the grid the outermost voxels' values hold; farther out the weight is -1.
    Without data the mean is zero.
    """
    channels = grid.shape[3]
    low, share, place = np.empty(3, dtype=np.int64), np.empty(3), np.empty(3, dtype=np.int64)
    for p in range(first, last):
        inside = True
        for d in range(3):
            x, end = indices[p, d], grid.shape[d] - 1
            inside = inside and -0.5 <= x <= end + 0.5
            x = min(max(x, 0.0), float(end))
            low[d] = min(int(x), max(end - 1, 0))
            share[d] = x - low[d]
        if not inside:
            weights[p] = -1.0
            continue
        total = 0.0
        for corner in range(8):
            weight = 1.0
            for d in range(3):
                up = (corner >> d) & 1
                weight *= share[d] if up else 1.0 - share[d]
                place[d] = min(low[d] + up, grid.shape[d] - 1)
            if weight == 0.0:
                continue
            voxel = grid[place[0], place[1], place[2]]
            finite, empty = True, True
            for c in range(channels):
                finite = finite and np.isfinite(voxel[c])
                empty = empty and voxel[c] == 0.0
            if empty or not finite:
                continue
            total += weight
            for c in range(channels):
                values[p, c] += weight * voxel[c]
        weights[p] = total
        if total > 0.0:
            for c in range(channels):
                values[p, c] /= total
