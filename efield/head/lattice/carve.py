"""Cut a lattice by every level set, and name the tissue of each tetrahedron."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from efield.ground.numbering import renumbered
from efield.head.lattice.enclosed import cut_out
from efield.head.lattice.grid import LabelGrid
from efield.head.lattice.pieces import Pieces
from efield.head.quality import face_neighbors, outer_faces, pinched_nodes
from efield.kernels.meshing import trilinear

_MOST_FILLS = 20


def carve(
    grid: LabelGrid,
    points: NDArray[np.float64],
    tets: NDArray[np.int32],
    fields: NDArray[np.float32],
    report: Callable[[float], None],
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.uint8], dict[int, int]]:
    """Make every boundary a union of faces, and drop what is outside the head.

    First the level sets of the layers are cut, then the enclosed tissues out of what they lie in.

    Parameters
    ----------
    grid : LabelGrid
    points, tets
        The lattice, grid mm.
    fields : (k, nx, ny, nz) array, mm
        Level sets; those of enclosed tissues are shifted in place so that the tissues keep their volumes.
    report : callable
        Receives the fraction done.

    Returns
    -------
    points : (n, 3) array, grid mm
    tets : (m, 4) array of int32
    ranks : (m,) array of uint8
    merged : dict of int to int
        Ranks of enclosed tissues that these tetrahedra cannot hold, and of what they were left in.
    """
    pieces = _carved_layers(grid, Pieces.of_lattice(points, tets), fields[: grid.layers], report)
    merged: dict[int, int] = {}
    for k, host in enumerate(grid.hosts, start=grid.layers):
        host = merged.get(host, host)
        found = cut_out(grid, pieces, fields[k], k + 1, host) if len(pieces.tets) else None
        if found is None:
            merged[k + 1] = host
        else:
            pieces = found
        report((k + 1) / len(fields))
    return pieces.points, pieces.tets, _highest_rank(pieces.tet_bits), merged


def _carved_layers(
    grid: LabelGrid, pieces: Pieces, fields: NDArray[np.float32], report: Callable[[float], None]
) -> Pieces:
    """Cut by the level sets of the layers; each tetrahedron keeps the bit of its rank only."""
    for done, k in enumerate(_carving_order(len(fields))):
        values = trilinear.sample(fields[k], grid.inverse_spacing, pieces.points)
        pieces = pieces.cut(fields[k], grid.inverse_spacing, values, k)
        report((done + 1) / len(grid.tags))
    ranks = _sound_surface(pieces.tets, _lowest_rank(pieces.tet_bits), len(pieces.points), len(fields))
    used, kept = renumbered(pieces.tets[ranks > 0])
    bits = np.uint32(1) << (ranks[ranks > 0].astype(np.uint32) - np.uint32(1))
    return Pieces(pieces.points[used], pieces.node_bits[used], kept, bits)


def _highest_rank(tet_bits: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Rank of the last set that each tetrahedron was put into."""
    return np.asarray(np.round(np.log2(tet_bits)) + 1).astype(np.uint8)


def _lowest_rank(tet_bits: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Rank of the innermost level set that holds each tetrahedron; 0 for none."""
    lowest = tet_bits & (~tet_bits + np.uint32(1))
    return np.where(lowest > 0, np.round(np.log2(np.maximum(lowest, 1))) + 1, 0).astype(np.uint8)


def _sound_surface(
    tets: NDArray[np.int32], ranks: NDArray[np.uint8], n_points: int, outermost: int
) -> NDArray[np.uint8]:
    """Ranks with the outside filled where the outer surface touches itself, until it is a manifold."""
    neighbors = face_neighbors(tets, n_points)
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
