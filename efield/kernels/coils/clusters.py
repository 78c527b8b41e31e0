"""Clusters of wire segments, and their vector potential as multipoles, for `segments`.

Around the center of a cluster, its radius the unit of length, each component of A is (Jackson, Classical
Electrodynamics, 3rd ed., eq. 3.70)

    A = mu0/4pi sum over n and m of Re[conj(M_nm) I_nm],   M_nm = sum over segments of t times the integral of R_nm

with the regular and irregular solid harmonics R_nm = r^n / (n + m)! P_nm e^(im phi) and I_nm = (n - m)! / r^(n + 1)
P_nm e^(im phi). Cut after degree p, it is off at a distance d by at most 1 / [d^(p + 1) (d - 1)] times the lengths of
the segments. Their integrals are exact: a harmonic's gradient is made of those a degree lower, and by Euler's theorem
n R_n = x.grad R_n, so that J_n, the mean of R_n from a to b, is [R_n(b) + a.grad J_n] / (n + 1). The I_nm follow
from the recurrence of P_nm in n (DLMF 14.10.3), which is stable upward.

Clusters are halved into smaller ones. A point takes the multipoles of the largest ones that are far enough from it, up
to the lowest of a few degrees that will do. Each point decides that for itself, whatever its neighbors do.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from efield.kernels import vectors
from efield.kernels.lanes import LANES, dot
from efield.kernels.parts import in_parts

FloatArray = NDArray[np.float64]

#: Largest error of a cluster's multipoles, as a part of what its segments would give if all of them pointed one way.
TOLERANCE = 1e-12

#: Degrees up to which multipoles are summed. More of them between these, or beyond, gain nothing.
DEGREES = np.array([8, 12, 16, 20, 24, 28])

#: So few segments are not worth what clusters cost.
FEW = 500

#: Clusters of more segments are divided; 32 to 128 take the same time.
_UNDIVIDED = 128

#: Terms of a sum of multipoles that take as long as one segment.
_TERMS = 5.5

_TOP = int(DEGREES[-1])

#: For each degree m where the rows of n = m, m + 1, ..., _TOP begin, and how many there are.
_ROWS = np.cumsum([0, *(_TOP + 1 - m for m in range(_TOP + 1))])

#: Rows of harmonics of one degree n: real and imaginary parts for each m, and for two beyond.
_PARTS = 2 * _TOP + 6


class Clusters(NamedTuple):
    """Segments and the clusters they form, each cluster before its parts."""

    #: (10, k) in an order in which each cluster is a range of them.
    sources: FloatArray
    #: (c, 4) center and radius in m.
    balls: FloatArray
    #: (c, 4) its first segment, the one after its last, the cluster after its last part, and its highest degree.
    links: NDArray[np.int64]
    #: (c, len(DEGREES)) squares of the distances, in radii, from which on each degree will do; nan where none does.
    limits: FloatArray
    #: (c, rows, 8) as `_moments` makes them.
    moments: FloatArray


def undivided(sources: FloatArray) -> Clusters:
    """Sources (10, k) as one cluster whose segments are always summed."""
    links, never = np.array([[0, sources.shape[1], 1, -1]], np.int64), np.full((1, len(DEGREES)), np.nan)
    return Clusters(sources, np.ones((1, 4)), links, never, np.zeros((1, 1, 8)))


def clustered(sources: FloatArray) -> Clusters:
    """Clusters of sources (10, k) in m, as `segments` has them."""
    if sources.shape[1] <= FEW:
        return undivided(sources)
    order, links = _divided(sources[:6].T.reshape(-1, 2, 3).mean(axis=1))
    sources = np.ascontiguousarray(sources[:, order])
    balls = np.array([_ball(sources[:6, first:last]) for first, last in links[:, :2]])
    worth = np.diff(links[:, :2]) > (DEGREES + 1) * (DEGREES + 2) / 2 / _TERMS
    links[:, 3] = np.where(worth, DEGREES, -1).max(axis=1)
    limits = np.where(worth, TOLERANCE ** (-2 / (DEGREES + 1.0)), np.nan)
    moments = np.zeros((len(links), _ROWS[-1], 8))
    _moments(len(links), *_placed(sources, balls, links), links, moments)
    return Clusters(sources, balls, links, limits, moments)


def _divided(middles):
    """Order of the segments with these middles (k, 3), and links."""
    order, links = [], []

    def add(members):
        link = [len(order), len(order) + len(members), 0, -1]
        links.append(link)
        if len(members) > _UNDIVIDED:
            axis = np.argmax(np.ptp(middles[members], axis=0))
            left = np.zeros(len(members), bool)
            left[np.argsort(middles[members, axis], kind="stable")[: len(members) // 2]] = True
            add(members[left])  # in their order, in which most begin where the one before ends
            add(members[~left])
        else:
            order.extend(members)
        link[2] = len(links)

    add(np.arange(len(middles)))
    return order, np.array(links, np.int64)


def _ball(ends):
    """Center and radius of a ball around starts and ends (6, k)."""
    corners = ends.reshape(2, 3, -1)
    center = (corners.min(axis=(0, 2)) + corners.max(axis=(0, 2))) / 2
    return *center, np.linalg.norm(corners - center[:, None], axis=1).max()


def _placed(sources, balls, links):
    """What `_moments` takes: (9 blocks, LANES) and at which row the blocks of each cluster begin."""
    parts = []
    for (first, last, *_), ball in zip(links, balls, strict=True):
        rows = np.zeros((9, -(-(last - first) // LANES) * LANES))
        rows[:6, : last - first] = (sources[:6, first:last] - np.tile(ball[:3], 2)[:, None]) / ball[3]
        rows[6:, : last - first] = sources[6:9, first:last] * sources[9, first:last] / ball[3]
        parts.append(rows.reshape(9, -1, LANES).swapaxes(0, 1).reshape(-1, LANES))
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)])


@njit(cache=True)
def _raised(at, place, rows, low, plus, high, n, factor):
    """Harmonics of degree n to rows `high`: factor times those in rows plus, and x.grad of those of n - 1 in rows low.

    x is in three rows of `at` from `place` on.
    """
    for m in range(n + 1):
        for i in range(LANES):
            x, y, z = 0.5 * at[place, i], 0.5 * at[place + 1, i], at[place + 2, i]
            # Where m - 1 is negative stands minus the conjugate for 1.
            below_re = rows[low + 2 * m - 2, i] if m > 0 else -rows[low + 2, i]
            below_im = rows[low + 2 * m - 1, i] if m > 0 else rows[low + 3, i]
            above_re, above_im = rows[low + 2 * m + 2, i], rows[low + 2 * m + 3, i]
            re = z * rows[low + 2 * m, i] + x * (below_re - above_re) - y * (below_im + above_im)
            im = z * rows[low + 2 * m + 1, i] + x * (below_im - above_im) + y * (below_re + above_re)
            rows[high + 2 * m, i] = factor * (rows[plus + 2 * m, i] + re)
            rows[high + 2 * m + 1, i] = factor * (rows[plus + 2 * m + 1, i] + im)


@in_parts
def _moments(first, last, placed, begins, links, moments):
    """Real and imaginary part of each component of the moments, in rows as `_ROWS` tell; zero at first.

    They are multiplied by what the recurrence in `_multipoles` leaves out, and by two where m stands for -m, too; the
    seventh number of a row is the recurrence's. placed (9 blocks, LANES) holds starts, ends, and lengths times
    tangents in the units of their cluster.
    """
    # Of two degrees in turn at the ends and integrated; then zeros.
    along, zero, rows = 2 * _PARTS, 4 * _PARTS, np.empty((5 * _PARTS, LANES))
    for cluster in range(first, last):
        for block in range(begins[cluster], begins[cluster + 1], 9):
            for row in range(5 * _PARTS):
                for i in range(LANES):
                    rows[row, i] = 1.0 if row == 0 or row == along else 0.0
            scale = 1.0
            for n in range(links[cluster, 3] + 1):
                new, old = (n % 2) * _PARTS, (1 - n % 2) * _PARTS
                if n > 0:
                    _raised(placed, block + 3, rows, old, zero, new, n, 1.0 / n)
                    _raised(placed, block, rows, along + old, new, along + new, n, 1.0 / (n + 1.0))
                    scale *= 2.0 * n - 1.0
                for m in range(n + 1):
                    row, factor = _ROWS[m] + n - m, scale if m == 0 else 2.0 * scale
                    for c in range(6):
                        part = dot(placed, block + 6 + c // 2, rows, along + new + 2 * m + c % 2)
                        moments[cluster, row, c] += factor * part
                    moments[cluster, row, 6] = (m * m - n * n) / (4.0 * n * n - 1.0)


@intrinsic
def _multipoles(typing_context, at, number, moments, cluster, degree, total):
    """Sum over the multipoles of a cluster up to a degree, at one vector of points.

    It is vector `number` of at (3, LANES), in the cluster's units; the sum goes to that of total (3, LANES).
    """
    arrays, numbers = (at, moments, total), (number, cluster, degree)
    if any(a.dtype != types.float64 or a.layout != "C" for a in arrays) or any(n != types.int64 for n in numbers):
        return None

    def generate(context, builder, signature, arguments):
        places, table, out = (
            context.make_array(kind)(context, builder, arguments[k]).data
            for k, kind in zip((0, 2, 5), arrays, strict=True)
        )
        _sum(builder, places, arguments[1], table, arguments[3], arguments[4], out)
        return context.get_dummy_value()

    return types.void(at, number, moments, cluster, degree, total), generate


def _sum(builder, places, number, table, cluster, degree, out):
    """Instructions of `_multipoles`: for each m a sum of real numbers over n, times a power of (x + iy) / r^2."""
    integer, kind = number.type, ir.VectorType(ir.DoubleType(), vectors.WIDTH)
    zero, one = ir.Constant(kind, None), ir.Constant(kind, [1.0] * vectors.WIDTH)

    def variable(value):
        return cgutils.alloca_once_value(builder, value)

    lanes = [builder.add(number, integer(d * LANES // vectors.WIDTH)) for d in range(3)]
    x, y, z = (vectors.read(builder, places, kind.element, row) for row in lanes)
    w = builder.fdiv(one, vectors.fma(builder, x, x, vectors.fma(builder, y, y, builder.fmul(z, z))))
    x, y, z = (builder.fmul(w, each) for each in (x, y, z))
    root = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind]), f"llvm.sqrt.v{vectors.WIDTH}f64"
    )
    re, im, totals = variable(builder.call(root, [w])), variable(zero), [variable(zero) for _ in range(3)]
    begin = variable(builder.mul(cluster, integer(int(_ROWS[-1]))))
    with cgutils.for_range(builder, builder.add(degree, integer(1))) as outer:
        first, sums = builder.load(begin), [variable(zero) for _ in range(6)]
        count = builder.sub(builder.add(degree, integer(1)), outer.index)
        _sum_over_n(builder, table, first, count, w, z, sums)
        real, imaginary = builder.load(re), builder.load(im)
        for c, total in enumerate(totals):
            part = vectors.fma(builder, imaginary, builder.load(sums[2 * c + 1]), builder.load(total))
            builder.store(vectors.fma(builder, real, builder.load(sums[2 * c]), part), total)
        builder.store(builder.fsub(builder.fmul(real, x), builder.fmul(imaginary, y)), re)
        builder.store(builder.fadd(builder.fmul(real, y), builder.fmul(imaginary, x)), im)
        builder.store(builder.add(first, builder.sub(integer(_TOP + 1), outer.index)), begin)
    for row, total in zip(lanes, totals, strict=True):
        place = builder.gep(builder.bitcast(out, kind.as_pointer()), [row])
        builder.store(builder.load(total), place, align=8)


def _sum_over_n(builder, table, first, count, w, z, sums):
    """Instructions that sum rows of moments times what is left of the I_nm: 1, z, z^2 + back w, and so on."""
    kind, integer = z.type, count.type
    now, before = (cgutils.alloca_once_value(builder, ir.Constant(kind, [x] * kind.count)) for x in (1.0, 0.0))
    with cgutils.for_range(builder, count) as loop:
        row = builder.gep(table, [builder.mul(builder.add(first, loop.index), integer(8))])
        numbers = [builder.load(builder.gep(row, [integer(c)])) for c in range(7)]
        *factors, back = (vectors.splat(builder, number) for number in numbers)
        u, v = builder.load(now), builder.load(before)
        for factor, total in zip(factors, sums, strict=True):
            builder.store(vectors.fma(builder, factor, u, builder.load(total)), total)
        builder.store(vectors.fma(builder, z, u, builder.fmul(builder.fmul(back, w), v)), now)
        builder.store(u, before)


@njit(cache=True, error_model="numpy")
def add_multipoles(at, cluster, balls, limits, after, moments, resume, lanes, local, part, distance2, a):
    """Adds to a (3, LANES) the multipoles of a cluster at the points far enough from it; returns whether any is not.

    The next cluster of each point at (3, LANES) is in `resume` (LANES,): for those that are done here `after`, which
    comes after the cluster's parts. lanes, local, part and distance2 are space for LANES points.
    """
    x, y, z, scale = balls[cluster, 0], balls[cluster, 1], balls[cluster, 2], 1.0 / balls[cluster, 3]
    for i in range(LANES):
        dx, dy, dz = scale * (at[0, i] - x), scale * (at[1, i] - y), scale * (at[2, i] - z)
        distance2[i] = dx * dx + dy * dy + dz * dz
    for kind in range(limits.shape[1]):
        count = 0
        for i in range(LANES):
            if resume[i] <= cluster and distance2[i] >= limits[cluster, kind]:
                lanes[count] = i
                resume[i] = after
                count += 1
        filled = -(-count // vectors.WIDTH)
        for j in range(filled * vectors.WIDTH):
            i = lanes[min(j, count - 1)]
            dx, dy, dz = scale * (at[0, i] - x), scale * (at[1, i] - y), scale * (at[2, i] - z)
            local[0, j], local[1, j], local[2, j] = dx, dy, dz
        for number in range(filled):
            _multipoles(local, number, moments, cluster, DEGREES[kind], part)
        for j in range(count):
            for d in range(3):
                a[d, lanes[j]] += part[d, j]
    rest = 0
    for i in range(LANES):
        rest += 1 if resume[i] <= cluster else 0
    return rest > 0
