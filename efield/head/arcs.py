"""Arcs over the scalp, measured as a tape measure does: in the plane of three points, taut across hollows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import ConvexHull

from efield.ground.errors import InputError
from efield.ground.rows import distinct_rows
from efield.head.closest import signed_distance
from efield.head.surface import Surface

#: Below this height over its chord an arc is straight (mm).
_FLAT_MM = 1e-6

#: The sine of the smallest angle at which three points still fix a plane: 1 degree.
_THINNEST_PLANE = 0.0175


@dataclass(frozen=True, eq=False)
class Arc:
    """A way over the scalp from one point to another.

    Parameters
    ----------
    path_mm : (n, 3) float
        The cut of the scalp, point by point.
    touched : (k,) int
        Rows of `path_mm` that a taut tape touches, ascending, with both ends: the convex hull of the path. The cut of a
        mesh grows longer with every wrinkle of skin and follows the rim of an ear; a tape does neither.
    """

    path_mm: NDArray[np.float64]
    touched: NDArray[np.int64]

    @cached_property
    def _reach_mm(self) -> NDArray[np.float64]:
        """(k,) how far along the tape each touched row is."""
        steps = np.linalg.norm(np.diff(self.path_mm[self.touched], axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @cached_property
    def _marks_mm(self) -> NDArray[np.float64]:
        """(n,) how far along the tape the point straight above each row is; rows that double back stay behind."""
        rows = np.arange(len(self.path_mm))
        span = np.clip(np.searchsorted(self.touched, rows, side="right") - 1, 0, len(self.touched) - 2)
        tape, length = self.path_mm[self.touched], np.diff(self._reach_mm)
        along = np.diff(tape, axis=0) / np.where(length > 0, length, 1.0)[:, None]
        ahead = np.einsum("ij,ij->i", self.path_mm - tape[span], along[span])
        return np.maximum.accumulate(self._reach_mm[span] + np.clip(ahead, 0.0, length[span]))

    @property
    def length_mm(self) -> float:
        """Length of the tape."""
        return float(self._reach_mm[-1])

    def at(self, fraction: float) -> NDArray[np.float64]:
        """(3,) point of the scalp straight under a mark on the tape, given as a fraction of the tape's length."""
        return np.array([np.interp(fraction * self.length_mm, self._marks_mm, axis) for axis in self.path_mm.T])


@dataclass(frozen=True, eq=False)
class _Cut:
    """Where a plane cuts a surface: points (k, 3) and the segments (s, 2) that join them."""

    points: NDArray[np.float64]
    segments: NDArray[np.int64]

    def with_point(self, point: NDArray[np.float64]) -> "_Cut":
        """The same cut with one more point, the last, that splits the nearest segment."""
        starts, ends = self.segments.T
        nearest = _nearest_segment(point, self.points[starts], self.points[ends])
        new = len(self.points)
        halves = np.array([[starts[nearest], new], [new, ends[nearest]]])
        return _Cut(
            np.vstack([self.points, point]), np.concatenate([np.delete(self.segments, nearest, axis=0), halves])
        )

    def way(self, start: int, end: int, without: int) -> NDArray[np.int64]:
        """Point numbers from start to end along the cut, on the side where the point `without` is not.

        Raises
        ------
        InputError
            If there is no such way, as when the points lie on separate pieces of the cut.
        """
        starts, ends = self.segments[(self.segments != without).all(axis=1)].T
        # A mesh node exactly in the plane makes a segment of no length, which a sparse graph must not lose.
        lengths = np.linalg.norm(self.points[ends] - self.points[starts], axis=1) + 1e-12
        graph = coo_array((lengths, (starts, ends)), shape=(len(self.points),) * 2).tocsr()
        previous = dijkstra(graph, directed=False, indices=[start], return_predecessors=True)[1][0]
        backward = [end]
        while backward[-1] != start:
            if backward[-1] < 0:
                raise InputError(
                    f"the points {_triple(self.points[start])} and {_triple(self.points[end])} mm must be joined by "
                    "one cut of the scalp; instead a plane through them leaves them on separate pieces: "
                    "put the fiducials on the head itself, not on an ear or another part that stands out"
                )
            backward.append(int(previous[backward[-1]]))
        return np.array(backward[::-1])


def whole_arc(surface: Surface, start: NDArray[np.float64], via: NDArray[np.float64], end: NDArray[np.float64]) -> Arc:
    """One taut tape from start to end, in their plane with a third point and on its side of the head.

    Parameters
    ----------
    surface : Surface
    start, end : (3,) float, mm
        On the surface.
    via : (3,) float, mm
        On or near the surface; the tape need not touch it.

    Raises
    ------
    InputError
        If the three points are in line, or not on one piece of the cut.
    """
    first, second, normal = _ways(surface, start, via, end)
    return _taut(np.concatenate([first, second[1:]]), normal)


