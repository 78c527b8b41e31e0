"""Typed access to the JSON of ``.tcd`` files: every value is checked where it is taken, and named when wrong."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError
from efield.io.bounded.cursor import Cursor
from efield.io.bounded.inflate import allowed, inflated

#: The largest .tcd file read; parsed JSON takes some ten times its size in memory.
_LARGEST_BYTES: Final = 1 << 28

#: How pickled data start: protocol 2 and later have an opcode and a version, NumPy's own format a magic word.
_PICKLE_STARTS: Final = tuple(bytes([0x80, version]) for version in range(2, 6))


@dataclass
class Allowance:
    """Bytes that all packed arrays of one file may still unpack to."""

    left: int


@dataclass(frozen=True)
class Node:
    """A value in a JSON document, and the way to it."""

    cursor: Cursor
    value: Any
    where: str
    allowance: Allowance

    @classmethod
    def document(cls, cursor: Cursor) -> "Node":
        """The whole document, which must be an object."""
        if len(cursor.data) > _LARGEST_BYTES:
            raise cursor.error(f"a .tcd file must be below 256 MB; instead it has {len(cursor.data) >> 20} MB")
        try:
            value = json.loads(cursor.data)
        except (ValueError, RecursionError) as error:
            raise cursor.error(f"a .tcd file must be valid JSON; instead: {str(error)[:200]}; copy it again") from error
        if not isinstance(value, dict):
            raise cursor.error("a .tcd file must hold a JSON object; instead it holds something else")
        return cls(cursor, value, "", Allowance(allowed(len(cursor.data))))

    def error(self, must: str) -> FileFormatError:
        """The error for a value that is not what it must be."""
        received = f"{type(self.value).__name__} {str(self.value)[:40]!r}"
        return self.cursor.error(f"{self.where or 'the document'} must be {must}; instead received {received}")

    def get(self, key: str) -> "Node | None":
        """The entry of an object, None where it is missing or null."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        value = self.value.get(key)
        where = f"{self.where}.{key}" if self.where else key
        return None if value is None else Node(self.cursor, value, where, self.allowance)

    def need(self, key: str) -> "Node":
        """The entry of an object, an error where it is missing."""
        node = self.get(key)
        if node is None:
            raise self.cursor.error(f"{self.where or 'the document'} must have {key!r}; instead it is missing")
        return node

    def entries(self, key: str) -> list["Node"]:
        """The nodes of a list, none where it is missing."""
        node = self.get(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            raise node.error("a list")
        return [Node(self.cursor, v, f"{node.where}[{k}]", self.allowance) for k, v in enumerate(node.value)]

    def text(self, key: str) -> str:
        """A string, empty where it is missing."""
        node = self.get(key)
        if node is not None and not isinstance(node.value, str | int | float):
            raise node.error("a text")
        return "" if node is None else str(node.value)

    def integer(self) -> int:
        """A whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or abs(self.value) > 2**31:
            raise self.error("a whole number")
        return self.value

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not abs(self.value) < 1e15:
            raise self.error("a finite number")
        return float(self.value)

    def array(self, shape: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
        """An array of the shape given, with -1 for any length: nested lists, or base64 of zlib of its bytes.

        Raises
        ------
        FileFormatError
            If it is neither, has another shape, is not finite, or is packed as a pickle.
        """
        array = self._unpacked(shape, dtype) if isinstance(self.value, str) else self._listed(dtype)
        fits = array.ndim == len(shape) and all(n in (-1, m) for n, m in zip(shape, array.shape, strict=True))
        if not fits or not np.isfinite(array).all():
            expected = " x ".join("n" if n < 0 else str(n) for n in shape)
            raise self.cursor.error(
                f"{self.where} must be {expected} finite numbers; instead its shape is {array.shape}"
            )
        return array

    def _listed(self, dtype: Any) -> NDArray[Any]:
        try:
            array = np.array(self.value)
        except (ValueError, TypeError, OverflowError) as error:
            raise self.error("nested lists of equal length") from error
        if array.dtype.kind not in "if" or (np.dtype(dtype).kind == "i" and array.dtype.kind != "i" and array.size):
            raise self.error("nested lists of numbers")
        return array.astype(dtype)

    def _unpacked(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        try:
            packed = base64.b64decode(self.value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.error("numbers or valid base64") from error
        content = inflated(packed, self.allowance.left)
        if content is None:
            raise self.cursor.error(f"{self.where} must be packed with zlib; instead it is damaged")
        self.allowance.left -= len(content)
        if self.allowance.left < 0:
            raise self.cursor.error(f"{self.where} must not unpack to far more than the file's size; it is damaged")
        # The bytes are never given to pickle, which runs whatever code they name.
        pickled = content.startswith(_PICKLE_STARTS) and content.endswith(b".") and b"numpy" in content[:256]
        if pickled or shape.count(-1) > 1:
            raise self.cursor.error(
                f"{self.where} must be nested lists of numbers; "
                "instead it is packed as a pickle, which can run code "
                "when it is opened; save the coil as .nii.gz in the program that wrote it"
            )
        row = int(np.prod([n for n in shape if n > 0]))
        if len(content) % (8 * row):
            raise self.cursor.error(f"{self.where} must be rows of {row} numbers of 8 bytes; instead it is damaged")
        return np.frombuffer(content, "<i8" if np.dtype(dtype).kind == "i" else "<f8").reshape(shape).astype(dtype)


def packed(array: NDArray[Any]) -> str:
    """The text that `Node.array` unpacks."""
    import zlib

    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()
