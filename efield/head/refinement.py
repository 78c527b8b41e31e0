"""A head made finer around a place: edges are halved there, and the mesh still conforms.

Every edge of the tetrahedra around the place gets a middle; then each tetrahedron is cut at the longest of its edges
that have one, until none is left. The order of cuts within a face depends on the face alone, so that its two
tetrahedra agree, whatever program made the mesh. With all six edges cut, eight are left. Those beside them are cut as
far as they share edges, and their shapes suffer with each halving: two of them took the smallest angle of the default
head from 7.4 to 5.7 degrees, while the 5th percentile rose.

References
----------
Plaza A, Carey GF. Local refinement of simplicial grids based on the skeleton. Appl Numer Math 2000;32:195-218 (the
partition of a tetrahedron into eight by its longest edges).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import OutsideHeadError
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER
from efield.kernels.geometry import volumes

#: Edges are halved within the first distance of a place, and once more within the second (mm): around the hand area of
#: the default head that takes a quarter more nodes (docs/accuracy.md).
RADII_MM: Final = (10.0, 7.0)

#: Within this distance edges of gray matter at its surfaces are halved a third time (mm): what remains of the error
#: sits there, and it takes a sixth more nodes.
SURFACE_MM: Final = 6.5

#: Edges shorter than this (mm) are left as they are, at surfaces half as long ones: gray matter is ten times as thick.
SHORTEST_MM: Final = 0.3

_EDGES: Final = np.array(list(combinations(range(4), 2)))


@dataclass(frozen=True, eq=False)
class RefinedHead:
    """A finer head, and where its tetrahedra come from.

    Parameters
    ----------
    head : HeadMesh
        The nodes of the given head come first. Tetrahedra that are not cut keep their number; one part of a cut one has
        its number, the others follow at the end.
    parents : (m,) int
        Tetrahedron of the given head that each tetrahedron is, or is a part of: values per tetrahedron of the given
        head, ``v``, are ``v[parents]`` here.
    """

    head: HeadMesh
    parents: NDArray[np.int32]


def refined_head(
    head: HeadMesh,
    center_mm: ArrayLike,
    radii_mm: Sequence[float] = RADII_MM,
    *,
    surface_mm: float = SURFACE_MM,
    shortest_mm: float = SHORTEST_MM,
) -> RefinedHead:
    """The head with edges halved around a place, once for each radius.

    Parameters
    ----------
    head : HeadMesh
        Any conforming tetrahedral mesh.
    center_mm : (3,) array_like, mm
    radii_mm : sequence of float, mm
        Edges are halved of tetrahedra whose centers lie within the first distance, then within the second, and so on;
        of the nearest one where none does.
    surface_mm : float, mm
        Then once more of tetrahedra of gray matter within this distance that touch another tissue; 0 for none.
    shortest_mm : float, mm
        Edges below this are not cut further; at surfaces below half of it.

    Raises
    ------
    OutsideHeadError
        If no tetrahedron is that near to the place and none holds it.
    """
    center = checks.point_mm("center_mm", center_mm)
    radii = [checks.length_mm("radii_mm", radius) for radius in radii_mm]
    surface = checks.in_range("surface_mm", surface_mm, 0.0, np.inf)
    near = _near(head, center, max(*radii, surface))
    local = _around(head, near, len(radii) + 1)
    points, tets, origin = np.asarray(head.points), head.tets[local], np.arange(len(local))
    for radius in radii:
        distance = _distances(points, tets, center)
        chosen = distance < max(radius, np.nextafter(distance.min(), np.inf))
        points, tets, cut_from = _halved(points, tets, chosen, shortest_mm)
        origin = origin[cut_from]
    chosen = _at_surfaces(points, tets, head.tissue[local][origin])
    chosen &= _distances(points, tets, center) < surface
    points, tets, cut_from = _halved(points, tets, chosen, 0.5 * shortest_mm)
    origin = origin[cut_from]
    _, first = np.unique(origin, return_index=True)
    further = np.delete(np.arange(len(tets)), first)
    whole = np.concatenate([head.tets, tets[further]])
    whole[local] = tets[first]
    parents = np.concatenate([np.arange(len(head.tets)), local[origin[further]]]).astype(np.int32)
    return RefinedHead(replace(head, points=points, tets=whole, tissue=head.tissue[parents]), checks.read_only(parents))


def _near(head: HeadMesh, center: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """(m,) which tetrahedra have their center within a radius of a place, else the one that holds it."""
    near = np.asarray(_distances(head.points, head.tets, center) < radius)
    if not near.any():
        tet, _ = Locator(head).find(center[None])
        if tet[0] < 0:
            raise OutsideHeadError(
                f"a head is made finer around places in it; instead no tetrahedron lies within {radius:g} mm of "
                "({:.0f}, {:.0f}, {:.0f})".format(*center)
            )
        near[tet] = True
    return near


def _at_surfaces(points: NDArray[np.float64], tets: NDArray[np.int32], tissue: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """(m,) which tetrahedra are gray matter and touch another tissue."""
    gray = tissue == GRAY_MATTER
    others = np.zeros(len(points), dtype=bool)
    others[tets[~gray]] = True
    return np.asarray(gray & (_corners_in(others, tets) > 0))


def _distances(
    points: NDArray[np.float64], tets: NDArray[np.int32], center: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m,) from the centers of tetrahedra to a place."""
    offset = volumes.centers(checks.plain(points), checks.plain(tets)) - center
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", offset, offset)))


