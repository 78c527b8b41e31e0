"""Smoothing and untangling of a carved mesh."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from efield.ground.checks import plain
from efield.head.lattice.enclosed import WANTED_ERROR
from efield.head.lattice.grid import LabelGrid
from efield.kernels.geometry import stars, volumes
from efield.kernels.meshing import smoothing

_GOOD_QUALITY = 0.6
_BAD_QUALITY = 0.3
_SHEET_WEIGHT = 0.6
#: Interface nodes may leave their level set by this fraction of the mean edge to save a bad tetrahedron.
_SLACK = 0.12
#: The few tetrahedra still worse than this may pull their interface nodes farther.
_WORST_QUALITY = 0.2
_LAST_SLACK = 0.25
_TRIALS = 32
_SWEEPS = 8
_VOLUME_STEPS = 8
#: To keep a volume, nodes move as far as no tetrahedron gets worse than this.
_VOLUME_QUALITY = 0.2
#: Interface nodes return to their level set only as far as no tetrahedron gets worse than this.
_PROJECTION_QUALITY = 0.3


@dataclass(frozen=True, eq=False)
class Topology:
    """Who touches whom, and what each node may do; fixed while nodes move."""

    pointers: NDArray[np.int64]
    star: NDArray[np.int32]
    kinds: NDArray[np.int8]
    sheet_pointers: NDArray[np.int32]
    sheet: NDArray[np.int32]


def topology(
    grid: LabelGrid, tets: NDArray[np.int32], ranks: NDArray[np.uint8], merged: Mapping[int, int], n_points: int
) -> Topology:
    """Stars, node kinds and neighbors along the interfaces."""
    pointers, star = stars.node_stars(plain(tets), n_points)
    neighbors = stars.face_neighbors(plain(tets), pointers, star)
    masks = stars.rank_masks(tets, ranks, neighbors, n_points)
    sheet_pointers, sheet = _sheets(tets, ranks, neighbors, n_points)
    return Topology(pointers, star, _kinds(masks, parting_ranks(grid, merged)), sheet_pointers, sheet)


def parting_ranks(grid: LabelGrid, merged: Mapping[int, int]) -> NDArray[np.int8]:
    """(k + 1, k + 1) the rank whose level set parts two tissues, by their ranks; 0 is the outside."""
    count, layers = len(grid.tags) + 1, grid.layers
    table = np.zeros((count, count), dtype=np.int8)
    for one in range(1, count):
        for other in range(one):
            if one <= layers:
                # The inner one's; toward the outside that of the layer itself.
                table[one, other] = other or one
            else:
                host = grid.hosts[one - layers - 1]
                host = merged.get(host, host)
                table[one, other] = one if other == host else table[host, other]
            table[other, one] = table[one, other]
    return table


def _kinds(masks: NDArray[np.uint32], parting: NDArray[np.int8]) -> NDArray[np.int8]:
    count = np.bitwise_count(masks)
    low, high = np.zeros(len(masks), dtype=np.intp), np.zeros(len(masks), dtype=np.intp)
    low[masks > 0] = np.round(np.log2(masks[masks > 0] & (~masks[masks > 0] + np.uint32(1))))
    high[masks > 0] = np.floor(np.log2(masks[masks > 0]))
    return np.where(count == 1, 0, np.where(count == 2, parting[low, high], -1)).astype(np.int8)


def _sheets(
    tets: NDArray[np.int32], ranks: NDArray[np.uint8], neighbors: NDArray[np.int32], n_points: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    other = np.where(neighbors >= 0, ranks[neighbors], 0)
    t, k = np.nonzero(other < ranks[:, None])
    faces = np.stack([tets[t, (k + 1) % 4], tets[t, (k + 2) % 4], tets[t, (k + 3) % 4]], axis=1)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ones = np.ones(len(ends), dtype=np.int8)
    graph = coo_array((ones, (ends[:, 0], ends[:, 1])), shape=(n_points, n_points)).tocsr()
    graph = (graph + graph.T).tocsr()
    return graph.indptr.astype(np.int32), graph.indices.astype(np.int32)


def polish(
    grid: LabelGrid,
    points: NDArray[np.float64],
    tets: NDArray[np.int32],
    ranks: NDArray[np.uint8],
    merged: Mapping[int, int],
    fields: NDArray[np.float32],
    seed: int,
    report: Callable[[float], None],
) -> NDArray[np.float64]:
    """The points moved so that tetrahedra get better and interfaces stay on their level sets."""
    top = topology(grid, tets, ranks, merged, len(points))
    points = np.ascontiguousarray(points)
    mesh = (points, tets, top.pointers, top.star, top.kinds)
    spacing = grid.inverse_spacing

    def smooth(sweeps: int) -> None:
        smoothing.smooth(*mesh, top.sheet_pointers, top.sheet, fields, spacing, _GOOD_QUALITY, _SHEET_WEIGHT, sweeps)

    def untangle(sweeps: int, bad: float = _BAD_QUALITY, slack: float = _SLACK) -> None:
        smoothing.untangle(*mesh, fields, spacing, bad, _TRIALS, slack, seed, sweeps)

    for sweep in range(_SWEEPS):
        smooth(1)
        report(0.7 * (sweep + 1) / _SWEEPS)
    untangle(6)
    smoothing.project(*mesh, fields, spacing, _PROJECTION_QUALITY, 2)
    report(0.8)
    smooth(2)
    untangle(6)
    report(0.9)
    untangle(12, _WORST_QUALITY, _LAST_SLACK)
    _keep_volumes(grid, mesh, ranks, merged, fields)
    report(1.0)
    return points


def _keep_volumes(
    grid: LabelGrid,
    mesh: tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.int8]],
    ranks: NDArray[np.uint8],
    merged: Mapping[int, int],
    fields: NDArray[np.float32],
) -> None:
    """Move the boundaries of enclosed tissues, in place, until these have the volumes of their labels again."""
    points, tets = mesh[:2]
    for rank in (k for k in range(len(grid.tags), grid.layers, -1) if k not in merged):
        wanted, surface = grid.size_of(rank)
        own = grid.table_up_to(rank)[ranks] == rank
        for _ in range(_VOLUME_STEPS):
            error = float(volumes.signed_volumes(plain(points), plain(tets[own])).sum()) - wanted
            if abs(error) <= WANTED_ERROR * wanted:
                break
            fields[rank - 1] -= np.float32(error / surface)
            smoothing.project(*mesh, fields, grid.inverse_spacing, _VOLUME_QUALITY, 1)
