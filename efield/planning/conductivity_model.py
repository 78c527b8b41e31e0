"""The field of one placement for any conductivities: a dozen solves, then less than a tenth of a millisecond each.

The space is spanned by solves at spread-out conductivities; each is first guessed from those before it, and only what
the guess lacks is solved for. How good the space is, is measured at other conductivities,
which were solved and not put into it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.primary import dadt
from efield.fem.varied import GalerkinModel, VariedProblem
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted
from efield.ground.errors import InputError
from efield.ground.pose import Pose, given_pose
from efield.ground.progress import Progress, told
from efield.head.tissue import tissue_name
from efield.io.poses.reading import opened_one
from efield.planning.belief import Range, ranges_in
from efield.planning.target_rows import DrivenRows
from efield.targeting.held import check_held
from efield.targeting.measures import Rows, TargetMeasures
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: The space is wide enough when it has guessed so many solves in a row.
_GUESSED: Final = 3

#: Solves stop at this share of what is asked of the space.
_FINER: Final = 0.01

#: Samples whose fields are in memory at a time.
_BLOCK: Final = 512

#: What a snapshot adds is kept if it is more than rounding.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class ConductivityModel(Carded):
    """Measures of one placement at one target, as a function of the conductivities of some tissues.

    Make one with `ConductivityModel.build`.

    Parameters
    ----------
    ranges : mapping of int to Range
        By tissue tag, in the order in which conductivities are given.
    nominal : (T,) float, S/m
        What the tissues have in the simulator.
    model : GalerkinModel
    primary : (q, 3) float, V/m
        E at the rows without the potential.
    modes : (r, q * 3) float, V/m
        E of each mode.
    region : (k,) int
        Tetrahedra of the brain that maps are drawn of; none unless asked for.
    region_primary, region_modes : (k, 3), (r, k * 3) float, V/m
        E at their centers, without the potential and of each mode.
    rows : Rows
        What the rows are to the target.
    measures : TargetMeasures
    error : dict of str to float
        Of each measure, in its unit: the largest difference to a full solve at held-out conductivities.
    field_error : float
        The largest difference of E at any row to a held-out full solve, as a share of the largest |E| there.
    solves, iterations : int
        What it took.
    """

    ranges: Mapping[int, Range]
    nominal: FloatArray
    model: GalerkinModel
    primary: FloatArray
    modes: FloatArray
    region: NDArray[np.intp]
    region_primary: FloatArray
    region_modes: FloatArray
    rows: Rows
    measures: TargetMeasures
    error: dict[str, float]
    field_error: float
    solves: int
    iterations: int

    @classmethod
    def build(
        cls,
        sim: Simulator,
        coil: CoilLike,
        pose: Pose,
        target: Target,
        conductivity: Mapping[Any, Any] | None = None,
        *,
        didt: float = 1e6,
        tol: float = 1e-4,
        max_solves: int = 32,
        held_out: int = 6,
        region_mm: float | None = None,
        allow_collision: bool = False,
        progress: Progress = None,
    ) -> "ConductivityModel":
        """Solve at spread-out conductivities and keep what they span.

        Parameters
        ----------
        sim : Simulator
            Of first order. Its solver serves all conductivities.
        coil : Coil, or its name or file
        pose : Pose, or a file of one
        target : Target
        conductivity : mapping of str or int to (low, high) or Range, optional
            S/m, by tissue; the published ranges unless given.
        didt : float, A/s
        tol : float
            Share of the largest |E| at the target's rows to which three solves in a row must have been guessed right.
        max_solves : int
            The space gets no more; what it misses is in `field_error`.
        held_out : int
            Solves that are not put into the space; it is checked there.
        region_mm : float, optional
            Maps can be drawn of gray and white matter within this distance of the target.
        allow_collision : bool
            As in `Simulator.solve`.
        progress : bool or callable, optional

        Raises
        ------
        InputError
            If a tissue is not in the head, or an argument is out of range.
        CollisionError
            If nobody holds a coil at the pose.
        SolverError
            If a solve does not reach the simulator's tolerance.
        """
        coil = the_coil(coil)
        pose = given_pose(opened_one(pose))
        if not checks.flag("allow_collision", allow_collision):
            check_held(sim.head, coil, pose, target.center_mm)
        ranges = ranges_in(sim.head, conductivity)
        if not ranges:
            raise InputError("conductivity must name one tissue or more whose range is (low, high) in S/m")
        drive = dadt(coil, pose, sim.problem.nodes_mm, checks.rate("didt", didt))
        varied = VariedProblem(sim.problem, tuple(ranges), drive)
        nominal = np.array([sim.conductivity.values[tag] for tag in ranges])
        checks.in_range("tol", tol, 1e-8, 0.1)
        total = checks.whole("max_solves", max_solves, 2) + checks.whole("held_out", held_out, 1)
        with told(progress, "conductivities", "solves", total) as tell:
            measuring = DrivenRows(sim, target, drive, region_mm)
            space = _Space(varied, ranges, nominal, measuring, tol, lambda done: tell(done, total, ""))
            space.span(max_solves)
            model = space.checked(held_out)
            tell(total, total, "")
            return model

    def fields(self, values: FloatArray) -> FloatArray:
        """(s, q, 3) E in V/m at the rows, for conductivities (s, T) in S/m."""
        coefficients = self.model(np.asarray(values) / self.nominal)
        return self.primary + (coefficients @ self.modes).reshape(len(values), -1, 3)

    def measured(self, values: FloatArray) -> FloatArray:
        """(s, m) measures for conductivities (s, T) in S/m, a block at a time."""
        blocks = range(0, len(values), _BLOCK)
        return np.concatenate(
            [self.measures.of_rows(self.fields(values[first : first + _BLOCK]), self.rows) for first in blocks]
        )

    def magnitudes(self, values: FloatArray) -> FloatArray:
        """(s, k) |E| in V/m at the centers of the region's tetrahedra, for conductivities (s, T) in S/m."""
        coefficients = self.model(np.asarray(values) / self.nominal)
        e = self.region_primary + (coefficients @ self.region_modes).reshape(len(values), -1, 3)
        return np.asarray(np.linalg.norm(e, axis=2))

    def sampled(self, quantiles: FloatArray) -> FloatArray:
        """(s, T) conductivities in S/m at quantiles (s, T) of the ranges."""
        return _at(self.ranges, quantiles)

    def _card(self) -> Card:
        tissues = ", ".join(f"{tissue_name(tag)} {one.low:g}-{one.high:g}" for tag, one in self.ranges.items())
        rows = (
            ("S/m", tissues),
            ("size", f"{counted(len(self.modes), 'mode')} of {counted(self.solves, 'solve')}"),
            ("error", f"{self.field_error:.1e} of the largest |E|, at solves that are not in it"),
        )
        return Card("ConductivityModel", rows)


