"""Decompression that stops: a few bytes of a damaged or hostile file can stand for gigabytes of zeros."""

import lzma
import zlib
from typing import Final

#: Coordinates, numbers and fields compress a few times; labels and empty air some hundred times.
_LARGEST_RATIO: Final = 250
_ALWAYS_ALLOWED: Final = 1 << 25
_PIECE: Final = 1 << 22

_ZLIB: Final = 15
_GZIP: Final = 31


def allowed(compressed: int) -> int:
    """How many bytes `compressed` bytes may become: 32 MiB, or 250 times as many."""
    return max(_ALWAYS_ALLOWED, _LARGEST_RATIO * compressed)


def inflated(data: bytes, limit: int, *, gzip: bool = False) -> bytes | None:
    """The content of a zlib or gzip stream, at most `limit` bytes of it.

    Returns
    -------
    bytes or None
        None if the stream is damaged. A stream that is longer than `limit` gives `limit` + 1 bytes.
    """
    parts: list[bytes] = []
    size, rest = 0, data
    try:
        while rest and size <= limit:  # a gzip file may hold several streams one after the other
            stream = zlib.decompressobj(_GZIP if gzip else _ZLIB)
            while not stream.eof and size <= limit:
                part = stream.decompress(rest, min(_PIECE, limit + 1 - size))
                rest = stream.unconsumed_tail
                if not part and not rest and not stream.eof:
                    return None
                parts.append(part)
                size += len(part)
            rest = stream.unused_data if gzip else b""
            if not rest.startswith(b"\x1f\x8b"):
                break  # padding after the last stream
    except zlib.error:
        return None
    return b"".join(parts)


def unpacked(data: bytes, limit: int) -> bytes | None:
    """The same for an LZMA (xz) stream."""
    try:
        stream = lzma.LZMADecompressor(memlimit=1 << 28)
        return stream.decompress(data, limit + 1)
    except (lzma.LZMAError, EOFError):
        return None
