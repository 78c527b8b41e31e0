"""Grids of placements: positions over the scalp, angles, tilts and distances, laid on any head."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from efield.coils.model import Coil
from efield.coils.polarity import turn_deg
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted, extent, listed
from efield.ground.errors import InputError
from efield.ground.pose import Pose, pose_matrices
from efield.ground.rigid import rigid
from efield.ground.turns import side_by_side
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.io.poses.reading import opened
from efield.targeting.collision import settle
from efield.targeting.named import CoilLike, HeadLike, the_coil, the_head
from efield.targeting.naming import place_of
from efield.targeting.placement import scalp_point_over, scalp_tree
from efield.targeting.tangent import medial_sign, tangent_direction, y_axis
from efield.targeting.targets import Target

#: A grid of more placements than this is a slip of the pen: its poses alone would take 1.3 GB.
_MOST: Final = 10_000_000

#: Positions on the edge of the disc belong to it, whatever their rounding.
_EDGE: Final = 1.0 + 1e-9

#: Names, units and meanings of what is known about each placement of a grid.
COORDINATES: Final[dict[str, tuple[str, str]]] = {
    "position": ("1", "number of the position"),
    "u_mm": ("mm", "position in the plane that touches the scalp over the target, toward medial"),
    "v_mm": ("mm", "position in that plane, toward anterior"),
    "angle_deg": ("deg", "angle of the induced current, 0 = anterior, 90 = medial"),
    "tilt_x_deg": ("deg", "tilt about the coil's x axis; positive brings its front to the head"),
    "tilt_y_deg": ("deg", "tilt about the coil's y axis; positive brings its left side (-x) to the head"),
    "distance_mm": ("mm", "smallest gap from scalp to casing"),
    "lifted_mm": ("mm", "how much farther out the coil is than with that gap under its center"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Placements(Carded):
    """Poses of a coil, and what is known about each.

    Parameters
    ----------
    matrices : (p, 4, 4) float
        Coil to head, mm.
    coordinates : mapping of str to (p,) array
        Any of `COORDINATES`; those made by `PlacementGrid.on` have them all, a list of poses has none.
    plane : (4, 4) float, optional
        Of a grid: u (medial), v (anterior), outward normal and origin of the plane its positions lie in.

    Raises
    ------
    InputError
        If a matrix is not a rigid pose, or a coordinate is not one number for each.
    """

    matrices: FloatArray
    coordinates: Mapping[str, NDArray[np.floating | np.integer]] = field(default_factory=dict)
    plane: FloatArray | None = None

    def __post_init__(self) -> None:
        matrices = checks.as_float_array("matrices", self.matrices)
        if matrices.ndim != 3 or matrices.shape[1:] != (4, 4):
            raise InputError(f"matrices must have shape (p, 4, 4); instead received shape {matrices.shape}")
        matrices = rigid("matrices", matrices)
        for name, values in self.coordinates.items():
            if np.shape(values) != (len(matrices),):
                raise InputError(f"{name} must have one number per placement; instead has shape {np.shape(values)}")
        object.__setattr__(self, "matrices", checks.read_only(matrices))
        frozen = {name: checks.read_only(np.asarray(values)) for name, values in self.coordinates.items()}
        object.__setattr__(self, "coordinates", frozen)

    @classmethod
    def of(cls, poses: "Placements | Iterable[Pose] | FloatArray | str | PathLike[str]") -> "Placements":
        """From poses, a (p, 4, 4) stack of their matrices, or a file of them; placements are returned as they are.

        Raises
        ------
        InputError
            If something in the list is no `Pose`, or a matrix of the stack none of one.
        """
        if isinstance(poses, Placements):
            return poses
        return cls(pose_matrices(opened(poses)))

    def __len__(self) -> int:
        return len(self.matrices)

    def __getitem__(self, part: slice | NDArray[np.intp]) -> "Placements":
        """Some of the placements, with their coordinates."""
        chosen = {name: values[part] for name, values in self.coordinates.items()}
        return Placements(self.matrices[part], chosen, self.plane)

    @cached_property
    def poses(self) -> list[Pose]:
        """The poses as objects."""
        return [Pose(matrix) for matrix in self.matrices]

    def _card(self) -> Card:
        centers = self.matrices[:, :3, 3]
        rows = (
            ("size", counted(len(self), "placement")),
            ("extent", extent(centers)),
            ("known of each", listed(self.coordinates)),
        )
        return Card("Placements", rows)


@dataclass(frozen=True, repr=False)
class PlacementGrid(Carded):
    """Placements over a target, said without a head: positions x angles x tilts x distances.

    Parameters
    ----------
    radius_mm : float
        Positions lie within this distance of the point over the target.
    spacing_mm : float
        Between neighbors, in the plane that touches the scalp over the target.
    angles_deg : sequence of float
        Of the induced current, as in `place_coil`: 0 = anterior, 90 = medial, at every position. By default the full
        circle: half of it leaves out the best direction of every second target.
    tilts_deg : sequence of (float, float)
        Turns about the coil's x axis and then its y axis, through its center. The first leaves the y axis above the
        direction of `angle_deg`, the second leaves it where it is.
    distances_mm : sequence of float
        Smallest gaps from the scalp to the casing, > 0.
    pattern : {"square", "hex"}
        How positions are arranged; "hex" has 15 % more of them at the same spacing.

    Raises
    ------
    InputError
        If a list is empty or has a value twice, a number is out of range, or there are more than ten million
        placements.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> grid = ef.PlacementGrid(radius_mm=10, spacing_mm=10, angles_deg=(0, 45, 90))
    >>> grid.count
    15
    >>> len(grid.on(head, "m1-hand-left", ef.load_coil("d70")))
    15
    """

    radius_mm: float = 20.0
    spacing_mm: float = 5.0
    angles_deg: tuple[float, ...] = tuple(range(0, 360, 15))
    tilts_deg: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    distances_mm: tuple[float, ...] = (4.0,)
    pattern: str = "square"

    def __post_init__(self) -> None:
        radius = checks.in_range("radius_mm", self.radius_mm, 0.0, 60.0)
        object.__setattr__(self, "radius_mm", radius)
        object.__setattr__(self, "spacing_mm", checks.in_range("spacing_mm", self.spacing_mm, 0.05, 60.0))
        angles = _numbers("angles_deg", self.angles_deg, -360.0, 360.0)
        checks.degrees("angles_deg", max(angles, key=abs))
        if len({angle % 360.0 for angle in angles}) < len(angles):
            raise InputError(f"angles_deg must be different directions; instead some of {angles} are 360 degrees apart")
        object.__setattr__(self, "angles_deg", angles)
        distances = _numbers("distances_mm", self.distances_mm, 0.0, 200.0)
        for distance in distances:
            checks.length_mm("distances_mm", distance)
        object.__setattr__(self, "distances_mm", distances)
        pairs = np.asarray(self.tilts_deg, dtype=object)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
            raise InputError(f"tilts_deg must be pairs (about x, about y); instead received {self.tilts_deg!r}")
        tilts = tuple((*_numbers("tilts_deg", (x,), -60, 60), *_numbers("tilts_deg", (y,), -60, 60)) for x, y in pairs)
        _once("tilts_deg", tilts)
        object.__setattr__(self, "tilts_deg", tilts)
        checks.choice("pattern", self.pattern, ("square", "hex"))
        others = len(self.angles_deg) * len(self.tilts_deg) * len(self.distances_mm)
        # The area says it without drawing up positions by the million.
        if 3 * (radius / self.spacing_mm) ** 2 * others > _MOST or self.count > _MOST:
            raise InputError(f"a grid must have at most {_MOST:,} placements: widen the spacing, or sweep it in parts")

    @cached_property
    def offsets_mm(self) -> FloatArray:
        """(k, 2) positions u, v in the plane; row by row, from posterior to anterior and from lateral to medial."""
        reach = int(np.ceil(2 * self.radius_mm / self.spacing_mm)) + 1
        column, row = np.meshgrid(np.arange(-reach, reach + 1.0), np.arange(-reach, reach + 1.0))
        if self.pattern == "hex":
            column, row = column + 0.5 * (row % 2), np.sqrt(0.75) * row
        offsets = self.spacing_mm * np.column_stack([column.ravel(), row.ravel()])
        return np.asarray(offsets[np.linalg.norm(offsets, axis=1) <= _EDGE * self.radius_mm])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Numbers of positions, angles, tilts and distances: placements are in this order, the last runs fastest."""
        return len(self.offsets_mm), len(self.angles_deg), len(self.tilts_deg), len(self.distances_mm)

    @property
    def count(self) -> int:
        """Number of placements, on any head."""
        return int(np.prod(self.shape))

    def on(
        self,
        head: HeadLike,
        over: Target | str | ArrayLike,
        coil: CoilLike | None = None,
        *,
        current: str = "normal",
        lift: bool = True,
        numbers: NDArray[np.intp] | None = None,
    ) -> Placements:
        """The placements on one head.

        At each position the coil is held as by `place_coil` over the point of the plane; tilts come after.

        Parameters
        ----------
        head : HeadMesh or str
        over : Target, str or (3,) array_like
            As in `place_coil`.
        coil : Coil or str, optional
            As in `place_coil`; by default a flat plate of 170 x 90 mm that induces along y.
        current : {"normal", "reverse"}
            As in `place_coil`.
        lift : bool
            Whether the smallest gap is the distance. Without it that is the gap under the coil's center: coils may
            reach into the head, and no numbers are worth anything there.
        numbers : (k,) int, optional
            Lay only the placements with these numbers, in this order: the same bits as among all.

        Returns
        -------
        Placements

        Raises
        ------
        OutsideHeadError
            If a position is more than 60 mm from the scalp.
        """
        head, coil = the_head(head), None if coil is None else the_coil(coil)
        surface, tree = scalp(head), scalp_tree(head)
        plane = plane_over(head, over)
        chosen = np.arange(self.count) if numbers is None else numbers
        positions, angle, tilt, distance = np.unravel_index(chosen, self.shape)
        used, row = np.unique(positions, return_inverse=True)
        u, v = self.offsets_mm[used].T[:, :, None]
        # Not as a matrix product, whose bits may depend on how many positions there are.
        places = plane[:3, 3] + u * plane[:3, 0] + v * plane[:3, 1]
        feet, normals = (
            np.array(rows) for rows in zip(*(scalp_point_over(surface, tree, p) for p in places), strict=True)
        )
        matrices = np.zeros((len(chosen), 4, 4))
        matrices[:, :3, :3] = self._rotations(feet, normals, turn_deg(coil, current))[row, angle, tilt]
        matrices[:, :3, 3] = feet[row] + np.array(self.distances_mm)[distance, None] * normals[row]
        matrices[:, 3, 3] = 1.0
        known = {name: values[chosen] for name, values in self.coordinates().items()}
        gaps = np.asarray(known["distance_mm"], np.float64)
        lifted = _settle(head, coil, matrices, gaps) if lift else np.zeros(len(matrices))
        return Placements(matrices, known | {"lifted_mm": lifted}, plane)

    def _rotations(self, feet: FloatArray, normals: FloatArray, turn: float) -> FloatArray:
        """(positions, angles, tilts, 3, 3) rotations from coil to head."""
        tilts = Rotation.from_euler("XY", np.array(self.tilts_deg), degrees=True).as_matrix()
        induced = np.array(
            [
                [tangent_direction(n, a, medial_sign(f)) for a in self.angles_deg]
                for f, n in zip(feet, normals, strict=True)
            ]
        )
        z = np.broadcast_to(-normals[:, None], induced.shape)
        y = y_axis(induced, z, turn)
        flat = np.stack([np.cross(y, z), y, z], axis=-1)
        return np.asarray(flat[:, :, None] @ tilts)

    def coordinates(self) -> dict[str, FloatArray | NDArray[np.integer]]:
        """What is known of the placements before they are laid on a head, each (p,)."""
        of_position, of_angle, of_tilt, of_distance = (index.ravel() for index in np.indices(self.shape))
        tilts = np.array(self.tilts_deg)
        return {
            "position": of_position,
            "u_mm": self.offsets_mm[of_position, 0],
            "v_mm": self.offsets_mm[of_position, 1],
            "angle_deg": np.array(self.angles_deg)[of_angle],
            "tilt_x_deg": tilts[of_tilt, 0],
            "tilt_y_deg": tilts[of_tilt, 1],
            "distance_mm": np.array(self.distances_mm)[of_distance],
        }

    def _card(self) -> Card:
        positions, angles, tilts, distances = self.shape
        rows = (
            ("size", counted(self.count, "placement")),
            ("positions", f"{positions} within {self.radius_mm:g} mm, {self.spacing_mm:g} mm apart, {self.pattern}"),
            ("angles", f"{angles}, degrees: {listed((f'{a:g}' for a in self.angles_deg), 6)}"),
            ("tilts", f"{tilts}, degrees: {listed((f'{x:g}/{y:g}' for x, y in self.tilts_deg), 4)}"),
            ("distances", f"{distances}, mm: {listed((f'{d:g}' for d in self.distances_mm), 6)}"),
        )
        return Card("PlacementGrid", rows)


