"""How far a coil is from a head: signed clearance between the casing and the scalp, in mm."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import CollisionError
from efield.ground.pose import Pose
from efield.head.closest import SignedDistance, by_halving, signed_distance
from efield.head.mesh import HeadMesh, once_per_head
from efield.head.surface import scalp
from efield.kernels.geometry import clearance as kernel

FloatArray = NDArray[np.float64]

#: Casing of a coil of which nothing is known: a flat plate, about that of a 70 mm figure-8 (half width and height, mm).
_UNKNOWN_CASING_MM: Final = (85.0, 45.0)

#: Where triangles cross but no sample of the casing lies inside the head, the overlap is reported as this (mm).
_SMALLEST_OVERLAP_MM: Final = 0.01

#: Triangles whose distance is looked for up to here cross or do not (mm).
_CROSSING_MM: Final = 1e-3

#: A coil that touches is this near to the scalp, or nearer (mm).
TOUCHING_MM: Final = 0.05
_MOST_STEPS: Final = 200

#: A gap that is asked for is met within this (mm).
GAP_TOLERANCE_MM: Final = 0.02

#: So many are looked at first, to know how near the nearest is.
_FIRST: Final = 6

#: By blocks of its triangles a casing is first put this much farther out than it has to be, within half of it (mm).
_BLOCK_MM: Final = 2.0

#: Of a coil that is moved along its axis the gap changes by this share of the way at least.
_LEAST_SLOPE: Final = 0.1


@once_per_head
def scalp_distance(head: HeadMesh) -> SignedDistance:
    """Signed distance to a head's scalp, prepared once."""
    return signed_distance(scalp(head))


@dataclass(frozen=True, eq=False)
class _Points:
    """Points (n, 3) in blocks of neighbors that begin at starts, the blocks' centers, and how far each point is off."""

    points: FloatArray
    starts: NDArray[np.intp]
    centers: FloatArray
    reach: FloatArray

    @classmethod
    def of(cls, points: FloatArray) -> "_Points":
        size, points = _in_blocks(points)
        starts = np.append(np.arange(0, len(points), size), len(points))
        centers, _ = _spheres(np.split(points, starts[1:-1]))
        away = points - np.repeat(centers, np.diff(starts), axis=0)
        return cls(points, starts, centers, np.linalg.norm(away, axis=1))


@dataclass(frozen=True, eq=False)
class _Triangles:
    """Triangles (n, 3, 3) with the sphere (center and radius) around each, in blocks of neighbors with theirs.

    Which of them can be the lowest is told by bounds (`SignedDistance.bounds`), so that few are looked at exactly.
    """

    corners: FloatArray
    item_centers: FloatArray
    item_radii: FloatArray
    size: int
    centers: FloatArray
    radii: FloatArray

    @classmethod
    def of(cls, corners: FloatArray) -> "_Triangles":
        size, corners = _in_blocks(corners)
        groups = [corners[first : first + size].reshape(-1, 3) for first in range(0, len(corners), size)]
        return cls(corners, *_spheres(corners), size, *_spheres(groups))

    def lowest(self, distance: SignedDistance, pose: Pose) -> NDArray[np.intp]:
        """Blocks among which the lowest triangle is: each holds something that is as low as its sphere's center."""
        centers = pose.to_head(self.centers)
        low, high = distance.bounds(centers)
        first = np.argsort(high + self.radii)[:_FIRST]
        upper = (distance(centers[first]) + self.radii[first]).min()
        return np.flatnonzero(low - self.radii <= upper)

    def of_blocks(self, blocks: NDArray[np.intp]) -> NDArray[np.intp]:
        """Numbers of the triangles of some blocks."""
        numbers = (blocks[:, None] * self.size + np.arange(self.size)).ravel()
        return numbers[numbers < len(self.corners)]


