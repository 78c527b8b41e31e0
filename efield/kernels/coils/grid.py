"""Vector potential sampled on a regular grid, interpolated trilinearly.

A point outside the grid (by more than 1e-9 of a voxel, the rounding of a rigid motion) gets nan: the field
there is not known, and zero would be a wrong answer.
"""

import numpy as np

from efield.kernels.parts import in_parts

_EDGE = 1e-9


@in_parts(new=lambda indices, samples: np.empty_like(indices))
def trilinear(first, last, indices, samples, result):
    """Values (n, 3) at fractional grid indices (n, 3) of samples (nx, ny, nz, 3); nan outside."""
    nx, ny, nz = samples.shape[0], samples.shape[1], samples.shape[2]
    for i in range(first, last):
        x, y, z = indices[i, 0], indices[i, 1], indices[i, 2]
        inside_x = -_EDGE <= x <= nx - 1.0 + _EDGE
        inside_y = -_EDGE <= y <= ny - 1.0 + _EDGE
        inside_z = -_EDGE <= z <= nz - 1.0 + _EDGE
        if not (inside_x and inside_y and inside_z):
            result[i, 0] = np.nan
            result[i, 1] = np.nan
            result[i, 2] = np.nan
        else:
            a = min(int(x), nx - 2)
            b = min(int(y), ny - 2)
            c = min(int(z), nz - 2)
            u, v, w = x - a, y - b, z - c
            for j in range(3):
                low = (1 - v) * ((1 - w) * samples[a, b, c, j] + w * samples[a, b, c + 1, j]) + v * (
                    (1 - w) * samples[a, b + 1, c, j] + w * samples[a, b + 1, c + 1, j]
                )
                high = (1 - v) * ((1 - w) * samples[a + 1, b, c, j] + w * samples[a + 1, b, c + 1, j]) + v * (
                    (1 - w) * samples[a + 1, b + 1, c, j] + w * samples[a + 1, b + 1, c + 1, j]
                )
                result[i, j] = (1 - u) * low + u * high
