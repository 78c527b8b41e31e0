"""NumPy's ``.npy`` files from outside."""

import os
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError

#: NumPy itself refuses longer headers, but only after it has made room for them.
_LONGEST_HEADER: Final = 10_000


def _check_header(path: str | os.PathLike[str]) -> None:
    if not Path(path).is_file():
        return
    with Path(path).open("rb") as file:
        start = file.read(12)
    length = int.from_bytes(start[8 : 10 if start[6:7] == b"\x01" else 12], "little")
    if start.startswith(b"\x93NUMPY") and length > _LONGEST_HEADER:
        raise FileFormatError(f"{path} must be a .npy file of numbers; instead its header claims {length} bytes")


def mapped_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of a ``.npy`` file, mapped and not read: its header may state any size.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or another kind, or holds objects, which would be pickles.
    """
    _check_header(path)
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    # NumPy evaluates the header as a Python literal, whose errors come through.
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, TokenError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"{path} must be a .npy file of numbers that exists; instead: {error}") from error
