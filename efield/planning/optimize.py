"""The best placement of a coil for a target.

Some dozen placements are solved to a loose tolerance, and the field is interpolated between them (`Response`). The
best of what is predicted is solved and added, until what is predicted of the best is what is solved and does not grow.
Winners are solved to the simulator's tolerance; the numbers that are given are theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.card import Card, Carded, place
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress, Tell, told
from efield.planning.goals import GOALS, CenterField, Goal
from efield.planning.response import Response
from efield.planning.search_space import AXES, SearchSpace
from efield.targeting.given import simulator
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator, evaluator, worth_storing
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import xarray

FloatArray = NDArray[np.float64]

#: The search's own solves stop at this relative residual.
_SEARCH_TOL: Final = 1e-5

#: So many placements are solved in a search, about.
_EXPECTED: Final = 64

#: Placements solved together.
_TOGETHER: Final = 8

#: The first design: positions over the disc, and angles at each.
_POSITIONS: Final = 12
_ANGLES: Final = 3

#: Rounds of looking for the best and solving it, at most. They end when prediction and solve agree to this share of the
#: goal, and the best has grown by less than the other.
_ROUNDS: Final = 6
_TOPS: Final = 3
_AGREED: Final = 3e-4
_GROWN: Final = 1e-3

#: The grid of the map, and what is refined from its best: mm and degrees.
_MAP_MM: Final = 5.0
_MAP_DEG: Final = 20.0
_FIRST_STEPS: Final = np.array([2.0, 2.0, 5.0, 4.0, 4.0])
_LAST_SHARE: Final = 0.1

#: Optima closer than this are one.
_APART_MM: Final = 6.0
_APART_DEG: Final = 25.0

#: Alternatives are worth this share of the best; tolerances are where the goal has lost this share.
_AS_GOOD: Final = 0.98
_LOST: Final = 0.05

#: Where nobody asks for anything else: the handle's angle of the rule of thumb.
_PLAIN_DEG: Final = 45.0


@dataclass(frozen=True, eq=False, repr=False)
class Optimum(Carded):
    """The best placement, how much better it is, what else is as good, and how exact it must be.

    Parameters
    ----------
    goal, unit : str
    pose : Pose
    place : dict of str to float
        `u_mm`, `v_mm`, `angle_deg`, `tilt_x_deg`, `tilt_y_deg` of the pose.
    value : float
        The goal there, of a full solve.
    gain : float
        Over the plain placement (over the target, 45 degrees, the same distance), as a share: 0.1 is 10 %.
    plain : Pose
    alternatives : list of (Pose, float)
        Other distinct optima within 2 % of the best, and the goal of a full solve there.
    tolerance_mm, tolerance_deg : float
        So far along the scalp, in the worst direction, and so far of the handle's angle, to the worse side, 5 % are
        lost; infinite where less is lost in all of the search.
    loss : xarray.Dataset
        `loss` over u_mm, v_mm and angle_deg: the share of the goal that is lost there; nan where no coil may be.
    predicted_error : float
        How far the interpolation was off at the best placement, as a share of the goal.
    solves : int
        Placements that were solved.
    """

    goal: str
    unit: str
    pose: Pose
    place: dict[str, float]
    value: float
    gain: float
    plain: Pose
    alternatives: list[tuple[Pose, float]]
    tolerance_mm: float
    tolerance_deg: float
    loss: "xarray.Dataset"
    predicted_error: float
    solves: int

    def to_json(self) -> dict[str, Any]:
        """Everything but the map, ready for `json.dump`; what is infinite is None."""
        others = [{"pose": pose.matrix.tolist(), "value": value} for pose, value in self.alternatives]
        limits = {"tolerance_mm": self.tolerance_mm, "tolerance_deg": self.tolerance_deg}
        return {
            "goal": self.goal,
            "unit": self.unit,
            "pose": self.pose.matrix.tolist(),
            "place": self.place,
            "value": self.value,
            "gain": self.gain,
            "alternatives": others,
            **{name: limit if np.isfinite(limit) else None for name, limit in limits.items()},
            "predicted_error": self.predicted_error,
            "solves": self.solves,
        }

    def _card(self) -> Card:
        rows = (
            (
                self.goal,
                f"{self.value:.4g} {self.unit}, {100 * self.gain:+.1f} % against over the target at 45 degrees",
            ),
            ("center", place(self.pose.center_mm)),
            ("angle", f"{self.place['angle_deg']:.0f} deg; others as good: {len(self.alternatives)}"),
            ("5 % lost", f"at {self.tolerance_mm:.1f} mm or {self.tolerance_deg:.0f} deg"),
            ("solves", str(self.solves)),
        )
        return Card("Optimum", rows)


class _Engine(Protocol):
    """Gives the recovered field at the centers of some tetrahedra."""

    def __call__(self, poses: Sequence[Pose]) -> FloatArray:
        """(p, k, 3) E in V/m at 1 A/us."""
        ...


def optimize(
    engine: Simulator | ReducedBasis,
    coil: CoilLike,
    target: Place,
    goal: str = "magnitude",
    *,
    distance_mm: float = 4.0,
    radius_mm: float = 20.0,
    tilt_deg: float = 10.0,
    spare: Sequence[Target] = (),
    forbidden: Sequence[Target | tuple[ArrayLike, float]] = (),
    didt: float = 1e6,
    progress: Progress = None,
) -> Optimum:
    """Look for the best placement of a coil.

    Parameters
    ----------
    engine : Simulator or ReducedBasis
        A basis answers the search if it holds the target; its simulator solves the winners.
    coil : Coil, or its name or file
    target : Target, str or (3,) array_like
    goal : {"magnitude", "along", "focality"}
        Mean |E| in the target; mean E along its direction; or mean |E| in the target over that in the rest of gray
        matter (or in the regions to spare).
    distance_mm : float
        Smallest gap between casing and scalp: hair, a cap.
    radius_mm, tilt_deg : float
        How far the search goes from over the target, and from tangential.
    spare : sequence of Target
    forbidden : sequence of Target or ((3,), float)
        Spheres (mm) that nothing of the casing may enter.
    didt : float, A/s
        At which values are given.
    progress : bool or callable, optional

    Raises
    ------
    InputError
        If the goal is unknown or needs a direction, or the zones leave no placement.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> best = ef.optimize(ef.Simulator(head), ef.load_coil("d70"), "m1-hand-left", "along", tilt_deg=0)
    >>> bool(best.gain > -1e-3)
    True
    """
    sim = simulator(engine._answers.sim if isinstance(engine, ReducedBasis) else engine)
    spot = target_of(sim.head, target)
    rate, coil = checks.rate("didt", didt), the_coil(coil)
    space = SearchSpace(
        sim.head, coil, spot, radius_mm=radius_mm, tilt_deg=tilt_deg, distance_mm=distance_mm, forbidden=forbidden
    )
    search = Goal.of(sim.head, goal, spot, spare, whole=False)
    fields: _Engine = _Solves(sim, coil, search.tets, _SEARCH_TOL)
    if isinstance(engine, ReducedBasis):
        fields = _FromBasis(engine, coil, search.tets)
    with told(progress, "looking for the best", "solves") as tell:
        found = _Search(space, search, fields, tell).run()
        return _verified(sim, coil, found, Goal.of(sim.head, goal, spot, spare, whole=True), rate)


class _Solves:
    """Solves of placements, a few together."""

    def __init__(self, sim: Simulator, coil: Coil, tets: NDArray[np.intp], tol: float | None) -> None:
        self._problem, self._tol = sim.problem, tol
        self._primary = evaluator(coil, not worth_storing(len(sim.problem.nodes_mm), _EXPECTED))
        self._at = CenterField(sim.problem, tets)

    def __call__(self, poses: Sequence[Pose]) -> FloatArray:
        blocks = [poses[first : first + _TOGETHER] for first in range(0, len(poses), _TOGETHER)]
        return np.concatenate([self._block(block) for block in blocks])

    def _block(self, poses: Sequence[Pose]) -> FloatArray:
        nodes = self._problem.nodes_mm
        primary = np.stack([self._primary(pose, nodes, 1e6) for pose in poses], axis=2)
        return self._at(self._problem.solve(primary, self._tol).phi, primary)


class _FromBasis:
    """Answers of a basis, which must hold the tetrahedra."""

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


@dataclass(frozen=True, eq=False)
class _Found:
    """What a search ends with: optima in descending order, and what is known around them."""

    space: SearchSpace
    places: list[FloatArray]
    tolerances: tuple[float, float]
    loss: "xarray.Dataset"
    predicted_error: float
    solves: int


class _Search:
    """Looks for the best of what is predicted, solves it, and looks again."""

    def __init__(self, space: SearchSpace, goal: Goal, fields: _Engine, tell: Tell) -> None:
        self._space, self._goal, self._fields, self._tell = space, goal, fields, tell
        self._poses: dict[tuple[float, ...], Pose | None] = {}
        self._seen: list[FloatArray] = []
        self._values: list[float] = []

    def run(self) -> _Found:
        design = [one for one in self._space.spread(_POSITIONS, _ANGLES) if self._pose(one) is not None]
        if not design:
            raise InputError("zones must leave a place for the coil; instead nothing near the target is allowed")
        self._response = Response(*self._solved(design))
        axes, grid = self._grid()
        off, before = np.inf, max(self._values)
        for _ in range(_ROUNDS):
            tops = [self._climbed(top) for top in _distinct(grid, self._predicted(grid), _TOPS)]
            expected = self._predicted(np.array(tops))
            first = int(np.argmax(expected))
            reached = self._learn([*tops, *self._around(tops[first])])
            off, best = float(abs(expected[first] / reached[first] - 1)), max(self._values)
            if off < _AGREED and best < (1 + _GROWN) * before:
                break
            before = best
        return self._concluded(axes, grid, off)

    def _concluded(self, axes: tuple[FloatArray, FloatArray, FloatArray], grid: FloatArray, off: float) -> _Found:
        order = np.argsort(self._values)[::-1]
        places = _distinct(np.array(self._seen)[order], np.array(self._values)[order], 6)
        best = max(self._values)
        worth = [one for one in places if self._value(one) >= _AS_GOOD * best]
        top = worth[0]
        lost = 1 - self._predicted(grid) / best
        tolerances = self._tolerance_mm(top), self._tolerance_deg(top)
        return _Found(self._space, worth, tolerances, _as_map(axes, lost), off, len(self._values))

    def _value(self, place: FloatArray) -> float:
        return next(v for one, v in zip(self._seen, self._values, strict=True) if np.array_equal(one, place))

    def _pose(self, place: FloatArray) -> Pose | None:
        key = tuple(np.round(place, 6).tolist())
        if key not in self._poses:
            self._poses[key] = self._space.pose(place)
        return self._poses[key]

    def _solved(self, places: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        poses = [pose for one in places if (pose := self._pose(one)) is not None]  # all of them are allowed
        matrices = np.array([pose.matrix for pose in poses])
        fields = self._fields(poses)
        self._seen.extend(places)
        self._values.extend(self._goal(fields).tolist())
        self._tell(len(self._values), 0, f"best so far {max(self._values):.4g} {GOALS[self._goal.name]}")
        return matrices, fields

    def _learn(self, places: list[FloatArray]) -> FloatArray:
        """Solve places that are allowed and add them; their values."""
        self._response = self._response.with_samples(*self._solved(places))
        return np.array(self._values[-len(places) :])

    def _predicted(self, places: FloatArray) -> FloatArray:
        """(k,) the goal that is predicted, -inf where no coil may be."""
        poses = [self._pose(one) for one in places]
        allowed = np.array([pose is not None for pose in poses])
        matrices = np.array([pose.matrix for pose in poses if pose is not None])
        values = np.full(len(places), -np.inf)
        blocks = [self._goal(self._response(matrices[k : k + 256])) for k in range(0, len(matrices), 256)]
        if blocks:
            values[allowed] = np.concatenate(blocks)
        return values

    def _grid(self) -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray]:
        reach = self._space.radius_mm
        along = np.arange(-np.floor(reach / _MAP_MM), np.floor(reach / _MAP_MM) + 1) * _MAP_MM
        angles = np.arange(0.0, 360.0, _MAP_DEG)
        u, v, angle = (one.ravel() for one in np.meshgrid(along, along, angles, indexing="ij"))
        return (along, along, angles), np.column_stack([u, v, angle, np.zeros((len(u), 2))])

    def _climbed(self, start: FloatArray) -> FloatArray:
        """From a place to the nearest maximum of what is predicted, by steps along the axes that shrink."""
        here, best = start.copy(), self._predicted(start[None])[0]
        steps = _FIRST_STEPS.copy()
        moves = np.concatenate([np.eye(5), -np.eye(5)])
        while (steps >= _LAST_SHARE * _FIRST_STEPS).all():
            tried = here + moves * steps
            values = self._predicted(tried)
            top = int(np.argmax(values))
            if values[top] > best:
                here, best = tried[top], values[top]
            else:
                steps = steps / 2
        return here

    def _around(self, top: FloatArray) -> list[FloatArray]:
        """Places around the best, other ones each time, that say how it falls off there."""
        moves = np.concatenate([np.eye(5), -np.eye(5)])
        turn = np.random.default_rng(len(self._values)).permutation(moves)
        return [one for move in turn if self._pose(one := top + move * _FIRST_STEPS) is not None][: _TOGETHER - _TOPS]

    def _tolerance_mm(self, top: FloatArray) -> float:
        directions = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        offsets = np.zeros((12, 5))
        offsets[:, 0], offsets[:, 1] = np.cos(directions), np.sin(directions)
        return self._until_lost(top, offsets, np.arange(1.0, 2 * self._space.radius_mm, 1.0))

    def _tolerance_deg(self, top: FloatArray) -> float:
        offsets = np.zeros((2, 5))
        offsets[:, 2] = (1.0, -1.0)
        return self._until_lost(top, offsets, np.arange(2.0, 181.0, 2.0))

    def _until_lost(self, top: FloatArray, offsets: FloatArray, reaches: FloatArray) -> float:
        """The first of the reaches at which a step in one of the directions loses the share, between two of them."""
        before = 0.0
        at = self._predicted(top[None])[0]
        for reach in reaches:
            values = self._predicted(top + reach * offsets)
            known = values[np.isfinite(values)]
            if not len(known):
                break
            lost = 1 - float(known.min()) / at
            if lost >= _LOST:
                step = reach - (reaches[1] - reaches[0])
                return float(step + (reach - step) * (_LOST - before) / (lost - before))
            before = max(before, lost)
        return np.inf


def _distinct(places: FloatArray, values: FloatArray, most: int) -> list[FloatArray]:
    """The best places, none near a better one."""
    chosen: list[FloatArray] = []
    for number in np.argsort(values)[::-1]:
        one = places[number]
        if not np.isfinite(values[number]) or len(chosen) == most:
            break
        if all(_apart(one, other) for other in chosen):
            chosen.append(one)
    return chosen


def _apart(one: FloatArray, other: FloatArray) -> bool:
    turn = abs((one[2] - other[2] + 180) % 360 - 180)
    return bool(np.hypot(*(one[:2] - other[:2])) > _APART_MM or turn > _APART_DEG)


def _as_map(axes: tuple[FloatArray, FloatArray, FloatArray], lost: FloatArray) -> "xarray.Dataset":
    import xarray

    values = np.where(np.isfinite(lost), lost, np.nan).reshape([len(axis) for axis in axes])
    names = tuple(AXES)[:3]
    notes = {"units": "1", "long_name": "share of the goal that is lost"}
    coordinates = {name: (name, axis, {"units": AXES[name]}) for name, axis in zip(names, axes, strict=True)}
    return xarray.Dataset({"loss": (names, values, notes)}, coords=coordinates)


def _named(at: FloatArray) -> dict[str, float]:
    values = dict(zip(AXES, at.tolist(), strict=True))
    return values | {"angle_deg": values["angle_deg"] % 360.0}


def _verified(sim: Simulator, coil: Coil, found: _Found, goal: Goal, rate: float) -> Optimum:
    """Full solves of the winners and of the plain placement."""
    space = found.space
    plain = place_coil(sim.head, space.target, _PLAIN_DEG, space.distance_mm, coil=coil)
    poses = [pose for one in found.places if (pose := space.pose(one)) is not None]
    values = goal(_Solves(sim, coil, goal.tets, None)([*poses, plain]))
    values *= 1.0 if goal.name == "focality" else rate / 1e6
    first, *others = np.argsort(values[:-1])[::-1].tolist()
    return Optimum(
        goal=goal.name,
        unit=GOALS[goal.name],
        pose=poses[first],
        place=_named(found.places[first]),
        value=float(values[first]),
        gain=float(values[first] / values[-1] - 1),
        plain=plain,
        alternatives=[(poses[k], float(values[k])) for k in others if values[k] >= _AS_GOOD * values[first]],
        tolerance_mm=found.tolerances[0],
        tolerance_deg=found.tolerances[1],
        loss=found.loss,
        predicted_error=found.predicted_error,
        solves=found.solves + len(poses) + 1,
    )
