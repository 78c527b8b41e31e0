"""Messages of OpenIGTLink as bytes: headers of version 1 and 2, and the contents that the server reads and writes.

References
----------
The protocol's documents at https://github.com/openigtlink/OpenIGTLink (Documents/Protocol and Documents/protocols),
versions 1 to 3. All numbers are big-endian.
"""

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.kernels.checksum import crc64

FloatArray = NDArray[np.float64]

_HEADER: Final = struct.Struct(">H12s20sQQQ")
_EXTENDED: Final = struct.Struct(">HHII")
_STATUS: Final = struct.Struct(">Hq20s")
_IMAGE: Final = struct.Struct(">HBBBB3H12f6H")

#: Header versions that can be read; from 2 on the body begins with an extended header.
_VERSIONS: Final = (1, 2, 3)

#: A longer text does not fit into a STRING, whose length has 16 bits.
LONGEST_TEXT: Final = 0xFFFF

#: A body of a type that is not wanted is passed over; one that claims to be longer than this is no body.
_LONGEST_SKIPPED: Final = 1 << 28

#: STATUS codes of the protocol.
OK: Final = 1
NOT_FOUND: Final = 4
BUSY: Final = 6
TIMED_OUT: Final = 7
OVERFLOW: Final = 8
CHECKSUM: Final = 9
UNKNOWN: Final = 12
ENDING: Final = 19

_US_ASCII: Final = 3
_UTF_8: Final = 106
_FLOAT32: Final = 10
_BIG_ENDIAN: Final = 1
_RAS: Final = 1
_POINT_SCALARS: Final = 0x00


@dataclass(frozen=True)
class Message:
    """One message.

    Parameters
    ----------
    kind : str
        Its type, such as ``TRANSFORM`` or ``GET_STATUS``.
    device : str
        Name of the device; at most 20 bytes of ASCII.
    content : bytes
        The body without extended header and metadata.
    stamp : float
        When its data are from, seconds since 1970; 0 if it is not said.
    version : int
        Of the header.
    number : int
        The message's own, from the extended header; 0 in version 1.
    intact : bool
        Whether the checksum agrees with the body.
    """

    kind: str
    device: str
    content: bytes = b""
    stamp: float = 0.0
    version: int = 1
    number: int = 0
    intact: bool = True


def packed(message: Message) -> bytes:
    """The bytes of a message; in version 2 with an extended header and no metadata."""
    body = message.content
    if message.version >= 2:
        # The metadata is a count of zero entries, as the protocol's own library writes it.
        body = _EXTENDED.pack(_EXTENDED.size, 2, 0, message.number & 0xFFFFFFFF) + body + b"\0\0"
    seconds = max(message.stamp, 0.0)
    stamp = (int(seconds) << 32) | int((seconds % 1.0) * 2**32)
    names = message.kind.encode("ascii"), message.device.encode("ascii", "replace")
    return _HEADER.pack(min(message.version, 2), *names, stamp, len(body), checksum(body)) + body


def checksum(body: bytes) -> int:
    """CRC-64 (ECMA-182) of a body."""
    return int(crc64(np.frombuffer(body, np.uint8)))


