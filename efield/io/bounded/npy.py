"""NumPy's ``.npy`` files from outside."""

import os
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError


def mapped_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of a ``.npy`` file, mapped and not read: its header may state any size.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or another kind, or holds objects, which would be pickles.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    # NumPy evaluates the header as a Python literal, whose errors come through.
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, TokenError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"{path} must be a .npy file of numbers that exists; instead: {error}") from error
