"""The field at a goal's tetrahedra for placements of a coil: solved a few together, or answered by a basis."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.planning.goals import CenterField, Goal
from efield.targeting.errors import at_centers
from efield.targeting.simulate import Simulator, evaluator, primary_at

#: Placements that are added at a time, and those that are solved together at most: of 24 each takes three quarters of
#: the time that it takes of 8 (default head).
TOGETHER: Final = 8
_WIDEST: Final = 24


class PlacementFields(Protocol):
    """Gives the recovered field at the centers of some tetrahedra."""

    def __call__(self, poses: Sequence[Pose]) -> FloatArray:
        """(p, k, 3) E in V/m at 1 A/us."""
        ...


class Solves:
    """Solves of placements, a few together.

    Parameters
    ----------
    sim : Simulator
    coil : Coil
    exact : bool
        Whether its primary field is summed over its sources, or stored.
    tets : (k,) int
        At whose centers E is wanted.
    tol : float, optional
        Relative residual at which the solver stops; the simulator's own unless given.
    """

    def __init__(
        self, sim: Simulator, coil: Coil, exact: bool, tets: NDArray[np.intp], tol: float | None = None
    ) -> None:
        self._sim, self._coil, self._exact, self._tol = sim, coil, exact, tol
        self._at = CenterField(sim.problem, tets)

    def __call__(self, poses: Sequence[Pose]) -> FloatArray:
        blocks = [poses[first : first + _WIDEST] for first in range(0, len(poses), _WIDEST)]
        primaries = (primary_at(self._sim, self._coil, block, 1e6, self._exact) for block in blocks)
        solved = (self._at.solved(dadt, len(b), self._tol) for dadt, b in zip(primaries, blocks, strict=True))
        return np.concatenate(list(solved))

    def verified(self, poses: Sequence[Pose], goal: Goal) -> tuple[FloatArray, int, FloatArray]:
        """Goals of placements at 1 A/us, which of them is best but for the last, and its field.

        Returns
        -------
        goals : (p,) float
        best : int
        fields : (2, k, 3) float, V/m
            At the goal's tetrahedra: what is reported, and what a second opinion says.
        """
        problem, evaluate = self._sim.problem, evaluator(self._coil, self._exact, self._sim.cache)
        primary = np.stack([evaluate(pose, problem.nodes_mm, 1e6) for pose in poses], axis=2)
        phi = problem.solve(primary, self._tol).phi
        e = self._at(phi, primary)
        values = goal(e)
        best = int(np.argmax(values[:-1]))
        alone = np.ascontiguousarray(phi[:, best]), np.ascontiguousarray(primary[:, :, best])
        opinion = at_centers(problem.second_opinion(*alone), goal.tets)
        return values, best, np.stack([e[best], opinion])


class FromBasis:
    """Answers of a basis, which must hold the tetrahedra.

    Raises
    ------
    InputError
        If it does not.
    """

    def __init__(self, basis: ReducedBasis, coil: Coil, tets: NDArray[np.intp]) -> None:
        missing = int((~np.isin(tets, basis.tets)).sum())
        if missing:
            raise InputError(
                f"the basis must hold the target and what is spared; instead {missing} of {len(tets)} tetrahedra are "
                "outside its region: build it with a larger region_radius_mm, or give the simulator"
            )
        self._basis, self._coil = basis, basis.serves(coil)
        self._rows = np.searchsorted(basis.tets, tets)

    def __call__(self, poses: Sequence[Pose]) -> FloatArray:
        fields = (self._basis.field(pose, coil=self._coil, outside="solve") for pose in poses)
        return np.array([field.recovered[self._rows] for field in fields])
