"""Polynomials in three coordinates, of total degree 7, on the leaves of reciprocity's octree.

Products of high powers of several coordinates are left out: in a smooth field they are far smaller than those of one,
and to read them is what takes the time.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from efield.kernels import vectors
from efield.kernels.octree import DEGREE

#: Degrees in y and z of the products of both, in ascending order of their sum.
PAIRS = np.array([(j, degree - j) for degree in range(DEGREE + 1) for j in range(degree + 1)])

#: For each degree in x, how many of these products there are; rows of coefficients are filled up with zeros.
USED = tuple(int((PAIRS.sum(axis=1) <= DEGREE - i).sum()) for i in range(DEGREE + 1))
ROWS = tuple(-(-used // vectors.WIDTH) * vectors.WIDTH for used in USED)

#: Coefficients of one component.
TERMS = sum(ROWS)


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
        weights = [[vectors.splat(builder, x) for x in cgutils.unpack_tuple(builder, arguments[n])] for n in (1, 2)]
        return _sum(builder, f, *weights, p)

    return single(coefficients, along, turned, pairs), generate


def _sum(builder, coefficients, along, turned, pairs):
    """Instructions of `value`."""

    def read(data, first):
        return vectors.read(builder, data, ir.FloatType(), ir.Constant(ir.IntType(64), first // vectors.WIDTH))

    total = ir.Constant(ir.VectorType(ir.FloatType(), vectors.WIDTH), None)
    zero = total
    for first in range(0, ROWS[0], vectors.WIDTH):
        row, part = 0, zero
        for factor, length in zip(along, ROWS, strict=True):
            if first < length:
                terms = [read(coefficients, c * TERMS + row + first) for c in range(3)]
                mixed = builder.fmul(turned[0], terms[0])
                for weight, term in zip(turned[1:], terms[1:], strict=True):
                    mixed = vectors.fma(builder, weight, term, mixed)
                part = vectors.fma(builder, factor, mixed, part)
            row += length
        total = vectors.fma(builder, part, read(pairs, first), total)
    return vectors.in_pairs(builder, [total])
