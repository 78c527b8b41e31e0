"""An algebraic multigrid V-cycle for blocks of right-hand sides: pyamg's hierarchy, our kernels, float32.

The preconditioner need only be roughly right, so it runs in half the memory traffic of float64; conjugate gradients
around it are float64.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.kernels.elements import multigrid as kernels

#: Strength threshold of the aggregation. On sphere and folded heads 0.02 to 0.08 took 12 to 20 iterations; the usual
#: 0 took 42 on the sphere, and 0.12 took 24 to 47. Lower thresholds coarsen faster and set up sooner.
_STRENGTH = 0.035
_COARSEST = 500
_DEGREE = 2
#: Chebyshev smoothing damps the part of the spectrum from 1/10 of its top upwards; the coarser level has the rest.
_DAMPED_SHARE = 10.0
#: The estimated top of the spectrum is from below; a mode above the interval would be amplified.
_SAFETY = 1.1

_ONE = np.float32(1)

Csr = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]


def _as_float32(matrix: csr_matrix) -> Csr:
    return (
        matrix.indptr.astype(np.int32, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32),
    )


@dataclass(eq=False)
class _Level:
    """One grid: its matrix, the way down and up, and work space for the current block width."""

    matrix: Csr
    inverse_diagonal: NDArray[np.float32]
    chebyshev: list[tuple[np.float32, np.float32]]
    down: Csr
    up: Csr
    load: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    x: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    spare: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    step: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def smooth(self, steps: list[tuple[np.float32, np.float32]]) -> None:
        for keep, rate in steps:
            kernels.smoothing_step(
                *self.matrix, self.inverse_diagonal, self.load, self.x, keep, rate, self.step, self.spare
            )
            self.x, self.spare = self.spare, self.x


class VCycle:
    """Approximate solves of a symmetric positive semidefinite system, a block at a time.

    Parameters
    ----------
    matrix : (n, n) csr_matrix of float64
        The matrix; its null space may hold one constant per connected part.
    finer : pair of csr_matrix, optional
        A system (N, N) of higher order above it and the way up (N, n), smoothed as one more grid.
    """

    def __init__(self, matrix: csr_matrix, finer: tuple[csr_matrix, csr_matrix] | None = None) -> None:
        import pyamg

        # Scaled to a unit diagonal on average, so that float32 neither overflows nor underflows.
        self._scale = float(np.mean(matrix.diagonal()))
        hierarchy: Any = pyamg.smoothed_aggregation_solver(
            matrix,
            symmetry="symmetric",
            strength=("symmetric", {"theta": _STRENGTH}),
            # Row by row weights need no random vectors: the same hierarchy every time.
            # Weak couplings left out of the smoothing keep coarse rows short: on the default head the operators of all
            # levels hold 1.42 times the entries of the finest instead of 1.69, at the same 16 iterations.
            smooth=("jacobi", {"omega": 4 / 3, "weighting": "local", "filter_entries": True}),
            improve_candidates=None,
            max_coarse=_COARSEST,
            coarse_solver="pinv",
        )
        self._levels = [self._make_level(level.A, level.P) for level in hierarchy.levels[:-1]]
        if finer:
            self._levels.insert(0, self._make_level(*finer))
        coarsest = hierarchy.levels[-1].A.toarray() / self._scale
        self._coarsest = _as_float32(csr_matrix(np.linalg.pinv(coarsest, rcond=1e-10, hermitian=True)))
        self.sizes = [level.A.shape[0] for level in hierarchy.levels]
        self.operator_complexity = float(hierarchy.operator_complexity())
        self._load = self._x = np.empty((0, 0), np.float32)

    def _make_level(self, given: csr_matrix, up: csr_matrix) -> _Level:
        matrix = csr_matrix(given / self._scale)
        diagonal = matrix.diagonal()
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        return _Level(
            matrix=_as_float32(matrix),
            inverse_diagonal=inverse.astype(np.float32),
            chebyshev=_chebyshev_steps(_SAFETY * _top_of_spectrum(matrix, inverse)),
            down=_as_float32(csr_matrix(up.T)),
            up=_as_float32(csr_matrix(up)),
        )

    def load(self, width: int) -> NDArray[np.float32]:
        """(n, width) buffer to fill with the right-hand sides before a call."""
        if self._levels and self._levels[0].load.shape[1] != width:
            for level in self._levels:
                shape = (len(level.inverse_diagonal), width)
                level.load, level.x, level.spare, level.step = (np.empty(shape, np.float32) for _ in range(4))
        if self._load.shape[1] != width:
            self._load, self._x = (np.empty((self.sizes[-1], width), np.float32) for _ in range(2))
        return self._levels[0].load if self._levels else self._load

    def __call__(self) -> NDArray[np.float32]:
        """One V-cycle from zero on the loads in the buffer; the result lives until the next call."""
        for number, level in enumerate(self._levels):
            # The first step starts from zero and needs no product.
            np.multiply(level.load, level.chebyshev[0][1] * level.inverse_diagonal[:, None], out=level.x)
            level.step[:] = level.x
            level.smooth(level.chebyshev[1:])
            level.spare[:] = level.load
            kernels.add_product(*level.matrix, level.x, -_ONE, level.spare)
            below = self._levels[number + 1].load if number + 1 < len(self._levels) else self._load
            below[:] = 0
            kernels.add_product(*level.down, level.spare, _ONE, below)
        self._x[:] = 0
        kernels.add_product(*self._coarsest, self._load, _ONE, self._x)
        x = self._x
        for level in reversed(self._levels):
            kernels.add_product(*level.up, x, _ONE, level.x)
            level.smooth(level.chebyshev)
            x = level.x
        return x


def _top_of_spectrum(matrix: csr_matrix, inverse_diagonal: NDArray[np.float64]) -> float:
    """Largest eigenvalue of D^-1 A from below: Rayleigh quotients of a power iteration with a fixed start.

    The sums are NumPy's own, whose order does not depend on the number of threads as a linear-algebra library's may.
    """
    x = np.random.default_rng(0).standard_normal(len(inverse_diagonal))
    root = np.sqrt(inverse_diagonal)
    top = 0.0
    for _ in range(15):
        x /= np.sqrt(np.sum(x * x))
        image = root * (matrix @ (root * x))
        top = float(np.sum(x * image))
        x = image
    return top


def _chebyshev_steps(top: float) -> list[tuple[np.float32, np.float32]]:
    """(keep, rate) of each step of the Chebyshev iteration on [top / share, top] (Saad 2003, algorithm 12.1)."""
    center, half = 0.5 * (top + top / _DAMPED_SHARE), 0.5 * (top - top / _DAMPED_SHARE)
    ratio = half / center
    steps = [(np.float32(0), np.float32(1 / center))]
    for _ in range(_DEGREE - 1):
        following = 1 / (2 * center / half - ratio)
        steps.append((np.float32(following * ratio), np.float32(2 * following / half)))
        ratio = following
    return steps
