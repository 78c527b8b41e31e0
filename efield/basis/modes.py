"""From snapshots to modes, and to the linear map from samples of the primary field to their coefficients.

Snapshots enter by their inner products only: those of new ones are added to the rest, and a fit of all of them takes
milliseconds, however many places there are.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted
from efield.ground.checks import plain
from efield.kernels.reduced import modes as kernels

#: Modes are cut where what they leave of any check is this share of the tolerance.
_CUT: Final = 0.2

#: Regularization of the map, relative to the largest eigenvalue of the samples' Gram matrix: these are tried.
_RIDGES: Final = 10.0 ** np.arange(-16.0, -5.0)

#: Combinations of snapshots whose energy is below this share of the largest are rounding.
_ROUNDING: Final = 1e-13

#: Rows of the snapshots that are taken to double precision at a time.
_ROWS: Final = 1 << 14

#: Placements expanded together; blocks that are not full are filled up with zeros.
WIDTH: Final = kernels.WIDTH

#: Modes that take more bytes are read by all threads. For less, waking them costs as much as it gains.
_MANY_BYTES: Final = 8 << 20


@dataclass(frozen=True, eq=False, repr=False)
class LinearModel(Carded):
    """E = scale * modes @ (to_modes @ samples).

    Parameters
    ----------
    modes : (k * 3, r) int16
        Fields on the places, the three components of a place beside each other, in steps of `scale`.
    scale : (k * 3,) float32
        Step of each row.
    to_modes : (r, s * 3) float64
        Coefficients of the modes per V/m of dA/dt at the sample points.
    """

    modes: NDArray[np.int16]
    scale: NDArray[np.float32]
    to_modes: FloatArray

    def __call__(self, samples: FloatArray, places: int | None = None) -> NDArray[np.float32]:
        """E (k * 3,) in V/m for the samples (s * 3,) of one placement, at all places or the first so many."""
        return self.expand(kernels.times(self.to_modes, samples).astype(np.float32), places)

    def expand(self, coefficients: NDArray[np.float32], places: int | None = None) -> NDArray[np.float32]:
        """E (k * 3,) for coefficients (r,), at all places or the first so many."""
        last = len(self.scale) if places is None else 3 * places
        # For a map from disk, which is a subclass, the kernels would be compiled again.
        modes, scale = plain(self.modes)[:last], plain(self.scale)[:last]
        if modes.nbytes > _MANY_BYTES:
            return np.asarray(kernels.expand_on_all(modes, scale, coefficients))
        return np.asarray(kernels.expand(modes, scale, coefficients))

    def expanded(self, samples: FloatArray, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """E (p, k', 3) at some of the places for samples (p, s * 3) of up to `WIDTH` placements.

        The bits of a placement depend on its samples only.
        """
        filled = np.zeros((self.modes.shape[1], WIDTH), np.float32)
        filled[:, : len(samples)] = kernels.times_each(self.to_modes, samples).T
        rows = (3 * places[:, None] + np.arange(3)).ravel()
        out = np.empty((WIDTH, len(rows)), np.float32)
        kernels.expand_block(len(rows), plain(self.modes), plain(self.scale), rows, filled, out)
        return out[: len(samples)].reshape(len(samples), -1, 3)

    def part(self, places: NDArray[np.intp]) -> "LinearModel":
        """The model of some of the places (k',), to be asked for one placement after the other."""
        rows = (3 * places[:, None] + np.arange(3)).ravel()
        return LinearModel(np.asarray(self.modes)[rows], np.asarray(self.scale)[rows], self.to_modes)

    def fields(self, samples: FloatArray) -> NDArray[np.float32]:
        """E (p, k, 3) for samples (s * 3, p) of many placements."""
        return np.stack([self(column).reshape(-1, 3) for column in np.ascontiguousarray(samples.T)])

    def _card(self) -> Card:
        rows, modes = self.modes.shape
        size = f"{counted(modes, 'mode')} of {rows // 3:,} places, {self.modes.nbytes / 1e6:.1f} MB"
        return Card("LinearModel", (("size", size), ("from", f"{self.to_modes.shape[1] // 3:,} samples of dA/dt, V/m")))


class Gram:
    """Inner products of fields, weighted by volume or area, and the fields themselves in single precision.

    Parameters
    ----------
    weights : (k,) float
        Of the places.
    """

    def __init__(self, weights: FloatArray) -> None:
        self._root = np.sqrt(np.repeat(weights, 3))
        self._blocks: list[NDArray[np.float32]] = []
        #: (n, n) inner products.
        self.products = np.empty((0, 0))

    def add(self, block: NDArray[np.float32]) -> None:
        """Take in fields (k * 3, b)."""
        self._blocks.append(block)
        old, new = len(self.products), block.shape[1]
        grown = np.zeros((old + new, old + new))
        for rows in self._chunks():
            chunk = self._root[rows, None] * self._rows(rows, 0)
            grown[:, old:] += chunk.T @ chunk[:, old:]
        grown[:old, :old] = self.products
        grown[old:, :old] = grown[:old, old:].T
        self.products = grown

    def combined(self, weights: FloatArray, first: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Combinations (n - first, r) of all fields but the first ones: modes and their scale."""
        modes = np.empty((len(self._root), weights.shape[1]), np.int16)
        scale = np.empty(len(self._root), np.float32)
        for rows in self._chunks():
            fields = self._rows(rows, first) @ weights
            kernels.quantize(len(fields), fields, modes[rows], scale[rows])
        return modes, scale

    def _chunks(self) -> list[slice]:
        return [slice(low, low + _ROWS) for low in range(0, len(self._root), _ROWS)]

    def _rows(self, rows: slice, first: int) -> FloatArray:
        return np.concatenate([block[rows] for block in self._blocks], axis=1, dtype=np.float64)[:, first:]


@dataclass(frozen=True, eq=False)
class Fit:
    """Modes as combinations of snapshots, and the map to their coefficients.

    Parameters
    ----------
    combinations : (n, r) float
        Of the snapshots.
    to_modes : (r, s * 3) float
    span : (q, s * 3) float
        What of the samples is known from the snapshots, in orthonormal combinations of the weighted samples.
    error : float
        Largest relative error of E at the checks.
    """

    combinations: FloatArray
    to_modes: FloatArray
    span: FloatArray
    error: float


def fit(products: FloatArray, samples: FloatArray, checks: int, emphasis: FloatArray, tol: float) -> Fit:
    """The best linear model of snapshots, tuned on other placements.

    Parameters
    ----------
    products : (c + n, c + n) float
        Inner products of the fields of the checks, then of the snapshots.
    samples : (s * 3, c + n) float
        Primary field of the same placements.
    checks : int
        c, the placements that choose the number of modes and the regularization.
    emphasis : (s * 3,) float
        Weight of each sample.
    tol : float
        Relative error of E that the cut of the modes must stay well below.

    Notes
    -----
    The map is a ridge regression in the span of the snapshots. Each is scaled by the size of its primary field.
    """
    weighted = emphasis[:, None] * samples
    size = np.linalg.norm(samples[:, checks:], axis=0)
    values, vectors = np.linalg.eigh(products[checks:, checks:] / np.outer(size, size))
    keep = np.flatnonzero(values > _ROUNDING * values[-1])[::-1]
    root, vectors = np.sqrt(values[keep]), vectors[:, keep]
    inside = (vectors / root).T @ (products[checks:, :checks] / size[:, None])
    norm = np.diag(products)[:checks]
    beyond = np.maximum(norm - np.cumsum(inside**2, axis=0), 0.0)
    enough = np.flatnonzero((beyond / norm).max(axis=1) <= (_CUT * tol) ** 2)
    rank = int(enough[0]) + 1 if len(enough) else len(keep)
    content = root[:rank, None] * vectors[:, :rank].T
    scaled = weighted[:, checks:] / size
    eigenvalues, turn = np.linalg.eigh(scaled.T @ scaled)
    seen, turned = turn.T @ (scaled.T @ weighted[:, :checks]), content @ turn

    def error(ridge: float) -> float:
        miss = turned @ (seen / (eigenvalues + ridge * eigenvalues[-1])[:, None]) - inside[:rank]
        return float((((miss**2).sum(axis=0) + beyond[rank - 1]) / norm).max())

    best = min(_RIDGES, key=error)
    known = eigenvalues > max(best, _ROUNDING) * eigenvalues[-1]
    span = (turn[:, known] / np.sqrt(eigenvalues[known])).T @ scaled.T * emphasis
    to_modes = (turned / (eigenvalues + best * eigenvalues[-1])) @ turn.T @ scaled.T * emphasis
    combinations = vectors[:, :rank] / root[:rank] / size[:, None]
    return Fit(combinations, np.ascontiguousarray(to_modes), np.ascontiguousarray(span), float(np.sqrt(error(best))))
