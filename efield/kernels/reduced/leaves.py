"""Polynomials in three coordinates, of limited total degree, on the leaves of reciprocity's octree.

Products of high powers of several coordinates are left out: in a smooth field they are far smaller than those of one,
and to read them is what takes the time. The sum is written with LLVM's vectors, because the compiler makes none of it.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

#: Degree in x, y and z together.
DEGREE = 7

#: Numbers in a vector register.
_WIDTH = 8

#: Degrees in y and z of the products of both, in ascending order of their sum.
PAIRS = np.array([(j, degree - j) for degree in range(DEGREE + 1) for j in range(degree + 1)])

#: For each degree in x, how many of these products there are; rows of coefficients are filled up with zeros.
USED = tuple(int((PAIRS.sum(axis=1) <= DEGREE - i).sum()) for i in range(DEGREE + 1))
ROWS = tuple(-(-used // _WIDTH) * _WIDTH for used in USED)

#: Coefficients of one component.
TERMS = sum(ROWS)


@njit(cache=True)
def powers(t):
    """Chebyshev polynomials of degree 0 to 7 of a number, in single precision."""
    t = np.float32(t)
    d = t + t
    t2 = d * t - np.float32(1.0)
    t3 = d * t2 - t
    t4 = d * t3 - t2
    t5 = d * t4 - t3
    t6 = d * t5 - t4
    return np.float32(1.0), t, t2, t3, t4, t5, t6, d * t6 - t5


@njit(cache=True)
def products(a, b, out):
    """Products of the polynomials a of y and b of z in the order of `PAIRS`: out (ROWS[0],), its last ones untouched.

    Written out, because loops over them take ten times as long.
    """
    out[0] = a[0] * b[0]
    out[1], out[2] = a[0] * b[1], a[1] * b[0]
    out[3], out[4], out[5] = a[0] * b[2], a[1] * b[1], a[2] * b[0]
    out[6], out[7], out[8], out[9] = a[0] * b[3], a[1] * b[2], a[2] * b[1], a[3] * b[0]
    out[10], out[11], out[12], out[13], out[14] = a[0] * b[4], a[1] * b[3], a[2] * b[2], a[3] * b[1], a[4] * b[0]
    out[15], out[16], out[17] = a[0] * b[5], a[1] * b[4], a[2] * b[3]
    out[18], out[19], out[20] = a[3] * b[2], a[4] * b[1], a[5] * b[0]
    out[21], out[22], out[23], out[24] = a[0] * b[6], a[1] * b[5], a[2] * b[4], a[3] * b[3]
    out[25], out[26], out[27] = a[4] * b[2], a[5] * b[1], a[6] * b[0]
    out[28], out[29], out[30], out[31] = a[0] * b[7], a[1] * b[6], a[2] * b[5], a[3] * b[4]
    out[32], out[33], out[34], out[35] = a[4] * b[3], a[5] * b[2], a[6] * b[1], a[7] * b[0]


@intrinsic
def value(typing_context, coefficients, along, turned, pairs):
    """Component of a leaf's vector along `turned`: the sum over c, i and k of turned[c] f[c, i, k] along[i] pairs[k].

    coefficients (3, TERMS) float32 holds for each component the `ROWS`, one after the other, along the `powers` of x,
    turned three numbers, pairs (ROWS[0],) the `products` of y and z; all float32, arrays contiguous.
    """
    single = types.float32
    numbers = types.UniTuple(single, DEGREE + 1), types.UniTuple(single, 3)
    arrays = types.Array(single, 2, "C"), types.Array(single, 1, "C")
    if (along, turned) != numbers or any(
        (given.dtype, given.ndim, given.layout) != (kind.dtype, kind.ndim, kind.layout)
        for given, kind in zip((coefficients, pairs), arrays, strict=True)
    ):
        return None

    def generate(context, builder, signature, arguments):
        f, p = (
            context.make_array(kind)(context, builder, arguments[n]).data for kind, n in ((coefficients, 0), (pairs, 3))
        )
        weights = [[_splat(builder, x) for x in cgutils.unpack_tuple(builder, arguments[n])] for n in (1, 2)]
        return _sum(builder, f, *weights, p)

    return single(coefficients, along, turned, pairs), generate


_VECTOR = ir.VectorType(ir.FloatType(), _WIDTH)


def _sum(builder, coefficients, along, turned, pairs):
    """Instructions of `value`."""
    total = ir.Constant(_VECTOR, None)
    for first in range(0, ROWS[0], _WIDTH):
        row, part = 0, ir.Constant(_VECTOR, None)
        for factor, length in zip(along, ROWS, strict=True):
            if first < length:
                terms = [_load(builder, coefficients, c * TERMS + row + first) for c in range(3)]
                mixed = builder.fmul(turned[0], terms[0])
                for weight, term in zip(turned[1:], terms[1:], strict=True):
                    mixed = _fma(builder, weight, term, mixed)
                part = _fma(builder, factor, mixed, part)
            row += length
        total = _fma(builder, part, _load(builder, pairs, first), total)
    return _in_pairs(builder, total)


def _splat(builder, number):
    vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), _WIDTH), None)
    return builder.shuffle_vector(vector, vector, zeros)


def _load(builder, data, first):
    place = builder.gep(data, [ir.Constant(ir.IntType(64), first)])
    return builder.load(builder.bitcast(place, _VECTOR.as_pointer()), align=4)


def _fma(builder, a, b, c):
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{_WIDTH}f32")
    return builder.call(function, [a, b, c])


def _in_pairs(builder, vector):
    """Sum of a vector's numbers, always in the same order."""
    numbers = [builder.extract_element(vector, ir.Constant(ir.IntType(32), k)) for k in range(_WIDTH)]
    while len(numbers) > 1:
        half = len(numbers) // 2
        numbers = [builder.fadd(numbers[k], numbers[half + k]) for k in range(half)]
    return numbers[0]
