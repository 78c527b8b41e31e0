"""Label volumes: whole numbers that stand for tissues, and what is no label volume."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.io.bounded.cursor import Cursor
from efield.io.volumes.mgh import SUFFIXES, read_mgh
from efield.io.volumes.nifti import Volume, read_placed
from efield.io.volumes.orientation import MNI_CODE

#: Labels that a program kept as floating point numbers are whole to this.
_ROUNDING: Final = 1e-3

#: Volumes with more values than this are looked at as images: of labels, neighbors are mostly equal.
_MANY_VALUES: Final = 31
#: Pairs of neighbors that are enough to judge by.
_FEWEST_PAIRS: Final = 1000
#: Share of neighboring voxels, neither 0, that are equal: 0.9 or more in label volumes, below 0.3 in a T1.
_LEAST_EQUAL: Final = 0.6
#: Largest values of probabilities that are stored as whole numbers.
_FULL: Final = (100, 255, 1000)


@dataclass(frozen=True, eq=False)
class LabelImage:
    """A label volume and where it is.

    Attributes
    ----------
    labels : (nx, ny, nz) ndarray of uint16
        As stored; axes are those of the file, not reoriented.
    affine : (4, 4) ndarray
        Voxel indices to mm, RAS.
    in_mni : bool
        Whether the file says that its coordinates are those of MNI152.
    """

    labels: NDArray[np.uint16]
    affine: NDArray[np.float64]
    in_mni: bool


def read_labels(path: str | os.PathLike[str], *, affine: str | None = None) -> Volume:
    """A volume of tissue labels.

    Parameters
    ----------
    path : path_like
        ``.nii``, ``.nii.gz``, or FreeSurfer's ``.mgz`` and ``.mgh``; any orientation and voxel size.
    affine : {"sform", "qform"}, optional
        Which of the two affines of a NIfTI header to take, where they disagree.

    Returns
    -------
    labels : (nx, ny, nz) ndarray of uint16
        As stored; axes are those of the file, not reoriented.
    affine : (4, 4) ndarray
        Voxel indices to mm, RAS.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or too large, is not three-dimensional, has no usable affine, or holds
        anything but whole numbers from 0 to 65535; a T1 or a probability map is named as such.
    """
    image = read_label_image(path, affine=affine)
    return image.labels, image.affine


def read_label_image(path: str | os.PathLike[str], *, affine: str | None = None) -> LabelImage:
    """As `read_labels`, with what the file says of its space."""
    cursor = Cursor.open(path)
    if Path(path).suffix.lower() in SUFFIXES:
        if affine is not None:
            raise InputError(f"affine must be left out for {path}, which has only one; instead received {affine!r}")
        volume, matrix = read_mgh(cursor)
        code = 0
    else:
        volume, matrix, code = read_placed(cursor, affine)
    if volume.ndim == 4 and volume.shape[3] == 1:
        volume = volume[..., 0]
    if volume.ndim != 3:
        raise cursor.error(f"a label volume must have 3 axes; instead it has shape {volume.shape}; pick one volume")
    return LabelImage(_labels(cursor, volume), matrix, code == MNI_CODE)


def _labels(cursor: Cursor, volume: NDArray[Any]) -> NDArray[np.uint16]:
    if volume.dtype.kind == "f":
        if not np.isfinite(volume).all():
            raise cursor.error("labels must be whole numbers; instead some are nan or inf; is it a label volume?")
        whole = np.round(volume)
        if np.abs(volume - whole).max() > _ROUNDING:
            kind = "a probability map" if volume.min() >= 0 and volume.max() <= 1.01 else "an image such as a T1"
            raise cursor.error(
                "labels must be whole numbers; "
                f"instead they range from {volume.min():.4g} to {volume.max():.4g} "
                f"in fractions, like {kind}; give the tissue label volume"
            )
        volume = whole
    if volume.min() < 0 or volume.max() > 65535:
        raise cursor.error(f"labels must be 0 to 65535; instead they go from {volume.min():g} to {volume.max():g}")
    if not volume.max():
        raise cursor.error("labels must not all be 0; instead the volume is empty")
    labels = volume.astype(np.uint16)
    image = _kind_of_image(labels)
    if image is not None:
        raise cursor.error(f"labels must stand for tissues; instead this looks like {image}: give the tissue labels")
    return labels


def _kind_of_image(labels: NDArray[np.uint16]) -> str | None:
    """What a volume of whole numbers is, if it is no label volume."""
    counts = np.bincount(labels.ravel())[1:]
    values = int(np.count_nonzero(counts))
    if values <= _MANY_VALUES:
        return None
    if len(counts) in _FULL and values > 0.25 * len(counts) and int(np.argmax(counts)) == len(counts) - 1:
        return f"a probability map in whole numbers from 0 to {len(counts)}"
    one, other = labels[:-1], labels[1:]
    both = (one > 0) & (other > 0)
    pairs = np.count_nonzero(both)
    if pairs >= _FEWEST_PAIRS and np.count_nonzero(one[both] == other[both]) < _LEAST_EQUAL * pairs:
        return f"an image such as a T1 or T2 ({values} values, up to {len(counts)}, which change from voxel to voxel)"
    return None
