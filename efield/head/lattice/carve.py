"""Snap and cut a lattice by every level set, and name the tissue of each tetrahedron."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from efield.head.lattice.grid import LabelGrid
from efield.head.quality import outer_faces, pinched_nodes
from efield.kernels.geometry import stars
from efield.kernels.meshing import cutting, trilinear

#: A node moves onto a level set that crosses one of its edges within this fraction of the edge.
_SNAP_REACH = 0.35

#: A snap must leave every tetrahedron around the node better than this.
_SNAP_QUALITY = 0.2

_MOST_FILLS = 20


def carve(
    grid: LabelGrid,
    points: NDArray[np.float64],
    tets: NDArray[np.int32],
    fields: NDArray[np.float32],
    report: Callable[[float], None],
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.uint8]]:
    """Make every level set a union of faces, and drop what is outside the head.

    Returns
    -------
    points : (n, 3) array, grid mm
    tets : (m, 4) array of int32
    ranks : (m,) array of uint8
        Rank of each tetrahedron, 1 innermost.
    """
    node_bits = np.zeros(len(points), dtype=np.uint32)
    tet_bits = np.zeros(len(tets), dtype=np.uint32)
    order = _carving_order(len(fields))
    for done, k in enumerate(order):
        bit = np.uint32(1 << k)
        values = trilinear.sample(fields[k], grid.inverse_spacing, points)
        values[(node_bits & bit) != 0] = 0.0
        pointers, star = stars.node_stars(tets, len(points))
        cutting.snap(
            points,
            tets,
            pointers,
            star,
            fields[k],
            grid.inverse_spacing,
            values,
            node_bits,
            bit,
            _SNAP_REACH,
            _SNAP_QUALITY,
        )
        points, tets, node_bits, tet_bits = cutting.cut(
            points, tets, fields[k], grid.inverse_spacing, values, node_bits, tet_bits, bit
        )
        report((done + 1) / len(order))
    ranks = _sound_surface(tets, _lowest_rank(tet_bits), len(points), len(fields))
    used, renumbered = np.unique(tets[ranks > 0], return_inverse=True)
    return points[used], np.ascontiguousarray(renumbered.reshape(-1, 4), dtype=np.int32), ranks[ranks > 0]


def _lowest_rank(tet_bits: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Rank of the innermost level set that holds each tetrahedron; 0 for none."""
    lowest = tet_bits & (~tet_bits + np.uint32(1))
    return np.where(lowest > 0, np.round(np.log2(np.maximum(lowest, 1))) + 1, 0).astype(np.uint8)


def _sound_surface(
    tets: NDArray[np.int32], ranks: NDArray[np.uint8], n_points: int, outermost: int
) -> NDArray[np.uint8]:
    """Ranks with the outside filled where the outer surface touches itself, until it is a manifold."""
    neighbors = stars.face_neighbors(tets, *stars.node_stars(tets, n_points))
    sound = ranks.copy()
    for _ in range(_MOST_FILLS):
        beyond = np.where(neighbors >= 0, sound[neighbors], 0)
        border = np.where((sound[:, None] > 0) & (beyond == 0), -1, 0)
        pinched = pinched_nodes(outer_faces(tets, border))
        if not len(pinched):
            break
        touches = np.zeros(n_points, dtype=bool)
        touches[pinched] = True
        sound[(sound == 0) & touches[tets].any(axis=1)] = outermost
    return sound


def _carving_order(count: int) -> list[int]:
    # The second level set (of a head: the pial surface) matters most and gets the untouched lattice.
    return list(range(count)) if count < 2 else [1, 0, *range(2, count)]
