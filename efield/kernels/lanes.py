"""Arithmetic that runs in vector registers and still gives the same bits in every process.

The compiler may neither reorder a sum nor fuse a product into it: it does so differently when it compiles a kernel and
when it loads it from Numba's cache, and on other processors. So long sums are not one point's terms but many points
side by side, each adding its terms in their order; and where a fused multiply-add pays, it is asked for by name.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

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


#: Neighboring terms of `dot` in one vector, and vectors whose sums run side by side.
_WIDTH, _VECTORS = 8, 4


@intrinsic
def dot(typing_context, a, b):
    """Sum of a (n,) int16 or float times b (n,) float, contiguous, in the type of b.

    32 sums of every 32nd term side by side, added in pairs. Written with LLVM's vectors because the compiler makes none
    of a sum whose order it must keep.
    """
    if not (a.layout == b.layout == "C" and a.ndim == b.ndim == 1 and isinstance(b.dtype, types.Float)):
        return None
    if a.dtype != b.dtype and a.dtype != types.int16:
        return None

    def generate(context, builder, signature, arguments):
        x, y = (
            context.make_array(kind)(context, builder, given) for kind, given in zip((a, b), arguments, strict=True)
        )
        size = builder.extract_value(y.shape, 0)
        return _Dot(builder, x.data, y.data, *(context.get_data_type(kind.dtype) for kind in (a, b))).over(size)

    return b.dtype(a, b), generate


class _Dot:
    """Writes the instructions of `dot`."""

    def __init__(self, builder, x, y, x_type, y_type):
        self.builder, self.x, self.y, self.x_type, self.y_type = builder, x, y, x_type, y_type

    def over(self, size):
        """The sum over all terms."""
        builder, vector = self.builder, ir.VectorType(self.y_type, _WIDTH)
        sums = [cgutils.alloca_once_value(builder, ir.Constant(vector, None)) for _ in range(_VECTORS)]
        vectors = builder.udiv(size, size.type(_WIDTH))
        blocks = builder.udiv(vectors, size.type(_VECTORS))
        with cgutils.for_range(builder, blocks) as block:
            first = builder.mul(block.index, size.type(_VECTORS))
            for number, total in enumerate(sums):
                self._add(builder.add(first, size.type(number)), _WIDTH, total)
        with cgutils.for_range(builder, vectors, start=builder.mul(blocks, size.type(_VECTORS))) as rest:
            self._add(rest.index, _WIDTH, sums[0])
        last = cgutils.alloca_once_value(builder, self._in_pairs(sums))
        with cgutils.for_range(builder, size, start=builder.mul(vectors, size.type(_WIDTH))) as rest:
            self._add(rest.index, 1, last)
        return builder.load(last)

    def _add(self, number, width, total):
        """Add the product of term or vector `number`."""
        x, y = self._load(self.x, self.x_type, number, width), self._load(self.y, self.y_type, number, width)
        if isinstance(self.x_type, ir.IntType):
            x = self.builder.sitofp(x, y.type)
        self.builder.store(self._fma(x, y, self.builder.load(total)), total)

    def _fma(self, x, y, z):
        lanes = f"v{z.type.count}" if isinstance(z.type, ir.VectorType) else ""
        name = f"llvm.fma.{lanes}f{_bits(self.y_type)}"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(z.type, [z.type] * 3), name)
        return self.builder.call(function, [x, y, z])

    def _load(self, data, element, number, width):
        kind = element if width == 1 else ir.VectorType(element, width)
        place = self.builder.gep(self.builder.bitcast(data, kind.as_pointer()), [number])
        return self.builder.load(place, align=_bits(element) // 8)

    def _in_pairs(self, sums):
        vectors = [self.builder.load(total) for total in sums]
        parts = [
            self.builder.extract_element(self._halve(vectors), ir.Constant(ir.IntType(32), lane))
            for lane in range(_WIDTH)
        ]
        return self._halve(parts)

    def _halve(self, values):
        """One value from a power of two of them."""
        while len(values) > 1:
            half = len(values) // 2
            values = [self.builder.fadd(values[i], values[half + i]) for i in range(half)]
        return values[0]


def _bits(number):
    """Size of a type of LLVM's."""
    return number.width if isinstance(number, ir.IntType) else {"float": 32, "double": 64}[str(number)]


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
