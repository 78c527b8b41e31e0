"""Conductivities that vary: the stiffness and the load are sums over tissues, so a few solves tell all others.

Let s_t be the factor by which tissue t conducts more than in the problem at hand. Then K(s) = sum_t s_t K_t and
b(s) = sum_t s_t b_t, and the potentials of all s lie near a space of few dimensions. Galerkin's principle finds the
best of that space in energy, from matrices of its own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.problem import FemProblem
from efield.fem.system import Solution
from efield.ground.errors import InputError

FloatArray = NDArray[np.float64]

#: A correction is solved to this share of itself at least, however near the guess was.
_LOOSEST = 0.1


@dataclass(frozen=True, eq=False)
class GalerkinModel:
    """The equations on a space of r modes, one set for each part of the head.

    Parameters
    ----------
    stiffness : (T + 1, r, r) float
        Of each tissue that varies, and last of all the others.
    load : (T + 1, r) float
    """

    stiffness: FloatArray
    load: FloatArray

    def __call__(self, factors: FloatArray) -> FloatArray:
        """(s, r) coefficients of the modes for factors (s, T) of the tissues' conductivities."""
        all_factors = np.column_stack([factors, np.ones(len(factors))])
        matrices = np.einsum("st,tij->sij", all_factors, self.stiffness)
        return np.asarray(np.linalg.solve(matrices, (all_factors @ self.load)[..., None])[..., 0])


class VariedProblem:
    """One primary field in one head, for any conductivities of some of its tissues.

    Parameters
    ----------
    problem : FemProblem
        At the conductivities from which factors count; its solver preconditions those of all others.
    tags : sequence of int
        Tissues that vary; the others stay as they are.
    dadt_nodes : (n, 3) float, V/m
        The primary field.

    Raises
    ------
    InputError
        If the problem is not of first order, or the head lacks one of the tissues.
    """

    def __init__(self, problem: FemProblem, tags: Sequence[int], dadt_nodes: FloatArray) -> None:
        if problem.order != 1:
            raise InputError("conductivities can be varied in a problem of order 1; instead it is of order 2")
        missing = [tag for tag in tags if tag not in problem.head.tags]
        if missing:
            raise InputError(f"tissues that vary must be in the head; instead it has no tag {missing[0]}")
        self.problem, self.tags = problem, tuple(tags)
        self._dadt = np.ascontiguousarray(dadt_nodes)[..., None]
        tissue = problem.head.tissue
        self._members = [np.flatnonzero(tissue == tag) for tag in tags]
        self._members.append(np.flatnonzero(~np.isin(tissue, tags)))

    @cached_property
    def _parts(self) -> list[tuple[csr_matrix, FloatArray]]:
        """Stiffness (n, n) and load (n,) of each tissue that varies, and last of all the others.

        All have the entries of the whole, zeros included, so that sums are those of their values.
        """
        found = [self._part(members) for members in self._members]
        first = found[0][0]
        shared = [csr_matrix((one.data, first.indices, first.indptr), shape=first.shape) for one, _ in found]
        return [(matrix, load) for matrix, (_, load) in zip(shared, found, strict=True)]

    def _part(self, members: NDArray[np.intp]) -> tuple[csr_matrix, FloatArray]:
        whole = self.problem.linear
        sigma = np.zeros_like(whole.sigma)
        sigma[members] = whole.sigma[members]
        elements = whole.with_sigma(sigma)
        return elements.stiffness(), elements.load(self._dadt)[:, 0]

    def solve(self, factors: FloatArray, guess: FloatArray, tol: float | None = None) -> Solution:
        """The potential (n, 1) for factors (T,), from a guess (n,); what the guess lacks is solved for.

        Parameters
        ----------
        factors : (T,) float
        guess : (n,) float, V
        tol : float, optional
            Relative residual to be reached; the problem's unless given.

        Raises
        ------
        SolverError
            If the solver does not reach it.
        """
        goal = self.problem.tol if tol is None else tol
        matrix, load = self._system(factors)
        rest = load - (matrix @ guess)[:, None]
        size = float(np.linalg.norm(load))
        left = float(np.linalg.norm(rest))
        share = min(_LOOSEST, goal * size / left) if left else _LOOSEST
        found = self.problem.solver_of(matrix).solve(rest, max(share, goal))
        reached = float(np.linalg.norm(rest - matrix @ found.phi) / size) if size else 0.0
        return Solution(found.phi + guess[:, None], found.iterations, reached)

    def _system(self, factors: FloatArray) -> tuple[csr_matrix, FloatArray]:
        shares, first = [*factors.tolist(), 1.0], self._parts[0][0]
        values = sum(share * matrix.data for share, (matrix, _) in zip(shares, self._parts, strict=True))
        load = sum(share * load for share, (_, load) in zip(shares, self._parts, strict=True))
        return csr_matrix((values, first.indices, first.indptr), shape=first.shape), np.asarray(load)[:, None]

    def extended(self, model: GalerkinModel | None, modes: FloatArray) -> GalerkinModel:
        """The equations on the span of modes (n, r), of which the model has all but the last."""
        last, rank = modes[:, -1], modes.shape[1]
        matrices, loads = np.zeros((len(self._parts), rank, rank)), np.zeros((len(self._parts), rank))
        if model is not None:
            matrices[:, :-1, :-1], loads[:, :-1] = model.stiffness, model.load
        for number, (stiffness, load) in enumerate(self._parts):
            matrices[number, :, -1] = matrices[number, -1, :] = modes.T @ (stiffness @ last)
            loads[number, -1] = last @ load
        return GalerkinModel(matrices, loads)
