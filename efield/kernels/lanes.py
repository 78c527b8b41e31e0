"""Arithmetic that runs in vector registers and still gives the same bits in every process.

The compiler may neither reorder a sum nor fuse a product into it: it does so differently when it compiles a kernel and
when it loads it from Numba's cache, and on other processors. So long sums are not one point's terms but many points
side by side, each adding its terms in their order; and where a fused multiply-add pays, it is asked for by name.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from efield.kernels import vectors

#: Points side by side; 64 to 256 took the same time.
LANES = 128


@intrinsic
def fma(typing_context, a, b, c):
    """The product of a and b, plus c, rounded once; three floats of one type."""
    if not (isinstance(a, types.Float) and a == b == c):
        return None

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return a(a, a, a), generate


#: Vectors of `dot` whose sums run side by side.
_VECTORS = 4


@intrinsic
def dot(typing_context, a, i, b, j):
    """Sum of row i of a (m, n) int16 or float times row j of b (k, n) float, contiguous, in the type of b.

    32 sums of every 32nd term side by side, added in pairs. Rows are told by number, because a view of a row is counted
    in and out, which takes as long as a short sum.
    """
    if not (a.layout == b.layout == "C" and a.ndim == b.ndim == 2 and isinstance(b.dtype, types.Float)):
        return None
    if i != types.int64 or j != types.int64 or (a.dtype != b.dtype and a.dtype != types.int16):
        return None

    def generate(context, builder, signature, arguments):
        rows = []
        for kind, given, number in ((a, *arguments[:2]), (b, *arguments[2:])):
            array = context.make_array(kind)(context, builder, given)
            size = builder.extract_value(array.shape, 1)
            place = builder.gep(array.data, [builder.mul(number, size)])
            rows.append((place, context.get_data_type(kind.dtype)))
        return _sum(builder, size, *rows)

    return b.dtype(a, i, b, j), generate


def _sum(builder, size, x, y):
    """Instructions of `dot`; x and y are each where an array begins and the type of its numbers."""

    def add(number, width, total):
        left, right = vectors.read(builder, *x, number, width), vectors.read(builder, *y, number, width)
        if isinstance(x[1], ir.IntType):
            left = builder.sitofp(left, right.type)
        builder.store(vectors.fma(builder, left, right, builder.load(total)), total)

    width = vectors.WIDTH
    zero = ir.Constant(ir.VectorType(y[1], width), None)
    sums = [cgutils.alloca_once_value(builder, zero) for _ in range(_VECTORS)]
    count = builder.udiv(size, size.type(width))
    blocks = builder.udiv(count, size.type(_VECTORS))
    with cgutils.for_range(builder, blocks) as block:
        first = builder.mul(block.index, size.type(_VECTORS))
        for number, total in enumerate(sums):
            add(builder.add(first, size.type(number)), width, total)
    with cgutils.for_range(builder, count, start=builder.mul(blocks, size.type(_VECTORS))) as rest:
        add(rest.index, width, sums[0])
    last = cgutils.alloca_once_value(builder, vectors.in_pairs(builder, [builder.load(total) for total in sums]))
    with cgutils.for_range(builder, size, start=builder.mul(count, size.type(width))) as rest:
        add(rest.index, 1, last)
    return builder.load(last)


def blocks(points):
    """How many blocks of `LANES` the points (n, 3) fill."""
    return -(-len(points) // LANES)


@njit(cache=True)
def load(points, first, lanes):
    """Fill lanes (3, LANES) from points (n, 3) from row `first` on; the last point is repeated at the end."""
    for i in range(LANES):
        row = min(first + i, points.shape[0] - 1)
        for d in range(3):
            lanes[d, i] = points[row, d]


@njit(cache=True)
def store(lanes, factor, first, out):
    """Write lanes (3, LANES) times a factor to the rows of out (n, 3) from `first` on, as far as there are any."""
    for i in range(min(LANES, out.shape[0] - first)):
        for d in range(3):
            out[first + i, d] = factor * lanes[d, i]
