"""Cut an enclosed tissue out of the tissue it lies in, so that it keeps its volume."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.checks import plain
from efield.head.lattice.grid import LabelGrid
from efield.head.lattice.pieces import Pieces
from efield.kernels.geometry import volumes
from efield.kernels.meshing import trilinear

#: Volumes may miss those of the labels by this share, or by this many mm3 where that is more.
VOLUME_TOLERANCE: Final = 0.05
LEAST_VOLUME_MM3: Final = 500.0

#: The level set is shifted until the volume is right to this share, in so many steps, by at most so many voxels.
WANTED_ERROR: Final = 0.01
_MOST_STEPS: Final = 6
_LARGEST_SHIFT: Final = 1.5


def cut_out(grid: LabelGrid, pieces: Pieces, field: NDArray[np.float32], rank: int, host: int) -> Pieces | None:
    """The pieces with one more tissue, or None where its volume cannot be kept.

    Thin tissues lose to smoothing and to straight edges, so the level set is moved outward or inward until as much is
    cut out as the labels have.

    Parameters
    ----------
    grid : LabelGrid
    pieces : Pieces
        Each tetrahedron with the bit of its rank only.
    field : (nx, ny, nz) array, mm
        Positive in the tissue, negative in what it is cut out of; shifted in place.
    rank, host : int
        Of the tissue, and of what it is cut out of.
    """
    wanted, surface = grid.size_of(rank)
    limit = _LARGEST_SHIFT * float(grid.spacing.mean())
    best, best_error, shift, tried = None, np.inf, 0.0, []
    for _ in range(_MOST_STEPS):
        trial = _cut(grid, pieces, field + np.float32(shift), rank, host)
        of_tissue = trial.tet_bits == _bit(rank)
        error = float(volumes.signed_volumes(plain(trial.points), plain(trial.tets[of_tissue])).sum()) - wanted
        tried.append((shift, error))
        if abs(error) < best_error and of_tissue.any():
            best, best_error, best_shift = trial, abs(error), shift
        if abs(error) <= WANTED_ERROR * wanted:
            break
        shift = float(np.clip(_next_shift(tried, surface), -limit, limit))
    if best is None or best_error > max(VOLUME_TOLERANCE * wanted, min(LEAST_VOLUME_MM3, 0.5 * wanted)):
        return None
    field += np.float32(best_shift)
    return best


def _bit(rank: int) -> np.uint32:
    return np.uint32(1 << (rank - 1))


def _cut(grid: LabelGrid, pieces: Pieces, field: NDArray[np.float32], rank: int, host: int) -> Pieces:
    """Cut inside the host only: edges that lead out of it stay whole, those on its surface are cut for both sides."""
    values = trilinear.sample(field, grid.inverse_spacing, pieces.points)
    in_host = np.zeros(len(values), dtype=bool)
    in_host[pieces.tets[pieces.tet_bits == _bit(host)]] = True
    values[~in_host] = 0.0
    trial = pieces.cut(field, grid.inverse_spacing, values, rank - 1)
    own, others = _bit(rank), trial.tet_bits & ~_bit(rank)
    bits = np.where((trial.tet_bits & own > 0) & (others == _bit(host)), own, others)
    return Pieces(trial.points, trial.node_bits, trial.tets, bits)


def _next_shift(tried: list[tuple[float, float]], surface: float) -> float:
    """From the last two shifts and errors by a secant; from one, or where that leads nowhere, by the surface."""
    (shift, error), slope = tried[-1], surface
    if len(tried) > 1 and shift != tried[-2][0]:
        secant = (error - tried[-2][1]) / (shift - tried[-2][0])
        slope = secant if secant > 0.2 * surface else surface
    return shift - error / max(slope, 1e-9)
