"""Vector potential and magnetic field of straight wire segments, per ampere of coil current.

With r1, r2 the distances to the ends of a segment of length L and s = r1 + r2 (Hanson and Hirshman, Phys
Plasmas 9:4410, 2002):

    A = mu0/4pi t ln[(s + L) / (s - L)],   B = mu0/4pi (p x q) (r1 + r2) / [r1 r2 (r1 r2 + p.q)]

where t is the unit tangent and p, q run from the ends to the point. The logarithm is 2 artanh(L/s), summed as a
series while L/s is small: it does not cancel far away and runs in vector registers. Beside the wire
s^2 - L^2 = 2 (r1 r2 + p.q) would cancel and is written 2 |p x q|^2 / (r1 r2 - p.q) instead, so both formulas keep
full precision up to the wire itself.

Many segments that are far from a point are summed together, as the multipoles of `clusters`.

Points are spread over threads; the sum for one point runs on one thread in a fixed order, so results are
bitwise equal for any thread count, and whatever points are asked together. On a segment A and B are inf or nan; on its
straight extension A is finite and B zero. Sources (10, k) are rows start x, y, z and end x, y, z in m, unit tangent
times turns x, y, z, and length in m.
"""

import numpy as np
from numba import njit

from efield.kernels.coils.clusters import Clusters, add_multipoles, undivided
from efield.kernels.lanes import LANES, blocks, fma, load, store
from efield.kernels.parts import in_parts

_MU0_OVER_4PI = 1e-7

# For L/s up to _FAR the artanh series, cut after 11 terms, is exact to 2e-17. Two applications of
# artanh(t) = 2 artanh(t / (1 + sqrt(1 - t^2))) bring L/s up to _NEAR down to that range. Beyond, a logarithm.
_FAR = 0.2
_NEAR = 0.67


@njit(cache=True, error_model="numpy")
def _artanh_over_t(u):
    """artanh(t) / t for u = t^2 <= 0.04."""
    series = fma(u, fma(u, fma(u, fma(u, fma(u, 1 / 21, 1 / 19), 1 / 17), 1 / 15), 1 / 13), 1 / 11)
    return fma(u, fma(u, fma(u, fma(u, fma(u, series, 1 / 9), 1 / 7), 1 / 5), 1 / 3), 1.0)


@njit(cache=True)
def _segment(sources, k):
    """Column k as ten numbers, which the compiler then keeps in registers."""
    start = sources[0, k], sources[1, k], sources[2, k]
    end = sources[3, k], sources[4, k], sources[5, k]
    return (*start, *end, sources[6, k], sources[7, k], sources[8, k], sources[9, k])


@njit(cache=True)
def _length(x, y, z):
    return np.sqrt(fma(x, x, fma(y, y, z * z)))


@njit(cache=True, error_model="numpy")
def _length_over_sum(x, y, z, s):
    return s[9] / (_length(x - s[0], y - s[1], z - s[2]) + _length(x - s[3], y - s[4], z - s[5]))


@njit(cache=True, error_model="numpy")
def _logarithm_near(t):
    """2 artanh(t) for t <= _NEAR."""
    t /= 1.0 + np.sqrt(1.0 - t * t)
    t /= 1.0 + np.sqrt(1.0 - t * t)
    return 8.0 * t * _artanh_over_t(t * t)


@njit(cache=True, error_model="numpy")
def _logarithm_beside(x, y, z, s):
    """ln[(s + L) / (s - L)] beside a wire, without cancellation; inf or nan on it."""
    px, py, pz = x - s[0], y - s[1], z - s[2]
    qx, qy, qz = x - s[3], y - s[4], z - s[5]
    r1 = np.sqrt(px * px + py * py + pz * pz)
    r2 = np.sqrt(qx * qx + qy * qy + qz * qz)
    dot = px * qx + py * qy + pz * qz
    gap = r1 * r2 + dot
    if dot < 0.0:
        cx = py * qz - pz * qy
        cy = pz * qx - px * qz
        cz = px * qy - py * qx
        gap = (cx * cx + cy * cy + cz * cz) / (r1 * r2 - dot)
    top = r1 + r2 + s[9]
    return np.log(top * top / (2.0 * gap))


@njit(cache=True, error_model="numpy")
def _to_start(at, sources, first, k, r):
    """Distances r (LANES,) to the start of segment k; they are there where it begins at the end of the one before."""
    if k > first:
        apart = abs(sources[0, k] - sources[3, k - 1]) + abs(sources[1, k] - sources[4, k - 1])
        if apart + abs(sources[2, k] - sources[5, k - 1]) == 0.0:
            return
    for i in range(LANES):
        r[i] = _length(at[0, i] - sources[0, k], at[1, i] - sources[1, k], at[2, i] - sources[2, k])


@njit(cache=True, error_model="numpy")
def _far_sums(at, sources, first, last, a, near):
    """Sums that are valid where no segment is near, and how many are; returns whether any is."""
    before, total = np.empty(LANES), 0.0
    for k in range(first, last):
        s = _segment(sources, k)
        _to_start(at, sources, first, k, before)
        for i in range(LANES):
            r = _length(at[0, i] - s[3], at[1, i] - s[4], at[2, i] - s[5])
            t = s[9] / (before[i] + r)
            before[i] = r
            w = 2.0 * t * _artanh_over_t(t * t)
            near[i] += 0.0 if t <= _FAR else 1.0
            a[0, i] = fma(w, s[6], a[0, i])
            a[1, i] = fma(w, s[7], a[1, i])
            a[2, i] = fma(w, s[8], a[2, i])
    for i in range(LANES):
        total += near[i]
    return total > 0.0


