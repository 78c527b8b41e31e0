"""Vector potential and magnetic field of point magnetic dipoles, per ampere of coil current.

A = mu0/4pi sum m x r / r^3,  B = mu0/4pi sum [3 (m.r) r / r^5 - m / r^3],  r from the dipole to the point
(Jackson, Classical Electrodynamics, 3rd ed., eqs. 5.55 and 5.56).

Points are spread over threads; the sum for one point runs on one thread in a fixed order, so results are
bitwise equal for any thread count. At a dipole's own position the result is inf or nan, never a finite number.
"""

import numpy as np
from numba import njit

from efield.kernels.lanes import LANES, blocks, fma, load, store
from efield.kernels.parts import in_parts

_MU0_OVER_4PI = 1e-7


@njit(cache=True)
def _dipole(sources, k):
    """Column k as six numbers, which the compiler then keeps in registers."""
    return sources[0, k], sources[1, k], sources[2, k], sources[3, k], sources[4, k], sources[5, k]


@in_parts(new=lambda points, sources: np.empty_like(points), rows=blocks)
def vector_potential(first, last, points, sources, result):
    """A (n, 3) in T m at points (n, 3) in m; sources (6, k): rows x, y, z in m and moment in A m^2."""
    for block in range(first, last):
        at, a = np.empty((3, LANES)), np.zeros((3, LANES))
        load(points, block * LANES, at)
        for k in range(sources.shape[1]):
            x, y, z, mx, my, mz = _dipole(sources, k)
            for i in range(LANES):
                dx, dy, dz = at[0, i] - x, at[1, i] - y, at[2, i] - z
                r2 = fma(dx, dx, fma(dy, dy, dz * dz))
                w = 1.0 / (r2 * np.sqrt(r2))
                a[0, i] = fma(w, my * dz - mz * dy, a[0, i])
                a[1, i] = fma(w, mz * dx - mx * dz, a[1, i])
                a[2, i] = fma(w, mx * dy - my * dx, a[2, i])
        store(a, _MU0_OVER_4PI, block * LANES, result)


@in_parts(new=lambda points, sources: np.empty_like(points), rows=blocks)
def magnetic_field(first, last, points, sources, result):
    """B (n, 3) in T at points (n, 3) in m; sources as in `vector_potential`."""
    for block in range(first, last):
        at, b = np.empty((3, LANES)), np.zeros((3, LANES))
        load(points, block * LANES, at)
        for k in range(sources.shape[1]):
            x, y, z, mx, my, mz = _dipole(sources, k)
            for i in range(LANES):
                dx, dy, dz = at[0, i] - x, at[1, i] - y, at[2, i] - z
                inverse2 = 1.0 / fma(dx, dx, fma(dy, dy, dz * dz))
                w = inverse2 * np.sqrt(inverse2)
                along = 3.0 * inverse2 * fma(mx, dx, fma(my, dy, mz * dz))
                b[0, i] = fma(w, along * dx - mx, b[0, i])
                b[1, i] = fma(w, along * dy - my, b[1, i])
                b[2, i] = fma(w, along * dz - mz, b[2, i])
        store(b, _MU0_OVER_4PI, block * LANES, result)
