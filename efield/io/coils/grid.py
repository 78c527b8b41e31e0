"""Coil NIfTI files: the vector potential of a coil, sampled on a grid, in T m per ampere.

The shape is (nx, ny, nz, 3), or (nx, ny, nz, s, 3) for s stimulators, as SimNIBS writes them. The affine takes voxel
indices to coil coordinates in mm; values in between are interpolated trilinearly, beyond the grid see
`efield.coils.beyond`.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.beyond import continuation
from efield.coils.model import Coil, SampledField
from efield.coils.primary import vector_potential
from efield.ground import checks
from efield.ground.errors import InputError, naming
from efield.io.bounded.cursor import Cursor, doubles
from efield.io.volumes.nifti import read_volume, sample_grid, write_volume

#: A of a coil per ampere: 1e-6 T m is common, 1e-2 impossible (it is 1e5 turns at 1 cm).
_LARGEST_A: Final = 1e-2
#: A is read with the axes swapped if that leaves this many times less divergence.
_CLEARLY: Final = 2.0

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
    samples = _one_stimulator(cursor, volume, affine, stimulator)
    with naming(cursor.path):
        if not np.abs(samples).max() < _LARGEST_A or not samples.any():
            raise InputError(
                f"A must be finite, not all zero and below {_LARGEST_A:g} T m per ampere; "
                f"instead its largest value is {np.abs(samples).max():.3g}; is it a coil file?"
            )
        source = SampledField(affine=affine, a_tm=doubles(samples))
        name = Path(path).name.removesuffix(".gz").removesuffix(".nii")
        return Coil(name=name, sources=(source,), citation=f"{Path(path).name}, as read", assumptions=_beyond(source))


def _beyond(source: SampledField) -> tuple[str, ...]:
    """A note on what becomes of the field where the grid ends."""
    found = continuation(source)
    if found is None:
        return ("the field ends with the grid",)
    where = f"{found.nearest_mm:g} mm and more from the origin in the directions it covers"
    return (f"beyond the grid, {where}, A is continued; samples left out are off by {found.error:.0e} of its maximum",)


def _one_stimulator(
    cursor: Cursor, volume: NDArray[np.generic], affine: NDArray[np.float64], stimulator: int | None
) -> NDArray[np.generic]:
    """(nx, ny, nz, 3) values of one stimulator."""
    fields = _by_stimulator(cursor, volume, affine)
    count = fields.shape[3]
    chosen = 0 if stimulator is None and count == 1 else stimulator
    if chosen is None or not 0 <= chosen < count:
        raise InputError(
            f"stimulator must be a number from 0 to {count - 1}, as {cursor.path} holds {count}: "
            f"{cursor.path.name}:stimulator=0; instead received {stimulator}"
        )
    return fields[:, :, :, chosen]


def _by_stimulator(cursor: Cursor, volume: NDArray[np.generic], affine: NDArray[np.float64]) -> NDArray[np.generic]:
    """(nx, ny, nz, s, 3) values of s stimulators; files with the last two axes in the other order are turned."""
    if volume.ndim == 4 and volume.shape[3] == 3:
        return volume[:, :, :, None]
    if volume.ndim != 5 or 3 not in volume.shape[3:]:
        raise cursor.error(
            f"a coil field must have shape (nx, ny, nz, 3), or (nx, ny, nz, stimulators, 3); "
            f"instead received {volume.shape}"
        )
    turned = volume.swapaxes(3, 4)
    if volume.shape[4] != 3:
        return turned
    # Of three stimulators the shape does not say which axis is theirs; that A of a coil has no divergence does.
    if volume.shape[3] == 3 and _divergence(volume, affine) > _CLEARLY * _divergence(turned, affine):
        raise cursor.error(
            "of three stimulators the last axis must hold x, y and z of A; instead it is the one before it by whose "
            "components A has no divergence: swap the last two axes"
        )
    return volume


def _divergence(fields: NDArray[np.generic], affine: NDArray[np.float64]) -> float:
    """Mean |div A| of fields (nx, ny, nz, s, 3), in values per mm."""
    if min(fields.shape[:3]) < 2:
        return 0.0
    along_voxels = doubles(fields) @ np.linalg.inv(affine[:3, :3]).T
    slopes = [np.gradient(along_voxels[..., axis], axis=axis) for axis in range(3)]
    return float(np.abs(np.sum(slopes, axis=0)).mean())


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
