"""A head as voxels, with anatomy and |E| in each: what a page needs to cut it anywhere without a server."""

import zlib
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from efield.head.mesh import HeadMesh
from efield.io.volumes.image import HeadImage
from efield.viz.nodal import Nodal
from efield.viz.packing import append
from efield.viz.planes import COVERS_FROM, Plane, anatomy_colors, box_of
from efield.viz.scale import Scale

#: Edges of the voxels that are tried (mm), and the bytes, as they are packed, that are enough to take one.
_SPACINGS_MM: Final = (1.0, 1.5, 2.0)
_MOST_BYTES: Final = 5_000_000

#: |E| is kept in so many steps up to the upper end of the colors, and further; -1 where it is not known.
_STEPS: Final = 500

#: An image is kept in so many grays: more are noise, which does not pack.
_GRAYS: Final = 48


@dataclass(frozen=True, eq=False)
class Voxels:
    """Anatomy and |E| on voxels, x fastest, then y, then z.

    Parameters
    ----------
    corner_mm : (3,) float
        Center of the first one.
    spacing_mm : float
    shape : (int, int, int)
        Voxels along x, y and z.
    anatomy : (n,) uint8
        Numbers of `colors`; 0 is nothing.
    colors : list of str
    steps : (n,) int16
        |E| in units of `step`; -1 where it is not known.
    step : float, V/m
    scale : Scale
        The colors of |E|.
    """

    corner_mm: NDArray[np.float64]
    spacing_mm: float
    shape: tuple[int, int, int]
    anatomy: NDArray[np.uint8]
    colors: list[str]
    steps: NDArray[np.int16]
    step: float
    scale: Scale

    @classmethod
    def of(cls, head: HeadMesh, nodal: Nodal, scale: Scale, image: HeadImage | None = None) -> Self:
        """Voxels of 1 mm, or of more where a page would grow too large with them."""
        for spacing in _SPACINGS_MM:
            found = cls._at(head, nodal, scale, image, spacing)
            if len(zlib.compress(found.packed(), 1)) <= _MOST_BYTES:
                break
        return found

    @classmethod
    def _at(cls, head: HeadMesh, nodal: Nodal, scale: Scale, image: HeadImage | None, spacing: float) -> Self:
        low, high = box_of(head)[:, 2]
        step, colors, anatomy, steps = scale.high / _STEPS, anatomy_colors(image), [], []
        for z in np.arange(low, high + spacing / 2, spacing):
            plane = Plane.through(head, 2, float(z), spacing)
            number = plane.anatomy(image)
            anatomy.append(number if image is None else _fewer_grays(number, plane))
            values = np.rint(plane.magnitude(head, nodal) / step)
            steps.append(np.where(np.isfinite(values), np.minimum(values, 32767), -1).astype(np.int16))
        corner = np.array([*plane.corner_mm[:2], low])
        shape = (plane.shape[1], plane.shape[0], len(steps))
        return cls(corner, spacing, shape, np.concatenate(anatomy), colors, np.concatenate(steps), step, scale)

    def packed(self) -> bytes:
        """The arrays as a page reads them."""
        blob = bytearray()
        self.told(blob)
        return bytes(blob)

    def told(self, blob: bytearray) -> dict[str, Any]:
        """What a page must know of them; the arrays are added to `blob`."""
        return {
            "low": self.corner_mm.tolist(),
            "spacing": self.spacing_mm,
            "shape": self.shape,
            "colors": self.colors,
            "covers_from": COVERS_FROM,
            "step": self.step,
            "anatomy": append(blob, self.anatomy.view(np.int8)[:, None]),
            "steps": append(blob, self.steps[:, None]),
        }


def _fewer_grays(gray: NDArray[np.uint8], plane: Plane) -> NDArray[np.uint8]:
    """Grays of a plane in fewer steps; 0 outside the head, as the air's noise is most of what does not pack."""
    levels = np.rint(gray * ((_GRAYS - 1) / 255.0)) * (255.0 / (_GRAYS - 1))
    return np.where(plane.tissue > 0, np.maximum(np.rint(levels), 1), 0).astype(np.uint8)
