"""Closed form of the field of magnetic dipoles in a conducting sphere; SI units, arrays in and out."""

import numpy as np

from efield.kernels.parts import in_parts


@in_parts(new=lambda points, dipoles, moments: np.empty((len(points), 3)))
def dipoles_in_sphere(first, last, points, dipoles, moments, field):
    """E (n, 3) per unit dI/dt, without the factor mu0 / 4 pi, at points (n, 3) inside the dipoles' radius.

    Heller and van Hulsteyn 1992 (Biophys J 63:129), eq. 12 and following, for a sphere about the origin.
    Infinite where a point and a dipole coincide.
    """
    for i in range(first, last):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        ex = ey = ez = 0.0
        for j in range(dipoles.shape[0]):
            x0, y0, z0 = dipoles[j, 0], dipoles[j, 1], dipoles[j, 2]
            mx, my, mz = moments[j, 0], moments[j, 1], moments[j, 2]
            ax, ay, az = x0 - x, y0 - y, z0 - z
            a = np.sqrt(ax * ax + ay * ay + az * az)
            big_r = np.sqrt(x0 * x0 + y0 * y0 + z0 * z0)
            dot = x0 * ax + y0 * ay + z0 * az
            f = a * (big_r * a + dot)
            on_r0 = a * a / big_r + 2.0 * a + 2.0 * big_r + dot / a
            on_r = a + 2.0 * big_r + dot / a
            m_grad = on_r0 * (mx * x0 + my * y0 + mz * z0) - on_r * (mx * x + my * y + mz * z)
            c = 1.0 / (f * f)
            ex -= c * (f * (y * mz - z * my) - m_grad * (y * z0 - z * y0))
            ey -= c * (f * (z * mx - x * mz) - m_grad * (z * x0 - x * z0))
            ez -= c * (f * (x * my - y * mx) - m_grad * (x * y0 - y * x0))
        field[i, 0], field[i, 1], field[i, 2] = ex, ey, ez