@njit(cache=True, error_model="numpy")
def _near_sums(at, sources, first, last, a, beside):
    """Sums that are valid at points beside no wire, and beside how many they are."""
    before = np.empty(LANES)
    for k in range(first, last):
        s = _segment(sources, k)
        _to_start(at, sources, first, k, before)
        for i in range(LANES):
            r = _length(at[0, i] - s[3], at[1, i] - s[4], at[2, i] - s[5])
            t = s[9] / (before[i] + r)
            before[i] = r
            valid = t <= _NEAR
            beside[i] += 0.0 if valid else 1.0
            w = _logarithm_near(t if valid else 0.0)
            a[0, i] = fma(w, s[6], a[0, i])
            a[1, i] = fma(w, s[7], a[1, i])
            a[2, i] = fma(w, s[8], a[2, i])


@njit(cache=True, error_model="numpy")
def _any_sum(x, y, z, sources, first, last):
    """Sum valid everywhere, one segment at a time."""
    ax, ay, az = 0.0, 0.0, 0.0
    for k in range(first, last):
        s = _segment(sources, k)
        t = _length_over_sum(x, y, z, s)
        w = _logarithm_near(t) if t <= _NEAR else _logarithm_beside(x, y, z, s)
        ax += w * s[6]
        ay += w * s[7]
        az += w * s[8]
    return ax, ay, az


def vector_potential(points, sources):
    """A (n, 3) in T m at points (n, 3) in m of sources (10, k), one by one, or of `Clusters` of them."""
    result = np.empty_like(points)
    c = sources if isinstance(sources, Clusters) else undivided(sources)
    _vector_potential(blocks(points), points, c.sources, c.balls, c.links, c.limits, c.moments, result)
    return result


@in_parts
def _vector_potential(first, last, points, sources, balls, links, limits, moments, result):
    # Not divided into functions, each of which would be compiled twice: by itself and where it is called.
    at, a, resume = np.empty((3, LANES)), np.empty((3, LANES)), np.empty(LANES, np.int64)
    far, closer, local = np.empty((3, LANES)), np.empty((3, LANES)), np.empty((3, LANES))
    near, beside, lanes = np.empty(LANES), np.empty(LANES), np.empty(LANES, np.int64)
    for block in range(first, last):
        load(points, block * LANES, at)
        for i in range(LANES):
            a[0, i], a[1, i], a[2, i], resume[i] = 0.0, 0.0, 0.0, 0
        cluster = np.int64(0)
        while cluster < links.shape[0]:
            begin, end, after = links[cluster, 0], links[cluster, 1], links[cluster, 2]
            if not add_multipoles(at, cluster, balls, limits, after, moments, resume, lanes, local, far, near, a):
                cluster = after
                continue
            cluster += 1
            if cluster < after:  # on to its parts
                continue
            for i in range(LANES):
                far[0, i], far[1, i], far[2, i], near[i] = 0.0, 0.0, 0.0, 0.0
                closer[0, i], closer[1, i], closer[2, i], beside[i] = 0.0, 0.0, 0.0, 0.0
            if _far_sums(at, sources, begin, end, far, near):
                _near_sums(at, sources, begin, end, closer, beside)
            for i in range(LANES):
                if resume[i] >= after:
                    continue
                # Each point takes the sum it needs itself, whatever its neighbors need.
                x, y, z = far[0, i], far[1, i], far[2, i]
                if beside[i] > 0.0:
                    x, y, z = _any_sum(at[0, i], at[1, i], at[2, i], sources, begin, end)
                elif near[i] > 0.0:
                    x, y, z = closer[0, i], closer[1, i], closer[2, i]
                a[0, i] += x
                a[1, i] += y
                a[2, i] += z
        store(a, _MU0_OVER_4PI, block * LANES, result)


def magnetic_field(points, sources, turns):
    """B (n, 3) in T at points (n, 3) in m; sources (10, k), turns (k,)."""
    result = np.empty_like(points)
    _magnetic_field(blocks(points), points, sources, turns, result)
    return result


@in_parts
def _magnetic_field(first, last, points, sources, turns, result):
    for block in range(first, last):
        at, b = np.empty((3, LANES)), np.zeros((3, LANES))
        load(points, block * LANES, at)
        for k in range(sources.shape[1]):
            s, n = _segment(sources, k), turns[k]
            for i in range(LANES):
                px, py, pz = at[0, i] - s[0], at[1, i] - s[1], at[2, i] - s[2]
                qx, qy, qz = at[0, i] - s[3], at[1, i] - s[4], at[2, i] - s[5]
                r1, r2 = _length(px, py, pz), _length(qx, qy, qz)
                rr = r1 * r2
                dot = fma(px, qx, fma(py, qy, pz * qz))
                cx = py * qz - pz * qy
                cy = pz * qx - px * qz
                cz = px * qy - py * qx
                beside = dot < 0.0
                over = rr - dot if beside else 1.0
                under = fma(cx, cx, fma(cy, cy, cz * cz)) if beside else rr + dot
                w = n * (r1 + r2) * over / (rr * under)
                b[0, i] = fma(w, cx, b[0, i])
                b[1, i] = fma(w, cy, b[1, i])
                b[2, i] = fma(w, cz, b[2, i])
        store(b, _MU0_OVER_4PI, block * LANES, result)