def half_arcs(
    surface: Surface, start: NDArray[np.float64], middle: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[Arc, Arc]:
    """The tape from start to middle and that from middle to end, in the plane of the three points.

    Parameters
    ----------
    surface : Surface
    start, middle, end : (3,) float, mm
        On the surface.

    Raises
    ------
    InputError
        If the three points are in line, or not on one piece of the cut.
    """
    first, second, normal = _ways(surface, start, middle, end)
    return _taut(first, normal), _taut(second, normal)


def nearest_on_surface(surface: Surface, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point of a surface that is nearest to a point, (3,) mm."""
    return np.asarray(signed_distance(surface).find(point[None])[0][0])


def _ways(
    surface: Surface, start: NDArray[np.float64], middle: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points along the cut from start to middle and from middle to end, and the normal of the plane."""
    normal = _plane_normal(start, middle, end)
    cut = _plane_cut(surface, start, normal)
    for point in (start, middle, end):
        cut = cut.with_point(point)
    first, second, third = range(len(cut.points) - 3, len(cut.points))
    before, after = cut.way(first, second, without=third), cut.way(second, third, without=first)
    return cut.points[before], cut.points[after], normal


def _plane_normal(
    start: NDArray[np.float64], middle: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    normal = np.cross(middle - start, end - start)
    length = float(np.linalg.norm(normal))
    if length <= _THINNEST_PLANE * np.linalg.norm(middle - start) * np.linalg.norm(end - start):
        raise InputError(
            f"an arc over the scalp needs three points out of line; instead received {_triple(start)}, "
            f"{_triple(middle)} and {_triple(end)} mm: check the fiducials"
        )
    return np.asarray(normal / length)


def _plane_cut(surface: Surface, origin: NDArray[np.float64], normal: NDArray[np.float64]) -> _Cut:
    """The cut of a surface by a plane; nodes exactly in the plane count as above it, so every piece is closed."""
    side = (surface.points_mm - origin) @ normal
    above = (side >= 0)[surface.triangles]
    count = above.sum(axis=1)
    crossed = (count > 0) & (count < 3)
    # Each crossed triangle has one corner alone on its side: the cut runs through the two edges that meet there.
    alone = np.where(count == 1, above.argmax(axis=1), above.argmin(axis=1))[crossed]
    triangles, row = surface.triangles[crossed], np.arange(len(alone))
    apex = triangles[row, alone]
    others = np.column_stack([triangles[row, (alone + 1) % 3], triangles[row, (alone + 2) % 3]])
    edges = np.sort(np.stack([np.column_stack([apex, apex]), others], axis=2), axis=2).reshape(-1, 2)
    first, numbers = distinct_rows(edges)
    low, high = edges[first].T
    share = side[low] / (side[low] - side[high])
    points = surface.points_mm[low] + share[:, None] * (surface.points_mm[high] - surface.points_mm[low])
    return _Cut(points, numbers.reshape(-1, 2))


def _taut(path: NDArray[np.float64], normal: NDArray[np.float64]) -> Arc:
    """Lay a tape along a path in a plane.

    The rows of a path that does not cross itself come in the same order on its convex hull, so the hull's rows, sorted,
    are the tape. Rows on the inner side of the chord are left out: the tape lies on the head, not in it.
    """
    along = path[-1] - path[0]
    along = along / np.linalg.norm(along)
    flat = np.column_stack([(path - path[0]) @ along, (path - path[0]) @ np.cross(normal, along)])
    area = float(np.sum(flat[:-1, 0] * flat[1:, 1] - flat[1:, 0] * flat[:-1, 1]))
    height = flat[:, 1] * (-1.0 if area > 0 else 1.0)
    outer = np.flatnonzero(height >= 0)
    touched = np.array([0, len(path) - 1])
    if len(outer) > 2 and height.max() > _FLAT_MM:
        touched = np.union1d(touched, outer[ConvexHull(flat[outer]).vertices])
    return Arc(path, touched)


def _nearest_segment(point: NDArray[np.float64], starts: NDArray[np.float64], ends: NDArray[np.float64]) -> int:
    """The number of the nearest of (s, 3) segments."""
    along = ends - starts
    square = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", point - starts, along) / np.where(square > 0, square, 1.0)
    feet = starts + np.clip(share, 0.0, 1.0)[:, None] * along
    return int(np.linalg.norm(feet - point, axis=1).argmin())


def _triple(values: NDArray[np.float64]) -> str:
    return "({:.0f}, {:.0f}, {:.0f})".format(*values)
