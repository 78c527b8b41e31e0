"""How good a tetrahedral mesh is: shapes of its elements, soundness of its outer surface, tissue volumes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from efield.ground.checks import plain
from efield.ground.rows import distinct_rows
from efield.head.mesh import HeadMesh, given_head
from efield.kernels.geometry import stars
from efield.kernels.meshing import shapes


@dataclass(frozen=True)
class MeshQuality:
    """Report on a mesh.

    Attributes
    ----------
    n_points, n_tets : int
        Nodes and tetrahedra.
    min_dihedral_deg, p5_dihedral_deg : float
        Smallest dihedral angle of the mesh, and the 5th percentile of each tetrahedron's smallest.
    max_dihedral_deg : float
        Largest dihedral angle.
    min_radius_ratio, p5_radius_ratio : float
        Three times inscribed over circumscribed radius: 1 for the regular tetrahedron; smallest and 5th percentile.
    conforming : bool
        No face belongs to more than two tetrahedra.
    boundary_closed : bool
        Every edge of the outer surface belongs to an even number of its triangles.
    boundary_manifold : bool
        The outer surface nowhere touches itself: two triangles at every edge, one fan at every node.
    tissue_volume_mm3 : mapping of int to float
        Volume per tissue tag.
    pieces : mapping of int to int
        Number of pieces, connected across faces, that each tissue falls into.
    """

    n_points: int
    n_tets: int
    min_dihedral_deg: float
    p5_dihedral_deg: float
    max_dihedral_deg: float
    min_radius_ratio: float
    p5_radius_ratio: float
    conforming: bool
    boundary_closed: bool
    boundary_manifold: bool
    tissue_volume_mm3: Mapping[int, float]
    pieces: Mapping[int, int]


def mesh_quality(head: HeadMesh) -> MeshQuality:
    """Measure a mesh.

    Parameters
    ----------
    head : HeadMesh

    Returns
    -------
    MeshQuality

    References
    ----------
    Shewchuk 2002, "What is a good linear element?", section 6 (radius ratio, dihedral angles).
    """
    values = shapes.dihedral_range_and_radius_ratio(np.array(given_head(head).points), np.array(head.tets))
    smallest, largest = np.degrees(values[:, 0]), np.degrees(values[:, 1])
    neighbors = face_neighbors(head.tets, len(head.points))
    faces = outer_faces(head.tets, neighbors)
    piece = tissue_pieces(head, neighbors)
    return MeshQuality(
        n_points=len(head.points),
        n_tets=len(head.tets),
        min_dihedral_deg=float(smallest.min()),
        p5_dihedral_deg=float(np.percentile(smallest, 5)),
        max_dihedral_deg=float(largest.max()),
        min_radius_ratio=float(values[:, 2].min()),
        p5_radius_ratio=float(np.percentile(values[:, 2], 5)),
        conforming=not bool((neighbors == -2).any()),
        boundary_closed=not (np.bincount(distinct_rows(_edges(faces)[0])[1]) % 2).any(),
        boundary_manifold=len(pinched_nodes(faces)) == 0,
        tissue_volume_mm3={tag: head.tissue_volume_mm3(tag) for tag in head.tags},
        pieces={tag: len(np.unique(piece[head.tissue == tag])) for tag in head.tags},
    )


def tissue_pieces(head: HeadMesh, neighbors: NDArray[np.int32]) -> NDArray[np.int32]:
    """(m,) number of the piece of one tissue, connected across faces, that each tetrahedron belongs to."""
    return np.asarray(stars.pieces(neighbors, np.array(head.tissue)))


def face_neighbors(tets: ArrayLike, n_points: int) -> NDArray[np.int32]:
    """(m, 4) tetrahedron across the face opposite each corner; -1 for none, -2 for more than one."""
    rows = plain(np.asarray(tets, dtype=np.int32))
    return np.asarray(stars.face_neighbors(rows, *stars.node_stars(rows, n_points)))


def outer_faces(tets: NDArray[np.int32], neighbors: NDArray[np.int32]) -> NDArray[np.int32]:
    """(f, 3) node numbers of the faces that have a tetrahedron on one side only, each row ascending."""
    t, k = np.nonzero(neighbors == -1)
    faces = np.stack([tets[t, (k + 1) % 4], tets[t, (k + 2) % 4], tets[t, (k + 3) % 4]], axis=1)
    return np.sort(faces, axis=1)


def pinched_nodes(faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """Nodes where a triangle surface is no manifold: an edge without exactly two triangles, or several fans.

    Parameters
    ----------
    faces : (f, 3) array of int

    Returns
    -------
    (k,) array of int
        Node numbers, ascending.
    """
    if not len(faces):
        return np.empty(0, dtype=np.int64)
    ends, corners = _edges(faces)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, corners = ends[order], corners[order]
    starts = np.flatnonzero(np.r_[True, (ends[1:] != ends[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(ends)])
    wrong = ends[starts[counts != 2]].ravel()
    # Triangles that share an edge are one fan at both of its ends: join their corners there, count the fans.
    pairs = starts[counts == 2]
    one, two = corners[pairs].ravel(), corners[pairs + 1].ravel()
    size = 3 * len(faces)
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, two)), shape=(size, size))
    _, fan = connected_components(graph, directed=False)
    corner = faces.ravel()
    fans_of = corner[distinct_rows(np.stack([corner, fan], axis=1))[0]]
    nodes, fan_count = np.unique(fans_of, return_counts=True)
    return np.union1d(wrong, nodes[fan_count > 1]).astype(np.int64)


def _edges(faces: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The (3 f, 2) edges, nodes ascending, and the number of the triangle corner at each of their ends."""
    number = np.arange(faces.size).reshape(faces.shape)
    pairs = ([0, 1], [1, 2], [0, 2])
    ends = np.concatenate([faces[:, pair] for pair in pairs])
    corners = np.concatenate([number[:, pair] for pair in pairs])
    swapped = ends[:, 0] > ends[:, 1]
    return np.where(swapped[:, None], ends[:, ::-1], ends), np.where(swapped[:, None], corners[:, ::-1], corners)