@dataclass
class Reader:
    """Turns what a peer sends, in pieces of any size, into messages; keeps no more than one message.

    Parameters
    ----------
    wanted : collection of str
        Types of messages whose bodies are kept; others are passed over without being stored.
    longest : int
        Most bytes of a wanted body.
    """

    wanted: Collection[str]
    longest: int = 1 << 20
    _waiting: bytearray = field(default_factory=bytearray)
    _skip: int = 0
    _header: tuple[Message, int, int] | None = None

    @property
    def half(self) -> bool:
        """Whether the rest of a message is awaited."""
        return bool(self._waiting or self._skip or self._header)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with these bytes.

        Raises
        ------
        InputError
            If they cannot be messages, or one claims to be longer than allowed; nothing that follows can be read.
        """
        self._waiting += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> Message | None:
        while True:
            passed = min(self._skip, len(self._waiting))
            del self._waiting[:passed]
            self._skip -= passed
            if self._header is None and (self._skip or len(self._waiting) < _HEADER.size):
                return None
            if self._header is None:
                self._header = self._parsed(bytes(self._waiting[: _HEADER.size]))
                del self._waiting[: _HEADER.size]
            head, size, crc = self._header
            if head.kind not in self.wanted:
                self._skip, self._header = size, None
                continue
            if len(self._waiting) < size:
                return None
            body = bytes(self._waiting[:size])
            del self._waiting[:size]
            self._header = None
            return _complete(head, body, crc)

    def _parsed(self, header: bytes) -> tuple[Message, int, int]:
        version, kind, device, stamp, size, crc = _HEADER.unpack(header)
        name = kind.rstrip(b"\0 ")
        if version not in _VERSIONS or not name.replace(b"_", b"A").isalnum():
            raise InputError(f"an OpenIGTLink message must begin with its version and type; instead: {header[:14]!r}")
        longest = self.longest if name.decode() in self.wanted else _LONGEST_SKIPPED
        if size > longest:
            raise InputError(f"a {name.decode()} message must have at most {longest} bytes; instead it claims {size}")
        label = "".join(chr(c) if 32 <= c < 127 else "?" for c in device.rstrip(b"\0 "))
        return Message(name.decode(), label, stamp=stamp / 2**32, version=version), size, crc


def _complete(head: Message, body: bytes, crc: int) -> Message:
    intact = checksum(body) == crc
    content, number = body, 0
    if head.version >= 2:
        intact = intact and len(body) >= _EXTENDED.size
        size, names, values, number = _EXTENDED.unpack(body[: _EXTENDED.size]) if intact else (0, 0, 0, 0)
        intact = intact and _EXTENDED.size <= size <= len(body) - names - values
        content = body[size : len(body) - names - values]
    return Message(head.kind, head.device, content, head.stamp, head.version, number, intact)


def transform(content: bytes) -> FloatArray:
    """(4, 4) matrix of a TRANSFORM: three columns of axes, then the shift, single precision.

    Raises
    ------
    InputError
        If the length is another.
    """
    if len(content) != 48:
        raise InputError(f"a TRANSFORM must have 48 bytes; instead it has {len(content)}")
    matrix = np.eye(4)
    matrix[:3] = np.frombuffer(content, ">f4").reshape(4, 3).T
    return matrix


def transform_content(matrix: FloatArray) -> bytes:
    """The inverse of `transform`."""
    return np.ascontiguousarray(matrix[:3].T).astype(">f4").tobytes()


def text_content(text: str) -> bytes:
    """Content of a STRING: encoding, length, bytes.

    Raises
    ------
    InputError
        If the text does not fit.
    """
    data = text.encode()
    if len(data) > LONGEST_TEXT:
        raise InputError(f"a STRING must have at most {LONGEST_TEXT} bytes; instead it has {len(data)}")
    return struct.pack(">HH", _US_ASCII if data.isascii() else _UTF_8, len(data)) + data


def status_content(code: int, name: str, text: str) -> bytes:
    """Content of a STATUS: one of the protocol's codes, a short name, and a text that ends with a null."""
    return _STATUS.pack(code, 0, name.encode("ascii", "replace")) + text.encode("ascii", "replace") + b"\0"


def image_content(values: NDArray[np.float32], affine: FloatArray) -> bytes:
    """Content of an IMAGE of one component.

    Parameters
    ----------
    values : (nx, ny, nz) float32
    affine : (4, 4) float
        Voxel to RAS, mm; the message says where the middle of the grid is.
    """
    shape = values.shape
    axes = affine[:3, :3].T.ravel()
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]
    head = _IMAGE.pack(1, 1, _FLOAT32, _BIG_ENDIAN, _RAS, *shape, *axes, *middle, 0, 0, 0, *shape)
    return head + values.astype(">f4").tobytes(order="F")


def polydata_content(
    points: FloatArray, triangles: NDArray[np.integer], scalars: Mapping[str, NDArray[np.floating]]
) -> bytes:
    """Content of a POLYDATA: triangles, and numbers at their points.

    Parameters
    ----------
    points : (p, 3) float, mm
    triangles : (t, 3) int
    scalars : mapping of str to (p,) float
        By name, at most 255 bytes.
    """
    cells = np.full((len(triangles), 4), 3, ">u4")
    cells[:, 1:] = triangles
    # Points; vertices, lines, polygons and strips each as count and bytes; attributes.
    counts = struct.pack(">10I", len(points), 0, 0, 0, 0, len(cells), cells.nbytes, 0, 0, len(scalars))
    kinds = b"".join(struct.pack(">BBI", _POINT_SCALARS, 1, len(values)) for values in scalars.values())
    names = b"".join(name.encode("ascii")[:255] + b"\0" for name in scalars)
    data = b"".join(np.asarray(values).astype(">f4").tobytes() for values in scalars.values())
    return counts + points.astype(">f4").tobytes() + cells.tobytes() + kinds + names + b"\0" * (len(names) % 2) + data
