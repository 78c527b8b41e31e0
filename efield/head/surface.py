"""Triangle surfaces: any, and those of a head, the outer boundary of any set of tissues."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from efield.ground.card import Card, Carded, counted, extent
from efield.ground.checks import read_only
from efield.ground.errors import InputError
from efield.ground.numbering import renumbered
from efield.head.mesh import HeadMesh, given_head, once_per_head
from efield.head.quality import face_neighbors
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER

#: Faces of a positively oriented tetrahedron, each listed so that its normal points out.
_OUTWARD_FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])

#: The corner that each of these faces lacks.
_OPPOSITE = np.array([3, 2, 0, 1])

#: Beyond a face: no tetrahedron, or more than one.
_NOTHING, _SEVERAL = -1, -2


@dataclass(frozen=True, eq=False, repr=False)
class TriangleSurface(Carded):
    """A triangle surface whose normals point out of the tissue it bounds.

    Parameters
    ----------
    points_mm : (p, 3) float
        Vertices.
    triangles : (t, 3) int
        0-based vertex numbers, counter-clockwise seen from outside.
    """

    points_mm: NDArray[np.float64]
    triangles: NDArray[np.int32]

    @cached_property
    def _area_vectors(self) -> NDArray[np.float64]:
        p0, p1, p2 = (self.points_mm[self.triangles[:, k]] for k in range(3))
        return np.asarray(np.cross(p1 - p0, p2 - p0) / 2.0)

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """(t,) triangle areas, mm^2."""
        return np.asarray(np.linalg.norm(self._area_vectors, axis=1))

    @cached_property
    def triangle_normals(self) -> NDArray[np.float64]:
        """(t, 3) outward unit normals."""
        return np.asarray(self._area_vectors / self.areas[:, None])

    @cached_property
    def centers_mm(self) -> NDArray[np.float64]:
        """(t, 3) triangle centers, mm."""
        return np.asarray(self.points_mm[self.triangles].mean(axis=1))

    @cached_property
    def normals(self) -> NDArray[np.float64]:
        """(p, 3) outward unit normals at the vertices, weighted by area."""
        total = np.zeros_like(self.points_mm)
        for axis in range(3):
            weights = np.repeat(self._area_vectors[:, axis], 3)
            total[:, axis] = np.bincount(self.triangles.ravel(), weights, minlength=len(self.points_mm))
        length = np.linalg.norm(total, axis=1, keepdims=True)
        return total / np.where(length > 0, length, 1.0)

    def jaggedness(self, chosen: NDArray[np.integer]) -> float:
        """How much triangles (k,) turn against their neighbors: 0 where they lie in a plane, 0.4 where they are random.

        Mean over their area and corners of 1 - cos of the angle between a triangle and the mean of those at a corner.
        """
        means = self.normals[self.triangles[chosen]].mean(axis=1)
        area = self.areas[chosen].sum()
        return float(1.0 - np.einsum("td,td->", self._area_vectors[chosen], means) / area) if area else 0.0

    def _card(self) -> Card:
        points, triangles = len(self.points_mm), len(self.triangles)
        size = f"{counted(points, 'vertex', 'vertices')}, {counted(triangles, 'triangle')}"
        return Card(type(self).__name__, (("size", size), ("extent", extent(self.points_mm))))


@dataclass(frozen=True, eq=False, repr=False)
class Surface(TriangleSurface):
    """A triangle surface made of faces of a head mesh.

    Parameters
    ----------
    points_mm, triangles
        As in `TriangleSurface`.
    nodes : (p,) int
        Node of the head mesh behind each vertex.
    owners : (t,) int
        Tetrahedron of the head mesh on the inner side of each triangle.
    """

    nodes: NDArray[np.int32]
    owners: NDArray[np.int32]

    @cached_property
    def components(self) -> NDArray[np.int32]:
        """(t,) number of the connected piece that each triangle belongs to."""
        rows, columns = self.triangles[:, [0, 1]].ravel(), self.triangles[:, [1, 2]].ravel()
        graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(len(self.points_mm),) * 2)
        return np.asarray(connected_components(graph, directed=False)[1][self.triangles[:, 0]])

    def largest_component(self) -> "Surface":
        """The connected piece of largest area (drops the walls of enclosed cavities)."""
        keep = self.components == np.argmax(np.bincount(self.components, self.areas))
        return _compact(self.points_mm, self.triangles[keep], self.owners[keep], self.nodes)


def _compact(
    points: NDArray[np.float64],
    triangles: NDArray[np.int32],
    owners: NDArray[np.signedinteger],
    nodes: NDArray[np.int32] | None = None,
) -> Surface:
    used, corners = renumbered(triangles)
    return Surface(
        points_mm=read_only(points[used]),
        triangles=read_only(corners),
        nodes=read_only((used if nodes is None else nodes[used]).astype(np.int32)),
        owners=read_only(owners.astype(np.int32)),
    )


def boundary(head: HeadMesh, tags: Iterable[int] | None = None) -> Surface:
    """The surface that bounds the union of some tissues.

    Parameters
    ----------
    head : HeadMesh
    tags : iterable of int, optional
        Tissue tags; all of them by default, which gives the scalp and the walls of any air cavity.

    Raises
    ------
    InputError
        If no tetrahedron has one of the tags.
    """
    if tags is None:
        return faces_of(head)[0]
    inside = np.isin(given_head(head).tissue, list(tags))
    if not inside.any():
        raise InputError(f"tags must occur in the head, which has {head.tags}; instead received {tags}")
    chosen = np.flatnonzero(inside)
    beyond = _beyond_faces(head)
    if (beyond == _SEVERAL).any():
        bounds = _beyond(head.tets[chosen], len(head.points)) == _NOTHING
    else:
        beyond = beyond[chosen]
        bounds = (beyond == _NOTHING) | ~inside[beyond]
    owner, face = np.nonzero(bounds)
    return _of_faces(head, chosen[owner], face)


@once_per_head
def faces_of(head: HeadMesh) -> tuple[Surface, NDArray[np.int64]]:
    """The surface that bounds all tissues, and the tetrahedra (k,) with a face that belongs to more than two."""
    beyond = _beyond_faces(head)
    return _of_faces(head, *np.nonzero(beyond == _NOTHING)), np.flatnonzero((beyond == _SEVERAL).any(axis=1))


@once_per_head
def _beyond_faces(head: HeadMesh) -> NDArray[np.int32]:
    return _beyond(head.tets, len(head.points))


def _beyond(tets: NDArray[np.int32], n_points: int) -> NDArray[np.int32]:
    """(m, 4) the tetrahedron beyond each face, `_NOTHING` or `_SEVERAL`."""
    return face_neighbors(tets, n_points)[:, _OPPOSITE]


def _of_faces(head: HeadMesh, owners: NDArray[np.int64], faces: NDArray[np.int64]) -> Surface:
    """The surface of faces (t,) of tetrahedra (t,)."""
    return _compact(head.points, np.take_along_axis(head.tets[owners], _OUTWARD_FACES[faces], axis=1), owners)


@once_per_head
def scalp(head: HeadMesh) -> Surface:
    """The head's outer surface, without the walls of cavities inside it."""
    return boundary(head).largest_component()


