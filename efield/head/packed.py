"""A head mesh in a small `.npz`: quantized coordinates and delta-coded, spatially sorted connectivity.

Nodes follow a Hilbert curve, so that neighbors in space are neighbors in memory; each tetrahedron lists its
nodes ascending, with a bit for the orientation, and tetrahedra are sorted by them. The differences are small and
their bytes, stored plane by plane, deflate well.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.checks import read_only
from efield.ground.errors import FileFormatError, InputError
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap

#: Step of the stored coordinates, mm.
QUANTUM_MM: Final = 0.005

_VERSION: Final = 1
_HILBERT_BITS: Final = 11


def write_packed(path: str | PathLike[str], head: HeadMesh) -> HeadMesh:
    """Write a head and return it as a reader will see it: nodes and tetrahedra sorted, coordinates rounded.

    Parameters
    ----------
    path : path
        File to write; `.npz`.
    head : HeadMesh
        Tissue tags up to 255; its map from MNI coordinates, if any, must be affine (only the matrix is kept).

    Raises
    ------
    InputError
        If a tag exceeds 255, the map from MNI coordinates is not affine, or rounding to `QUANTUM_MM` would flatten or
        invert a tetrahedron.
    """
    if max(head.tags) > 255:
        raise InputError(f"tissue tags of a packed head must be at most 255; instead received {max(head.tags)}")
    if head.mni is not None and not isinstance(head.mni, AffineMap):
        raise InputError(f"the map from MNI of a packed head must be affine; instead it is a {head.mni.description}")
    arrays = _packed(_sorted_by_place(head))
    packed = _unpacked(arrays)
    np.savez_compressed(Path(path), allow_pickle=False, **arrays)
    return packed


def read_packed(path: str | PathLike[str]) -> HeadMesh:
    """Read a head written by `write_packed`.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, or not a packed head.
    """
    place = Path(path)
    if not place.is_file():
        raise FileFormatError(f"a packed head must be an existing file; instead nothing is at {place}")
    try:
        # Opened here, because numpy leaves the file open when its archive is damaged.
        with place.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return _unpacked({name: archive[name] for name in archive.files})
    except (OSError, EOFError, KeyError, IndexError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as e:
        raise FileFormatError(
            f"{place} must be a packed head (.npz); instead it is damaged or something else ({e}): "
            "install efield again, or build the file again with its recipe in meshes/"
        ) from e


def _sorted_by_place(head: HeadMesh) -> HeadMesh:
    low = head.points.min(axis=0)
    cells = ((head.points - low) * ((1 << _HILBERT_BITS) - 1) / np.ptp(head.points, axis=0).max()).astype(np.int64)
    order = np.argsort(_hilbert_number(cells), kind="stable")
    new_number = np.empty(len(order), dtype=np.int32)
    new_number[order] = np.arange(len(order), dtype=np.int32)
    rows = np.sort(new_number[head.tets], axis=1)
    sequence = np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))
    _swap_where(_is_odd(new_number[head.tets]), rows)
    return replace(head, points=head.points[order], tets=rows[sequence], tissue=head.tissue[sequence])


def _is_odd(tets: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether sorting a tetrahedron's nodes takes an odd number of swaps, which mirrors it."""
    swaps = np.zeros(len(tets), dtype=np.int8)
    for i in range(3):
        for j in range(i + 1, 4):
            swaps += tets[:, i] > tets[:, j]
    return np.asarray(swaps % 2 == 1)


def _swap_where(odd: NDArray[np.bool_], rows: NDArray[np.int32]) -> None:
    """Exchange the last two nodes; a step added and taken costs a tenth of picking the odd rows."""
    step = (rows[:, 3] - rows[:, 2]) * odd
    rows[:, 2] += step
    rows[:, 3] -= step


def _hilbert_number(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of integer cells along a Hilbert curve (Skilling 2004, AIP Conf Proc 707:381)."""
    axes = cells.T.copy()
    bit = 1 << (_HILBERT_BITS - 1)
    while bit > 1:
        for axis in range(3):
            flips = (axes[axis] & bit) != 0
            swap = np.where(flips, 0, (axes[0] ^ axes[axis]) & (bit - 1))
            axes[0] ^= np.where(flips, bit - 1, swap)
            axes[axis] ^= swap
        bit >>= 1
    axes[1] ^= axes[0]
    axes[2] ^= axes[1]
    turn = np.zeros_like(axes[0])
    bit = 1 << (_HILBERT_BITS - 1)
    while bit > 1:
        turn = np.where((axes[2] & bit) != 0, turn ^ (bit - 1), turn)
        bit >>= 1
    axes ^= turn
    number = np.zeros_like(axes[0])
    for level in reversed(range(_HILBERT_BITS)):
        for axis in range(3):
            number = (number << 1) | ((axes[axis] >> level) & 1)
    return np.asarray(number)


def _packed(head: HeadMesh) -> dict[str, NDArray[Any]]:
    steps = np.round(head.points / QUANTUM_MM).astype(np.int64)
    origin = steps.min(axis=0)
    rows = np.sort(head.tets, axis=1)
    arrays: dict[str, NDArray[Any]] = {
        "version": np.array(_VERSION),
        "origin": origin,
        "odd": np.packbits(_is_odd(head.tets)),
        "tissue": head.tissue.astype(np.uint8),
        "counts": np.bincount(rows[:, 0], minlength=len(steps)).astype(np.uint16),
    }
    if isinstance(head.mni, AffineMap):
        arrays["mni_to_head"] = head.mni.matrix
    for axis, name in enumerate("xyz"):
        _add_planes(arrays, name, steps[:, axis] - origin[axis])
    for corner in (1, 2, 3):
        _add_planes(arrays, f"corner{corner}", rows[:, corner] - rows[:, corner - 1])
    return arrays


def _add_planes(arrays: dict[str, NDArray[Any]], name: str, values: NDArray[np.integer]) -> None:
    for plane in range(3):
        arrays[f"{name}_{plane}"] = ((values >> (8 * plane)) & 255).astype(np.uint8)


def _joined(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.int32]:
    low, middle, high = (arrays[f"{name}_{plane}"] for plane in range(3))
    if not low.dtype == middle.dtype == high.dtype == np.uint8:
        raise ValueError(f"{name} is not stored as bytes")
    return np.asarray(low + middle * np.int32(256) + high * np.int32(65536), dtype=np.int32)


def _unpacked(arrays: Mapping[str, NDArray[Any]]) -> HeadMesh:
    if int(arrays["version"]) != _VERSION:
        raise ValueError(f"version {int(arrays['version'])} is not {_VERSION}")
    points = np.stack([_joined(arrays, name) for name in "xyz"], axis=1).astype(np.float64)
    points += arrays["origin"]
    points *= QUANTUM_MM
    first = np.repeat(np.arange(len(points), dtype=np.int32), arrays["counts"])
    rows = np.empty((len(first), 4), dtype=np.int32)
    rows[:, 0] = first
    for corner in (1, 2, 3):
        rows[:, corner] = rows[:, corner - 1] + _joined(arrays, f"corner{corner}")
    _swap_where(np.unpackbits(arrays["odd"], count=len(rows)).astype(bool), rows)
    return HeadMesh(
        points=read_only(points),  # or they would be copied
        tets=read_only(rows),
        tissue=arrays["tissue"],
        mni=AffineMap(arrays["mni_to_head"]) if "mni_to_head" in arrays else None,
    )
