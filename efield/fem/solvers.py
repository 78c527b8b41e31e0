"""Multigrid-preconditioned conjugate gradients, and the choice between solvers."""

import warnings
from collections.abc import Mapping
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.direct import DirectSolver, fits, pays_off
from efield.fem.multigrid import Grids, VCycle
from efield.fem.ordering import local_order, reordered
from efield.fem.smoothing import has_slivers
from efield.fem.system import (
    ConstantsPerPart,
    Solution,
    Solver,
    csr_arrays,
    csr_from_arrays,
    csr_rows,
    with_unused_nodes,
)
from efield.ground.errors import EfieldWarning, InputError, SolverError
from efield.ground.turns import in_turn
from efield.kernels.elements import multigrid as kernels

SOLVERS = ("auto", "multigrid", "direct")


def make_solver(
    kind: str,
    matrix: csr_matrix,
    points: NDArray[np.float64],
    coarser: tuple[csr_matrix, csr_matrix] | None = None,
) -> Solver:
    """The solver of one of `SOLVERS` for a stiffness matrix; the rest as in `MultigridCG`."""
    return DirectSolver(matrix) if is_direct(kind, matrix.shape[0]) else MultigridCG(matrix, points, coarser)


def is_direct(kind: str, size: int) -> bool:
    """Whether one of `SOLVERS` means the direct solver here, for so many unknowns."""
    return kind == "direct" or (kind == "auto" and pays_off(size))


