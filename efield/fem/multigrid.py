"""An algebraic multigrid V-cycle for blocks of right-hand sides: pyamg's aggregation, our kernels, float32.

The preconditioner need only be roughly right, so it runs in half the memory traffic of float64; conjugate gradients
around it are float64.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.coarsening import coarsened
from efield.fem.smoothing import OVER_DIAGONAL, OVER_FACTOR, SAFETY, Csr, as_float32, chebyshev_steps, incomplete_factor
from efield.fem.spectrum import top_of_spectrum
from efield.fem.system import csr_arrays, csr_from_arrays
from efield.kernels.elements import incomplete
from efield.kernels.elements import multigrid as kernels

#: A diagonal below this share of the terms that cancel in it is that of an insulated part whose every unknown is in one
#: aggregate: zero but for rounding.
_ROUNDING = 1e-10

_ONE = np.float32(1)


@dataclass(eq=False)
class Level:
    """One grid: its matrix, the way down and up, and work space for the current block width."""

    matrix: Csr
    inverse_diagonal: NDArray[np.float32]
    chebyshev: list[tuple[np.float32, np.float32]]
    down: Csr
    up: Csr
    factor: Csr | None = None
    load: NDArray[np.float32] = field(init=False)
    x: NDArray[np.float32] = field(init=False)
    spare: NDArray[np.float32] = field(init=False)
    step: NDArray[np.float32] = field(init=False)

    def smooth_from_zero(self) -> None:
        """The first step needs no product."""
        rate = self.chebyshev[0][1]
        if self.factor is None:
            np.multiply(self.load, rate * self.inverse_diagonal[:, None], out=self.x)
        else:
            np.multiply(self.load, rate, out=self.x)
            incomplete.solve(*self.factor, self.x)
        self.step[:] = self.x
        self.smooth(self.chebyshev[1:])

    def smooth(self, steps: list[tuple[np.float32, np.float32]]) -> None:
        for keep, rate in steps:
            if self.factor is None:
                kernels.smoothing_step(
                    *self.matrix, self.inverse_diagonal, self.load, self.x, keep, rate, self.step, self.spare
                )
                self.x, self.spare = self.spare, self.x
                continue
            self.remainder()
            incomplete.solve(*self.factor, self.spare)
            self.step *= keep
            self.spare *= rate
            self.step += self.spare
            self.x += self.step

    def remainder(self) -> NDArray[np.float32]:
        """Load minus A x, in the spare buffer."""
        self.spare[:] = self.load
        kernels.add_product(*self.matrix, self.x, -_ONE, self.spare)
        return self.spare


@dataclass(frozen=True, eq=False)
class Grids:
    """A system, coarser ones below it, and the ways up from them: what of a V-cycle takes long to find.

    Parameters
    ----------
    matrices : tuple of csr_matrix
        From the finest to the coarsest.
    ups : tuple of csr_matrix
        From each grid but the first to the one above.
    tops : tuple of float
        Bound of the eigenvalues of D^-1 A of each grid but the coarsest.
    """

    matrices: tuple[csr_matrix, ...]
    ups: tuple[csr_matrix, ...]
    tops: tuple[float, ...]

    @staticmethod
    def below(matrix: csr_matrix, points: NDArray[np.float64] | None = None) -> "Grids":
        """The grids below a symmetric positive semidefinite matrix of float64; `points` as in `coarsened`."""
        coarser = coarsened(matrix, points)
        matrices, ups = (matrix, *(below for _, below in coarser)), tuple(up for up, _ in coarser)
        inverses = Grids(matrices, ups, ()).inverse_diagonals()
        tops = tuple(top_of_spectrum(a, inverse) for a, inverse in zip(matrices[:-1], inverses, strict=False))
        return Grids(matrices, ups, tops)

    def inverse_diagonals(self) -> list[NDArray[np.float64]]:
        """Of each matrix; zero for unknowns that rounding alone holds, as those of insulated specks do when coarse."""
        terms = self.matrices[0].diagonal()
        inverses = [_inverse(terms, terms)]
        for matrix, up in zip(self.matrices[1:], self.ups, strict=True):
            terms = up.power(2).T @ terms
            inverses.append(_inverse(matrix.diagonal(), terms))
        return inverses

    @property
    def sizes(self) -> list[int]:
        """Unknowns of each grid."""
        return [matrix.shape[0] for matrix in self.matrices]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name, but the first matrix."""
        arrays: dict[str, NDArray[Any]] = {"tops": np.array(self.tops)}
        for number, (up, matrix) in enumerate(zip(self.ups, self.matrices[1:], strict=True)):
            arrays |= csr_arrays(f"up{number}", up) | csr_arrays(f"matrix{number}", matrix)
        return arrays

    @staticmethod
    def from_arrays(matrix: csr_matrix, arrays: Mapping[str, NDArray[Any]]) -> "Grids":
        """The grids below a matrix, from `to_arrays` of them.

        Raises
        ------
        InputError
            If the arrays are not those of grids below a matrix of this size.
        """
        matrices, ups, tops = [matrix], [], arrays["tops"].tolist()
        for number in range(len(tops)):
            below = len(arrays[f"matrix{number}_rows"]) - 1
            ups.append(csr_from_arrays(f"up{number}", arrays, (matrices[-1].shape[0], below)))
            matrices.append(csr_from_arrays(f"matrix{number}", arrays, (below, below)))
        return Grids(tuple(matrices), tuple(ups), tuple(tops))


