"""Vector potential and magnetic field of straight wire segments, per ampere of coil current.

With r1, r2 the distances to the ends of a segment of length L and s = r1 + r2 (Hanson and Hirshman, Phys
Plasmas 9:4410, 2002):

    A = mu0/4pi t ln[(s + L) / (s - L)],   B = mu0/4pi (p x q) (r1 + r2) / [r1 r2 (r1 r2 + p.q)]

where t is the unit tangent and p, q run from the ends to the point. Far away the logarithm is evaluated as
2 artanh(L/s), which does not cancel. Beside the wire s^2 - L^2 = 2 (r1 r2 + p.q) would cancel and is written
2 |p x q|^2 / (r1 r2 - p.q) instead, so both formulas keep full precision up to the wire itself.

Points are spread over threads; the sum for one point runs on one thread in a fixed order, so results are
bitwise equal for any thread count. On a segment A and B are inf or nan; on its straight extension A is
finite and B zero.
"""

import numpy as np
from numba import njit, prange

_MU0_OVER_4PI = 1e-7
_FAST = {"reassoc", "contract"}  # why: see dipoles.py

# For L/s up to this the artanh series below, cut after 11 terms, is exact to 2e-17; beyond it a logarithm is
# taken in a second, scalar pass over the few near segments, so that the first pass stays in vector registers.
_NEAR = 0.2


@njit(cache=True, error_model="numpy")
def _near_logarithm(px, py, pz, qx, qy, qz, length):
    """ln[(s + L) / (s - L)] for a point near the segment, without cancellation."""
    r1 = np.sqrt(px * px + py * py + pz * pz)
    r2 = np.sqrt(qx * qx + qy * qy + qz * qz)
    dot = px * qx + py * qy + pz * qz
    gap = r1 * r2 + dot
    if dot < 0.0:
        cx = py * qz - pz * qy
        cy = pz * qx - px * qz
        cz = px * qy - py * qx
        gap = (cx * cx + cy * cy + cz * cz) / (r1 * r2 - dot)
    s = r1 + r2
    return np.log((s + length) * (s + length) / (2.0 * gap))


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def vector_potential(points, sources):
    """A (n, 3) in T m at points (n, 3) in m.

    sources (10, k): rows start x, y, z and end x, y, z in m, unit tangent times turns x, y, z, length in m.
    """
    result = np.empty_like(points)
    for i in prange(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        ax, ay, az = 0.0, 0.0, 0.0
        near = 0
        for k in range(sources.shape[1]):
            px = x - sources[0, k]
            py = y - sources[1, k]
            pz = z - sources[2, k]
            qx = x - sources[3, k]
            qy = y - sources[4, k]
            qz = z - sources[5, k]
            s = np.sqrt(px * px + py * py + pz * pz) + np.sqrt(qx * qx + qy * qy + qz * qz)
            t = sources[9, k] / s
            u = t * t
            series = 1 / 11 + u * (1 / 13 + u * (1 / 15 + u * (1 / 17 + u * (1 / 19 + u / 21))))
            series = 1.0 + u * (1 / 3 + u * (1 / 5 + u * (1 / 7 + u * (1 / 9 + u * series))))
            is_near = not t <= _NEAR
            near += 1 if is_near else 0
            w = 0.0 if is_near else 2.0 * t * series
            ax += w * sources[6, k]
            ay += w * sources[7, k]
            az += w * sources[8, k]
        if near > 0:
            for k in range(sources.shape[1]):
                px = x - sources[0, k]
                py = y - sources[1, k]
                pz = z - sources[2, k]
                qx = x - sources[3, k]
                qy = y - sources[4, k]
                qz = z - sources[5, k]
                s = np.sqrt(px * px + py * py + pz * pz) + np.sqrt(qx * qx + qy * qy + qz * qz)
                if not sources[9, k] / s <= _NEAR:
                    w = _near_logarithm(px, py, pz, qx, qy, qz, sources[9, k])
                    ax += w * sources[6, k]
                    ay += w * sources[7, k]
                    az += w * sources[8, k]
        result[i, 0] = _MU0_OVER_4PI * ax
        result[i, 1] = _MU0_OVER_4PI * ay
        result[i, 2] = _MU0_OVER_4PI * az
    return result


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def magnetic_field(points, sources, turns):
    """B (n, 3) in T at points (n, 3) in m; sources as in `vector_potential`, turns (k,)."""
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
