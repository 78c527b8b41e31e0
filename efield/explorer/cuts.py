"""Three planes through a place: the anatomy in them, and the pixels that get a field while the coil moves."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final, Self
from zlib import compress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.explorer.canvas import pair_key, pair_of, pair_rows
from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.io.volumes.image import HeadImage
from efield.nav.engine import LiveEngine
from efield.targeting.field import EField
from efield.viz.packing import append
from efield.viz.planes import COVERS_FROM, SPACING_MM, Plane, anatomy_colors

#: The planes: sagittal, coronal, axial.
_AXES: Final = (0, 1, 2)

#: Bytes are packed fast: planes follow a finger.
_PACKING: Final = 1


@dataclass(frozen=True, eq=False)
class Cuts:
    """Planes through a place, and the field in them.

    Parameters
    ----------
    at_mm : (3,) float
    planes : tuple of Plane
    pixels : tuple of (k,) int
        Of each plane: those with a field, in gray and white matter.
    rows : (r,) int
        Rows of a basis's outputs that they need; none with full solves.
    nodes, tags : (r,) int
        Node and tissue behind each row.
    corners : (K, 4) int
        Rows at the corners of each pixel's tetrahedron, all planes together.
    weights : (K, 4) float
    """

    at_mm: NDArray[np.float64]
    planes: tuple[Plane, ...]
    pixels: tuple[NDArray[np.intp], ...]
    rows: NDArray[np.intp]
    nodes: NDArray[np.int64]
    tags: NDArray[np.int64]
    corners: NDArray[np.intp]
    weights: NDArray[np.float32]

    @classmethod
    def through(cls, engine: LiveEngine, at_mm: ArrayLike) -> Self:
        """Planes through a place in the head of an engine.

        Raises
        ------
        InputError
            If it is not within the head's box.
        """
        head, at = engine.sim.head, checks.point_mm("at_mm", at_mm)
        low, high = head.points.min(axis=0), head.points.max(axis=0)
        if (at < low).any() or (at > high).any():
            raise InputError(f"slices must be through the head; instead the place is {np.round(at, 1).tolist()} mm")
        planes = tuple(Plane.through(head, axis, float(at[axis])) for axis in _AXES)
        found = [_with_field(head, plane, engine) for plane in planes]
        keys = np.concatenate([keys for _, keys, _ in found])
        unique, corners = np.unique(keys, return_inverse=True)
        nodes, tags = pair_of(unique)
        rows = np.empty(0, np.intp) if engine.basis is None else pair_rows(engine.basis.outputs, unique)
        weights = np.concatenate([weights for *_, weights in found])
        return cls(at, planes, tuple(one for one, *_ in found), rows, nodes, tags, corners.reshape(-1, 4), weights)

    def magnitude(self, e: NDArray[np.floating]) -> NDArray[np.float32]:
        """(K,) |E| at the pixels, from E at the rows (r, 3)."""
        mixed = np.einsum("kc,kcd->kd", self.weights, np.asarray(e, np.float32)[self.corners])
        return np.asarray(np.sqrt(np.einsum("kd,kd->k", mixed, mixed)), np.float32)

    def of_field(self, field: EField) -> NDArray[np.float32]:
        """(K,) recovered |E| of a full solve at the pixels."""
        e = np.zeros((len(self.nodes), 3))
        for tag in np.unique(self.tags):
            own = self.tags == tag
            e[own] = field.recovered.on_nodes(self.nodes[own], int(tag))
        return self.magnitude(e)

    def to_json(self, image: HeadImage | None) -> dict[str, Any]:
        """What a page must know of them; the arrays are packed."""
        blob, told = bytearray(), []
        for plane, pixels in zip(self.planes, self.pixels, strict=True):
            colors, numbers = anatomy_colors(image), plane.anatomy(image)
            told.append(
                {
                    "axis": plane.axis,
                    "low": np.delete(plane.corner_mm, plane.axis).tolist(),
                    "rows": plane.shape[0],
                    "columns": plane.shape[1],
                    "colors": colors,
                    "anatomy": append(blob, numbers.astype(np.int16)[:, None]),
                    "pixels": append(blob, pixels.astype(np.int32)[:, None]),
                    "count": len(pixels),
                }
            )
        data = b64encode(compress(bytes(blob), _PACKING)).decode("ascii")
        rest = {"spacing": SPACING_MM, "covers_from": COVERS_FROM, "data": data}
        return {"at_mm": self.at_mm.tolist(), "planes": told, **rest}


def _with_field(
    head: HeadMesh, plane: Plane, engine: LiveEngine
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float32]]:
    """The pixels of a plane that get a field: their numbers, the keys at their corners (k, 4), and the weights."""
    pixels = np.flatnonzero(np.isin(plane.tissue, (WHITE_MATTER, GRAY_MATTER)))
    keys = pair_key(head.tets[plane.tet[pixels]], plane.tissue[pixels, None])
    if engine.basis is not None:
        known = (pair_rows(engine.basis.outputs, keys) >= 0).all(axis=1)
        pixels, keys = pixels[known], keys[known]
    return pixels, keys, plane.weights[pixels].astype(np.float32)
