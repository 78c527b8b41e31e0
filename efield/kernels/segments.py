"""Vector potential and magnetic field of straight wire segments, per ampere of coil current.

With r1, r2 the distances to the ends of a segment of length L and s = r1 + r2 (Hanson and Hirshman, Phys
Plasmas 9:4410, 2002):

    A = mu0/4pi t ln[(s + L) / (s - L)],   B = mu0/4pi (p x q) (r1 + r2) / [r1 r2 (r1 r2 + p.q)]

where t is the unit tangent and p, q run from the ends to the point. The logarithm is 2 artanh(L/s), summed as a
series while L/s is small: it does not cancel far away and runs in vector registers. Beside the wire
s^2 - L^2 = 2 (r1 r2 + p.q) would cancel and is written 2 |p x q|^2 / (r1 r2 - p.q) instead, so both formulas keep
full precision up to the wire itself.

Points are spread over threads; the sum for one point runs on one thread in a fixed order, so results are
bitwise equal for any thread count. On a segment A and B are inf or nan; on its straight extension A is
finite and B zero. Sources (10, k) are rows start x, y, z and end x, y, z in m, unit tangent times turns x, y, z,
and length in m.
"""

import numpy as np
from numba import njit, prange

_MU0_OVER_4PI = 1e-7
_FAST = {"reassoc", "contract"}  # why: see dipoles.py

# For L/s up to _FAR the artanh series, cut after 11 terms, is exact to 2e-17. Two applications of
# artanh(t) = 2 artanh(t / (1 + sqrt(1 - t^2))) bring L/s up to _NEAR down to that range. Beyond, a logarithm.
_FAR = 0.2
_NEAR = 0.67


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _artanh_over_t(u):
    """artanh(t) / t for u = t^2 <= 0.04."""
    series = 1 / 11 + u * (1 / 13 + u * (1 / 15 + u * (1 / 17 + u * (1 / 19 + u / 21))))
    return 1.0 + u * (1 / 3 + u * (1 / 5 + u * (1 / 7 + u * (1 / 9 + u * series))))


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _length_over_sum(x, y, z, sources, k):
    px = x - sources[0, k]
    py = y - sources[1, k]
    pz = z - sources[2, k]
    qx = x - sources[3, k]
    qy = y - sources[4, k]
    qz = z - sources[5, k]
    return sources[9, k] / (np.sqrt(px * px + py * py + pz * pz) + np.sqrt(qx * qx + qy * qy + qz * qz))


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _logarithm_near(t):
    """2 artanh(t) for t <= _NEAR."""
    t /= 1.0 + np.sqrt(1.0 - t * t)
    t /= 1.0 + np.sqrt(1.0 - t * t)
    return 8.0 * t * _artanh_over_t(t * t)


@njit(cache=True, error_model="numpy")
def _logarithm_beside(x, y, z, sources, k):
    """ln[(s + L) / (s - L)] beside a wire, without cancellation; inf or nan on it."""
    px = x - sources[0, k]
    py = y - sources[1, k]
    pz = z - sources[2, k]
    qx = x - sources[3, k]
    qy = y - sources[4, k]
    qz = z - sources[5, k]
    r1 = np.sqrt(px * px + py * py + pz * pz)
    r2 = np.sqrt(qx * qx + qy * qy + qz * qz)
    dot = px * qx + py * qy + pz * qz
    gap = r1 * r2 + dot
    if dot < 0.0:
        cx = py * qz - pz * qy
        cy = pz * qx - px * qz
        cz = px * qy - py * qx
        gap = (cx * cx + cy * cy + cz * cz) / (r1 * r2 - dot)
    s = r1 + r2 + sources[9, k]
    return np.log(s * s / (2.0 * gap))


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _far_sum(x, y, z, sources):
    """Sum valid if no segment is near; how many are is returned last."""
    ax, ay, az, near = 0.0, 0.0, 0.0, 0
    for k in range(sources.shape[1]):
        t = _length_over_sum(x, y, z, sources, k)
        w = 2.0 * t * _artanh_over_t(t * t)
        near += 0 if t <= _FAR else 1
        ax += w * sources[6, k]
        ay += w * sources[7, k]
        az += w * sources[8, k]
    return ax, ay, az, near


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _near_sum(x, y, z, sources):
    """Sum valid if the point is beside no wire; beside how many it is, is returned last."""
    ax, ay, az, beside = 0.0, 0.0, 0.0, 0
    for k in range(sources.shape[1]):
        t = _length_over_sum(x, y, z, sources, k)
        valid = t <= _NEAR
        beside += 0 if valid else 1
        w = _logarithm_near(t if valid else 0.0)
        ax += w * sources[6, k]
        ay += w * sources[7, k]
        az += w * sources[8, k]
    return ax, ay, az, beside


@njit(cache=True, error_model="numpy")
def _any_sum(x, y, z, sources):
    """Sum valid everywhere, one segment at a time."""
    ax, ay, az = 0.0, 0.0, 0.0
    for k in range(sources.shape[1]):
        t = _length_over_sum(x, y, z, sources, k)
        w = _logarithm_near(t) if t <= _NEAR else _logarithm_beside(x, y, z, sources, k)
        ax += w * sources[6, k]
        ay += w * sources[7, k]
        az += w * sources[8, k]
    return ax, ay, az


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def vector_potential(points, sources):
    """A (n, 3) in T m at points (n, 3) in m of sources (10, k)."""
    result = np.empty_like(points)
    for i in prange(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        ax, ay, az, near = _far_sum(x, y, z, sources)
        if near > 0:
            ax, ay, az, beside = _near_sum(x, y, z, sources)
            if beside > 0:
                ax, ay, az = _any_sum(x, y, z, sources)
        result[i, 0] = _MU0_OVER_4PI * ax
        result[i, 1] = _MU0_OVER_4PI * ay
        result[i, 2] = _MU0_OVER_4PI * az
    return result


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def magnetic_field(points, sources, turns):
    """B (n, 3) in T at points (n, 3) in m; sources (10, k), turns (k,)."""
    result = np.empty_like(points)
    for i in prange(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        bx, by, bz = 0.0, 0.0, 0.0
        for k in range(sources.shape[1]):
            px = x - sources[0, k]
            py = y - sources[1, k]
            pz = z - sources[2, k]
            qx = x - sources[3, k]
            qy = y - sources[4, k]
            qz = z - sources[5, k]
            r1 = np.sqrt(px * px + py * py + pz * pz)
            r2 = np.sqrt(qx * qx + qy * qy + qz * qz)
            rr = r1 * r2
            dot = px * qx + py * qy + pz * qz
            cx = py * qz - pz * qy
            cy = pz * qx - px * qz
            cz = px * qy - py * qx
            beside = dot < 0.0
            over = rr - dot if beside else 1.0
            under = cx * cx + cy * cy + cz * cz if beside else rr + dot
            w = turns[k] * (r1 + r2) * over / (rr * under)
            bx += w * cx
            by += w * cy
            bz += w * cz
        result[i, 0] = _MU0_OVER_4PI * bx
        result[i, 1] = _MU0_OVER_4PI * by
        result[i, 2] = _MU0_OVER_4PI * bz
    return result
