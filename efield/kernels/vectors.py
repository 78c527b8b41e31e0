"""Instructions on LLVM's vectors, for sums of which the compiler makes none because it must keep their order."""

from llvmlite import ir
from numba.core import cgutils

#: Numbers in a vector register.
WIDTH = 8


def read(builder, data, element, number, width=WIDTH):
    """Vector `number` of an array, or with a width of 1 its number of that index; `element` is the type of one."""
    kind = element if width == 1 else ir.VectorType(element, width)
    place = builder.gep(builder.bitcast(data, kind.as_pointer()), [number])
    return builder.load(place, align=_bits(element) // 8)


def fma(builder, a, b, c):
    """a times b plus c, rounded once; vectors or numbers."""
    name = f"v{c.type.count}f{_bits(c.type.element)}" if isinstance(c.type, ir.VectorType) else f"f{_bits(c.type)}"
    kind = ir.FunctionType(c.type, [c.type] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.{name}"), [a, b, c])


def splat(builder, number):
    """A vector that holds one number in every place."""
    vector = builder.insert_element(
        ir.Constant(ir.VectorType(number.type, WIDTH), ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
    )
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), None))


def in_pairs(builder, vectors):
    """Sum of all numbers of a power of two of vectors, always in the same order."""
    total = _halved(builder, vectors)
    lanes = [builder.extract_element(total, ir.Constant(ir.IntType(32), lane)) for lane in range(WIDTH)]
    return _halved(builder, lanes)


def _halved(builder, values):
    while len(values) > 1:
        half = len(values) // 2
        values = [builder.fadd(values[i], values[half + i]) for i in range(half)]
    return values[0]


def _bits(number):
    """Size of a type of LLVM's."""
    return number.width if isinstance(number, ir.IntType) else {"float": 32, "double": 64}[str(number)]
