"""Coil NIfTI files: the vector potential of a coil, sampled on a grid, in T m per ampere.

The shape is (nx, ny, nz, 3); a fifth axis holds several stimulators. The affine takes voxel indices to coil
coordinates in mm; values in between are interpolated trilinearly. The field outside the grid is not known, and
asking for it is an error.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.model import Coil, SampledField
from efield.coils.primary import vector_potential
from efield.ground import checks
from efield.ground.errors import InputError, naming
from efield.io.bounded.cursor import Cursor
from efield.io.volumes.nifti import read_volume, sample_grid, write_volume

#: A of a coil per ampere: 1e-6 T m is common, 1e-2 impossible (it is 1e5 turns at 1 cm).
_LARGEST_A: Final = 1e-2
#: Codes of the NIfTI standard for coordinates that are those of no scanner and no template.
_ALIGNED_CODE: Final = 2


def read_coil_grid(path: str | os.PathLike[str], *, stimulator: int | None = None) -> Coil:
    """A coil from a sampled vector potential.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz``.
    stimulator : int, optional
        Which of several stimulators, from 0; needed where the file holds more than one.

    Returns
    -------
    Coil
        One sampled field.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, of another shape, not finite, or its values cannot be a coil's.
    InputError
        If `stimulator` is missing or out of range.
    """
    cursor = Cursor.open(path)
    volume, affine = read_volume(cursor)
    samples = _one_stimulator(cursor, volume, stimulator)
    with naming(cursor.path):
        if not np.abs(samples).max() < _LARGEST_A or not samples.any():
            raise InputError(
                f"A must be finite, not all zero and below {_LARGEST_A:g} T m per ampere; "
                f"instead its largest value is {np.abs(samples).max():.3g}; is it a coil file?"
            )
        source = SampledField(affine=affine, a_tm=samples.astype(np.float64))
        name = Path(path).name.removesuffix(".gz").removesuffix(".nii")
        return Coil(name=name, sources=(source,), citation=f"{Path(path).name}, as read")


def _one_stimulator(cursor: Cursor, volume: NDArray[np.generic], stimulator: int | None) -> NDArray[np.generic]:
    """(nx, ny, nz, 3) values of one stimulator."""
    if volume.ndim == 5 and volume.shape[3:] == (1, 3):  # the NIfTI standard's own layout for vectors
        volume = volume[:, :, :, 0, :]
    if volume.ndim not in (4, 5) or volume.shape[3] != 3:
        raise cursor.error(f"a coil field must have shape (nx, ny, nz, 3); instead received {volume.shape}")
    count = volume.shape[4] if volume.ndim == 5 else 1
    chosen = 0 if stimulator is None and count == 1 else stimulator
    if chosen is None or not 0 <= chosen < count:
        raise InputError(
            f"stimulator must be a number from 0 to {count - 1}, as {cursor.path} holds {count}; "
            f"instead received {stimulator}"
        )
    return volume[..., chosen] if volume.ndim == 5 else volume


def write_coil_grid(path: str | os.PathLike[str], coil: Coil, *, bounds: ArrayLike, spacing_mm: float) -> None:
    """Sample the vector potential of a coil and write it as float32.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz``; written completely or not at all.
    coil : Coil
        The coil.
    bounds : (2, 3) array_like, mm
        Lower and upper corner, in coil coordinates, of the box to cover; keep it off the wires, where A is
        singular or steep, by starting at the casing (z = 0).
    spacing_mm : float
        Distance of samples. The error of trilinear interpolation falls with its square.

    Raises
    ------
    InputError
        If the box is not one, a sample falls on a source, or the name ends in neither ``.nii`` nor ``.nii.gz``.
    """
    write_samples(path, sampled(coil, bounds=bounds, spacing_mm=spacing_mm))


def sampled(coil: Coil, *, bounds: ArrayLike, spacing_mm: float) -> SampledField:
    """The vector potential of a coil on a grid; arguments and errors as for `write_coil_grid`."""
    shape, affine = sample_grid(bounds, checks.positive("spacing_mm", spacing_mm))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    values = vector_potential(coil, index @ affine[:3, :3].T + affine[:3, 3])
    return SampledField(affine=affine, a_tm=values.reshape(*shape, 3))


def write_samples(path: str | os.PathLike[str], source: SampledField) -> None:
    """Write a vector potential that is sampled already, as float32.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz``; written completely or not at all.
    source : SampledField

    Raises
    ------
    InputError
        If the name ends otherwise.
    """
    write_volume(path, source.a_tm.astype(np.float32), source.affine, code=_ALIGNED_CODE)
