"""An image of a head, such as a T1: its gray anywhere, to be looked at; nothing is computed from it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.io.bounded.cursor import Cursor
from efield.io.volumes.mgh import SUFFIXES, read_mgh
from efield.io.volumes.nifti import read_placed

#: Black and white are these percentiles of what is not background: a few bright voxels must not darken the rest.
_WINDOW: Final = (2.0, 99.5)


@dataclass(frozen=True, eq=False)
class HeadImage:
    """Gray values on voxels.

    Parameters
    ----------
    values : (nx, ny, nz) real
    affine : (4, 4) float
        Voxel indices to mm, RAS.
    window : (float, float)
        The values that are black and white.
    name : str
    """

    values: NDArray[Any]
    affine: NDArray[np.float64]
    window: tuple[float, float]
    name: str = "image"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """An image of a file: ``.nii``, ``.nii.gz``, ``.mgz`` or ``.mgh``.

        Raises
        ------
        FileFormatError
            If the file is missing or damaged, has not three axes, or one value everywhere.
        """
        cursor = Cursor.open(path)
        mgh = Path(path).suffix.lower() in SUFFIXES
        volume, affine = read_mgh(cursor) if mgh else read_placed(cursor)[:2]
        if volume.ndim == 4 and volume.shape[3] == 1:
            volume = volume[..., 0]
        if volume.ndim != 3:
            raise cursor.error(f"an image must have 3 axes; instead it has shape {volume.shape}; pick one volume")
        body = volume[np.isfinite(volume)]
        body = body[body > body.min()] if body.size else body
        if not len(body):
            raise cursor.error("an image must show something; instead it has one value everywhere")
        low, high = (float(value) for value in np.percentile(body, _WINDOW))
        return cls(volume, affine, (low, high if high > low else low + 1.0), Path(path).name)

    def covers(self, points_mm: ArrayLike) -> NDArray[np.bool_]:
        """(n,) whether points (n, 3) lie in a voxel."""
        voxels = self._voxels(points_mm)
        return np.asarray(((voxels >= -0.5) & (voxels <= np.array(self.values.shape) - 0.5)).all(axis=1))

    def gray(self, points_mm: ArrayLike) -> NDArray[np.uint8]:
        """(n,) gray from 0 (black) to 255 at points (n, 3); black outside the image."""
        from scipy.ndimage import map_coordinates

        voxels, (low, high) = self._voxels(points_mm), self.window
        found = map_coordinates(self.values, voxels.T, output=np.float32, order=1, cval=low)
        share = (np.nan_to_num(found, nan=low) - low) / (high - low)
        return np.asarray(np.round(255 * np.clip(share, 0.0, 1.0)), np.uint8)

    def _voxels(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) indices, of which parts are places between voxels."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(checks.points_mm("points_mm", points_mm) @ inverse[:3, :3].T + inverse[:3, 3])


def image_of(value: "HeadImage | str | os.PathLike[str]") -> HeadImage:
    """An image, or that of a file."""
    return value if isinstance(value, HeadImage) else HeadImage.read(value)
