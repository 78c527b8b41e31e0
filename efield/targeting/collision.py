"""How far a coil is from a head: signed clearance between the casing and the scalp, in mm."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.errors import CollisionError
from efield.ground.pose import Pose
from efield.head.closest import SignedDistance, by_halving, signed_distance
from efield.head.mesh import HeadMesh, once_per_head
from efield.head.surface import scalp
from efield.kernels.geometry import clearance as kernel

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

#: By so many of its places at most a coil is first put this much farther out than it has to be, within as much (mm).
_SOME: Final = 256
_SOME_MM: Final = 1.0

#: Of a coil that is moved along its axis the gap changes by this share of the way at least.
_LEAST_SLOPE: Final = 0.1


@once_per_head
def scalp_distance(head: HeadMesh) -> SignedDistance:
    """Signed distance to a head's scalp, prepared once."""
    return signed_distance(scalp(head))


@dataclass(frozen=True, eq=False)
class _Points:
    """Points in blocks of neighbors: what `kernel.lowest` takes."""

    arrays: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, points: FloatArray) -> "_Points":
        size, points = _in_blocks(points)
        starts = np.append(np.arange(0, len(points), size), len(points))
        low, high = (extreme.reduceat(points, starts[:-1], axis=0) for extreme in (np.minimum, np.maximum))
        centers = (low + high) / 2
        away = points - np.repeat(centers, np.diff(starts), axis=0)
        return cls((points, starts, centers, np.linalg.norm(away, axis=1)))

    def nothing_seen(self) -> tuple[FloatArray, FloatArray]:
        """(k, 2) and (n, 2) rows that the kernel fills for blocks and points."""
        return np.full((len(self.arrays[2]), 2), np.nan), np.full((len(self.arrays[0]), 2), np.nan)


@dataclass(frozen=True, eq=False)
class _Triangles:
    """Triangles in the order of the leaves of a tree of spheres: what `kernel.nearest_pair` takes."""

    arrays: tuple[FloatArray, ...]

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
        return cls((corners, centroids, reach, centers, radii))


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


def _in_blocks(points: FloatArray) -> tuple[int, FloatArray]:
    """Points (n, 3) by neighborhood, and how many make a block: at most 512 blocks of 8 or more."""
    blocks = 1 << min(9, int(np.log2(max(1.0, len(points) / 8))))
    size = -(-len(points) // blocks)
    return size, np.ascontiguousarray(points[by_halving(points, blocks, size)])


def _spheres(groups: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centers (g, 3) and radii (g,) of spheres around groups (g, n, 3) of points."""
    centers = (groups.min(axis=1) + groups.max(axis=1)) / 2
    return centers, np.sqrt(((groups - centers[:, None]) ** 2).sum(axis=2).max(axis=1))


@lru_cache(maxsize=8)
def _shape(coil: Coil | None) -> tuple[_Points, _Triangles | None, _Points]:
    """Sample points of a coil's casing and windings, its triangles where it is a surface, and a few of both."""
    windings = () if coil is None else coil.windings
    points = _Points.of(np.concatenate([casing_points_mm(coil), *windings]))
    triangles = None if coil is None or coil.casing is None else _Triangles.of(coil.casing.corners_mm)
    places = points.arrays[0] if triangles is None else triangles.arrays[1]
    return points, triangles, _Points.of(places[:: -(-len(places) // _SOME)])


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
    return _Slide(head, coil, pose).clearance()


class _Slide:
    """A coil that is moved along its axis from a pose: how far it is from the scalp at each place."""

    def __init__(self, head: HeadMesh, coil: Coil | None, pose: Pose) -> None:
        self._distance, self._rotation, self._pose = scalp_distance(head), np.ascontiguousarray(pose.rotation), pose
        self._points, self._triangles, self._some = _shape(coil)
        self._seen: dict[_Points, tuple[FloatArray, FloatArray]] = {}

    def clearance(self, out_mm: float = 0.0, upper_mm: float = np.inf) -> float:
        """`clearance_mm` so far out, of which it is known that it is no more than `upper_mm`."""
        if self._triangles is None:
            return self._lowest(self._points, out_mm)
        if squared := self._nearest_pair(self._triangles, out_mm, upper_mm):
            return float(np.sqrt(squared))
        return min(self._lowest(self._points, out_mm), -_SMALLEST_OVERLAP_MM)

    def of_some(self, out_mm: float, _: float = np.inf) -> float:
        """The same of some places of the casing: no less, and about as much."""
        return self._lowest(self._some, out_mm)

    def is_clear(self) -> bool:
        """Whether nothing of the coil is in the head, at its first place."""
        if self._triangles is None:
            return self._lowest(self._points, 0.0) >= 0
        return self._nearest_pair(self._triangles, 0.0, _CROSSING_MM) > 0

    def _origin(self, out_mm: float) -> FloatArray:
        return self._pose.center_mm - out_mm * self._pose.z

    def _lowest(self, cloud: _Points, out_mm: float) -> float:
        """Smallest signed distance of all points."""
        surface = (self._distance.corners, self._distance.boxes, self._distance.normals)
        if cloud not in self._seen:
            self._seen[cloud] = cloud.nothing_seen()
        placed, seen = (self._rotation, self._origin(out_mm)), self._seen[cloud]
        return float(kernel.lowest(*placed, cloud.arrays, *seen, out_mm, surface))

    def _nearest_pair(self, triangles: _Triangles, out_mm: float, upper_mm: float) -> float:
        """Squared distance between casing and scalp up to `upper_mm`, 0 where they cross or it begins in the head."""
        surface = (self._distance.corners, self._distance.boxes, self._distance.normals)
        origin = self._origin(out_mm)
        begins = triangles.arrays[0][:1, 0] @ self._rotation.T + origin
        if self._distance(begins)[0] < 0:
            return 0.0
        placed, upper = (self._rotation, origin), upper_mm**2
        return float(kernel.nearest_pair(*placed, triangles.arrays, surface, *self._distance.lattice, upper))


def is_clear(head: HeadMesh, coil: Coil | None, pose: Pose) -> bool:
    """Whether nothing of a coil reaches into the head: the sign of `clearance_mm`, found without the distance.

    A casing that is a surface is clear if one of its points is outside the head and none of its triangles crosses the
    scalp; the windings are taken to lie within it.
    """
    return _Slide(head, coil, pose).is_clear()


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
    slide = _Slide(head, coil, pose)
    if not known and slide.clearance() > gap_mm:
        return pose
    # How deep a casing reaches in is dear to know: near its place the coil is put by some of its places.
    out, slope = _slid(slide.of_some, 0.0, gap_mm + _SOME_MM, _SOME_MM)
    out, _ = _slid(slide.clearance, out, gap_mm, GAP_TOLERANCE_MM, slope)
    return pose.moved((0.0, 0.0, -out))


def _slid(
    clearance: Callable[[float, float], float], out: float, gap_mm: float, tolerance_mm: float, slope: float = 1.0
) -> tuple[float, float]:
    """How far out the clearance is the gap, within a tolerance; and by what share of a step it changed.

    clearance takes how far out the coil is and what it is no more than; slope is the share of the first step that will
    change it.
    """
    now = clearance(out, np.inf)
    for _ in range(_MOST_STEPS):
        if abs(now - gap_mm) <= tolerance_mm:
            return out, slope
        # A step changes the gap by its length at most; how much it does is seen from the step before.
        step, before = (gap_mm - now) / slope, now
        out += step
        now = clearance(out, now + abs(step) + GAP_TOLERANCE_MM)
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
