"""How far a coil is from a head: signed clearance between the casing and the scalp, in mm."""

from collections.abc import Callable
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

#: Triangles of a casing are halved until their edges are no longer than this (mm), or until there are so many: what is
#: long and thin lies in a large sphere, which tells little of where it is.
_LONGEST_EDGE_MM: Final = 8.0
_MOST_TRIANGLES: Final = 400_000

#: Most blocks that a casing is put near its place by.
_BLOCKS: Final = 1024

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
        low, high = (extreme.reduceat(points, starts[:-1], axis=0) for extreme in (np.minimum, np.maximum))
        centers = (low + high) / 2
        away = points - np.repeat(centers, np.diff(starts), axis=0)
        return cls(points, starts, centers, np.linalg.norm(away, axis=1))


@dataclass(frozen=True, eq=False)
class _Triangles:
    """Triangles (n, 3, 3) in the order of the leaves of a tree of spheres.

    tree is what `kernel.nearest_pair` takes; blocks are the centers of the spheres of one level.
    """

    corners: FloatArray
    tree: tuple[FloatArray, ...]
    blocks: _Points

    @classmethod
    def of(cls, corners: FloatArray) -> "_Triangles":
        corners = _halved(corners)
        levels = int(np.ceil(np.log2(max(1.0, len(corners) / kernel.LEAF))))
        order = by_halving(corners.mean(axis=1), 1 << levels, kernel.LEAF)
        corners = np.ascontiguousarray(corners[order])
        # The last one stands where leaves are not full: its spheres hold nothing that is looked at.
        full = np.concatenate([corners, np.repeat(corners[-1:], (kernel.LEAF << levels) - len(corners), axis=0)])
        spheres = [_spheres(full.reshape(1 << level, -1, 3)) for level in range(levels + 1)]
        centers, radii = (np.concatenate(parts) for parts in zip(*spheres, strict=True))
        centroids = corners.mean(axis=1)
        reach = np.linalg.norm(corners - centroids[:, None], axis=2).max(axis=1)
        tree = (corners, centroids, reach, centers, radii)
        return cls(corners, tree, _Points.of(spheres[min(levels, int(np.log2(_BLOCKS)))][0]))


def _halved(corners: FloatArray) -> FloatArray:
    """Triangles (n, 3, 3) as those (m, 3, 3) that they are divided into."""
    done: list[FloatArray] = []
    while len(corners):
        edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        long = edges.max(axis=1) > _LONGEST_EDGE_MM
        if sum(map(len, done)) + len(corners) + np.count_nonzero(long) > _MOST_TRIANGLES:
            long[:] = False
        done.append(corners[~long])
        turn = (edges[long].argmax(axis=1)[:, None] + np.arange(3)) % 3
        a, b, c = np.moveaxis(np.take_along_axis(corners[long], turn[:, :, None], axis=1), 1, 0)
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
    return np.concatenate(done)


def _in_blocks(items: FloatArray) -> tuple[int, FloatArray]:
    """Points or triangles (n, ...) by neighborhood, and how many make a block: at most 1024 blocks of 16 or more."""
    blocks = 1 << min(10, int(np.log2(max(1.0, len(items) / 16))))
    size = -(-len(items) // blocks)
    order = by_halving(items.reshape(len(items), -1, 3).mean(axis=1), blocks, size)
    return size, np.ascontiguousarray(items[order])


def _spheres(groups: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centers (g, 3) and radii (g,) of spheres around groups (g, n, 3) of points."""
    centers = (groups.min(axis=1) + groups.max(axis=1)) / 2
    return centers, np.sqrt(((groups - centers[:, None]) ** 2).sum(axis=2).max(axis=1))


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
    return _clearance(head, coil, pose, np.inf)


def _clearance(head: HeadMesh, coil: Coil | None, pose: Pose, upper_mm: float) -> float:
    """`clearance_mm`, of which it is known that it is no more than `upper_mm`."""
    distance = scalp_distance(head)
    points, triangles = _shape(coil)
    if triangles is None:
        return _lowest(distance, pose, points)
    if distance(pose.to_head(triangles.corners[:1, 0]))[0] >= 0 and (
        squared := _nearest_pair(distance, pose, triangles, upper_mm)
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
    rotation, origin = np.ascontiguousarray(pose.rotation), np.ascontiguousarray(pose.center_mm)
    surface = (distance.corners, distance.boxes, distance.normals)
    return float(kernel.nearest_pair(rotation, origin, triangles.tree, surface, *distance.lattice, upper_mm**2))


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
    clearance = partial(_clearance, head, coil)
    if not known and clearance(pose, np.inf) > gap_mm:
        return pose
    _, triangles = _shape(coil)
    slope = 1.0
    if triangles is not None:
        # How deep a casing of many triangles reaches in is dear to know: near its place the coil is put by blocks.
        distance = scalp_distance(head)
        pose, slope = _slid(
            pose, lambda at, _: _lowest(distance, at, triangles.blocks), gap_mm + _BLOCK_MM, _BLOCK_MM / 2
        )
    return _slid(pose, clearance, gap_mm, GAP_TOLERANCE_MM, slope)[0]


def _slid(
    pose: Pose,
    clearance: Callable[[Pose, float], float],
    gap_mm: float,
    tolerance_mm: float,
    slope: float = 1.0,
) -> tuple[Pose, float]:
    """The pose, moved along its axis until its clearance is the gap, within a tolerance; and by what share it changed.

    clearance takes a pose and what it is no more than; slope is the share of a step that the first will change it by.
    """
    out, now = 0.0, clearance(pose, np.inf)
    for _ in range(_MOST_STEPS):
        if abs(now - gap_mm) <= tolerance_mm:
            return pose.moved((0.0, 0.0, -out)), slope
        # A step changes the gap by its length at most; how much it does is seen from the step before.
        step, before = (gap_mm - now) / slope, now
        out += step
        now = clearance(pose.moved((0.0, 0.0, -out)), now + abs(step) + GAP_TOLERANCE_MM)
        slope = float(np.clip((now - before) / step, _LEAST_SLOPE, 1.0))
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