def _scale(matrix: csr_matrix) -> float:
    """Scaled by it a matrix has a unit diagonal on average, so that float32 neither overflows nor underflows."""
    return float(np.mean(matrix.diagonal()))


def _inverse(diagonal: NDArray[np.float64], terms: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > _ROUNDING * terms)


def _pseudoinverse(matrix: csr_matrix, inverse_diagonal: NDArray[np.float64]) -> csr_matrix:
    """Of a small matrix scaled to a unit diagonal, so that what conducts a millionth is not taken for null."""
    root = np.sqrt(inverse_diagonal)
    inverse = np.linalg.pinv(root[:, None] * matrix.toarray() * root, rcond=1e-10, hermitian=True)
    return csr_matrix(root[:, None] * inverse * root)


def _make_level(
    given: csr_matrix, up: csr_matrix, inverse: NDArray[np.float64], top: float, scale: float, strong: bool
) -> Level:
    return Level(
        matrix=as_float32(csr_matrix(given / scale)),
        inverse_diagonal=(scale * inverse).astype(np.float32),
        chebyshev=chebyshev_steps(1.0, *OVER_FACTOR) if strong else chebyshev_steps(SAFETY * top, *OVER_DIAGONAL),
        down=as_float32(csr_matrix(up.T)),
        up=as_float32(up),
        factor=incomplete_factor(csr_matrix(given / scale), scale * inverse) if strong else None,
    )


class VCycle:
    """Approximate solves of a symmetric positive semidefinite system, a block at a time.

    Parameters
    ----------
    grids : Grids
        The system, whose null space may hold one constant per connected part, and what is below it.
    finer : pair of csr_matrix, optional
        A system (N, N) of higher order above it and the way up (N, n), smoothed as one more grid.
    strong : bool
        Smooth over an incomplete factor instead of the diagonal: about three times as long, for any shape of elements.
    """

    def __init__(
        self, grids: Grids, finer: tuple[csr_matrix, csr_matrix] | None = None, *, strong: bool = False
    ) -> None:
        self.grids, self.finer, self.strong = grids, finer, strong
        scale = _scale(grids.matrices[0])
        inverses = grids.inverse_diagonals()
        given = zip(grids.matrices[:-1], grids.ups, inverses, grids.tops, strict=False)
        self.levels = [_make_level(*level, scale, strong) for level in given]
        if finer:
            matrix, up = finer
            inverse = _inverse(matrix.diagonal(), matrix.diagonal())
            top = 1.0 if strong else top_of_spectrum(matrix, inverse)
            self.levels.insert(0, _make_level(matrix, up, inverse, top, scale, strong))
        self.coarsest = as_float32(csr_matrix(scale * _pseudoinverse(grids.matrices[-1], inverses[-1])))
        self._load = self._x = np.empty((0, 0), np.float32)

    def load(self, width: int) -> NDArray[np.float32]:
        """(n, width) buffer to fill with the right-hand sides before a call."""
        if self._load.shape[1] != width:
            for level in self.levels:
                shape = (len(level.inverse_diagonal), width)
                level.load, level.x, level.spare, level.step = (np.empty(shape, np.float32) for _ in range(4))
            self._load, self._x = (np.empty((self.grids.sizes[-1], width), np.float32) for _ in range(2))
        return self.levels[0].load if self.levels else self._load

    def __call__(self) -> NDArray[np.float32]:
        """One V-cycle from zero on the loads in the buffer; the result lives until the next call."""
        for number, level in enumerate(self.levels):
            level.smooth_from_zero()
            below = self.levels[number + 1].load if number + 1 < len(self.levels) else self._load
            below[:] = 0
            kernels.add_product(*level.down, level.remainder(), _ONE, below)
        self._x[:] = 0
        kernels.add_product(*self.coarsest, self._load, _ONE, self._x)
        x = self._x
        for level in reversed(self.levels):
            kernels.add_product(*level.up, x, _ONE, level.x)
            level.smooth(level.chebyshev)
            x = level.x
        return x
