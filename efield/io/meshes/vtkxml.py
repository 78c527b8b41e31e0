"""The XML container of VTK files: data arrays as text, base64 or appended raw bytes, compressed or not."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, numbers
from efield.io.bounded.inflate import allowed, inflated, unpacked
from efield.io.bounded.markup import parse as parse_markup

_TYPES: Final = {
    **{f"{sign}Int{8 * size}": f"{sign[:1].lower() or 'i'}{size}" for sign in ("", "U") for size in (1, 2, 4, 8)},
    "Float32": "f4",
    "Float64": "f8",
}
_GROUPS: Final = ("Points", "Cells", "CellData", "PointData")


@dataclass
class _Array:
    group: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)


@dataclass
class VtkFile:
    """The arrays of a VTK XML file, decoded when asked for."""

    cursor: Cursor
    attributes: dict[str, str] = field(default_factory=dict)
    arrays: list[_Array] = field(default_factory=list)
    pieces: int = 0
    appended: memoryview = field(default_factory=lambda: memoryview(b""))
    raw: bool = True
    left: int = 0

    @property
    def _order(self) -> Literal["<", ">"]:
        return ">" if self.attributes.get("byte_order") == "BigEndian" else "<"

    def named(self, group: str, name: str) -> NDArray[Any]:
        """The array `name` of a group, an error if it is missing."""
        for array in self.arrays:
            if array.group == group and array.attributes.get("Name", "").lower() == name:
                return self._decoded(array)
        raise self.cursor.error(f"the file must have an array {name!r} in {group}; instead it has none; damaged file")

    def only(self, group: str) -> NDArray[Any]:
        """The one array of a group."""
        arrays = [array for array in self.arrays if array.group == group]
        if len(arrays) != 1:
            raise self.cursor.error(f"the file must have one array in {group}; instead it has {len(arrays)}")
        return self._decoded(arrays[0])

    def group(self, group: str) -> dict[str, NDArray[Any]]:
        """All numeric arrays of a group by name."""
        arrays = [a for a in self.arrays if a.group == group and a.attributes.get("type") in _TYPES]
        return {a.attributes.get("Name") or f"array {k}": self._decoded(a) for k, a in enumerate(arrays)}

    def _decoded(self, array: _Array) -> NDArray[Any]:
        name = array.attributes.get("Name") or array.group
        kind = _TYPES.get(array.attributes.get("type", ""))
        if kind is None:
            raise self.cursor.error(f"array {name!r} must be of a VTK number type; instead received none; damaged file")
        if array.attributes.get("format") == "ascii":
            text = numbers("".join(array.text).encode(), np.dtype(kind))
            if text is None:
                raise self.cursor.error(f"array {name!r} must hold numbers; instead it is damaged")
            flat = text
        else:
            data = self._bytes(array, name)
            if len(data) % np.dtype(kind).itemsize:
                raise self.cursor.truncated(f"array {name!r}")
            flat = np.frombuffer(data, np.dtype(kind).newbyteorder(self._order)).astype(kind, copy=False)
        # Any number of arrays may point at the same stored bytes.
        self.left -= flat.nbytes
        if self.left < 0:
            raise self.cursor.error("arrays must not unpack to far more than the size of the file; damaged file")
        components = array.attributes.get("NumberOfComponents", "1")
        if components in ("0", "1"):
            return flat
        if not (components.isascii() and components.isdigit() and len(components) < 4) or len(flat) % int(components):
            raise self.cursor.error(f"array {name!r} must hold rows of {components[:9]} numbers; instead it does not")
        return flat.reshape(-1, int(components))

    def _bytes(self, array: _Array, name: str) -> bytes:
        if array.attributes.get("format") == "appended":
            offset = array.attributes.get("offset", "")
            if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
                raise self.cursor.error(f"array {name!r} must state its offset; instead received {offset[:20]!r}")
            source, raw = self.appended[int(offset) :], self.raw
        else:
            source, raw = memoryview("".join(array.text).strip().encode()), False
        return self._content(source, raw, name)

    def _content(self, source: memoryview, raw: bool, name: str) -> bytes:
        """One stored array: a header of counts, then its bytes, as such or in compressed blocks."""
        word = np.dtype("u8" if self.attributes.get("header_type") == "UInt64" else "u4")
        word = word.newbyteorder(self._order)
        reader = _Stream(self.cursor, source, raw, name)
        if not self.attributes.get("compressor"):
            size = int(np.frombuffer(reader.take(word.itemsize, 0), word)[0])
            return reader.take(size, word.itemsize)
        blocks = int(np.frombuffer(reader.take(word.itemsize, 0), word)[0])
        if blocks == 0:
            return b""
        if (3 + blocks) * word.itemsize > len(source):
            raise self.cursor.truncated(f"array {name!r}")
        header = np.frombuffer(reader.take((3 + blocks) * word.itemsize, 0), word).astype(np.float64)
        sizes = np.append(np.full(blocks - 1, header[1]), header[2] or header[1])
        if header[3:].sum() > len(source) or sizes.sum() > self.left:
            raise self.cursor.error(f"array {name!r} must not unpack to more than its data allow; damaged file")
        packed = reader.stream((3 + blocks) * word.itemsize, int(header[3:].sum()))
        stops = np.cumsum(header[3:]).astype(int).tolist()
        parts = [self._unpacked(packed[a:b], int(n), name) for a, b, n in zip([0, *stops], stops, sizes, strict=False)]
        return b"".join(parts)

    def _unpacked(self, block: bytes, size: int, name: str) -> bytes:
        compressor = self.attributes["compressor"]
        if compressor not in ("vtkZLibDataCompressor", "vtkLZMADataCompressor"):
            raise self.cursor.error(f"data must be compressed with zlib or LZMA; instead {compressor[:40]}; save again")
        part = (inflated if compressor == "vtkZLibDataCompressor" else unpacked)(block, size)
        if part is None or len(part) != size:
            raise self.cursor.error(f"array {name!r} must unpack to the size it states; instead it is damaged")
        return part


@dataclass
class _Stream:
    """Stored bytes of one array: raw, or base64 in which header and compressed data are encoded apart."""

    cursor: Cursor
    source: memoryview
    raw: bool
    name: str

    def take(self, count: int, skip: int) -> bytes:
        """`count` bytes after the first `skip`, from one encoded piece."""
        if self.raw:
            return self._checked(bytes(self.source[skip : skip + count]), count)
        # Four characters carry three bytes.
        needed = -(-(count + skip) // 3) * 4
        return self._checked(self._decoded(self.source[:needed])[skip : skip + count], count)

    def stream(self, header: int, count: int) -> bytes:
        """`count` bytes of the piece after a header of `header` bytes."""
        if self.raw:
            return self.take(count, header)
        start = -(-header // 3) * 4
        return self._checked(self._decoded(self.source[start : start - (-count // 3) * 4])[:count], count)

    def _decoded(self, text: memoryview) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.cursor.error(f"array {self.name!r} must be valid base64; instead it is damaged") from error

    def _checked(self, data: bytes, count: int) -> bytes:
        if len(data) != count:
            raise self.cursor.truncated(f"array {self.name!r}")
        return data


def parse(cursor: Cursor, kind: str) -> VtkFile:
    """The arrays of a VTK XML file of one piece.

    Raises
    ------
    FileFormatError
        If the file is not XML, declares entities, is of another VTK type, or has not exactly one piece.
    """
    file = VtkFile(cursor, left=allowed(len(cursor.data)))
    markup = _without_appended(cursor, file)
    parser = expat.ParserCreate()
    _listen(parser, file)
    parse_markup(parser, cursor, markup)
    found = file.attributes.get("type", "none")
    if found != kind:
        raise cursor.error(f"the VTK type must be {kind}; instead received {found[:40]}; is it the right file?")
    if file.pieces != 1:
        raise cursor.error(f"the grid must be in one piece; instead it has {file.pieces}; merge them in ParaView")
    return file


def _without_appended(cursor: Cursor, file: VtkFile) -> bytes:
    """The markup alone; the appended section may hold raw bytes that are not XML."""
    start = cursor.data.find(b"<AppendedData")
    if start < 0:
        return cursor.data
    underscore = cursor.data.find(b"_", start, start + 256)
    stop = cursor.data.rfind(b"</AppendedData>")
    if underscore < 0 or stop < underscore:
        raise cursor.truncated("the appended data")
    file.raw = b"base64" not in cursor.data[start:underscore]
    file.appended = memoryview(cursor.data)[underscore + 1 : stop]
    return cursor.data[:start] + b"</VTKFile>"


def _listen(parser: expat.XMLParserType, file: VtkFile) -> None:
    """Collect the arrays while the parser goes through the markup."""
    open_elements: list[str] = []
    current: list[_Array] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "VTKFile":
            file.attributes = attributes
        file.pieces += name == "Piece"
        if name == "DataArray" and open_elements and open_elements[-1] in _GROUPS:
            current.append(_Array(open_elements[-1], attributes))
        open_elements.append(name)

    def end(name: str) -> None:
        open_elements.pop()
        if name == "DataArray":
            file.arrays.extend(current)
            current.clear()

    def characters(text: str) -> None:
        if current and open_elements[-1] == "DataArray":
            current[-1].text.append(text)

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