@once_per_head
def brain(head: HeadMesh) -> Surface:
    """The surface of gray and white matter taken together, with the walls of cavities inside it."""
    return boundary(head, (WHITE_MATTER, GRAY_MATTER))


@once_per_head
def cortex(head: HeadMesh) -> Surface:
    """The gray-matter surface that faces the CSF (pial side), gray and white matter taken together.

    Raises
    ------
    InputError
        If the head has no gray matter (tag 2).
    """
    if GRAY_MATTER not in head.tags:
        raise InputError(f"the head must have gray matter (tag {GRAY_MATTER}); instead its tags are {head.tags}")
    whole = brain(head)
    gray = head.tissue[whole.owners] == GRAY_MATTER
    return _compact(whole.points_mm, whole.triangles[gray], whole.owners[gray], whole.nodes)


def nearest(points_mm: NDArray[np.float64], place_mm: NDArray[np.float64]) -> tuple[int, float]:
    """Number of the point nearest to a place, and its distance in mm; for one place a search tree would cost more.

    Parameters
    ----------
    points_mm : (p, 3) float
    place_mm : (3,) float
    """
    offset = points_mm - place_mm
    squared = np.einsum("ij,ij->i", offset, offset)
    index = int(np.argmin(squared))
    return index, float(np.sqrt(squared[index]))
