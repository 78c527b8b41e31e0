"""Planes through a head as pixels: which tetrahedron each is in, the anatomy there, and the field over it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.head.locate import locator_of
from efield.head.surface import TriangleSurface
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.viz import palette
from efield.viz.scale import Scale
from efield.viz.shapes import Shape

if TYPE_CHECKING:
    from efield.head.mesh import HeadMesh
    from efield.io.volumes.image import HeadImage
    from efield.targeting.field import EField

FloatArray = NDArray[np.float64]

#: Edge of a pixel, mm.
SPACING_MM: Final = 1.0

#: Fills of the tissues below the field, where no image shows them.
_FILLS: Final = {**palette.TISSUE_FILLS, WHITE_MATTER: "#f7f4ee", GRAY_MATTER: "#c2b9b0"}

#: From this share of the upper end of the colors on the field hides the anatomy; below it fades out.
COVERS_FROM: Final = 0.4


@dataclass(frozen=True, eq=False)
class Plane:
    """Pixels of a plane perpendicular to an axis; they lie row by row, the lowest row first.

    Parameters
    ----------
    axis : int
        0 x, 1 y, 2 z.
    corner_mm : (3,) float
        Center of the first pixel.
    shape : (int, int)
        Rows and columns.
    tet : (n,) int
        Tetrahedron that each pixel's center is in; -1 outside the head.
    weights : (n, 4) float
        Barycentric coordinates in it; nan outside.
    tissue : (n,) int
        Its tag; 0 outside.
    """

    axis: int
    corner_mm: FloatArray
    shape: tuple[int, int]
    tet: NDArray[np.int64]
    weights: FloatArray
    tissue: NDArray[np.int64]

    @classmethod
    def through(cls, head: "HeadMesh", axis: int, position_mm: float) -> "Plane":
        """The plane on which a coordinate has a value, as large as the head."""
        low, high = np.floor(head.points.min(axis=0)), np.ceil(head.points.max(axis=0))
        columns, rows = (int(n) + 1 for n in np.delete((high - low) / SPACING_MM, axis))
        corner = np.array(low, np.float64)
        corner[axis] = position_mm
        tet, weights = locator_of(head).find(_points(axis, corner, (rows, columns)))
        tissue = np.where(tet >= 0, head.tissue[tet].astype(np.int64), 0)
        return cls(axis, corner, (rows, columns), tet, weights, tissue)

    @cached_property
    def points_mm(self) -> FloatArray:
        """(n, 3) centers of the pixels."""
        return _points(self.axis, self.corner_mm, self.shape)

    def anatomy(self, image: "HeadImage | None") -> tuple[NDArray[np.uint8], list[str]]:
        """(n,) numbers of colors and the colors: gray of an image, or fills of the tissues; 0 is nothing.

        The colors are of the form ``#rrggbb``.
        """
        if image is not None:
            return np.maximum(image.gray(self.points_mm), 1), [
                f"#{level:02x}{level:02x}{level:02x}" for level in range(256)
            ]
        tags, numbers = np.unique(np.append(self.tissue, 0), return_inverse=True)
        return numbers[:-1].astype(np.uint8), [_FILLS.get(int(tag), palette.OTHER_FILL) for tag in tags]


def _points(axis: int, corner_mm: FloatArray, shape: tuple[int, int]) -> FloatArray:
    up, across = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    offsets = SPACING_MM * np.column_stack([across, up])
    return np.asarray(corner_mm + np.insert(offsets, axis, 0.0, axis=1))


def cover(values: NDArray[np.floating], high: float) -> FloatArray:
    """(n,) how much the field hides of the anatomy, from 0 to 1; where it is not known, nothing."""
    return np.asarray(np.clip(np.nan_to_num(values) / (COVERS_FROM * high), 0.0, 1.0), np.float64)


def plane_shape(field: "EField", plane: Plane, tags: tuple[int, ...], scale: Scale, image: "HeadImage | None") -> Shape:
    """A plane with its anatomy, and |E| of the tissues `tags` over it where it is strong."""
    values = np.full(len(plane.tet), np.nan)
    for tag in tags:
        own = np.flatnonzero(plane.tissue == tag)
        e = field.recovered.at_nodes(tag)[field.head.tets[plane.tet[own]]]
        values[own] = np.linalg.norm(np.einsum("nc,ncd->nd", plane.weights[own], e), axis=1)
    numbers, colors = plane.anatomy(image)
    below = np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in colors])[numbers]
    share = cover(values, scale.high)[:, None]
    mixed = np.round(share * scale.rgb(np.nan_to_num(values)) + (1 - share) * below).astype(np.uint8)
    surface = TriangleSurface(plane.points_mm, _triangles(plane.shape, plane.tissue > 0))
    return Shape("slices", surface, "plain", values=values, scale=scale, lit=False, rgb=mixed)


def _triangles(shape: tuple[int, int], shown: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Two for each square of pixels that are all shown."""
    first = (np.arange(shape[0] - 1)[:, None] * shape[1] + np.arange(shape[1] - 1)).ravel()
    squares = first[:, None] + np.array([0, 1, shape[1] + 1, shape[1]])
    kept = squares[shown[squares].all(axis=1)]
    return np.concatenate([kept[:, [0, 1, 2]], kept[:, [0, 2, 3]]]).astype(np.int32)
