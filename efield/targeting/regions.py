"""Regions that are no balls: labelled voxels, a patch of a surface, a disc on the middle of the cortex, any function.

A region says which points lie in it, and that is all that measures, sweeps, bases and reciprocity ask of it: centers of
tetrahedra, centers of faces and vertices are points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.closest import signed_distance
from efield.head.mesh import HeadMesh
from efield.head.midsurface import THICKEST_MM, mid_surface
from efield.head.mni import MniMap
from efield.head.surface import TriangleSurface, nearest

Mask = NDArray[np.bool_]

#: The center of a disc may be this far from the middle of the cortex (mm).
_FARTHEST_MM: Final = 10.0

#: Places that are kept are found again to the last bits (mm).
_SAME_MM: Final = 1e-6


class Region(Protocol):
    """Which points of a head belong to a target; `words` say it, as in ``gray matter WORDS``."""

    @property
    def words(self) -> str:
        """Such as ``in label 3 of mask.nii.gz``."""
        ...

    def holds(self, head: HeadMesh, points_mm: FloatArray) -> Mask:
        """(n,) whether each of (n, 3) points in mm lies in the region."""
        ...


@dataclass(frozen=True, eq=False)
class Voxels:
    """Labelled voxels; a point belongs to the voxel it lies in.

    Parameters
    ----------
    inside : (nx, ny, nz) bool
    affine : (4, 4) float
        Voxel indices to mm.
    words : str
    mni : bool
        Whether the millimeters are those of MNI152; the head's map takes points there.
    """

    inside: Mask
    affine: FloatArray
    words: str
    mni: bool = False

    def holds(self, head: HeadMesh, points_mm: FloatArray) -> Mask:
        """(n,) whether each point lies in a voxel of the region; raises as the head's map does."""
        if not self.mni:
            return self._at(points_mm)
        mni = mni_map(head, self.words)
        # A map is inverted step by step, and not everywhere: only what is near the region is taken back.
        tree = cKDTree(mni.to_head(self.centers_mm))
        near = np.isfinite(tree.query(points_mm, distance_upper_bound=2.0 * self.diagonal_mm)[0])
        found = np.zeros(len(points_mm), np.bool_)
        found[near] = self._at(mni.from_head(points_mm[near]))
        return found

    def _at(self, points_mm: FloatArray) -> Mask:
        to_index = np.linalg.inv(self.affine)
        index = np.rint(points_mm @ to_index[:3, :3].T + to_index[:3, 3]).astype(np.intp)
        there = np.flatnonzero(((index >= 0) & (index < self.inside.shape)).all(axis=1))
        found = np.zeros(len(points_mm), np.bool_)
        found[there] = self.inside[tuple(index[there].T)]
        return found

    @property
    def diagonal_mm(self) -> float:
        """Of a voxel."""
        return float(np.linalg.norm(self.affine[:3, :3] @ np.ones(3)))

    @property
    def centers_mm(self) -> FloatArray:
        """(v, 3) centers of the voxels of the region, in the millimeters of the image."""
        return np.asarray(np.argwhere(self.inside) @ self.affine[:3, :3].T + self.affine[:3, 3])


@dataclass(frozen=True, eq=False)
class Patch:
    """The cortex along some vertices of a surface: what is nearest to one of them, and within the cortex' thickness.

    Parameters
    ----------
    surface : TriangleSurface
        White, middle or pial, in head coordinates.
    chosen : (p,) bool
        Whether each vertex belongs to the patch.
    words : str
    """

    surface: TriangleSurface
    chosen: Mask
    words: str

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.surface.points_mm)

    def holds(self, head: HeadMesh, points_mm: FloatArray) -> Mask:
        """(n,) whether the vertex nearest to each point belongs to the patch and is within 6 mm."""
        distance, number = self._tree.query(points_mm)
        return np.asarray((distance <= THICKEST_MM) & self.chosen[number])


