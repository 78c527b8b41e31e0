"""The vector potential of a posed coil at the nodes of a head. SI units; launched by item, of n nodes.

A pose is rotation (3, 3) and center (3,), coil to head. Sums over sources run in their order, one node on one thread;
`a` (n, 3) holds A in coil axes, and missing (n,) says where it must be summed over the sources.
"""

import math

import numpy as np
from numba import cuda

from efield.kernels.octree import find

_MU0_OVER_4PI = 1e-7
# As in kernels/coils/segments: up to _FAR a series of artanh is exact, up to _NEAR after two halvings of its argument.
_FAR, _NEAR = 0.2, 0.67
# As in kernels/coils/grid: so far outside of the samples, in voxels, is inside.
_EDGE = 1e-9
# The same search as on the CPU. Numba does not see a change of it: remove the kernels that it keeps after one.
_find = cuda.jit(device=True)(find.py_func)


@cuda.jit(device=True)
def _in_coil(points, rotation, center, i):
    """Place of node i in coil axes."""
    x, y, z = points[i, 0] - center[0], points[i, 1] - center[1], points[i, 2] - center[2]
    return (
        rotation[0, 0] * x + rotation[1, 0] * y + rotation[2, 0] * z,
        rotation[0, 1] * x + rotation[1, 1] * y + rotation[2, 1] * z,
        rotation[0, 2] * x + rotation[1, 2] * y + rotation[2, 2] * z,
    )


@cuda.jit(cache=True)
def clear(a, missing):
    """No potential yet, and all of it missing."""
    for i in range(cuda.grid(1), a.shape[0], cuda.gridsize(1)):
        missing[i] = 1
        for d in range(3):
            a[i, d] = 0.0


@cuda.jit(cache=True)
def add_dipoles(points, rotation, center, sources, missing, a):
    """Adds mu0/4pi sum m x r / r^3 of dipoles (6, k): rows x, y, z in m and moment in A m^2."""
    for i in range(cuda.grid(1), points.shape[0], cuda.gridsize(1)):
        if missing[i] == 0:
            continue
        x, y, z = _in_coil(points, rotation, center, i)
        ax, ay, az = 0.0, 0.0, 0.0
        for k in range(sources.shape[1]):
            dx, dy, dz = x - sources[0, k], y - sources[1, k], z - sources[2, k]
            mx, my, mz = sources[3, k], sources[4, k], sources[5, k]
            r2 = dx * dx + dy * dy + dz * dz
            w = 1.0 / (r2 * math.sqrt(r2)) if r2 > 0.0 else math.inf
            ax += w * (my * dz - mz * dy)
            ay += w * (mz * dx - mx * dz)
            az += w * (mx * dy - my * dx)
        a[i, 0] += _MU0_OVER_4PI * ax
        a[i, 1] += _MU0_OVER_4PI * ay
        a[i, 2] += _MU0_OVER_4PI * az


@cuda.jit(device=True)
def _artanh(t):
    """artanh(t) for t <= _FAR."""
    u = t * t
    series = u * (u * (u * (u * (u * (1 / 21) + 1 / 19) + 1 / 17) + 1 / 15) + 1 / 13) + 1 / 11
    return t * (u * (u * (u * (u * (u * series + 1 / 9) + 1 / 7) + 1 / 5) + 1 / 3) + 1.0)


@cuda.jit(device=True)
def _logarithm(px, py, pz, qx, qy, qz, length):
    """ln[(s + L) / (s - L)] of a segment, p and q from its ends to the point; inf on it (kernels/coils/segments)."""
    r1, r2 = math.sqrt(px * px + py * py + pz * pz), math.sqrt(qx * qx + qy * qy + qz * qz)
    t = length / (r1 + r2)
    if t <= _FAR:
        return 2.0 * _artanh(t)
    if t <= _NEAR:
        t /= 1.0 + math.sqrt(1.0 - t * t)
        t /= 1.0 + math.sqrt(1.0 - t * t)
        return 8.0 * _artanh(t)
    dot = px * qx + py * qy + pz * qz
    gap = r1 * r2 + dot
    if dot < 0.0:
        cx, cy, cz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        gap = (cx * cx + cy * cy + cz * cz) / (r1 * r2 - dot)
    top = r1 + r2 + length
    return math.log(top * top / (2.0 * gap)) if gap > 0.0 else math.inf


