"""Lists of poses from files: the placements of a study that are not a grid."""

from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError, InputError
from efield.ground.rigid import rigid
from efield.io.bounded.cursor import file_bytes, typed_numbers
from efield.io.bounded.npy import mapped_array

SUFFIXES: Final = (".npy", ".csv", ".txt")
_LARGEST_BYTES: Final = 1 << 30


def read_poses(path: str | PathLike[str]) -> NDArray[np.float64]:
    """(p, 4, 4) poses from a file of 4x4 matrices, coil to head, mm.

    Parameters
    ----------
    path : path_like
        ``.npy`` of shape (p, 4, 4) or (p, 16); ``.csv`` or ``.txt`` with 16 numbers a pose, row by row.

    Raises
    ------
    FileFormatError
        If the file is missing, is something else, or a matrix is not a rigid pose; the message names the first.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise FileFormatError(f"poses must be in a file that ends in {' or '.join(SUFFIXES)}; instead received {file}")
    values = _npy(file) if file.suffix.lower() == ".npy" else _text(file)
    if not values.size or values.size % 16 or not np.isfinite(values).all():
        raise FileFormatError(f"{file} must hold 16 finite numbers per pose; instead it holds {values.size} numbers")
    try:
        return rigid(str(file), values.reshape(-1, 4, 4))
    except InputError as error:
        raise FileFormatError(str(error)) from error


def _npy(file: Path) -> NDArray[np.float64]:
    mapped = mapped_array(file)
    if mapped.dtype.kind not in "fiu" or mapped.shape[1:] not in ((4, 4), (16,)):
        raise FileFormatError(f"{file} must have shape (p, 4, 4) or (p, 16); instead {mapped.dtype} {mapped.shape}")
    return np.array(mapped, np.float64)


def _text(file: Path) -> NDArray[np.float64]:
    data = file_bytes(str(file))
    if len(data) > _LARGEST_BYTES:
        raise FileFormatError(f"{file} must be a list of poses; instead it has {len(data)} bytes")
    found = typed_numbers(data)
    if found is None:
        raise FileFormatError(f"{file} must hold numbers only; text after # is a comment")
    return np.array(found, np.float64)