@dataclass(frozen=True, eq=False)
class Disc:
    """A disc on the middle of the cortex, and the gray matter along it.

    Of the middle of the cortex (`mid_surface`) it is the part within the radius of a center that hangs together with
    it: the other bank of a sulcus does not count, near as it may be.

    Parameters
    ----------
    center_mm : (3,) float
        Moved to the nearest place on the middle of the cortex.
    radius_mm : float
    """

    center_mm: FloatArray
    radius_mm: float

    @property
    def words(self) -> str:
        """What the disc is."""
        return f"along a disc of {self.radius_mm:g} mm radius on the middle of the cortex"

    def holds(self, head: HeadMesh, points_mm: FloatArray) -> Mask:
        """(n,) whether each point lies within the radius, and nearest to a vertex of the disc."""
        center, vertices, inside = self._on(head)
        near = np.flatnonzero(np.linalg.norm(points_mm - center, axis=1) <= self.radius_mm)
        found = np.zeros(len(points_mm), np.bool_)
        found[near] = inside[cKDTree(vertices).query(points_mm[near])[1]]
        return found

    def _on(self, head: HeadMesh) -> tuple[FloatArray, FloatArray, Mask]:
        """The center on the middle of the cortex, the vertices around it, and whether each belongs to the disc."""
        surface = mid_surface(head)
        places, away = signed_distance(surface).find(self.center_mm[None])
        if away[0] > _FARTHEST_MM:
            raise OutsideHeadError(
                f"the center of a disc must lie within {_FARTHEST_MM:g} mm of the middle of the cortex; instead it is "
                f"{away[0]:.1f} mm away: move it"
            )
        center = places[0]
        distance = np.linalg.norm(surface.points_mm - center, axis=1)
        around = np.flatnonzero(distance <= self.radius_mm + 2 * THICKEST_MM)
        within = distance[around] <= self.radius_mm
        if not within.any():
            raise OutsideHeadError(
                f"a disc must hold vertices of the middle of the cortex; instead there is none within "
                f"{self.radius_mm:g} mm of its center: enlarge radius_mm"
            )
        pieces = _pieces(surface, around[within])
        inside = np.zeros(len(around), np.bool_)
        inside[within] = pieces == pieces[nearest(surface.points_mm[around[within]], center)[0]]
        return center, surface.points_mm[around], inside


@dataclass(frozen=True, eq=False)
class Where:
    """What a function says, within a radius of a center.

    Parameters
    ----------
    function : callable
        Takes (n, 3) points in mm, head coordinates; gives (n,) bool.
    center_mm : (3,) float
    radius_mm : float
    """

    function: Callable[[FloatArray], Any]
    center_mm: FloatArray
    radius_mm: float

    @property
    def words(self) -> str:
        """The function's name."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"where {name} says so, within {self.radius_mm:g} mm"

    def holds(self, head: HeadMesh, points_mm: FloatArray) -> Mask:
        """(n,) what the function says of the points that are near.

        Raises
        ------
        InputError
            If it does not give one bool for each point.
        """
        near = np.linalg.norm(points_mm - self.center_mm, axis=1) <= self.radius_mm
        said = np.asarray(self.function(points_mm[near]))
        if said.shape != (int(near.sum()),) or said.dtype != np.bool_:
            raise InputError(
                "the function of a region must give one bool for each of (n, 3) points in mm; instead it gave "
                f"{said.dtype} of shape {said.shape} for {int(near.sum())} points"
            )
        found = np.zeros(len(points_mm), np.bool_)
        found[near] = said
        return found


@dataclass(frozen=True, eq=False)
class Places:
    """A region of one head as the places that were found in it: what of any region can be stored.

    Parameters
    ----------
    points_mm : (n, 3) float
    words : str
    """

    points_mm: FloatArray
    words: str

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points_mm)

    def holds(self, head: HeadMesh, points_mm: FloatArray) -> Mask:
        """(n,) whether each point is one of the places."""
        return np.asarray(self._tree.query(points_mm, distance_upper_bound=_SAME_MM)[0] <= _SAME_MM)


def mni_map(head: HeadMesh, what: str) -> MniMap:
    """The head's map from MNI152.

    Raises
    ------
    InputError
        If it has none.
    """
    if head.mni is None:
        raise InputError(
            f"{what} needs a head with a map from MNI coordinates, and this head has none: make one with "
            "register_to_mni(head), or --register or --fiducials of `efield simulate`, load a subject folder that has "
            "one, or give the target in head coordinates, Target.sphere(center_mm=(x, y, z)) or --target=x,y,z"
        )
    return head.mni


def _pieces(surface: TriangleSurface, vertices: NDArray[np.intp]) -> NDArray[np.intp]:
    """(k,) number of the connected piece of the surface that each of some vertices belongs to."""
    number = np.full(len(surface.points_mm), -1)
    number[vertices] = np.arange(len(vertices))
    corners = number[surface.triangles]
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = edges[(edges >= 0).all(axis=1)]
    graph = coo_array((np.ones(len(edges), np.int8), edges.T), shape=(len(vertices),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1])
