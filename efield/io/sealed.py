"""The keeper of whole files: written completely or not at all, and read only if they are as they were written.

Every file carries a seal, the SHA-256 of what it belongs to (a text, the context), its name and its content. A file
that was cut, changed, renamed, or made for something else is refused before it is looked into.

    write_note, read_note        plain values, JSON; the seal is one of them
    write_array, read_array      one array, `.npy`, the seal at its end, where NumPy does not look
    write_arrays, read_arrays    named arrays in one file: a line of JSON that lists them, their bytes, the seal

Nothing is unpickled, and what reading takes is bounded by the size of the file.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError, InputError
from efield.io.atomic import replacing

_SEAL_BYTES: Final = 32

#: A note is read at once; none of ours comes near.
_LARGEST_NOTE: Final = 1 << 26

#: Arrays of one file begin at multiples of this, as those of `.npy` files do, for vector registers.
_ALIGNMENT: Final = 64

_BLOCK: Final = 1 << 20

#: What `numpy.load` raises for a header that is none; it evaluates it as a Python literal.
_NO_ARRAY: Final = (OSError, ValueError, EOFError, SyntaxError, TypeError, TokenError, OverflowError, RecursionError)


class SealError(FileFormatError):
    """A sealed file that is missing, damaged, or belongs to something else."""


def write_note(
    path: str | os.PathLike[str], note: Mapping[str, Any], *, version: int, context: str = "", lasting: bool = False
) -> None:
    """Write plain values as JSON that people can read; the order of its entries counts.

    Parameters
    ----------
    path : path_like
    note : mapping of str to Any
        What JSON can hold; "format" and "seal" are ours.
    version : int
        Of the note's form; readers of another refuse it.
    context : str
        What it belongs to.
    lasting : bool
        Bring it to the disk, and not only to the system's cache.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written.
    """
    whole = {"format": version, **note}
    text = json.dumps(whole | {"seal": _seal_of_note(Path(path), whole, context)}, indent=1) + "\n"
    with replacing(path, lasting=lasting) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_note(path: str | os.PathLike[str], *, version: int, context: str = "", remedy: str) -> dict[str, Any]:
    """The values that `write_note` wrote.

    Parameters
    ----------
    path, version, context
        As for `write_note`.
    remedy : str
        What to do if it cannot be used; the end of the error's sentence.

    Raises
    ------
    SealError
        If the file is missing, of another version, damaged, or not of this context.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            note = json.loads(file.read(_LARGEST_NOTE))
    except OSError as error:
        raise _not_readable(place, error, remedy) from error
    except (ValueError, RecursionError) as error:
        raise _changed(place, remedy) from error
    found = note.get("format") if isinstance(note, dict) else None
    if isinstance(found, int) and found != version:
        upgrade = "use a newer version of efield, or " if found > version else ""
        raise SealError(f"{place} must have format {version}; instead it has {found}: {upgrade}{remedy}")
    if found is None or note.pop("seal", None) != _seal_of_note(place, note, context):
        raise _changed(place, remedy)
    del note["format"]
    return dict(note)


