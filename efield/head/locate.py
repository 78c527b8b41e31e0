"""Which tetrahedron of a head holds a point."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.head.mesh import HeadMesh, once_per_head
from efield.kernels.geometry.locate import fill_bins, find_tets

#: A point this far outside a tetrahedron, in barycentric coordinates, still counts as on its face.
_ON_FACE = 1e-9


class Locator:
    """Finds the tetrahedron and the barycentric coordinates of points in a head.

    Parameters
    ----------
    head : HeadMesh
        The head; its tetrahedra are sorted into a grid of about one bin per tetrahedron.
    """

    def __init__(self, head: HeadMesh) -> None:
        self._points, self._tets = checks.plain(head.points), checks.plain(head.tets)
        corners = self._points[self._tets]
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        self._size = max(float(np.cbrt(np.prod(high - low) / len(self._tets))), 1e-6 * float((high - low).max()))
        # Half a bin of margin, so that a point on the outermost face is inside the grid.
        self._origin = low - 0.5 * self._size
        self._shape = (np.floor((high - self._origin) / self._size) + 1).astype(np.int64)
        self._start, self._inside = fill_bins(self._points, self._tets, self._origin, self._size, self._shape)

    def find(self, points_mm: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Tetrahedron and barycentric coordinates of each point.

        Parameters
        ----------
        points_mm : (n, 3) array_like, mm
            Points anywhere.

        Returns
        -------
        tet : (n,) ndarray of int
            Number of the tetrahedron, -1 outside the head. On a shared face or node, the lowest number.
        weights : (n, 4) ndarray
            Barycentric coordinates in that tetrahedron, nan outside.

        Raises
        ------
        InputError
            If points_mm is not an (n, 3) array of finite numbers.
        """
        targets = checks.plain(checks.vectors("points_mm", points_mm))
        bins = self._bins(targets)
        order = np.argsort(bins, kind="stable")
        tet, weights = find_tets(self._points, self._tets, self._start, self._inside, targets, bins, order, _ON_FACE)
        return tet, weights

    def _bins(self, targets: NDArray[np.float64]) -> NDArray[np.int64]:
        """Bin of each target, -1 outside the grid."""
        place = np.floor((targets - self._origin) / self._size)
        inside = ((place >= 0) & (place < self._shape)).all(axis=1)
        x, y, z = np.where(inside[:, None], place, 0).astype(np.int64).T
        return np.where(inside, (x * self._shape[1] + y) * self._shape[2] + z, -1)


@once_per_head
def locator_of(head: HeadMesh) -> Locator:
    """The one locator of a head, whose tables take about a second on a large one."""
    return Locator(head)