@cuda.jit(cache=True)
def add_segments(points, rotation, center, sources, missing, a):
    """Adds mu0/4pi sum t ln[(s + L) / (s - L)] of segments (10, k), rows as in kernels/coils/segments."""
    for i in range(cuda.grid(1), points.shape[0], cuda.gridsize(1)):
        if missing[i] == 0:
            continue
        x, y, z = _in_coil(points, rotation, center, i)
        ax, ay, az = 0.0, 0.0, 0.0
        for k in range(sources.shape[1]):
            px, py, pz = x - sources[0, k], y - sources[1, k], z - sources[2, k]
            qx, qy, qz = x - sources[3, k], y - sources[4, k], z - sources[5, k]
            w = _logarithm(px, py, pz, qx, qy, qz, sources[9, k])
            ax += w * sources[6, k]
            ay += w * sources[7, k]
            az += w * sources[8, k]
        a[i, 0] += _MU0_OVER_4PI * ax
        a[i, 1] += _MU0_OVER_4PI * ay
        a[i, 2] += _MU0_OVER_4PI * az


@cuda.jit(cache=True)
def add_samples(points, rotation, center, to_index, samples, missing, a):
    """Adds A interpolated trilinearly from samples (nx, ny, nz, 3), nan outside of them (kernels/coils/grid).

    to_index (3, 4) takes places in coil axes to the indices of samples.
    """
    nx, ny, nz = samples.shape[0], samples.shape[1], samples.shape[2]
    for i in range(cuda.grid(1), points.shape[0], cuda.gridsize(1)):
        if missing[i] == 0:
            continue
        px, py, pz = _in_coil(points, rotation, center, i)
        x = to_index[0, 0] * px + to_index[0, 1] * py + to_index[0, 2] * pz + to_index[0, 3]
        y = to_index[1, 0] * px + to_index[1, 1] * py + to_index[1, 2] * pz + to_index[1, 3]
        z = to_index[2, 0] * px + to_index[2, 1] * py + to_index[2, 2] * pz + to_index[2, 3]
        inside = -_EDGE <= x <= nx - 1.0 + _EDGE and -_EDGE <= y <= ny - 1.0 + _EDGE and -_EDGE <= z <= nz - 1.0 + _EDGE
        p, q, r = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
        for d in range(3):
            value = math.nan
            if inside:
                value = 0.0
                for corner in range(8):
                    b, c, e = corner & 1, (corner >> 1) & 1, corner >> 2
                    weight = (x - p if b else 1.0 - x + p) * (y - q if c else 1.0 - y + q)
                    value += weight * (z - r if e else 1.0 - z + r) * samples[p + b, q + c, r + e, d]
            a[i, d] += value


@cuda.jit(device=True)
def _powers(t, out):
    """Chebyshev polynomials of degree 0 to 7 of a number, in single precision."""
    out[0] = np.float32(1.0)
    out[1] = np.float32(t)
    double = np.float32(2.0) * out[1]
    for degree in range(2, 8):
        out[degree] = double * out[degree - 1] - out[degree - 2]


@cuda.jit(cache=True)
def stored(points, rotation, center, half, children, coefficients, missing, a):
    """Potentials of an octree's leaves (kernels/coils/stored); missing where a node lies in none."""
    px, py, pz = cuda.local.array(8, np.float32), cuda.local.array(8, np.float32), cuda.local.array(8, np.float32)
    for i in range(cuda.grid(1), points.shape[0], cuda.gridsize(1)):
        x, y, z = _in_coil(points, rotation, center, i)
        leaf, x, y, z, _ = _find(x, y, z, half, children)
        missing[i] = 1 if leaf < 0 else 0
        ax, ay, az = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        if leaf >= 0:
            _powers(x, px)
            _powers(y, py)
            _powers(z, pz)
            for p in range(8):
                for q in range(8):
                    weight = px[p] * py[q]
                    sx, sy, sz = np.float32(0.0), np.float32(0.0), np.float32(0.0)
                    for r in range(8):
                        sx += pz[r] * coefficients[leaf, p, 24 * q + r]
                        sy += pz[r] * coefficients[leaf, p, 24 * q + 8 + r]
                        sz += pz[r] * coefficients[leaf, p, 24 * q + 16 + r]
                    ax += weight * sx
                    ay += weight * sy
                    az += weight * sz
        a[i, 0] = ax
        a[i, 1] = ay
        a[i, 2] = az


@cuda.jit(cache=True)
def to_head(a, rotation, rate, c, dadt, bad):
    """dadt[:, :, c] += rate A in head axes; bad[0] = 1 if any of it is not finite."""
    for i in range(cuda.grid(1), a.shape[0], cuda.gridsize(1)):
        x, y, z = a[i, 0], a[i, 1], a[i, 2]
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
            bad[0] = 1
        for d in range(3):
            dadt[i, d, c] += rate * (rotation[d, 0] * x + rotation[d, 1] * y + rotation[d, 2] * z)