class _Space:
    """The space of potentials while it grows."""

    def __init__(
        self,
        varied: VariedProblem,
        ranges: Mapping[int, Range],
        nominal: FloatArray,
        measuring: DrivenRows,
        tol: float,
        tell: Callable[[int], None],
    ) -> None:
        self._varied, self._ranges, self._nominal = varied, ranges, nominal
        self._measuring, self._tol, self._tell = measuring, tol, tell
        self._modes = np.empty((len(varied.problem.nodes_mm), 0))
        self._model: GalerkinModel | None = None
        self.solves = self.iterations = 0

    def span(self, most: int) -> None:
        """Put solves at the points of a Halton sequence, spread as what is believed is, into the space."""
        from scipy.stats import qmc  # half a second to import

        guessed = 0
        for values in _at(self._ranges, qmc.Halton(len(self._ranges), scramble=False).random(most + 1)[1:]):
            phi, lacked = self._solved(values)
            missed = np.linalg.norm(self._measuring.of_mode(lacked), axis=1).max()
            size = np.linalg.norm(self._measuring.of_solve(phi), axis=1).max()
            guessed = guessed + 1 if missed <= self._tol * size else 0
            self._add(lacked)
            if guessed == _GUESSED:
                return

    def _guess(self, factors: FloatArray) -> FloatArray:
        if self._model is None:
            return np.zeros(len(self._modes))
        return np.asarray(self._modes @ self._model(factors[None])[0])

    def _solved(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The potential (n,) at conductivities (T,), and what the guess lacked."""
        factors = values / self._nominal
        guess = self._guess(factors)
        solution = self._varied.solve(factors, guess, max(_FINER * self._tol, self._varied.problem.tol))
        self.solves, self.iterations = self.solves + 1, self.iterations + solution.iterations
        self._tell(self.solves)
        return solution.phi[:, 0], solution.phi[:, 0] - guess

    def _add(self, correction: FloatArray) -> None:
        mode = correction.copy()
        size = np.linalg.norm(mode)
        for _ in range(2):  # once more for what rounding left
            mode -= self._modes @ (self._modes.T @ mode)
        if np.linalg.norm(mode) > _ROUNDING * size:
            self._modes = np.column_stack([self._modes, mode / np.linalg.norm(mode)])
            self._model = self._varied.extended(self._model, self._modes)

    def checked(self, held_out: int) -> ConductivityModel:
        """The model, with its errors at conductivities drawn from the ranges that are not in it."""
        measuring = self._measuring
        assert self._model is not None  # noqa: S101 - at least two snapshots were asked for
        modes = np.array([measuring.of_mode(mode) for mode in self._modes.T]).reshape(self._modes.shape[1], -1)
        fields = (measuring.of_drive(), modes, measuring.region, *measuring.over_region(self._modes))
        rows = measuring.at_target
        parts = (self._ranges, self._nominal, self._model, *fields, rows.rows, rows.measures)
        model = ConductivityModel(*parts, {}, 0.0, 0, 0)
        values = model.sampled(np.random.default_rng(0).random((held_out, len(self._ranges))))
        full = np.stack([measuring.of_solve(self._solved(one)[0]) for one in values])
        size = np.linalg.norm(full, axis=2).max(axis=1)
        worst = (np.linalg.norm(full - model.fields(values), axis=2).max(axis=1) / size).max()
        off = np.abs(rows.measured(full) - model.measured(values)).max(axis=0)
        error = dict(zip(rows.measures.names, off.tolist(), strict=True))
        return ConductivityModel(*parts, error, float(worst), self.solves, self.iterations)


def _at(ranges: Mapping[int, Range], quantiles: FloatArray) -> FloatArray:
    return np.column_stack(
        [one.at(column) for one, column in zip(ranges.values(), np.asarray(quantiles).T, strict=True)]
    )