def write_array(path: str | os.PathLike[str], array: NDArray[Any], *, context: str = "") -> None:
    """Write an array of numbers as a `.npy` file that other programs read, too.

    Parameters
    ----------
    path, context
        As for `write_note`.
    array : ndarray

    Raises
    ------
    InputError
        If the array holds objects, or the folder cannot be written.
    """
    _check_numbers(Path(path).name, array)
    with replacing(path) as temporary, _sealing(temporary, context) as file:
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def read_array(path: str | os.PathLike[str], *, context: str = "", remedy: str, mapped: bool = False) -> NDArray[Any]:
    """The array that `write_array` wrote.

    Parameters
    ----------
    path, context, remedy
        As for `read_note`.
    mapped : bool
        A read-only `numpy.memmap`, which takes memory only where it is used; else an array of the caller's own.

    Raises
    ------
    SealError
        If the file is missing, damaged, or not of this context.
    """
    place = Path(path)
    _check_seal(place, context, remedy)
    try:
        # Also if it is copied: a header may state any size, and a map must fit into the file.
        array = np.load(place, mmap_mode="r", allow_pickle=False)
    except _NO_ARRAY as error:
        raise _changed(place, remedy) from error
    return array if mapped else np.array(array)


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], *, context: str = "") -> None:
    """Write named arrays of numbers to one file, in C order.

    Parameters
    ----------
    path, context
        As for `write_note`.
    arrays : mapping of str to ndarray

    Raises
    ------
    InputError
        If an array holds objects, or the folder cannot be written.
    """
    listed = []
    for name, array in arrays.items():
        _check_numbers(name, array)
        listed.append([name, np.asarray(array).dtype.str, list(np.shape(array))])
    head = json.dumps(listed).encode() + b"\n"
    with replacing(path) as temporary, _sealing(temporary, context) as file:
        file.write(head)
        written = len(head)
        for array in arrays.values():
            padding = -written % _ALIGNMENT
            file.write(b"\0" * padding)
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            written += padding + np.asarray(array).nbytes


def read_arrays(path: str | os.PathLike[str], *, context: str = "", remedy: str) -> dict[str, NDArray[Any]]:
    """The arrays that `write_arrays` wrote.

    Parameters
    ----------
    path, context, remedy
        As for `read_array`.

    Raises
    ------
    SealError
        If the file is missing, damaged, or not of this context.
    """
    place = Path(path)
    _check_seal(place, context, remedy)
    try:
        whole = np.memmap(place, dtype=np.uint8, mode="r")[:-_SEAL_BYTES]
        with place.open("rb") as file:
            head = file.readline()
        found, at = {}, len(head)
        for name, code, shape in json.loads(head):
            at += -at % _ALIGNMENT
            dtype, size = np.dtype(code), prod(shape)
            if min(shape, default=0) < 0:
                raise ValueError(shape)
            found[name] = np.array(whole[at : at + size * dtype.itemsize].view(dtype).reshape(shape))
            at += found[name].nbytes
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _changed(place, remedy) from error
    return found


def digest_of(path: str | os.PathLike[str]) -> str | None:
    """SHA-256 of a file that others write, such as a chunk of Zarr's; None if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, file: BinaryIO, state: Any) -> None:
        self._file, self._state = file, state

    def write(self, data: Any) -> int:
        self._state.update(data)
        return self._file.write(data)


@contextmanager
def _sealing(path: Path, context: str) -> Iterator[_Hashed]:
    """The file at `path`, with a seal at its end when the block ends."""
    state = _begun(path, context)
    with path.open("wb") as file:
        yield _Hashed(file, state)
        file.write(state.digest())


def _begun(path: Path, context: str) -> Any:
    return hashlib.sha256(json.dumps([context, path.name]).encode())


def _seal_of_note(path: Path, note: Mapping[str, Any], context: str) -> str:
    state = _begun(path, context)
    state.update(json.dumps(note).encode())
    return str(state.hexdigest())


def _check_seal(path: Path, context: str, remedy: str) -> None:
    state = _begun(path, context)
    try:
        with path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size - _SEAL_BYTES
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                state.update(block)
                left -= len(block)
            unchanged = left == 0 and file.read() == state.digest()
    except OSError as error:
        raise _not_readable(path, error, remedy) from error
    if not unchanged:
        raise _changed(path, remedy)


def _check_numbers(name: str, array: NDArray[Any]) -> None:
    if np.asarray(array).dtype.hasobject:
        raise InputError(f"{name} must be an array of numbers; instead it holds objects, which are not stored")


def _not_readable(path: Path, error: OSError, remedy: str) -> SealError:
    return SealError(f"{path} must be a file that efield wrote; it cannot be read ({error.strerror}): {remedy}")


def _changed(path: Path, remedy: str) -> SealError:
    return SealError(
        f"{path} must be as it was written; instead it was changed or cut, or belongs to something else: {remedy}"
    )