def _in_blocks(items: FloatArray) -> tuple[int, FloatArray]:
    """Points or triangles (n, ...) by neighborhood, and how many make a block: at most 1024 blocks of 16 or more."""
    blocks = 1 << min(10, int(np.log2(max(1.0, len(items) / 16))))
    size = -(-len(items) // blocks)
    order = by_halving(items.reshape(len(items), -1, 3).mean(axis=1), blocks, size)
    return size, np.ascontiguousarray(items[order])


def _spheres(groups: Iterable[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Centers and radii of spheres around groups of points."""
    centers = np.array([(group.min(axis=0) + group.max(axis=0)) / 2 for group in groups])
    radii = [np.linalg.norm(group - c, axis=1).max() for group, c in zip(groups, centers, strict=True)]
    return centers, np.array(radii)


@lru_cache(maxsize=8)
def _shape(coil: Coil | None) -> tuple[_Points, _Triangles | None]:
    """Sample points of a coil's casing and windings, and the casing's triangles where it is a surface."""
    windings = () if coil is None else coil.windings
    points = _Points.of(np.concatenate([casing_points_mm(coil), *windings]))
    if coil is None or coil.casing is None:
        return points, None
    return points, _Triangles.of(coil.casing.corners_mm)


def casing_points_mm(coil: Coil | None) -> FloatArray:
    """(c, 3) points of a coil's casing; of a flat plate of 170 x 90 mm where its shape is not known."""
    if coil is not None and coil.casing_points_mm is not None and len(coil.casing_points_mm):
        return coil.casing_points_mm
    half_width, half_height = _UNKNOWN_CASING_MM
    x, y = np.meshgrid(np.arange(-half_width, half_width + 1, 5.0), np.arange(-half_height, half_height + 1, 5.0))
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])


def clearance_mm(head: HeadMesh, coil: Coil | None, pose: Pose) -> float:
    """Smallest distance between a coil and the scalp; negative where they overlap.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil, optional
        Its casing (a surface, or points that cover it) and its windings; a flat plate of 170 x 90 mm where its
        shape is not known.
    pose : Pose
        Coil to head.

    Returns
    -------
    float
        mm. Outside the head exact: from triangle to triangle where the casing is a surface, else from each point
        to the scalp. Inside, minus the depth below the scalp of the deepest point or sample of the casing (samples
        are at most 3 mm apart).
    """
    distance = scalp_distance(head)
    points, triangles = _shape(coil)
    if triangles is None:
        return _lowest(distance, pose, points)
    if distance(pose.to_head(triangles.corners[:1, 0]))[0] >= 0 and (
        squared := _nearest_pair(distance, pose, triangles)
    ):
        return float(np.sqrt(squared))
    return min(_lowest(distance, pose, points), -_SMALLEST_OVERLAP_MM)


def _lowest(distance: SignedDistance, pose: Pose, cloud: _Points) -> float:
    """Smallest signed distance of all points."""
    blocks = (cloud.points, cloud.starts, cloud.centers, cloud.reach)
    rotation, origin = np.ascontiguousarray(pose.rotation), np.ascontiguousarray(pose.center_mm)
    return float(kernel.lowest(rotation, origin, *blocks, distance.corners, distance.boxes, distance.normals))


def _nearest_pair(distance: SignedDistance, pose: Pose, triangles: _Triangles, upper_mm: float = np.inf) -> float:
    """Squared distance between casing and scalp, 0 where they cross; what is farther than `upper_mm` is not sought."""
    numbers = triangles.of_blocks(triangles.lowest(distance, pose))
    low, high = distance.bounds(pose.to_head(triangles.item_centers[numbers]))
    low, high = low - triangles.item_radii[numbers], high + triangles.item_radii[numbers]
    order, upper = np.argsort(high), min(upper_mm, float(high.min()))
    for chosen in (order[:_FIRST], order[_FIRST:]):
        # What the nearest ones leave is small, and most of the others are farther.
        chosen = chosen[low[chosen] < upper]
        if len(chosen):
            corners = pose.to_head(triangles.corners[numbers[chosen]].reshape(-1, 3)).reshape(-1, 3, 3)
            upper = float(np.sqrt(kernel.nearest_pair(corners, distance.corners, distance.boxes, upper**2)))
        if upper <= 0:
            return 0.0
    return upper**2


def _lowest_center(distance: SignedDistance, triangles: _Triangles, pose: Pose) -> float:
    """Smallest signed distance of the centers of blocks."""
    return float(distance(pose.to_head(triangles.centers[triangles.lowest(distance, pose)])).min())


def is_clear(head: HeadMesh, coil: Coil | None, pose: Pose) -> bool:
    """Whether nothing of a coil reaches into the head: the sign of `clearance_mm`, found without the distance.

    A casing that is a surface is clear if one of its points is outside the head and none of its triangles crosses the
    scalp; the windings are taken to lie within it.
    """
    distance = scalp_distance(head)
    points, triangles = _shape(coil)
    if triangles is None:
        return _lowest(distance, pose, points) >= 0
    if distance(pose.to_head(triangles.corners[:1, 0]))[0] < 0:
        return False
    return _nearest_pair(distance, pose, triangles, _CROSSING_MM) > 0


def settle(head: HeadMesh, coil: Coil | None, pose: Pose, gap_mm: float) -> Pose:
    """The pose, moved along the coil's axis until the smallest gap between coil and scalp is `gap_mm`.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil, optional
        One whose casing is not known is not moved inward: its origin stands for the casing's face as well.
    pose : Pose
        Where the coil starts: `gap_mm` above the scalp under its center, or farther out.
    gap_mm : float, > 0

    Returns
    -------
    Pose
        With a clearance within `GAP_TOLERANCE_MM` of `gap_mm`.

    Raises
    ------
    CollisionError
        If no place on the coil's axis has that gap.
    """
    known = coil is not None and coil.shape_from in ("casing", "points")
    clearance = partial(clearance_mm, head, coil)
    if not known and clearance(pose) > gap_mm:
        return pose
    _, triangles = _shape(coil)
    if triangles is not None:
        # How deep a casing of many triangles reaches in is dear to know: near its place the coil is put by blocks.
        pose = _slid(pose, partial(_lowest_center, scalp_distance(head), triangles), gap_mm + _BLOCK_MM, _BLOCK_MM / 2)
    return _slid(pose, clearance, gap_mm, GAP_TOLERANCE_MM)


def _slid(pose: Pose, clearance: Callable[[Pose], float], gap_mm: float, tolerance_mm: float) -> Pose:
    """The pose, moved along its axis until its clearance is the gap, within a tolerance."""
    out, now = 0.0, clearance(pose)
    before: tuple[float, float] | None = None
    for _ in range(_MOST_STEPS):
        if abs(now - gap_mm) <= tolerance_mm:
            return pose.moved((0.0, 0.0, -out))
        # A step changes the gap by its length at most; how much it does is seen from the step before.
        slope = 1.0 if before is None else np.clip((now - before[1]) / (out - before[0]), _LEAST_SLOPE, 1.0)
        before = out, now
        out -= (now - gap_mm) / slope
        now = clearance(pose.moved((0.0, 0.0, -out)))
    raise CollisionError(
        f"the coil must come to a gap of {gap_mm:g} mm when moved along its axis; instead it does not: is it a casing "
        "that goes around the head?"
    )


def lift_clear(head: HeadMesh, coil: Coil | None, pose: Pose) -> Pose:
    """The pose, moved outward along the coil's axis until the coil is clear of the head; as it is if it was clear.

    The depth of an overlap is the least that the coil must move, so that the steps cannot overshoot by more than
    `TOUCHING_MM`.

    Raises
    ------
    CollisionError
        If the coil is not clear 200 steps farther out.
    """
    for _ in range(_MOST_STEPS):
        clearance = clearance_mm(head, coil, pose)
        if clearance >= 0:
            return pose
        pose = pose.moved((0.0, 0.0, clearance - TOUCHING_MM / 2))
    raise CollisionError("the coil must come clear of the head when moved along its axis; instead it does not")


def touch(head: HeadMesh, coil: Coil | None, pose: Pose) -> Pose:
    """The pose, moved along the coil's axis until the casing touches the scalp.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil, optional
    pose : Pose
        Where the coil starts: outside the head it moves in, inside it moves out first.

    Returns
    -------
    Pose
        With a clearance from 0 to `TOUCHING_MM`.

    Raises
    ------
    CollisionError
        If the coil's axis misses the head.
    """
    pose = lift_clear(head, coil, pose)
    reach = float(np.ptp(head.points, axis=0).max()) + float(np.linalg.norm(pose.center_mm))
    for _ in range(_MOST_STEPS):
        clearance = clearance_mm(head, coil, pose)
        if clearance <= TOUCHING_MM:
            return pose
        if clearance > reach:
            break
        # Nothing of the coil can reach the head within its clearance.
        pose = pose.moved((0.0, 0.0, clearance - TOUCHING_MM / 2))
    raise CollisionError("the coil must meet the head when moved along its z axis; instead it passes beside it")


def signed_distance_mm(head: HeadMesh, points_mm: ArrayLike) -> FloatArray:
    """(n,) distances of (n, 3) points from the scalp in mm, negative inside the head."""
    return scalp_distance(head)(checks.vectors("points_mm", points_mm))