def _corners_in(flags: NDArray[np.bool_], tets: NDArray[np.int32]) -> NDArray[np.int8]:
    """(m,) how many corners of each tetrahedron are flagged (n,); a sum along the short axis takes numpy longer."""
    found = flags.view(np.int8)
    return np.asarray(sum(found[tets[:, k]] for k in range(4)))


def _around(head: HeadMesh, near: NDArray[np.bool_], rings: int) -> NDArray[np.intp]:
    """Numbers of the tetrahedra that halving may reach: each time those that share an edge with the chosen."""
    for _ in range(rings):
        touched = np.zeros(len(head.points), dtype=bool)
        touched[head.tets[near]] = True
        near = _corners_in(touched, head.tets) >= 2
    return np.flatnonzero(near)


def _halved(
    points: NDArray[np.float64], tets: NDArray[np.int32], near: NDArray[np.bool_], shortest: float
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.intp]]:
    """Points, tetrahedra, and the number of the given one that each is or was, with the edges of those near halved."""
    edges = np.unique(_keys(tets[near]))
    length = np.linalg.norm(points[edges >> 32] - points[edges & 0xFFFFFFFF], axis=1)
    edges, length = edges[length > shortest], length[length > shortest]
    if not len(edges):
        return points, tets, np.arange(len(tets))
    # Ties are broken by the edge's number, so that both sides of a face do the same.
    rank = np.empty(len(edges), dtype=np.int64)
    rank[np.lexsort((edges, length))] = np.arange(len(edges))
    ends = np.zeros(len(points) + len(edges), dtype=bool)  # middles are none: new edges are not cut
    ends[edges >> 32] = ends[edges & 0xFFFFFFFF] = True
    done, open_tets, origin = [], tets, np.arange(len(tets))
    while len(open_tets):
        longest, slot = _longest(open_tets, edges, rank, ends)
        cut = slot >= 0
        done.append((open_tets[~cut], origin[~cut]))
        halves = _two(open_tets[cut], longest[cut], len(points) + slot[cut])
        open_tets, origin = np.concatenate(halves), np.tile(origin[cut], 2)
    found, origins = (np.concatenate(parts) for parts in zip(*done, strict=True))
    middles = 0.5 * (points[edges >> 32] + points[edges & 0xFFFFFFFF])
    return np.concatenate([points, middles]), found, origins


def _keys(tets: NDArray[np.int32]) -> NDArray[np.int64]:
    """(m, 6) one number for each edge of each tetrahedron."""
    a, b = tets[:, _EDGES[:, 0]], tets[:, _EDGES[:, 1]]
    return np.asarray((np.minimum(a, b).astype(np.int64) << 32) | np.maximum(a, b))


def _longest(
    tets: NDArray[np.int32], edges: NDArray[np.int64], rank: NDArray[np.int64], ends: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of its six edges each tetrahedron is cut at, and that edge's number among those to be cut; -1 for none.

    Edges are looked for in the tetrahedra that have two of their ends.
    """
    longest, slots = np.zeros(len(tets), np.intp), np.full(len(tets), -1)
    some = np.flatnonzero(_corners_in(ends, tets) >= 2)
    keys = _keys(tets[some])
    tried = np.flatnonzero(ends[keys >> 32] & ends[keys & 0xFFFFFFFF])
    wanted, order, slot = keys.ravel()[tried], np.full(keys.shape, -1), np.full(keys.shape, -1)
    found = np.minimum(np.searchsorted(edges, wanted), len(edges) - 1)
    hit = edges[found] == wanted
    order.ravel()[tried[hit]], slot.ravel()[tried[hit]] = rank[found[hit]], found[hit]
    longest[some] = chosen = order.argmax(axis=1)
    slots[some] = slot[np.arange(len(some)), chosen]
    return longest, slots


def _two(
    tets: NDArray[np.int32], longest: NDArray[np.intp], middles: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Both halves of each tetrahedron: one end of the cut edge, then the other, gives way to its middle."""
    row, halves = np.arange(len(tets)), (tets.copy(), tets.copy())
    for half, end in zip(halves, _EDGES[longest].T, strict=True):
        half[row, end] = middles
    return halves
