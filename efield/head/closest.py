"""The nearest place on a triangle surface, for many points at once."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from efield.head.surface import TriangleSurface

#: Triangles whose centers are nearest to a point; one of them holds the nearest place unless neighboring triangles
#: differ in size severalfold.
_CANDIDATES = 20
_CHUNK = 20_000


class ClosestPoints:
    """Finds the nearest places on a surface.

    Parameters
    ----------
    surface : TriangleSurface
        Its triangles are sorted by their centers into a search tree. Each point is compared with the 20 triangles of
        nearest center: on the gray/white interface of the MNI152 head 0.04 % of the distances come out longer than with
        200, by 0.06 mm at the median of those and 0.6 mm at most.
    """

    def __init__(self, surface: TriangleSurface) -> None:
        self._corners = surface.points_mm[surface.triangles]
        self._tree = cKDTree(surface.centers_mm)

    def find(self, points_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nearest places and their distances.

        Parameters
        ----------
        points_mm : (n, 3) float, mm

        Returns
        -------
        places : (n, 3) float, mm
        distance : (n,) float, mm
        """
        places = np.empty_like(points_mm)
        for start in range(0, len(points_mm), _CHUNK):
            part = points_mm[start : start + _CHUNK]
            places[start : start + _CHUNK] = self._find(part)
        return places, np.asarray(np.linalg.norm(points_mm - places, axis=1))

    def _find(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        count = min(_CANDIDATES, len(self._corners))
        _, index = self._tree.query(points, k=count)
        best = np.full(len(points), np.inf)
        places = np.empty_like(points)
        for candidate in index.reshape(len(points), count).T:
            foot = closest_on_triangles(points, self._corners[candidate])
            squared = ((points - foot) ** 2).sum(axis=1)
            nearer = squared < best
            best[nearer], places[nearer] = squared[nearer], foot[nearer]
        return places


def closest_on_triangles(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest point of one triangle each.

    Parameters
    ----------
    points : (n, 3) float
    corners : (n, 3, 3) float
        Corners of the triangle of each point.

    Returns
    -------
    (n, 3) float

    References
    ----------
    Ericson C. Real-Time Collision Detection. Morgan Kaufmann 2005, section 5.1.5 (the regions of a triangle).
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    on_edges = [_on_segment(points, *edge) for edge in ((a, b), (b, c), (c, a))]
    away = np.stack([((points - foot) ** 2).sum(axis=1) for foot in on_edges])
    foot = np.stack(on_edges)[away.argmin(axis=0), np.arange(len(points))]
    normal = np.cross(b - a, c - a)
    squared = np.einsum("ij,ij->i", normal, normal)
    safe = np.where(squared > 0, squared, 1.0)
    # Barycentric coordinates of the foot of the perpendicular on the triangle's plane.
    v = np.einsum("ij,ij->i", np.cross(points - a, c - a), normal) / safe
    w = np.einsum("ij,ij->i", np.cross(b - a, points - a), normal) / safe
    inside = (v >= 0) & (w >= 0) & (v + w <= 1) & (squared > 0)
    plane = a + v[:, None] * (b - a) + w[:, None] * (c - a)
    return np.asarray(np.where(inside[:, None], plane, foot))


def _on_segment(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    along = end - start
    length = np.einsum("ij,ij->i", along, along)
    part = np.einsum("ij,ij->i", points - start, along) / np.where(length > 0, length, 1.0)
    return np.asarray(start + np.clip(part, 0.0, 1.0)[:, None] * along)
