"""Looks for the best of what is predicted, solves it, and looks again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Tell
from efield.ground.turns import side_by_side
from efield.planning.goals import Goal, goal_words
from efield.planning.peaks import FIRST_STEPS, MOVES, climbed, distinct
from efield.planning.placement_fields import TOGETHER, PlacementFields
from efield.planning.response import PrimaryProbe, Response, telling
from efield.planning.search_space import SearchSpace
from efield.planning.tolerance import LossGrid, tolerances

if TYPE_CHECKING:
    import xarray


#: So many placements are solved first: those that tell most of a pool that is spread over the search.
_FIRST: Final = 24
_POOL: Final = 96

#: Rounds of looking for the best and solving it, at most. They end when prediction and solve agree to this share of the
#: goal, and the best has grown by less than the other.
_ROUNDS: Final = 6
_TOPS: Final = 3
_AGREED: Final = 3e-4
_GROWN: Final = 1e-3

#: Alternatives are worth this share of the best, and so many at most are kept.
AS_GOOD: Final = 0.98
_MOST: Final = 6

#: Placements that are predicted at a time.
_BLOCK: Final = 256


@dataclass(frozen=True, eq=False)
class Found:
    """What a search ends with.

    Parameters
    ----------
    places : list of (5,) float
        Optima, the best first.
    poses : list of Pose
    tolerances : (float, float)
        mm and degrees.
    loss : xarray.Dataset
    predicted_error : float
    solves : int
    """

    places: list[FloatArray]
    poses: list[Pose]
    tolerances: tuple[float, float]
    loss: "xarray.Dataset"
    predicted_error: float
    solves: int


class Search:
    """A search for the best placement.

    Parameters
    ----------
    space : SearchSpace
    goal : Goal
    fields : callable
        E at the goal's tetrahedra, of placements that are to be solved.
    probe : PrimaryProbe
    tell : callable
        Told of the progress.
    """

    def __init__(
        self, space: SearchSpace, goal: Goal, fields: PlacementFields, probe: PrimaryProbe, tell: Tell
    ) -> None:
        self._space, self._goal, self._fields, self._probe, self._tell = space, goal, fields, probe, tell
        self._seen: dict[tuple[float, ...], FloatArray] = {}
        self._places: list[FloatArray] = []
        self._values: list[float] = []

    def run(self) -> Found:
        """Look, until what is predicted of the best is what is solved and does not grow.

        Raises
        ------
        InputError
            If zones leave no place for the coil.
        """
        self._response = Response(*self._solved(self._design()))
        grid = LossGrid(self._space.radius_mm)
        off, before = np.inf, max(self._values)
        for _ in range(_ROUNDS):
            off, best = self._round(grid), max(self._values)
            if off < _AGREED and best < (1 + _GROWN) * before:
                break
            before = best
        return self._concluded(grid, off)

    def _design(self) -> list[FloatArray]:
        spread = self._space.spread(_POOL)
        pool = [spread[k] for k in self._allowed(spread)]
        if not pool:
            raise InputError("zones must leave a place for the coil; instead nothing near the target is allowed")
        return [pool[k] for k in telling(np.array([self._look(one) for one in pool]), _FIRST)]

    def _round(self, grid: LossGrid) -> float:
        """Solve the best of what is predicted, and around it; how far the prediction was off there."""
        starts = grid.places[distinct(grid.places, self._predicted(grid.places), _TOPS)]
        tops = [climbed(start, self._predicted) for start in starts]
        expected = self._predicted(np.array(tops))
        first = int(np.argmax(expected))
        solved = [*tops, *self._around(tops[first], TOGETHER - len(tops))]
        self._response = self._response.with_samples(*self._solved(solved))
        return float(abs(expected[first] / self._values[first - len(solved)] - 1))

    def _around(self, top: FloatArray, number: int) -> list[FloatArray]:
        """Places around the best, other ones each time, that say how it falls off there."""
        turn = np.random.default_rng(len(self._values)).permutation(MOVES)
        moved = top + turn * FIRST_STEPS
        return [moved[k] for k in self._allowed(moved)[:number]]

    def _concluded(self, grid: LossGrid, off: float) -> Found:
        values, best = np.array(self._values), max(self._values)
        good = [k for k in distinct(np.array(self._places), values, _MOST) if values[k] >= AS_GOOD * best]
        places = [self._places[k] for k in good]
        poses = [pose for one in places if (pose := self._space.pose(one)) is not None]  # all of them are allowed
        reach = tolerances(places[0], self._predicted, self._space.radius_mm)
        loss = grid.dataset(1 - self._predicted(grid.places) / best)
        return Found(places, poses, reach, loss, off, len(values))

    def _solved(self, places: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """What is seen of placements that are allowed, and their fields."""
        fields = self._fields([pose for one in places if (pose := self._space.pose(one)) is not None])
        self._places.extend(places)
        self._values.extend(self._goal(fields).tolist())
        self._tell(len(self._values), 0, f"best so far {goal_words(self._goal.name, max(self._values))}")
        return np.array([self._look(one) for one in places]), fields

    def _allowed(self, places: FloatArray) -> NDArray[np.intp]:
        """The numbers of the places (k, 5) at which a coil may be; what is seen there is then known."""
        new = {key: one for one in places if (key := _key(one)) not in self._seen}
        poses = dict(zip(new, side_by_side(self._space.pose, new.values()), strict=True))
        laid = {key: pose for key, pose in poses.items() if pose is not None}
        self._seen |= dict.fromkeys(poses, np.empty(0)) | dict(zip(laid, self._probe([*laid.values()]), strict=True))
        return np.flatnonzero([len(self._look(one)) for one in places])

    def _look(self, place: FloatArray) -> FloatArray:
        """What is seen of the primary field at a place that was asked about; nothing where no coil may be."""
        return self._seen[_key(place)]

    def _predicted(self, places: FloatArray) -> FloatArray:
        """(k,) the goal that is predicted, -inf where no coil may be."""
        values = np.full(len(places), -np.inf)
        allowed = self._allowed(places)
        for first in range(0, len(allowed), _BLOCK):
            part = allowed[first : first + _BLOCK]
            values[part] = self._goal(self._response([self._look(places[k]) for k in part]))
        return values


def _key(place: FloatArray) -> tuple[float, ...]:
    return tuple(np.round(place, 6).tolist())
