"""Merging nodes that stand in a file twice, where that is asked for."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.rows import distinct_rows
from efield.head.soundness import TOLERANCES_MM
from efield.io.meshes.meshdata import MeshData

#: Elements of a head are larger (mm): what is merged from farther away was meant to be apart.
_LARGEST_TOLERANCE_MM: Final = 0.5


@dataclass(frozen=True)
class Repair:
    """What became of a mesh.

    Parameters
    ----------
    mesh : MeshData
    merged : int
        Nodes that were one with another, and are gone.
    copies, flat : int
        Tetrahedra left out: those that were there twice, and those of which two corners became one.
    """

    mesh: MeshData
    merged: int
    copies: int
    flat: int

    def __str__(self) -> str:
        return (
            f"{self.merged} nodes merged with others, {self.copies} copies of tetrahedra removed, "
            f"{self.flat} tetrahedra that became flat removed"
        )


def merge_nodes(mesh: MeshData, tolerance_mm: float = TOLERANCES_MM[0]) -> Repair:
    """Make one node of those at one place, and leave out tetrahedra that are then there twice.

    Parameters
    ----------
    mesh : MeshData
    tolerance_mm : float
        Nodes nearer than this to each other are one. The first of them keeps its place and its values.

    Returns
    -------
    Repair
        Fields and triangles are kept.

    Raises
    ------
    InputError
        If the tolerance is not above 0 and at most 0.5 mm, or a tetrahedron is there twice as two tissues.
    """
    tolerance = checks.in_range("tolerance", tolerance_mm, 1e-9, _LARGEST_TOLERANCE_MM)
    keeper = _keepers(mesh.points, tolerance)
    number = np.cumsum(keeper == np.arange(len(keeper)), dtype=np.int32) - np.int32(1)
    tets, triangles = number[keeper[mesh.tets]], number[keeper[mesh.triangles]]
    solid = _apart(tets)
    first = _first_of_each(tets, solid, mesh.tissue)
    chosen, faces = np.sort(first), _apart(triangles)
    nodes = keeper == np.arange(len(keeper))
    mended = replace(
        mesh,
        points=mesh.points[nodes],
        tets=tets[chosen],
        tissue=mesh.tissue[chosen],
        tet_entities=_of(mesh.tet_entities, chosen),
        triangles=triangles[faces],
        triangle_tags=mesh.triangle_tags[faces],
        triangle_entities=_of(mesh.triangle_entities, faces),
        node_data={name: values[nodes] for name, values in mesh.node_data.items()},
        element_data={name: values[chosen] for name, values in mesh.element_data.items()},
        triangle_data={name: values[faces] for name, values in mesh.triangle_data.items()},
    )
    return Repair(mended, int((~nodes).sum()), len(solid) - len(chosen), int(len(mesh.tets) - len(solid)))


def _keepers(points: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    """(n,) the lowest number among the nodes at each node's place."""
    pairs = cKDTree(points).query_pairs(tolerance, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    _, place = connected_components(graph, directed=False)
    _, first = np.unique(place, return_index=True)
    return np.asarray(first[place])


def _apart(cells: NDArray[np.int32]) -> NDArray[np.int64]:
    """Numbers of the cells whose corners are all different."""
    corners = np.sort(cells, axis=1)
    return np.flatnonzero((corners[:, 1:] != corners[:, :-1]).all(axis=1))


def _first_of_each(tets: NDArray[np.int32], solid: NDArray[np.int64], tissue: NDArray[Any]) -> NDArray[np.int64]:
    """The first of the tetrahedra with the same corners, whose tissues must be the same."""
    first, same = distinct_rows(np.sort(tets[solid], axis=1))
    kept = solid[first]
    torn = np.flatnonzero(tissue[solid] != tissue[kept][same])
    if len(torn):
        raise InputError(
            f"a tetrahedron must be of one tissue; instead {len(torn)} are there twice, once as tag "
            f"{tissue[kept][same[torn[0]]]} and once as tag {tissue[solid[torn[0]]]}: leave one of them out"
        )
    return kept


def _of(tags: NDArray[Any] | None, chosen: NDArray[np.int64]) -> NDArray[Any] | None:
    return None if tags is None else tags[chosen]
