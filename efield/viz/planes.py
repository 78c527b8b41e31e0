"""Planes through a head as pixels: which tetrahedron each is in, the anatomy there, and the field over it."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.head.locate import locator_of
from efield.head.mesh import HeadMesh, once_per_head
from efield.head.surface import TriangleSurface
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.io.volumes.image import HeadImage, image_of
from efield.viz import palette
from efield.viz.nodal import Nodal, shown_tissues
from efield.viz.scale import Scale
from efield.viz.shapes import Shape

#: Edge of a pixel, mm.
SPACING_MM: Final = 1.0

#: Fills of the tissues below the field, where no image shows them.
_FILLS: Final = {**palette.TISSUE_FILLS, WHITE_MATTER: "#f7f4ee", GRAY_MATTER: "#c2b9b0"}
_TAGS: Final = np.array(sorted(_FILLS))

#: An image lies beside the head if more of its nodes than this share are outside the voxels, or any of the brain's.
_MOST_BEYOND: Final = 0.1

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
    spacing_mm : float
        Edge of a pixel.
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
    spacing_mm: float
    tet: NDArray[np.int64]
    weights: FloatArray
    tissue: NDArray[np.int64]

    @classmethod
    def through(cls, head: HeadMesh, axis: int, position_mm: float, spacing_mm: float = SPACING_MM) -> "Plane":
        """The plane on which a coordinate has a value, as large as the head."""
        low, high = box_of(head)
        columns, rows = (int(n) + 1 for n in np.delete((high - low) / spacing_mm, axis))
        corner = low.copy()
        corner[axis] = position_mm
        place = (axis, corner, (rows, columns), spacing_mm)
        tet, weights = locator_of(head).find(_points(*place))
        return cls(*place, tet, weights, np.where(tet >= 0, head.tissue[tet].astype(np.int64), 0))

    @cached_property
    def points_mm(self) -> FloatArray:
        """(n, 3) centers of the pixels."""
        return _points(self.axis, self.corner_mm, self.shape, self.spacing_mm)

    def magnitude(self, head: HeadMesh, nodal: Nodal) -> FloatArray:
        """(n,) |E| at the pixels, V/m; nan where it is not known."""
        values = np.full(len(self.tet), np.nan)
        for tag, at_nodes in nodal.items():
            own = np.flatnonzero(self.tissue == tag)
            values[own] = np.einsum("nc,nc->n", self.weights[own], at_nodes[head.tets[self.tet[own]]])
        return values

    def anatomy(self, image: HeadImage | None) -> NDArray[np.uint8]:
        """(n,) numbers of the colors of `anatomy_colors`: gray of an image, or fills of the tissues; 0 is nothing."""
        if image is not None:
            return np.asarray(np.maximum(image.gray(self.points_mm), 1))
        number = np.minimum(np.searchsorted(_TAGS, self.tissue), len(_TAGS) - 1)
        known = np.where(_TAGS[number] == self.tissue, number + 1, len(_TAGS) + 1)
        return np.asarray(np.where(self.tissue > 0, known, 0), np.uint8)

    def mixed(self, values: FloatArray, scale: Scale, image: HeadImage | None) -> NDArray[np.uint8]:
        """(n, 3) colors of the anatomy, and of |E| (n,) over it where that is strong."""
        colors = [[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in anatomy_colors(image)]
        share = np.clip(np.nan_to_num(values) / (COVERS_FROM * scale.high), 0.0, 1.0)[:, None]
        below = np.array(colors)[self.anatomy(image)]
        mixed = share * scale.rgb(np.nan_to_num(values)) + (1 - share) * below
        return np.asarray(np.round(mixed), np.uint8)


@once_per_head
def box_of(head: HeadMesh) -> FloatArray:
    """(2, 3) corners of the head's box, at whole millimeters."""
    return np.stack([np.floor(head.points.min(axis=0)), np.ceil(head.points.max(axis=0))])


def _points(axis: int, corner_mm: FloatArray, shape: tuple[int, int], spacing_mm: float) -> FloatArray:
    up, across = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    return np.asarray(corner_mm + np.insert(spacing_mm * np.column_stack([across, up]), axis, 0.0, axis=1))


def anatomy_colors(image: HeadImage | None) -> list[str]:
    """Colors of the form ``#rrggbb`` by the numbers of `Plane.anatomy`."""
    if image is not None:
        return [f"#{level:02x}{level:02x}{level:02x}" for level in range(256)]
    return [palette.OTHER_FILL, *(_FILLS[tag] for tag in _TAGS), palette.OTHER_FILL]


def image_over(head: HeadMesh, image: HeadImage | str | PathLike[str]) -> HeadImage:
    """An image, or that of a file, to be shown in slices of a head.

    Raises
    ------
    FileFormatError
        If the file is no image.
    InputError
        If it does not cover the head: its brain wholly, and nine tenths of all.
    """
    shown = image_of(image)
    beyond = ~shown.covers(head.points)
    brain = np.unique(head.tets[np.isin(head.tissue, shown_tissues(head))])
    if beyond.mean() > _MOST_BEYOND or beyond[brain].any():
        raise InputError(
            f"an image must cover the head that it is shown in; instead {100 * beyond.mean():.0f} % of the head and "
            f"{100 * beyond[brain].mean():.0f} % of its brain lie outside {shown.name}: give one in its coordinates"
        )
    return shown


def plane_shape(head: HeadMesh, plane: Plane, nodal: Nodal, scale: Scale, image: HeadImage) -> Shape:
    """A plane with an image, and |E| over it where it is strong."""
    values = plane.magnitude(head, nodal)
    surface = TriangleSurface(plane.points_mm, _triangles(plane.shape, plane.tissue > 0))
    rgb = plane.mixed(values, scale, image)
    return Shape("slices", surface, "plain", values=values, scale=scale, lit=False, rgb=rgb)


def _triangles(shape: tuple[int, int], shown: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Two for each square of pixels that are all shown."""
    first = (np.arange(shape[0] - 1)[:, None] * shape[1] + np.arange(shape[1] - 1)).ravel()
    squares = first[:, None] + np.array([0, 1, shape[1] + 1, shape[1]])
    kept = squares[shown[squares].all(axis=1)]
    return np.concatenate([kept[:, [0, 1, 2]], kept[:, [0, 2, 3]]]).astype(np.int32)
