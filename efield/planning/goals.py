"""What a placement is to be best at, as a number of the field at some tetrahedra."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.fem.answers import Places
from efield.fem.problem import FemProblem
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.numbering import renumbered
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER
from efield.planning.words import GOALS
from efield.targeting.errors import disagreement
from efield.targeting.summary import with_error
from efield.targeting.targets import Target


def goal_words(name: str, value: float, error: float | None = None) -> str:
    """A goal's value, and the mesh's error of it, for people: ``1.172 V/m``, or ``8.08`` where it is a ratio."""
    says = f"{value:.4g}" if error is None else with_error(value, error)
    return f"{says} {GOALS[name]}".removesuffix(" 1") + ("" if error is None else " (mesh)")


#: So many tetrahedra stand for the rest of gray matter while searching; what is stated of a winner is of all of it.
_REST: Final = 4000


@dataclass(frozen=True, eq=False)
class Goal:
    """A number to be made as large as possible.

    - ``magnitude``: mean |E| in the target, V/m.
    - ``along``: component of the mean E along the target's direction, V/m.
    - ``focality``: mean |E| in the target over mean |E| in the regions to spare, or in all other gray matter.

    Parameters
    ----------
    name : {"magnitude", "along", "focality"}
    target : (k,) int
        Tetrahedra of the target.
    elsewhere : (l,) int
        Tetrahedra that are to be spared; empty unless the goal is focality.
    volumes : (k + l,) float
    direction : (3,) float
        Zero if the target has none.
    """

    name: str
    target: NDArray[np.intp]
    elsewhere: NDArray[np.intp]
    volumes: FloatArray
    direction: FloatArray

    @classmethod
    def of(cls, head: HeadMesh, name: str, target: Target, spare: Sequence[Target], *, whole: bool) -> "Goal":
        """The goal at a target.

        Parameters
        ----------
        head : HeadMesh
        name : str
        target : Target
        spare : sequence of Target
            What focality spares; all other gray matter unless given.
        whole : bool
            Whether all of gray matter counts, or a sample of it.

        Raises
        ------
        InputError
            If there is no such goal, the target has no direction for it, or regions are spared by another goal.
        """
        checks.choice("goal", name, GOALS)
        if name == "along" and target.direction is None:
            raise InputError('the target must have a direction for goal="along"; give it one, or take "magnitude"')
        if spare and name != "focality":
            raise InputError(f'regions are spared by goal="focality"; instead the goal is {name!r}')
        inside = target.tets(head)
        outside = np.empty(0, np.intp)
        if name == "focality":
            outside = _elsewhere(head, inside, spare)
            if not whole and len(outside) > _REST:
                outside = np.sort(np.random.default_rng(0).choice(outside, _REST, replace=False))
        direction = np.zeros(3) if target.direction is None else np.array(target.direction)
        return cls(name, inside, outside, np.array(head.volumes[np.concatenate([inside, outside])]), direction)

    @property
    def tets(self) -> NDArray[np.intp]:
        """Tetrahedra at whose centers E is wanted."""
        return np.concatenate([self.target, self.elsewhere])

    def __call__(self, e: FloatArray) -> FloatArray:
        """(p,) the goal of fields (p, k + l, 3) at the centers of `tets`."""
        count = len(self.target)
        weights = self.volumes[:count] / self.volumes[:count].sum()
        if self.name == "along":
            return np.asarray(np.einsum("pkc,k,c->p", e[:, :count], weights, self.direction))
        size = np.sqrt(np.einsum("pkc,pkc->pk", e, e))  # in a third of the time of norm
        inside = size[:, :count] @ weights
        if self.name == "magnitude":
            return np.asarray(inside)
        return np.asarray(inside * self.volumes[count:].sum() / (size[:, count:] @ self.volumes[count:]))


def goal_error(goal: Goal, fields: FloatArray, unseen: float) -> float:
    """Estimate of what the mesh does to a goal of a field: as to its measures (`efield.targeting.errors`).

    fields (2, k + l, 3) are what is reported and the second opinion; unseen is how many times their distance it is.
    """
    value, opposed = goal(fields)
    count = len(goal.target)
    mean = np.average(np.linalg.norm(fields[0, :count], axis=1), weights=goal.volumes[:count])
    # A component of E is as uncertain as E is, however small it is itself.
    size = mean if goal.name == "along" else value
    return float(unseen * np.hypot(opposed - value, size * disagreement(fields[0], fields[1], goal.volumes) ** 2))


def _elsewhere(head: HeadMesh, inside: NDArray[np.intp], spare: Sequence[Target]) -> NDArray[np.intp]:
    chosen = [one.tets(head) for one in spare] or [np.flatnonzero(head.tissue == GRAY_MATTER)]
    spared = np.zeros(len(head.tets), dtype=bool)
    spared[np.concatenate(chosen)] = True
    spared[inside] = False
    found = np.flatnonzero(spared)
    if not len(found):
        raise InputError("regions to spare must hold tissue that is not in the target; instead they have none")
    return found


class CenterField:
    """Takes potentials of a problem to the recovered field at the centers of some tetrahedra.

    Parameters
    ----------
    problem : FemProblem
    tets : (k,) int
    """

    def __init__(self, problem: FemProblem, tets: NDArray[np.intp]) -> None:
        self._problem, self._tets = problem, tets

    @cached_property
    def _places(self) -> tuple[Places, NDArray[np.int32] | None]:
        """Where E is taken, and the rows whose means it is at the centers: None where it is theirs."""
        none = np.empty(0, np.intp)
        if self._problem.order == 2:
            return Places(none, self._tets), None
        pairs, corners = renumbered(self._problem.patches.corners(self._tets))
        return Places(pairs, none), corners

    def __call__(self, phi: FloatArray, dadt: FloatArray) -> FloatArray:
        """(b, k, 3) E in V/m of potentials (n, b) and their dA/dt (n, 3, b)."""
        e = np.concatenate(self._problem.field_at(phi, dadt, self._places[0]))
        return self._centers(np.moveaxis(e, 2, 0))

    def solved(self, dadt: Any, count: int, tol: float | None) -> FloatArray:
        """(b, k, 3) E in V/m of primary fields as `FemProblem.answers` takes them, solved to a residual."""
        return self._centers(self._problem.rows_at(dadt, count, self._places[0], tol))

    def _centers(self, rows: FloatArray) -> FloatArray:
        corners = self._places[1]
        return np.ascontiguousarray(rows if corners is None else rows[:, corners].mean(axis=2))
