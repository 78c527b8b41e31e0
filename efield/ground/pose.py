"""A rigid coil pose: where the coil is on the head and which way it points.

Convention (that of SimNIBS' ``matsimnibs``): the 4x4 matrix takes coil coordinates to head coordinates in
millimeters, RAS. Its columns are the coil's x, y and z axes and its center; z points into the head, y away
from the handle (toward the front of the coil), and x = y x z.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, place
from efield.ground.errors import InputError

#: Files print poses with 4-6 digits; beyond this an axis is sheared or scaled, not rounded.
_ORTHONORMALITY_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class Pose(Carded):
    """A right-handed rigid 4x4 transform from coil to head coordinates.

    Parameters
    ----------
    matrix : (4, 4) array_like
        Rotation in the upper left 3x3, center in mm in the last column.

    Raises
    ------
    InputError
        If the matrix is not finite, is sheared, scaled or mirrored, or its last row is not (0, 0, 0, 1).
        Axes that miss orthonormality by rounding only (1e-3) are replaced by the nearest rotation.
    """

    matrix: NDArray[np.float64]

    def __post_init__(self) -> None:
        given = checks.as_float_array("pose matrix", self.matrix)
        if given.shape != (4, 4):
            raise InputError(f"pose matrix must have shape (4, 4); instead received shape {given.shape}")
        if not np.allclose(given[3], (0, 0, 0, 1), atol=1e-9):
            raise InputError(f"the last row of a pose matrix must be 0 0 0 1; instead received {given[3].tolist()}")
        matrix = given.copy()
        matrix[:3, :3] = _nearest_rotation(given[:3, :3])
        object.__setattr__(self, "matrix", checks.read_only(matrix))

    @classmethod
    def from_axes(cls, center_mm: ArrayLike, y: ArrayLike, z: ArrayLike) -> Self:
        """A pose from its center, its z axis, and a y axis that need only be roughly perpendicular to z.

        Parameters
        ----------
        center_mm : (3,) array_like
            Center of the coil in mm.
        y, z : (3,) array_like
            Directions; y is made perpendicular to z.
        """
        z_axis = checks.unit_vector("z", z)
        y_given = checks.unit_vector("y", y)
        y_axis = y_given - (y_given @ z_axis) * z_axis
        if np.linalg.norm(y_axis) < 1e-6:
            raise InputError("y must not be parallel to z; give any direction along the coil's handle")
        y_axis /= np.linalg.norm(y_axis)
        matrix = np.eye(4)
        matrix[:3, :3] = np.column_stack([np.cross(y_axis, z_axis), y_axis, z_axis])
        matrix[:3, 3] = checks.vector("center_mm", center_mm)
        return cls(matrix)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The 4x4 matrix, as `numpy.asarray` asks for it; a copy unless it may be shared."""
        wanted = self.matrix.dtype if dtype is None else np.dtype(dtype)
        if copy is False and wanted != self.matrix.dtype:
            raise ValueError(f"a pose of {self.matrix.dtype} cannot be taken as {wanted} without a copy")
        return self.matrix.astype(wanted, copy=bool(copy))

    @property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3) rotation from coil to head."""
        return self.matrix[:3, :3]

    @property
    def center_mm(self) -> NDArray[np.float64]:
        """(3,) center of the coil in mm."""
        return self.matrix[:3, 3]

    @property
    def x(self) -> NDArray[np.float64]:
        """(3,) x axis: to the coil's right, y x z."""
        return self.matrix[:3, 0]

    @property
    def y(self) -> NDArray[np.float64]:
        """(3,) y axis: away from the handle; the induced E under a figure-8 for positive dI/dt."""
        return self.matrix[:3, 1]

    @property
    def z(self) -> NDArray[np.float64]:
        """(3,) z axis: into the head."""
        return self.matrix[:3, 2]

    def to_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) points in coil coordinates, taken to head coordinates (mm)."""
        return checks.vectors("points_mm", points_mm) @ self.rotation.T + self.center_mm

    def to_coil(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) points in head coordinates, taken to coil coordinates (mm)."""
        return (checks.vectors("points_mm", points_mm) - self.center_mm) @ self.rotation

    def moved(self, offset_mm: ArrayLike) -> "Pose":
        """This pose shifted by (3,) mm along its own x, y, z axes."""
        matrix = self.matrix.copy()
        matrix[:3, 3] += self.rotation @ checks.vector("offset_mm", offset_mm)
        return Pose(matrix)

    def _card(self) -> Card:
        rows = (
            ("center", place(self.center_mm)),
            ("y", f"{place(self.y, '')}, away from the handle"),
            ("z", f"{place(self.z, '')}, into the head"),
        )
        return Card("Pose, coil to head", rows)


def _nearest_rotation(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation nearest to `axes`, or an error if `axes` is not one up to rounding."""
    defect = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if defect > _ORTHONORMALITY_TOLERANCE:
        raise InputError(
            "pose matrix must be rigid; instead its axes are sheared or scaled "
            f"(orthonormality defect {defect:.3g}); export the pose again, in millimeters"
        )
    if np.linalg.det(axes) < 0:
        raise InputError(
            "pose matrix must be right-handed; instead it is mirrored (determinant -1); "
            "check the axis convention of the program that wrote it"
        )
    u, _, vt = np.linalg.svd(axes)
    return np.asarray(u @ vt, dtype=np.float64)
