"""A position in the bytes of a file: every read checks first that the bytes are there."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from efield.ground.errors import FileFormatError, InputError
from efield.io.bounded.stand_in import check_no_stand_in

#: The longest line of text in the formats read here; a longer one is binary data taken for text.
_LONGEST_LINE = 4096


def file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file that exists and is not empty.

    Raises
    ------
    FileFormatError
        If the file is missing, a folder, unreadable, empty, or a stand-in for another (a Git LFS pointer, a web page).
    """
    place = Path(path)
    if not place.exists():
        raise FileFormatError(f"{place} does not exist; check the path")
    if not place.is_file():
        raise FileFormatError(f"{place} must be a file; instead it is a folder or a device")
    try:
        data = place.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{place} cannot be read: {error.strerror}") from error
    if not data:
        raise FileFormatError(f"{place} is empty; it was probably not copied or written completely")
    check_no_stand_in(place, data)
    return data


def numbers(text: bytes, dtype: DTypeLike) -> NDArray[Any] | None:
    """All the whitespace-separated numbers in `text`, or None if something else stands there."""
    if not text.strip():
        return np.empty(0, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=dtype, sep=" ")
        except (DeprecationWarning, ValueError, OverflowError):
            return None


def doubles(values: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers of a file in double precision, without a warning of signaling NaNs: who needs them looks at that."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


@dataclass
class Cursor:
    """Bytes of a file and how far they have been read.

    Parameters
    ----------
    path : Path
        Named in every error.
    data : bytes
        The whole file.
    position : int
        Next byte to read.
    """

    path: Path
    data: bytes
    position: int = 0

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Cursor":
        """A cursor at the start of a file."""
        return cls(Path(path), file_bytes(path))

    @property
    def remaining(self) -> int:
        """Number of bytes not yet read."""
        return len(self.data) - self.position

    def error(self, message: str) -> FileFormatError:
        """The error to raise, with the file named."""
        return FileFormatError(f"{self.path}: {message}")

    @contextmanager
    def naming(self, what: str) -> Iterator[None]:
        """What this block finds wrong with `what` becomes an error with the file named."""
        try:
            yield
        except FileFormatError:
            raise
        except (InputError, ValueError, TypeError, OverflowError) as error:
            raise self.error(f"{what}: {error}") from error

    def truncated(self, what: str) -> FileFormatError:
        """The error for a file that ends, or has a wrong count, inside `what`."""
        return self.error(f"{what} must be complete; instead the file ends early or its count is wrong; copy it again")

    def line(self, what: str) -> str:
        """The next line of text, stripped."""
        end = self.data.find(b"\n", self.position, self.position + _LONGEST_LINE)
        if end < 0:
            if self.remaining > _LONGEST_LINE:
                raise self.error(f"{what} must be a line of text; instead it is binary data or damaged")
            if not self.remaining:
                raise self.truncated(what)
            end = len(self.data)
        text = self.data[self.position : end].decode("utf-8", errors="replace").strip()
        self.position = min(end + 1, len(self.data))
        return text

    def integer(self, what: str) -> int:
        """A line that holds one integer >= 0."""
        text = self.line(what)
        # int() alone would also take "1_000", and thousands of digits at quadratic cost.
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise self.error(f"{what} must be a count >= 0; instead received {text[:40]!r}; the file is damaged")
        return int(text)

    def array(self, dtype: DTypeLike, count: int, what: str) -> NDArray[Any]:
        """The next `count` items of binary data, as a view."""
        kind = np.dtype(dtype)
        if count < 0 or count * kind.itemsize > self.remaining:
            raise self.truncated(what)
        view = np.frombuffer(self.data, dtype=kind, count=count, offset=self.position)
        self.position += count * kind.itemsize
        return view

    def text_until(self, end: bytes, what: str) -> bytes:
        """The bytes up to the marker `end`, which is passed over with the rest of its line."""
        stop = self.data.find(end, self.position)
        if stop < 0:
            raise self.truncated(what)
        text = self.data[self.position : stop]
        newline = self.data.find(b"\n", stop)
        self.position = len(self.data) if newline < 0 else newline + 1
        return text

    def expect_end(self, end: bytes, what: str) -> None:
        """Pass over a line that must be `end`; SimNIBS writes it right after the data, Gmsh on a new line."""
        if self.data[self.position : self.position + 2] == b"\r\n":
            self.position += 2
        elif self.data[self.position : self.position + 1] == b"\n":
            self.position += 1
        if self.data[self.position : self.position + len(end)] != end:
            raise self.truncated(what)
        self.line(what)
