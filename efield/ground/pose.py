"""A rigid coil pose: where the coil is on the head and which way it points.

Convention (that of SimNIBS' ``matsimnibs``): the 4x4 matrix takes coil coordinates to head coordinates in
millimeters, RAS. Its columns are the coil's x, y and z axes and its center; z points into the head, y away
from the handle (toward the front of the coil), and x = y x z.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, place
from efield.ground.directions import in_words
from efield.ground.errors import InputError
from efield.ground.rigid import rigid

#: Where E points under the center of a coil of ours, in coil coordinates, while its current rises.
INDUCED: Final = (0.0, 1.0, 0.0)


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
        Axes that miss orthonormality by rounding only are replaced by the nearest rotation; see `rigid`.

    Examples
    --------
    >>> pose = ef.Pose.from_axes(center_mm=(0, 0, 95), y=(0, 1, 0), z=(0, 0, -1))
    >>> pose
    Pose, coil to head
      center   (0.0, 0.0, 95.0) mm
      handle   (0.000, -1.000, 0.000), toward posterior
      current  (0.000, 1.000, 0.000), induced toward anterior by dI/dt > 0 in a +y coil
      z        (0.000, 0.000, -1.000), into the head
    >>> np.asarray(pose.moved((0, 0, 5)))[:3, 3]
    array([ 0.,  0., 90.])
    """

    matrix: NDArray[np.float64]

    def __post_init__(self) -> None:
        given = checks.as_float_array("pose matrix", self.matrix)
        if given.shape != (4, 4):
            raise InputError(f"pose matrix must have shape (4, 4); instead received shape {given.shape}")
        object.__setattr__(self, "matrix", checks.read_only(rigid("pose matrix", given)))

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

    @property
    def handle(self) -> NDArray[np.float64]:
        """(3,) unit vector from the coil's center along its handle: -y, whatever the coil's polarity."""
        return -self.y

    def current(self, induced: ArrayLike = INDUCED) -> NDArray[np.float64]:
        """(3,) unit vector along which a rising current induces E in the cortex under the coil.

        Parameters
        ----------
        induced : (3,) array_like, optional
            The same in coil coordinates: +y for the coils of this package; a coil file wound the other way has -y.
        """
        return np.asarray(self.rotation @ checks.unit_vector("induced", induced))

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
        handle, current = self.handle, self.current()
        rows = (
            ("center", place(self.center_mm)),
            ("handle", f"{place(handle, '')}, toward {in_words(handle)}"),
            (
                "current",
                f"{place(current, '')}, induced toward {in_words(current)} by dI/dt > 0 in a +y coil",
            ),
            ("z", f"{place(self.z, '')}, into the head"),
        )
        return Card("Pose, coil to head", rows)


def given_pose(value: object) -> Pose:
    """The pose, or an error that names the calls that make one."""
    if not isinstance(value, Pose):
        raise InputError(
            f"pose must be a Pose: Pose(matrix), or place_coil(...); instead received {checks.kind(value)}"
        )
    return value


def given_poses(value: object) -> list[Pose]:
    """The poses of an iterable, or of a (p, 4, 4) stack of their matrices; a `Pose` alone or a text is refused."""
    if isinstance(value, np.ndarray):
        return [Pose(matrix) for matrix in pose_matrices(value)]
    if isinstance(value, (Pose, str)) or not isinstance(value, Iterable):
        raise InputError(f"poses must be a list of Pose, such as [pose]; instead received {checks.kind(value)}")
    found = list(value)
    for number, entry in enumerate(found):
        if not isinstance(entry, Pose):
            raise InputError(
                f"poses must hold Pose objects: Pose(matrix), or place_coil(...); instead number {number} is "
                f"{checks.kind(entry)}"
            )
    return found


def pose_matrices(value: object) -> NDArray[np.float64]:
    """(p, 4, 4) matrices in an array of the caller's own: of an iterable of poses, or of a stack of matrices."""
    if not isinstance(value, np.ndarray):
        return np.array([pose.matrix for pose in given_poses(value)], dtype=np.float64).reshape(-1, 4, 4)
    if value.size and (value.ndim != 3 or value.shape[1:] != (4, 4)):
        raise InputError(f"poses must be a list of Pose, or have shape (p, 4, 4); instead received shape {value.shape}")
    return rigid("poses", value.reshape(-1, 4, 4))


def apart(matrices: NDArray[np.float64], reference: Pose) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far poses (p, 4, 4) are from another: (p,) mm between centers, and (p,) degrees of the turn between axes."""
    shift = np.linalg.norm(matrices[:, :3, 3] - reference.center_mm, axis=1)
    between = reference.rotation.T @ matrices[:, :3, :3]
    # Half of what is not symmetric of a rotation is the sine along its axis: small angles keep all their digits.
    skew = between - between.transpose(0, 2, 1)
    sine = 0.5 * np.linalg.norm(skew[:, (2, 0, 1), (1, 2, 0)], axis=1)
    cosine = 0.5 * (np.trace(between, axis1=1, axis2=2) - 1.0)
    return np.asarray(shift), np.degrees(np.arctan2(sine, cosine))