class MultigridCG:
    """Conjugate gradients on blocks, preconditioned by an algebraic multigrid V-cycle.

    Every column runs its own iteration, side by side with the others, and rests once it has converged: a block
    gives the same bits as its columns one at a time. Inside, unknowns that couple are kept near each other in memory;
    loads and potentials are in the order of the matrix.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        Stiffness matrix.
    points : (n, 3) ndarray
        The nodes, in any unit.
    coarser : pair of csr_matrix, optional
        For elements of second order: the stiffness matrix of first order, whose nodes `points` are then, and the
        interpolation from it.

    References
    ----------
    Vanek P, Mandel J, Brezina M. Algebraic multigrid by smoothed aggregation. Computing 1996;56:179-196.
    """

    #: Heads take 11 to 25. A column that has not converged by then goes on with a stronger smoother.
    patience = 45
    #: With it the iterations go on for as long as so many of them leave at most this share of the residual.
    round_length, least_progress = 200, 0.1
    #: More columns at a time cost memory and gain little.
    block_width = 16

    def __init__(
        self, matrix: csr_matrix, points: NDArray[np.float64], coarser: tuple[csr_matrix, csr_matrix] | None = None
    ) -> None:
        order = local_order(matrix)
        system = with_unused_nodes(reordered(matrix, order, order))
        if coarser is None:
            points = _in_order(points, order)
            cycle = _cycle(system, points)
        else:
            below = local_order(coarser[0])
            points = _in_order(points, below)
            coarse = with_unused_nodes(reordered(coarser[0], below, below))
            cycle = _cycle(coarse, points, (system, reordered(coarser[1], order, below)))
        self._set(system, order, cycle, points, ConstantsPerPart.of(system))

    def _set(
        self,
        system: csr_matrix,
        order: NDArray[np.int32] | None,
        cycle: VCycle,
        points: NDArray[np.float64],
        null: ConstantsPerPart,
    ) -> None:
        self.order, self.points, self.null = order, points, null
        self.csr = (*csr_rows(system), system.data)
        self.preconditioner = cycle

    @cached_property
    def _stronger(self) -> VCycle:
        cycle = self.preconditioner
        return cycle if cycle.strong else _strong_cycle(cycle.grids.matrices[0], self.points, cycle.finer)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The prepared solver by name, from which `from_arrays` makes it again without the work."""
        grids = self.preconditioner.grids
        order = np.empty(0, np.int32) if self.order is None else self.order
        more = {"part": self.null.part, "strong": np.array(self.preconditioner.strong)}
        return {"order": order} | more | csr_arrays("matrix", grids.matrices[0]) | grids.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], points: NDArray[np.float64]) -> "MultigridCG":
        """The solver of first order that `to_arrays` took apart, for nodes at points (n, 3): the same bits.

        Raises
        ------
        InputError
            If the arrays are not those of a solver of this size.
        """
        size = len(points)
        try:
            order = arrays["order"]
            if len(order) and not np.array_equal(np.sort(order), np.arange(size)):
                raise InputError(f"order must be that of {size} unknowns; instead it is none; prepare it again")
            part, strong = arrays["part"], bool(arrays["strong"].all())
            if part.shape != (size,) or part.dtype != np.int32 or part.min() < 0 or part.max() >= size:
                raise InputError(f"part must be of {size} unknowns; instead it is of others; prepare it again")
            matrix = csr_from_arrays("matrix", arrays, (size, size))
            grids = Grids.from_arrays(matrix, arrays)
        except KeyError as error:
            raise InputError(f"a prepared solver must have {error}; instead it has not; prepare it again") from error
        solver, kept = cls.__new__(cls), order if len(order) else None
        cycle = VCycle(grids, strong=strong)
        solver._set(matrix, kept, cycle, _in_order(points, kept), ConstantsPerPart(part))
        return solver

    def of_matrix(self, matrix: csr_matrix) -> "MultigridCG":
        """The solver of another matrix of this size, preconditioned as this one is.

        Worth it while the two are spectrally close: between iterations of a factor c in the conductivities lies a
        factor of at most sqrt(c).
        """
        other = copy(self)
        system = with_unused_nodes(reordered(matrix, self.order, self.order))
        other._set(system, self.order, self.preconditioner, self.points, self.null)
        return other

    @in_turn
    def solve(self, load: NDArray[np.float64], tol: float) -> Solution:
        """Solve every column; raises SolverError when one does not converge."""
        phi = np.empty_like(load)
        iterations, residual = 0, 0.0
        for first in range(0, load.shape[1], self.block_width):
            block = slice(first, min(first + self.block_width, load.shape[1]))
            inside = load[:, block] if self.order is None else load[self.order, block]
            found, taken, reached = self._solve_block(self.null.remove(inside), tol)
            phi[slice(None) if self.order is None else self.order, block] = found
            iterations, residual = max(iterations, taken), max(residual, reached)
        return Solution(phi, iterations, residual)

    @property
    def first_round(self) -> int:
        """Iterations after which a column goes on with a stronger smoother."""
        return self.round_length if self.preconditioner.strong else self.patience

    def _solve_block(self, load: NDArray[np.float64], tol: float) -> tuple[NDArray[np.float64], int, float]:
        x = np.zeros_like(load)
        taken, reached = self._approach(self.preconditioner, load, x, tol, self.first_round)
        return self.finished(load, x, tol, taken, reached)

    def finished(
        self, load: NDArray[np.float64], x: NDArray[np.float64], tol: float, taken: int, reached: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], int, float]:
        """The potentials once all columns have converged, the iterations and the largest residual.

        x (n, k) is where `taken` iterations of the first round have led, and reached (k,) the residuals; loads and
        potentials are in the solver's own order. Columns that are not there yet go on with the stronger smoother.
        """
        while (left := np.flatnonzero(reached > tol)).size:
            # What rests stays as it is, so that a column's bits do not depend on those beside it.
            hard, so_far, before = np.ascontiguousarray(load[:, left]), np.ascontiguousarray(x[:, left]), reached[left]
            more, reached[left] = self._approach(self._stronger, hard, so_far, tol, self.round_length)
            x[:, left] = so_far
            taken += more
            if (reached[left] > np.maximum(tol, self.least_progress * before)).all():
                return self._directly(load, tol, taken, float(reached.max()))
        if taken > self.first_round:
            _note(f"converged slowly, in {taken} iterations with a stronger smoother")
        return x, taken, float(np.max(reached, initial=0.0))

    def _approach(
        self, cycle: VCycle, load: NDArray[np.float64], x: NDArray[np.float64], tol: float, limit: int
    ) -> tuple[int, NDArray[np.float64]]:
        """Improve x in place by at most `limit` iterations; returns them, and the true residual of each column."""
        norm = np.sqrt(kernels.dots(load, load))
        image, taken, before = np.empty_like(load), 0, np.inf
        remainder, reached = self._remainder(load, x, norm)
        # The recursive residual can drift below the true one: then start again from where we are, while that helps.
        while taken < limit and tol < np.max(reached) < 0.5 * before:
            before = float(np.max(reached))
            taken += self._iterate(cycle, x, remainder, image, norm, tol, limit - taken)
            x[:] = self.null.remove(x)
            remainder, reached = self._remainder(load, x, norm)
        return taken, reached

    def _remainder(
        self, load: NDArray[np.float64], x: NDArray[np.float64], norm: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """b - K x, and its size over that of b for each column."""
        remainder = load.copy()
        kernels.add_product(*self.csr, x, -1.0, remainder)
        reached = np.sqrt(kernels.dots(remainder, remainder)) / np.where(norm > 0, norm, 1.0)
        # Rounding leaves constants in the residual that no potential can answer.
        return self.null.remove(remainder), reached

    def _directly(
        self, load: NDArray[np.float64], tol: float, taken: int, reached: float
    ) -> tuple[NDArray[np.float64], int, float]:
        """The last resort, where it is installed and fits the memory."""
        if not fits(load.shape[0]):
            raise SolverError(
                f"the solver must reach a residual of {tol:.1e}; instead it stands at {reached:.1e} after "
                f"{taken} iterations: check the mesh for slivers and the conductivities for contrasts above 1e7, "
                "or try a larger tol (--tol 1e-6) or solver='direct' (--solver direct, with pip install 'efield[mkl]')"
            )
        _note(f"stalled at a residual of {reached:.1e} after {taken} iterations and gave way to the direct one")
        indptr, columns, values = self.csr
        solution = DirectSolver(csr_matrix((values, columns, indptr), shape=2 * (load.shape[0],))).solve(load, tol)
        return solution.phi, taken, solution.residual

    def _iterate(
        self,
        cycle: VCycle,
        x: NDArray[np.float64],
        remainder: NDArray[np.float64],
        image: NDArray[np.float64],
        norm: NDArray[np.float64],
        tol: float,
        limit: int,
    ) -> int:
        """Conjugate gradients until every column's recursive residual is below tol; returns the iterations."""
        # Right-hand sides enter float32 scaled to length one.
        scale = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
        scaled = cycle.load(x.shape[1])
        np.multiply(remainder, scale, out=scaled, casting="same_kind")
        direction = np.zeros_like(x)
        active = np.sqrt(kernels.dots(remainder, remainder)) > tol * norm
        before = np.zeros_like(norm)
        for iteration in range(limit):
            preconditioned = cycle()
            now = kernels.dots(remainder, preconditioned)
            kernels.turn(_ratio(now, before), preconditioned, direction)
            image[:] = 0
            kernels.add_product(*self.csr, direction, 1.0, image)
            alpha = np.where(active, _ratio(now, kernels.dots(direction, image)), 0.0)
            square = kernels.descend(alpha, direction, image, x, remainder, scale, scaled)
            active &= np.sqrt(square) > tol * norm
            if not active.any():
                return iteration + 1
            before = now
        return limit


def _cycle(
    matrix: csr_matrix, points: NDArray[np.float64], finer: tuple[csr_matrix, csr_matrix] | None = None
) -> VCycle:
    """With the grids and the smoother that the elements ask for, whose shapes show in the matrix of first order."""
    return _strong_cycle(matrix, points, finer) if has_slivers(matrix) else VCycle(Grids.below(matrix), finer)


def _strong_cycle(
    matrix: csr_matrix, points: NDArray[np.float64], finer: tuple[csr_matrix, csr_matrix] | None
) -> VCycle:
    """For elements of any shape."""
    return VCycle(Grids.below(matrix, points), finer, strong=True)


def _in_order(points: NDArray[np.float64], order: NDArray[np.int32] | None) -> NDArray[np.float64]:
    return points if order is None else points[order]


def _note(what: str) -> None:
    warnings.warn(
        f"the multigrid solver {what}: the mesh has flat tetrahedra (see efield mesh info) or extreme contrasts",
        EfieldWarning,
        stacklevel=2,
    )


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
