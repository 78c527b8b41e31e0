"""The casing of a coil as a surface of triangles."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted, extent
from efield.ground.errors import InputError
from efield.ground.rows import distinct_rows

#: Largest distance from any place of a casing to the nearest of its samples (mm) is below this spacing.
SAMPLE_SPACING_MM = 3.0

#: Width of the cells of which one sample is kept, as a share of the spacing. No place of a triangle is farther from its
#: lattice than 0.58 of the spacing, and none of a cell farther from another than 0.42 of it.
_CELL = 0.24


@dataclass(frozen=True, eq=False, repr=False)
class Casing(Carded):
    """Triangles around a coil, in the coil frame.

    Parameters
    ----------
    points_mm : (p, 3) array_like
        Vertices.
    triangles : (t, 3) array_like of int
        0-based vertex numbers. The surface need not be closed.

    Raises
    ------
    InputError
        If there is no triangle, a number refers to no vertex, or a value is not finite. Triangles without an area
        are dropped.
    """

    points_mm: FloatArray
    triangles: NDArray[np.integer]

    def __post_init__(self) -> None:
        points = checks.vectors("points_mm", self.points_mm, minimum=3)
        triangles = np.asarray(self.triangles)
        if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
            raise InputError(f"triangles must be (t, 3) whole numbers; instead received shape {triangles.shape}")
        if triangles.size and (triangles.min() < 0 or triangles.max() >= len(points)):
            raise InputError(f"triangles must refer to points 0 to {len(points) - 1}; instead they do not")
        a, b, c = (points[triangles[:, k]] for k in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        # A sliver's foot point divides by its area; no casing has triangles of a square micrometer.
        triangles = triangles[area > 1e-6]
        if not len(triangles):
            raise InputError("a casing must have triangles with an area; instead it has none")
        object.__setattr__(self, "points_mm", checks.owned(points))
        object.__setattr__(self, "triangles", checks.read_only(triangles.astype(np.int32)))

    def __len__(self) -> int:
        return len(self.triangles)

    @property
    def corners_mm(self) -> FloatArray:
        """(t, 3, 3) corners of the triangles."""
        return np.asarray(self.points_mm[self.triangles])

    def samples_mm(self, spacing_mm: float = SAMPLE_SPACING_MM) -> FloatArray:
        """(s, 3) vertices, and points on the larger triangles, so that no place is farther than `spacing_mm` off."""
        corners = self.corners_mm
        longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
        steps = np.maximum(1, np.ceil(longest / checks.positive("spacing_mm", spacing_mm))).astype(np.int64)
        parts = [self.points_mm[np.unique(self.triangles)]]
        for count in np.unique(steps[steps > 1]):
            lattice = np.array([(i, j, count - i - j) for i in range(count + 1) for j in range(count + 1 - i)]) / count
            lattice = lattice[lattice.max(axis=1) < 1]
            parts.append(np.einsum("sk,tkx->tsx", lattice, corners[steps == count]).reshape(-1, 3))
        samples = np.concatenate(parts)
        # Slivers have far more lattice points than they need: one of each cell is enough. Between lattice points of
        # one triangle lies a third of the spacing at least that the cells may take.
        cells = np.floor(samples / (_CELL * spacing_mm)).astype(np.int64)
        return np.asarray(samples[np.sort(distinct_rows(cells)[0])])

    def moved(self, motion: ArrayLike) -> Self:
        """The casing after a rigid motion, (4, 4) in mm."""
        matrix = checks.as_float_array("motion", motion)
        return type(self)(self.points_mm @ matrix[:3, :3].T + matrix[:3, 3], self.triangles)

    def _card(self) -> Card:
        rows = (("size", counted(len(self.triangles), "triangle")), ("extent", extent(self.points_mm)))
        return Card("Casing", rows)


def joined(casings: list[Casing]) -> Casing | None:
    """All triangles of several casings as one surface; None for none."""
    if not casings:
        return None
    shifts = np.cumsum([0, *(len(c.points_mm) for c in casings[:-1])])
    triangles = [c.triangles + shift for c, shift in zip(casings, shifts, strict=True)]
    return Casing(np.concatenate([c.points_mm for c in casings]), np.concatenate(triangles))
