"""How far a coil is from a head: signed clearance between the casing and the scalp, in mm.

Signed distance to the scalp is that to the nearest triangle, negative where the point lies behind the surface there;
the side is told by the pseudonormal of the nearest face, edge or vertex (Baerentzen and Aanaes, IEEE Trans Vis Comput
Graph 2005;11:243-253).
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import CollisionError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh, once_per_head
from efield.head.surface import Surface, scalp
from efield.kernels import clearance as kernel

FloatArray = NDArray[np.float64]

#: Casing of a coil of which nothing is known: a flat plate, about that of a 70 mm figure-8 (half width and height, mm).
_UNKNOWN_CASING_MM: Final = (85.0, 45.0)

#: Where triangles cross but no sample of the casing lies inside the head, the overlap is reported as this (mm).
_SMALLEST_OVERLAP_MM: Final = 0.01

#: Triangles whose squared distance is looked for up to here cross or do not (mm2).
_CROSSING_MM2: Final = 1e-6

#: A coil that touches is this near to the scalp, or nearer (mm).
TOUCHING_MM: Final = 0.05
_MOST_STEPS: Final = 200


@dataclass(frozen=True, eq=False)
class SignedDistance:
    """A surface made ready for signed distances.

    Parameters
    ----------
    corners : (t, 3, 3) float, mm
        Triangles in the order of the tree's leaves.
    boxes : (b, 2, 3) float, mm
        The tree.
    normals : (t, 7, 3) float
        Of each triangle: its unit normal, the pseudonormals of its edges 01, 12, 20 and of its corners.
    """

    corners: FloatArray
    boxes: FloatArray
    normals: FloatArray

    @classmethod
    def of(cls, surface: Surface) -> "SignedDistance":
        """Ready a surface."""
        corners = surface.points_mm[surface.triangles]
        leaves = 1 << int(np.ceil(np.log2(max(1.0, len(corners) / kernel.LEAF))))
        order = _by_halving(corners.mean(axis=1), leaves, kernel.LEAF)
        normals = _pseudonormals(surface)[order]
        corners = np.ascontiguousarray(corners[order])
        return cls(corners, _boxes(corners, leaves), normals)

    def __call__(self, points_mm: FloatArray, upper_mm: float = np.inf) -> FloatArray:
        """(n,) distances of (n, 3) points in mm, negative inside; those beyond `upper_mm` are not sought."""
        points_mm = np.ascontiguousarray(points_mm)
        number, weights, squared = kernel.nearest_triangles(points_mm, self.corners, self.boxes, upper_mm**2)
        weights = np.column_stack([1.0 - weights.sum(axis=1), weights])
        foot = np.einsum("nk,nkx->nx", weights, self.corners[number])
        zero = weights == 0
        on_edge, on_corner = zero.sum(axis=1) == 1, zero.sum(axis=1) == 2
        # The edge opposite to the corner of weight zero: 01 is opposite to 2, 12 to 0, 20 to 1.
        feature = np.where(on_edge, 1 + (np.argmax(zero, axis=1) + 1) % 3, 0)
        feature = np.where(on_corner, 4 + np.argmax(weights, axis=1), feature)
        side = np.einsum("nx,nx->n", points_mm - foot, self.normals[number, feature])
        inside = (side < 0) & (squared < upper_mm**2)
        return np.asarray(np.where(inside, -1.0, 1.0) * np.sqrt(squared))


def _by_halving(centers: FloatArray, leaves: int, size: int) -> NDArray[np.intp]:
    """The order of points that puts neighbors together: `leaves` (a power of two) runs of `size` points.

    Runs are halved across their longest axis, all runs of a level at once; what is missing to full runs is taken to
    lie at infinity, so it stays behind the last point.
    """
    order = np.arange(leaves * size)
    padded = np.full((leaves * size, 3), np.inf)
    padded[: len(centers)] = centers
    for runs in 2 ** np.arange(int(np.log2(leaves))):
        groups = padded[order].reshape(runs, -1, 3)
        low, high = groups.min(axis=1), np.where(np.isfinite(groups), groups, -np.inf).max(axis=1)
        axis = np.argmax(high - low, axis=1)
        within = np.argsort(groups[np.arange(runs), :, axis], axis=1, kind="stable")
        order = np.take_along_axis(order.reshape(runs, -1), within, axis=1).ravel()
    return order[order < len(centers)]


def _boxes(corners: FloatArray, leaves: int) -> FloatArray:
    """(b, 2, 3) boxes of a complete binary tree whose leaves hold `kernel.LEAF` triangles each."""
    boxes = np.empty((2 * leaves - 1, 2, 3))
    boxes[:, 0], boxes[:, 1] = np.inf, -np.inf
    first = np.arange(0, len(corners), kernel.LEAF)
    boxes[leaves - 1 : leaves - 1 + len(first), 0] = np.minimum.reduceat(corners.min(axis=1), first)
    boxes[leaves - 1 : leaves - 1 + len(first), 1] = np.maximum.reduceat(corners.max(axis=1), first)
    while leaves > 1:
        children = boxes[leaves - 1 : 2 * leaves - 1].reshape(-1, 2, 2, 3)
        leaves //= 2
        boxes[leaves - 1 : 2 * leaves - 1, 0] = children[:, :, 0].min(axis=1)
        boxes[leaves - 1 : 2 * leaves - 1, 1] = children[:, :, 1].max(axis=1)
    return boxes


def _pseudonormals(surface: Surface) -> FloatArray:
    """(t, 7, 3) see `SignedDistance`; corners are weighted by angle, which makes the sign exact."""
    faces, triangles = surface.triangle_normals, surface.triangles
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1).astype(np.int64)
    _, edge = np.unique(edges[:, 0] * len(surface.points_mm) + edges[:, 1], return_inverse=True)
    at_edges = _summed(edge, np.repeat(faces, 3, axis=0))
    corners = surface.points_mm[triangles]
    ahead, behind = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    cosine = np.einsum("tkx,tkx->tk", ahead, behind)
    angle = np.arctan2(np.linalg.norm(np.cross(ahead, behind), axis=2), cosine)
    at_corners = _summed(triangles.ravel(), (angle[..., None] * faces[:, None]).reshape(-1, 3))
    return np.concatenate([faces[:, None], at_edges.reshape(-1, 3, 3), at_corners.reshape(-1, 3, 3)], axis=1)


def _summed(group: NDArray[np.integer], vectors: FloatArray) -> FloatArray:
    """For each row, the sum of the vectors of its group."""
    sums = np.column_stack([np.bincount(group, vectors[:, axis]) for axis in range(3)])
    return np.asarray(sums[group])


@once_per_head
def scalp_distance(head: HeadMesh) -> SignedDistance:
    """Signed distance to a head's scalp, prepared once."""
    return SignedDistance.of(scalp(head))


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Things (n, ...) in blocks of neighbors, with the sphere (center and radius) around each block."""

    items: FloatArray
    starts: NDArray[np.intp]
    centers: FloatArray
    radii: FloatArray

    @classmethod
    def of(cls, items: FloatArray) -> "_Blocks":
        """At most 256 blocks of 16 items or more; the last may be smaller."""
        blocks = 1 << min(8, int(np.log2(max(1.0, len(items) / 16))))
        size = -(-len(items) // blocks)
        items = items[_by_halving(items.reshape(len(items), -1, 3).mean(axis=1), blocks, size)]
        corners = items.reshape(len(items), -1, 3)
        starts = np.append(np.arange(0, len(items), size), len(items))
        groups = [corners[a:b].reshape(-1, 3) for a, b in pairwise(starts)]
        centers = np.array([(group.min(axis=0) + group.max(axis=0)) / 2 for group in groups])
        spread = [np.linalg.norm(group - c, axis=1).max() for group, c in zip(groups, centers, strict=True)]
        return cls(items, starts, centers, np.array(spread))

    def take(self, blocks: NDArray[np.intp]) -> FloatArray:
        """All items of some blocks."""
        return np.concatenate([self.items[self.starts[k] : self.starts[k + 1]] for k in blocks])


@lru_cache(maxsize=8)
def _shape(coil: Coil | None) -> tuple[_Blocks, _Blocks | None]:
    """Sample points of a coil's casing and windings, and the casing's triangles where it is a surface."""
    windings = () if coil is None else coil.windings
    points = _Blocks.of(np.concatenate([casing_points_mm(coil), *windings]))
    if coil is None or coil.casing is None:
        return points, None
    return points, _Blocks.of(coil.casing.corners_mm)


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
    lowest = _lowest(distance, pose, points)
    if triangles is None or lowest < 0:
        return lowest
    squared = _nearest_pair(distance, pose, triangles, lowest)
    return float(np.sqrt(squared)) if squared > 0 else -_SMALLEST_OVERLAP_MM


def _lowest(distance: SignedDistance, pose: Pose, points: _Blocks) -> float:
    """Smallest signed distance of all points, from the blocks that can hold it."""
    center = distance(pose.to_head(points.centers))
    bound = center - points.radii
    first = np.argsort(center)[:4]
    upper = float(distance(pose.to_head(points.take(first))).min())
    # Blocks that may reach in must find the scalp at any depth; of the others only what is nearer counts.
    deep = np.flatnonzero((bound <= 0) & (bound < upper))
    if len(deep):
        upper = min(upper, float(distance(pose.to_head(points.take(deep))).min()))
    near = np.flatnonzero((bound > 0) & (bound < upper))
    if len(near):
        upper = min(upper, float(distance(pose.to_head(points.take(near)), upper).min()))
    return upper


def _nearest_pair(distance: SignedDistance, pose: Pose, triangles: _Blocks, upper_mm: float) -> float:
    """Squared distance between casing and scalp, 0 where they cross; `upper_mm` is a distance already found."""
    bound = distance(pose.to_head(triangles.centers), upper_mm + float(triangles.radii.max())) - triangles.radii
    chosen = np.argsort(bound)[: np.count_nonzero(bound < upper_mm)]
    corners = pose.to_head(triangles.take(chosen).reshape(-1, 3)).reshape(-1, 3, 3)
    return float(kernel.nearest_pair(corners, distance.corners, distance.boxes, upper_mm**2))


def is_clear(head: HeadMesh, coil: Coil | None, pose: Pose) -> bool:
    """Whether nothing of a coil reaches into the head: the sign of `clearance_mm`, found without the distance.

    A casing that is a surface is clear if one of its points is outside the head and none of its triangles crosses the
    scalp; the windings are taken to lie within it.
    """
    distance = scalp_distance(head)
    points, triangles = _shape(coil)
    if triangles is None:
        center = distance(pose.to_head(points.centers))
        near = np.flatnonzero(center < points.radii)
        return not len(near) or bool(distance(pose.to_head(points.take(near))).min() >= 0)
    if distance(pose.to_head(triangles.items[:1, 0]))[0] < 0:
        return False
    corners = pose.to_head(triangles.items.reshape(-1, 3)).reshape(-1, 3, 3)
    return float(kernel.nearest_pair(corners, distance.corners, distance.boxes, _CROSSING_MM2)) > 0


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
