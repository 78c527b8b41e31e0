"""Least squares in vector registers: sums over the points of a fit side by side, and factors of matrices of known size.

Written as LLVM's instructions, because the compiler may neither reorder a sum nor unroll a factor whose size it is not
told: so fits take a fraction of the time, in running and in compiling. Sums are those of every 8th point, in pairs.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from efield.kernels import vectors

# A quadratic term whose pivot falls below this share of its diagonal is not determined by the patch: left out.
_PIVOT = 1e-3
# A term this much smaller on the patch than the largest is rounding, such as x y where all neighbors lie on the axes.
_NEGLIGIBLE = 1e-3
#: Unknowns of a quadratic of given Laplacian that passes through a value at its center.
UNKNOWNS = 8
#: Numbers that the lower half of their matrix takes, row after row, in whole vectors.
PACKED = 40

_REAL, _WHOLE = ir.DoubleType(), ir.IntType(64)


class _Term:
    """A number or vector in a register, written with operators."""

    def __init__(self, builder, bare):
        self.builder, self.bare = builder, bare

    def _bare(self, other):
        """Another term or, in every place, a constant."""
        if isinstance(other, _Term):
            return other.bare
        vector = isinstance(self.bare.type, ir.VectorType)
        return ir.Constant(self.bare.type, [other] * self.bare.type.count if vector else other)

    def _with(self, operation, other):
        return _Term(self.builder, getattr(self.builder, operation)(self.bare, self._bare(other)))

    def __add__(self, other):
        return self._with("fadd", other)

    def __sub__(self, other):
        return self._with("fsub", other)

    def __mul__(self, other):
        return self._with("fmul", other)

    def plus(self, a, b):
        """It and a times b, rounded once."""
        return _Term(self.builder, vectors.fma(self.builder, a.bare, b.bare, self.bare))

    def minus(self, a, b):
        """It less a times b, rounded once."""
        return self.plus(_Term(self.builder, self.builder.fneg(a.bare)), b)

    def above(self, least):
        """Whether it is larger than another, as a bit."""
        return self.builder.fcmp_ordered(">", self.bare, self._bare(least))

    def largest(self, other):
        """The larger of two."""
        return _Term(self.builder, self.builder.select(self.above(other), self.bare, other.bare))

    def inverse(self, where):
        """One over it, or zero if the bit is not set."""
        inverse = self.builder.fdiv(self._bare(1.0), self.bare)
        return _Term(self.builder, self.builder.select(where, inverse, self._bare(0.0)))


def _data(context, builder, kinds, given):
    """Where each of the arrays begins, of contiguous numbers; other arguments as they are."""
    return [
        context.make_array(kind)(context, builder, one).data if isinstance(kind, types.Array) else one
        for kind, one in zip(kinds, given, strict=True)
    ]


def _contiguous(*arrays):
    return all(a.layout == "C" and a.dtype == types.float64 for a in arrays)


def _vector(builder, data, number):
    return _Term(builder, vectors.read(builder, data, _REAL, number))


def _put(builder, term, data, number):
    """Stores a number or vector as that of this index of an array."""
    place = builder.gep(builder.bitcast(data, term.bare.type.as_pointer()), [number])
    builder.store(term.bare, place, align=8)


def _blocks(builder, size):
    """A loop over the vectors that hold `size` numbers."""
    return cgutils.for_range(builder, builder.udiv(builder.add(size, _WHOLE(vectors.WIDTH - 1)), _WHOLE(vectors.WIDTH)))


def _totals(builder, sums):
    """A vector of the sums of the numbers in each of eight vectors, added in pairs."""
    masks = [ir.Constant(ir.VectorType(ir.IntType(32), 8), list(range(first, 16, 2))) for first in (0, 1)]
    while len(sums) > 1:
        halves = zip(sums[::2], sums[1::2], strict=True)
        sums = [builder.fadd(*(builder.shuffle_vector(a, b, mask) for mask in masks)) for a, b in halves]
    return _Term(builder, sums[0])


def _accumulators(builder, count):
    zero = ir.Constant(ir.VectorType(_REAL, vectors.WIDTH), None)
    return [cgutils.alloca_once_value(builder, zero) for _ in range(count)]


def _accumulate(builder, total, a, b):
    builder.store(_Term(builder, builder.load(total)).plus(a, b).bare, total)


def _harmonics(x, y, z):
    """The polynomials without Laplacian that vanish at the center."""
    return [x, y, z, x * y, y * z, x * z, x * x - y * y, z * z * 2.0 - x * x - y * y]


@intrinsic
def harmonic_sums(typing_context, places, scale, size, basis, matrix):
    """What a fit of a potential about a center by a harmonic quadratic needs, before any potential.

    places (3, s) are those of `size` points seen from the center, in units of 1 / scale after it is applied; the last
    vector of eight is filled up with zeros. basis (9, s) becomes the eight polynomials over the squared distance, zero
    at the center itself, and the square; matrix (PACKED,) the sums of polynomials times basis, the lower half.
    """
    if not _contiguous(places, basis, matrix) or size != types.int64 or scale != types.float64:
        return None

    def generate(context, builder, signature, arguments):
        columns = builder.extract_value(context.make_array(places)(context, builder, arguments[0]).shape, 1)
        row = builder.udiv(columns, _WHOLE(vectors.WIDTH))
        at, unit, count, out, packed = _data(context, builder, signature.args, arguments)
        unit = _Term(builder, vectors.splat(builder, unit))
        sums = _accumulators(builder, PACKED)
        with _blocks(builder, count) as block:
            numbers = [builder.add(block.index, builder.mul(row, _WHOLE(a))) for a in range(UNKNOWNS + 1)]
            x, y, z = (_vector(builder, at, number) * unit for number in numbers[:3])
            square = x * x + y * y + z * z
            weight = square.inverse(square.above(0.0))
            values = _harmonics(x, y, z)
            weighted = [value * weight for value in values]
            for number, term in zip(numbers, [*weighted, square], strict=True):
                _put(builder, term, out, number)
            pairs = [(a, b) for a in range(UNKNOWNS) for b in range(a + 1)]
            for total, (a, b) in zip(sums, pairs, strict=False):
                _accumulate(builder, total, weighted[a], values[b])
        loaded = [builder.load(total) for total in sums]
        for k in range(PACKED // 8):
            _put(builder, _totals(builder, loaded[8 * k : 8 * k + 8]), packed, _WHOLE(k))
        return context.get_dummy_value()

    return types.none(places, scale, size, basis, matrix), generate


@intrinsic
def row_sums(typing_context, basis, values, size, out):
    """out (8,) becomes the sums of the first eight rows of basis (>= 8, s) times values (s,), over `size` columns.

    The last vector of eight is summed as a whole.
    """
    if not _contiguous(basis, values, out) or size != types.int64:
        return None

    def generate(context, builder, signature, arguments):
        columns = builder.extract_value(context.make_array(basis)(context, builder, arguments[0]).shape, 1)
        row = builder.udiv(columns, _WHOLE(vectors.WIDTH))
        rows, factors, count, fit = _data(context, builder, signature.args, arguments)
        sums = _accumulators(builder, UNKNOWNS)
        with _blocks(builder, count) as block:
            factor = _vector(builder, factors, block.index)
            for a, total in enumerate(sums):
                number = builder.add(block.index, builder.mul(row, _WHOLE(a)))
                _accumulate(builder, total, _vector(builder, rows, number), factor)
        _put(builder, _totals(builder, [builder.load(total) for total in sums]), fit, _WHOLE(0))
        return context.get_dummy_value()

    return types.none(basis, values, size, out), generate


def _lower(builder, data, size):
    """The lower half of a packed matrix: rows of numbers, and the index of each."""
    index = [[_WHOLE(i * (i + 1) // 2 + j) for j in range(i + 1)] for i in range(size)]
    return [[_Term(builder, vectors.read(builder, data, _REAL, at, 1)) for at in row] for row in index], index


@intrinsic(prefer_literal=True)
def factor(typing_context, matrix, size, kept):
    """Cholesky factor in place of the lower half of a matrix (size, size), row after row; its diagonal is inverted.

    size and kept are constants: the first `kept` unknowns stay always, and a later one that the patch does not
    determine becomes zero. Returns how many those are; their inverted pivot is zero.
    """
    if not _contiguous(matrix) or not all(isinstance(one, types.IntegerLiteral) for one in (size, kept)):
        return None

    def generate(context, builder, signature, arguments):
        data = _data(context, builder, signature.args, arguments)[0]
        n, always = size.literal_value, kept.literal_value
        rows, index = _lower(builder, data, n)
        diagonal = [row[-1] for row in rows]
        largest = diagonal[0]
        for one in diagonal[1:]:
            largest = largest.largest(one)
        root = builder.module.declare_intrinsic("llvm.sqrt", [_REAL])
        dropped = _WHOLE(0)
        for j in range(n):
            pivot, good = rows[j][j], ir.IntType(1)(1)
            if j >= always:
                good = pivot.above((diagonal[j] * _PIVOT).largest(largest * _NEGLIGIBLE))
                dropped = builder.add(dropped, builder.zext(builder.not_(good), _WHOLE))
            rows[j][j] = _Term(builder, builder.call(root, [pivot.bare])).inverse(good)
            for i in range(j + 1, n):
                rows[i][j] = rows[i][j] * rows[j][j]
            for i in range(j + 1, n):
                for q in range(j + 1, i + 1):
                    rows[i][q] = rows[i][q].minus(rows[i][j], rows[q][j])
        for row, places in zip(rows, index, strict=True):
            for one, place in zip(row, places, strict=True):
                _put(builder, one, data, place)
        return dropped

    return types.int64(matrix, size, kept), generate


@intrinsic(prefer_literal=True)
def substitute(typing_context, matrix, size, rhs, begin):
    """Solves with the factor of `size`, a constant, in place of rhs[begin : begin + size], rhs flattened."""
    if not _contiguous(matrix, rhs) or not isinstance(size, types.IntegerLiteral) or begin != types.int64:
        return None

    def generate(context, builder, signature, arguments):
        data, _, right, first = _data(context, builder, signature.args, arguments)
        n = size.literal_value
        rows, _ = _lower(builder, data, n)
        places = [builder.add(first, _WHOLE(j)) for j in range(n)]
        x = [_Term(builder, vectors.read(builder, right, _REAL, place, 1)) for place in places]
        for j in range(n):
            x[j] = x[j] * rows[j][j]
            for i in range(j + 1, n):
                x[i] = x[i].minus(rows[i][j], x[j])
        for j in reversed(range(n)):
            x[j] = x[j] * rows[j][j]
            for i in range(j):
                x[i] = x[i].minus(rows[j][i], x[j])
        for one, place in zip(x, places, strict=True):
            _put(builder, one, right, place)
        return context.get_dummy_value()

    return types.none(matrix, size, rhs, begin), generate
