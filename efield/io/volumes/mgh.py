"""Volumes of FreeSurfer: ``.mgh``, and ``.mgz``, the same compressed.

Format: https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat (big-endian, a header of 284 bytes).
"""

from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import naming
from efield.io.bounded.cursor import Cursor, doubles
from efield.io.bounded.inflate import allowed, inflated
from efield.io.volumes.orientation import checked_affine

SUFFIXES: Final = (".mgz", ".mgh")

_HEADER_BYTES: Final = 284
_TYPES: Final = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_MOST_VOXELS: Final = 2**29


def read_mgh(cursor: Cursor) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """The values (nx, ny, nz) or (nx, ny, nz, frames) of a file, and the affine from voxel indices to mm, scanner RAS.

    Raises
    ------
    FileFormatError
        If the file is damaged, states a size its content does not have, or does not say where its voxels are.
    """
    zipped = cursor.data.startswith(b"\x1f\x8b")
    head = inflated(cursor.data, _HEADER_BYTES, gzip=True) if zipped else cursor.data
    if head is None or len(head) < _HEADER_BYTES:
        raise cursor.truncated("the header of a FreeSurfer volume")
    version, *size, kind, _ = (int(n) for n in np.frombuffer(head, ">i4", 7))
    if version != 1 or kind not in _TYPES or min(size) < 1 or prod(size) > _MOST_VOXELS:
        raise cursor.error(
            f"a FreeSurfer volume must have version 1, plain numbers and 1 to 2^29 voxels; instead version {version}, "
            f"type {kind}, shape {tuple(size)}; it is damaged or something else"
        )
    if int(np.frombuffer(head, ">i2", 1, 28)[0]) != 1:
        raise cursor.error(
            "a FreeSurfer volume must say where its voxels are; instead its RAS flag is not set: convert it with "
            "mri_convert in.mgz out.nii.gz and set the affine"
        )
    dtype = np.dtype(_TYPES[kind])
    needed = _HEADER_BYTES + prod(size) * dtype.itemsize
    if zipped and needed > max(1 << 30, allowed(len(cursor.data))):
        raise cursor.error(f"shape {tuple(size)} must fit the file; instead {len(cursor.data)} bytes are far too few")
    content = inflated(cursor.data, needed, gzip=True) if zipped else cursor.data
    if content is None or len(content) < needed:
        raise cursor.truncated(f"the volume of shape {tuple(size)}")
    values = np.frombuffer(content, dtype, prod(size), _HEADER_BYTES).reshape(size, order="F")
    with naming(cursor.path):
        return values[..., 0] if size[3] == 1 else values, checked_affine(_affine(head, size[:3]))


def _affine(head: bytes, shape: list[int]) -> NDArray[np.float64]:
    numbers = doubles(np.frombuffer(head, ">f4", 15, 30))
    affine = np.eye(4)
    # Directions of the three axes, one after the other, and the place of the middle voxel's corner.
    affine[:3, :3] = numbers[3:12].reshape(3, 3).T * numbers[:3]
    affine[:3, 3] = numbers[12:] - affine[:3, :3] @ (np.array(shape) / 2)
    return affine
