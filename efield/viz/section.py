"""Plane sections of a head, in numpy alone: triangles with nodal weights, and tissue outlines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from efield.head.mesh import HeadMesh

#: A plane through nodes would cut edges at their ends; a shift this small (mm) is invisible.
_NUDGE_MM = 1e-6

#: Edges of a tetrahedron, by position after its nodes are ordered above-the-plane first, that 1, 2 or 3 nodes
#: above cut; cyclic, so that the first three and the first, third and fourth are triangles.
_CUT_EDGES = {1: ((0, 1), (0, 2), (0, 3)), 2: ((0, 2), (0, 3), (1, 3), (1, 2)), 3: ((0, 3), (1, 3), (2, 3))}

_FACES = ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))


@dataclass(frozen=True, eq=False)
class Section:
    """Where a plane perpendicular to an axis cuts the tetrahedra of a head.

    Parameters
    ----------
    points_mm : (p, 2) float
        Cut points, in the two other coordinates in ascending order (x, y before z).
    edges : (p, 2) int
        Head nodes at the ends of the edge each point lies on.
    fractions : (p,) float
        Position of the point on its edge, 0 at the first node and 1 at the second.
    triangles : (t, 3) int
        Triangles of cut points.
    tissue : (t,) int
        Their tissue tags.
    outlines_mm : (s, 2, 2) float
        Segments where two tissues, or a tissue and the air, meet.
    outline_tags : (s,) int
        The lower of the two tags, air left out: the tissue that the segment encloses.
    """

    points_mm: NDArray[np.float64]
    edges: NDArray[np.int32]
    fractions: NDArray[np.float64]
    triangles: NDArray[np.int64]
    tissue: NDArray[np.uint16]
    outlines_mm: NDArray[np.float64]
    outline_tags: NDArray[np.uint16]

    def interpolated(self, nodal: NDArray[np.float64]) -> NDArray[np.float64]:
        """(p, ...) values at the cut points from (n, ...) values at the head's nodes, linear along the edges."""
        weight = self.fractions.reshape((-1,) + (1,) * (nodal.ndim - 1))
        return np.asarray(nodal[self.edges[:, 0]] * (1 - weight) + nodal[self.edges[:, 1]] * weight)


def cut(head: HeadMesh, axis: int, position_mm: float) -> Section:
    """Cut a head with the plane on which coordinate `axis` (0 x, 1 y, 2 z) equals `position_mm`."""
    height = head.points[:, axis] - (position_mm + _NUDGE_MM)
    above = (height > 0)[head.tets]
    count = above.sum(axis=1)
    hit = np.flatnonzero((count > 0) & (count < 4))
    tets = np.take_along_axis(head.tets[hit], np.argsort(~above[hit], axis=1, kind="stable"), axis=1)
    edges, triangles, tissue = _cut_tets(tets, count[hit], head.tissue[hit])
    faces, tags = _interface_faces(head.tets[hit], head.tissue[hit], height)
    segments = _cut_faces(faces, height)
    plane = np.delete(head.points, axis, axis=1)
    points, fractions = _cut_points(edges, height, plane)
    ends = _cut_points(segments.reshape(-1, 2), height, plane)[0].reshape(-1, 2, 2)
    return Section(points, edges, fractions, triangles, tissue, ends, tags)


def _cut_tets(
    tets: NDArray[np.int32], count: NDArray[np.int64], tissue: NDArray[np.uint16]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint16]]:
    edges, triangles, tags = [], [], []
    first = 0
    for number, pairs in _CUT_EDGES.items():
        chosen = tets[count == number]
        corners = first + np.arange(len(chosen) * len(pairs)).reshape(-1, len(pairs))
        edges.append(chosen[:, pairs].reshape(-1, 2))
        for fan in range(1, len(pairs) - 1):
            triangles.append(corners[:, [0, fan, fan + 1]])
            tags.append(tissue[count == number])
        first += corners.size
    return np.concatenate(edges), np.concatenate(triangles), np.concatenate(tags)


def _interface_faces(
    tets: NDArray[np.int32], tissue: NDArray[np.uint16], height: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """Faces that the plane cuts and whose two sides differ; both sides of such a face are cut too."""
    faces = np.sort(np.concatenate([tets[:, face] for face in _FACES]), axis=1)
    tags = np.tile(tissue, 4)
    above = height[faces] > 0
    cut_faces = above.any(axis=1) & ~above.all(axis=1)
    faces, tags = faces[cut_faces], tags[cut_faces]
    order = np.lexsort((tags, *faces.T))
    faces, tags = faces[order], tags[order]
    twin = np.zeros(len(faces), dtype=bool)
    twin[:-1] = (faces[1:] == faces[:-1]).all(axis=1)
    second = np.zeros(len(faces), dtype=bool)
    second[1:] = twin[:-1]
    same = np.zeros(len(faces), dtype=bool)
    same[:-1] = twin[:-1] & (tags[1:] == tags[:-1])
    keep = ~second & ~same
    return faces[keep], tags[keep]


def _cut_faces(faces: NDArray[np.int32], height: NDArray[np.float64]) -> NDArray[np.int32]:
    """(s, 2, 2) the two edges of each face that the plane cuts: those at the node alone on its side."""
    above = height[faces] > 0
    lone = np.where(above.sum(axis=1) == 1, above.argmax(axis=1), (~above).argmax(axis=1))
    rows = np.arange(len(faces))
    apex = faces[rows, lone]
    others = [faces[rows, (lone + step) % 3] for step in (1, 2)]
    return np.stack([np.stack([apex, other], axis=1) for other in others], axis=1)


def _cut_points(
    edges: NDArray[np.int32], height: NDArray[np.float64], plane: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    start, end = height[edges[:, 0]], height[edges[:, 1]]
    fractions = start / (start - end)
    points = plane[edges[:, 0]] * (1 - fractions[:, None]) + plane[edges[:, 1]] * fractions[:, None]
    return points, fractions
