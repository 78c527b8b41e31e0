"""The nearest place on a triangle surface, and on which side of it a point lies.

Triangles stand in a tree of boxes (`efield.kernels.geometry.clearance`); what is found is exact. The side is told by
the pseudonormal of the nearest face, edge or vertex.

References
----------
Baerentzen JA, Aanaes H. Signed distance computation using the angle weighted pseudonormal. IEEE Trans Vis Comput Graph
2005;11:243-253.
"""

from functools import cached_property
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.checks import plain
from efield.head.surface import TriangleSurface
from efield.kernels.geometry import clearance as kernel

#: Step of the lattice by which distances are bounded, and how far it reaches beyond a surface (mm).
_STEP_MM: Final = 5.0
_AROUND_MM: Final = 120.0


class SignedDistance:
    """A triangle surface made ready for nearest places; called, it gives signed distances. See `signed_distance`.

    Attributes
    ----------
    corners : (t, 3, 3) float, mm
        Triangles in the order of the tree's leaves.
    boxes : (b, 2, 3) float, mm
        The tree.
    """

    def __init__(self, surface: TriangleSurface) -> None:
        # A surface of its own: one made ready must not keep alive the surface by which it is remembered.
        self._surface = TriangleSurface(surface.points_mm, surface.triangles)
        corners = surface.points_mm[surface.triangles]
        leaves = 1 << int(np.ceil(np.log2(max(1.0, len(corners) / kernel.LEAF))))
        self._order = by_halving(corners.mean(axis=1), leaves, kernel.LEAF)
        self.corners = np.ascontiguousarray(corners[self._order], dtype=np.float64)
        self.boxes = _boxes(self.corners, leaves)

    @cached_property
    def normals(self) -> FloatArray:
        """(t, 7, 3) pseudonormals of the triangles' faces, edges 01, 12, 20 and corners."""
        return _pseudonormals(self._surface)[self._order]

    def find(self, points_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Nearest places and their distances.

        Parameters
        ----------
        points_mm : (n, 3) float, mm

        Returns
        -------
        places : (n, 3) float, mm
        distance : (n,) float, mm
        """
        points = plain(np.asarray(points_mm, dtype=np.float64))
        number, of_two, squared = kernel.nearest_triangles(points, self.corners, self.boxes, np.inf)
        weights = np.column_stack([1.0 - of_two.sum(axis=1), of_two])
        return np.einsum("nk,nkx->nx", weights, self.corners[number]), np.asarray(np.sqrt(squared))

    def __call__(self, points_mm: FloatArray) -> FloatArray:
        """(n,) distances of (n, 3) points in mm, negative inside."""
        points = np.ascontiguousarray(points_mm, dtype=np.float64)
        return np.asarray(kernel.signed_distances(points, (self.corners, self.boxes, self.normals)))

    @cached_property
    def lattice(self) -> tuple[tuple[FloatArray, float], FloatArray]:
        """First point and step (mm) of a lattice around the surface, and signed distances, nan if not known yet."""
        points = self._surface.points_mm
        cells = np.ceil((np.ptp(points, axis=0) + 2 * _AROUND_MM) / _STEP_MM).astype(int)
        return (points.min(axis=0) - _AROUND_MM, _STEP_MM), np.full(cells + 1, np.nan)


_READY: WeakKeyDictionary[TriangleSurface, SignedDistance] = WeakKeyDictionary()


def signed_distance(surface: TriangleSurface) -> SignedDistance:
    """A surface made ready, remembered for as long as the surface is alive."""
    if surface not in _READY:
        _READY[surface] = SignedDistance(surface)
    return _READY[surface]


def by_halving(centers: FloatArray, leaves: int, size: int) -> NDArray[np.intp]:
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


def _pseudonormals(surface: TriangleSurface) -> FloatArray:
    """(t, 7, 3) of each triangle its unit normal, the pseudonormals of its edges 01, 12, 20 and of its corners.

    Corners are weighted by angle, which makes the sign exact.
    """
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


def farthest_points(points: FloatArray, count: int, first: int = 0) -> FloatArray:
    """Up to `count` of the points, each the farthest from those chosen before it; the first is given by its number."""
    chosen = [first]
    distance = ((points - points[first]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]