def plane_over(head: HeadMesh, over: Target | str | ArrayLike) -> FloatArray:
    """(4, 4) medial, anterior, outward and origin of the plane that touches the scalp over a place."""
    foot, outward = scalp_point_over(scalp(head), scalp_tree(head), place_of(head, over))
    plane = np.eye(4)
    medial = medial_sign(foot)
    plane[:3, 0], plane[:3, 1] = (tangent_direction(outward, angle, medial) for angle in (90.0, 0.0))
    plane[:3, 2], plane[:3, 3] = outward, foot
    return plane


def _settle(head: HeadMesh, coil: Coil | None, matrices: FloatArray, gaps_mm: FloatArray) -> FloatArray:
    """Move coils along their axes, in place, until their smallest gap is the one wanted; how far out (mm)."""

    def settled(number: int) -> float:
        pose = Pose(matrices[number])
        there = settle(head, coil, pose, float(gaps_mm[number]))
        matrices[number] = there.matrix
        return float((pose.center_mm - there.center_mm) @ pose.z)

    return np.array(side_by_side(settled, range(len(matrices))))


def _numbers(name: str, values: object, low: float, high: float) -> tuple[float, ...]:
    """A sequence of different numbers in a range; one number stands for itself."""
    given = np.atleast_1d(np.asarray(values, dtype=object)).ravel()
    if not len(given):
        raise InputError(f"{name} must hold at least one value; instead it is empty")
    numbers = tuple(checks.in_range(name, value, low, high) for value in given)
    _once(name, numbers)
    return numbers


def _once(name: str, values: tuple[object, ...]) -> None:
    if len(set(values)) < len(values):
        raise InputError(f"{name} must hold each value once; instead received {values}")
