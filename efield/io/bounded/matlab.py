"""The numeric arrays of a MATLAB file of version 5 to 7, also those inside structures and cells.

SciPy's reader is not used: a damaged file can make it crash the process.

References
----------
MathWorks. MAT-File Format (level 5), R2023b.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from math import prod
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, doubles
from efield.io.bounded.inflate import allowed, inflated

_HEADER: Final = 128
_DEEPEST: Final = 16

#: Types of elements, and the numbers that some of them hold.
_INT32, _UINT32, _MATRIX, _COMPRESSED = 5, 6, 14, 15
_NUMBERS: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}

#: Classes of arrays.
_CELL, _STRUCT, _FIRST_NUMERIC, _LAST_NUMERIC = 1, 2, 6, 15
_COMPLEX: Final = 0x800

Named = tuple[str, NDArray[np.float64]]


def numeric_arrays(cursor: Cursor) -> list[Named]:
    """Every real numeric array of a file with its name, ``a.b`` inside a structure, in the order of the file.

    Raises
    ------
    FileFormatError
        If the file is of another version, truncated, or unpacks to far more than its size.
    """
    if cursor.data[:8] == b"\x89HDF\r\n\x1a\n" or cursor.data.startswith(b"MATLAB 7.3"):
        raise cursor.error("a .mat file must be of version 7 or older; instead it is 7.3: save it with -v7")
    mark = cursor.data[126:128]
    if len(cursor.data) < _HEADER or mark not in (b"IM", b"MI"):
        raise cursor.error("a .mat file must be a MATLAB file of version 5 to 7; instead it is something else")
    reader = _Reader(cursor, "<" if mark == b"IM" else ">", allowed(len(cursor.data)))
    return list(reader.variables(memoryview(cursor.data)[_HEADER:]))


@dataclass
class _Reader:
    cursor: Cursor
    order: Literal["<", ">"]
    left: int

    def variables(self, data: memoryview) -> Iterator[Named]:
        for kind, content in self._elements(data):
            if kind == _COMPRESSED:
                unpacked = inflated(bytes(content), self.left)
                if unpacked is None or len(unpacked) > self.left:
                    raise self.cursor.error("variables must unpack to no more than their data allow; damaged file")
                self.left -= len(unpacked)
                for inner, matrix in self._elements(memoryview(unpacked)):
                    if inner == _MATRIX:
                        yield from self._matrix(matrix, "", 0)
            elif kind == _MATRIX:
                yield from self._matrix(content, "", 0)

    def _elements(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Type and content of each element; one of at most four bytes may be packed into its tag."""
        place = 0
        while place + 8 <= len(data):
            kind, size = np.frombuffer(data, f"{self.order}u4", 2, place).tolist()
            start, packed = place + 8, bool(kind >> 16)
            if packed:
                start, kind, size = place + 4, kind & 0xFFFF, kind >> 16
            stop = start + size
            place = place + 8 if packed else stop if kind == _COMPRESSED else stop + -size % 8
            if stop > len(data) or (packed and size > 4):
                raise self.cursor.truncated("a variable")
            yield kind, data[start:stop]

    def _matrix(self, data: memoryview, path: str, depth: int) -> Iterator[Named]:
        parts = self._elements(data)
        flags, sizes, name = (self._part(parts) for _ in range(3))
        if flags[0] != _UINT32 or sizes[0] != _INT32 or depth > _DEEPEST:
            raise self.cursor.error("a variable must begin with its class and size; instead it is damaged")
        word = int(self._numbers(*flags)[0]) if len(flags[1]) >= 4 else 0
        path = ".".join(part for part in (path, bytes(name[1]).decode("latin-1")) if part)
        kind = word & 0xFF
        if _FIRST_NUMERIC <= kind <= _LAST_NUMERIC and not word & _COMPLEX:
            values, shape = self._numbers(*self._part(parts)), tuple(self._numbers(*sizes).tolist())
            # Exact whole numbers: dimensions of a damaged file multiply to more than any integer of NumPy.
            if min(shape, default=0) < 0 or prod(shape) != len(values):
                raise self.cursor.error(f"variable {path[:40]!r} must have as many numbers as its size says; damaged")
            yield path, doubles(values).reshape(shape, order="F")
        elif kind == _STRUCT:
            width, names = self._part(parts), self._part(parts)
            yield from self._inside(parts, self._fields(width, names), path, depth)
        elif kind == _CELL:
            yield from self._inside(parts, [""], path, depth)

    def _inside(
        self, parts: Iterator[tuple[int, memoryview]], fields: list[str], path: str, depth: int
    ) -> Iterator[Named]:
        """The arrays of a structure or a cell; fields run faster than elements."""
        for (kind, content), field in zip(parts, cycle(fields or [""]), strict=False):
            if kind == _MATRIX and len(content):
                yield from self._matrix(content, ".".join(part for part in (path, field) if part), depth + 1)

    def _fields(self, width: tuple[int, memoryview], names: tuple[int, memoryview]) -> list[str]:
        size = int(self._numbers(*width)[0]) if width[0] == _INT32 and len(width[1]) >= 4 else 0
        text = bytes(names[1])
        if size <= 0:
            raise self.cursor.error("a structure must say how long its names are; instead it is damaged")
        return [text[k : k + size].split(b"\0")[0].decode("latin-1") for k in range(0, len(text), size)]

    def _part(self, parts: Iterator[tuple[int, memoryview]]) -> tuple[int, memoryview]:
        part = next(parts, None)
        if part is None:
            raise self.cursor.truncated("a variable")
        return part

    def _numbers(self, kind: int, content: memoryview) -> NDArray[Any]:
        dtype = _NUMBERS.get(kind)
        if dtype is None or len(content) % int(dtype[1]):
            raise self.cursor.error(f"numbers must be of a known type; instead it is {kind}; damaged file")
        return np.frombuffer(content, np.dtype(dtype).newbyteorder(self.order))
