"""Where a pose is over a patch of scalp."""

import numpy as np
from numba import njit


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
