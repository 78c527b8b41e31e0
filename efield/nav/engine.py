"""From a pose to the measures at a target, for one head, coil and drive; called from one thread only."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import CollisionError, EfieldError, InputError
from efield.ground.pose import Pose, apart
from efield.ground.rigid import put_right
from efield.ground.turns import on_one_thread
from efield.nav.alerts import OFF_PLAN, Alert
from efield.nav.latest import Seen
from efield.sweeping.engines import columns
from efield.targeting.field import EField
from efield.targeting.measures import TargetMeasures
from efield.targeting.placement import check_clear, place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]

#: What becomes of a pose outside a basis's patch.
OUTSIDE: Final = ("refuse", "solve")

#: Axes that were turned by less (degrees) were rounded to single precision, as OpenIGTLink has it; that is not said.
_ROUNDED_DEG: Final = 1e-3

#: Answers that are asked for before poses are taken, so that nothing is compiled, loaded or woken for the first one.
_REHEARSALS: Final = 5


class OutsideBasisError(InputError):
    """A pose that the basis is not certified for."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the engine says of one pose.

    Parameters
    ----------
    id : int
        Count of the pose among all that came in.
    pose : Seen
    status : {"ok", "outside", "refused"}
        "outside": the basis is not certified for this pose; "refused": it is no pose, or the coil is in the head.
    reason : str
        In words, if it is not "ok".
    engine : {"reduced", "full"}
    measures : dict of str to float
        By name; empty if it is not "ok".
    off_plan : dict of str to float
        Distance of the coil's center (mm) and its turn (degrees) from the planned pose, if there is one.
    alerts : tuple of str
        The rules that mark it.
    turned_deg : float
        By how much the pose's axes were turned to be perpendicular: what rounding had made of them.
    engine_ms : float
    """

    id: int
    pose: Seen
    status: str
    reason: str
    engine: str
    measures: dict[str, float]
    off_plan: dict[str, float]
    alerts: tuple[str, ...]
    turned_deg: float
    engine_ms: float

    @property
    def age_ms(self) -> float:
        """Milliseconds since the pose arrived."""
        return 1e3 * (time.perf_counter() - self.pose.at)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`; the age is that of now, and numbers that are not there are null."""
        pose = self.pose
        sender = {"source": pose.source, "device": pose.device, "number": pose.number}
        said = {"stamp": pose.stamp} if pose.stamp else {}
        times = {"age_ms": round(self.age_ms, 3), "engine_ms": round(self.engine_ms, 3), "time": time.time()}
        reason = {"reason": self.reason} if self.reason else {}
        center = [plain(float(value)) for value in pose.matrix[:3, 3]]
        values = {name: plain(value) for name, value in self.measures.items()}
        off = {name: plain(value) for name, value in self.off_plan.items()}
        rounded = {"turned_deg": round(self.turned_deg, 4)} if self.turned_deg > _ROUNDED_DEG else {}
        return {"id": self.id, **sender, **said, "status": self.status, **reason, **times, "engine": self.engine} | {
            "center_mm": center,
            **rounded,
            **off,
            "measures": values,
            "alerts": list(self.alerts),
        }


def plain(value: float) -> float | None:
    """A number for JSON, which has no nan."""
    return value if np.isfinite(value) else None


class LiveEngine:
    """Answers poses.

    Parameters
    ----------
    engine : ReducedBasis or Simulator
        A simulator solves each pose in full.
    coil : Coil
    target : Target
        All of its tissue must lie in a basis.
    didt : float, A/s
    outside : {"refuse", "solve"}
        With a basis: what becomes of a pose that it is not certified for.
    plan : Pose, optional
        The planned placement, which alerts compare with.
    alerts : tuple of Alert

    Raises
    ------
    InputError
        If an option or the target cannot be used, an alert's measure is unknown, or it needs a plan.
    """

    def __init__(
        self,
        engine: ReducedBasis | Simulator,
        coil: Coil,
        target: Target,
        didt: float = 1e6,
        *,
        outside: str = "refuse",
        plan: Pose | None = None,
        alerts: tuple[Alert, ...] = (),
    ) -> None:
        checks.choice("outside", outside, OUTSIDE)
        self.basis = engine if isinstance(engine, ReducedBasis) else None
        self.sim = engine.sim if isinstance(engine, ReducedBasis) else engine
        self.coil, self.target, self.didt = coil, target, checks.rate("didt", didt)
        self.outside, self.plan, self.alerts = outside, plan, alerts
        self.names = tuple(columns(engine, target))
        for alert in alerts:
            alert.check(self.names, plan is not None)
        #: What the planned placement gives; known after `rehearse`.
        self.plan_measures: dict[str, float] = {}
        self._last: EField | None = None

    @property
    def words(self) -> str:
        """What it is, for people."""
        if self.basis is None:
            return f"full solves, {len(self.sim.head.tets):,} tetrahedra"
        return f"reduced basis, {self.basis.outputs.words}, {self.basis.certificate.words}"

    @property
    def quick(self) -> bool:
        """Whether every answer takes about a millisecond: less than it takes to hand work to another thread."""
        return self.basis is not None and self.outside == "refuse"

    def rehearse(self) -> None:
        """Answer a placement, so that all kernels are compiled, and learn what the plan gives.

        Raises
        ------
        InputError
            If the planned placement cannot be answered, or the basis is not for this target.
        """
        self.learn_plan()
        pose = self.plan or self.inside()
        for _ in range(_REHEARSALS if self.basis else 1):
            self._measured(pose)
            self.answer(0, Seen(pose.matrix, "rehearsal"))

    def learn_plan(self) -> None:
        """Learn what the plan gives, if there is one.

        Raises
        ------
        InputError
            If it cannot be answered.
        """
        if self.plan is not None:
            try:
                self.plan_measures = self._measured(self.plan)[0]
            except OutsideBasisError as error:
                raise OutsideBasisError(
                    f"the plan must be where the basis is certified; instead it is {error}: outside='solve' "
                    "(--outside solve) solves it"
                ) from None
            except CollisionError as error:
                raise CollisionError(f"the plan: {error}") from None

    def inside(self) -> Pose:
        """A placement over the target; with a basis at a distance it is certified for."""
        over = self.basis.target if self.basis else self.target
        pose = place_coil(self.sim.head, over.center_mm, 45.0, coil=self.coil)
        if self.basis is None:
            return pose
        # Of a bent coil or a ring the distances are the origin's, not gaps.
        patch = self.basis.patch
        return pose.moved((0.0, 0.0, patch.station(pose).distance_mm - sum(patch.distance_mm) / 2))

    def answer(self, id: int, seen: Seen) -> Answer:
        """What is to be said of a pose; never raises for what a sender can send."""
        begin = time.perf_counter()
        status, reason, kind = "ok", "", "reduced" if self.basis else "full"
        measures: dict[str, float] = {}
        off_plan: dict[str, float] = {}
        turned_deg = 0.0
        try:
            matrix, turned = put_right("the pose", seen.matrix)
            turned_deg, pose = float(turned[0]), Pose(matrix)
            off_plan = self._off_plan(pose)
            measures, kind = self._measured(pose)
        except OutsideBasisError as error:
            status, reason = "outside", str(error)
        except EfieldError as error:
            status, reason = "refused", str(error)
        values = measures | off_plan
        marked = tuple(
            rule.text for rule in self.alerts if rule.name in values and rule.applies(values, self.plan_measures)
        )
        taken = 1e3 * (time.perf_counter() - begin)
        return Answer(id, seen, status, reason, kind, measures, off_plan, marked, turned_deg, taken)

    def _measured(self, pose: Pose) -> tuple[dict[str, float], str]:
        """The measures of a pose, and the engine that gave them.

        Raises
        ------
        OutsideBasisError
            If it is outside the basis's patch and not to be solved.
        CollisionError
            If it is to be solved in full and the coil is in the head.
        """
        if self.basis is None:
            values = self._full.of_field(self.solved(pose), self.target)
            return dict(zip(self.names, map(float, values), strict=True)), "full"
        asked = (pose,), self.didt, self.target
        try:
            with on_one_thread():
                return _of_one(self.basis.measures(*asked, coil=self.coil)), "reduced"
        except InputError:
            by = self.basis.outside(pose, self.coil)
            if not by:
                raise
            if self.outside == "refuse":
                raise OutsideBasisError(by) from None
        check_clear(self.sim.head, self.coil, pose)
        return _of_one(self.basis.measures(*asked, coil=self.coil, outside="solve")), "full"

    def solved(self, pose: Pose) -> EField:
        """The field of a full solve; that of the pose it was asked for last is kept.

        Raises
        ------
        CollisionError
            If the coil is in the head.
        """
        if self._last is None or not np.array_equal(self._last.pose.matrix, pose.matrix):
            check_clear(self.sim.head, self.coil, pose)
            self._last = self.sim.solve(self.coil, pose, self.didt)
        return self._last

    @cached_property
    def _full(self) -> TargetMeasures:
        return TargetMeasures.at(self.sim.head, self.target)

    def _off_plan(self, pose: Pose) -> dict[str, float]:
        if self.plan is None:
            return {}
        shift, turn = apart(pose.matrix[None], self.plan)
        return dict(zip(OFF_PLAN, (float(shift[0]), float(turn[0])), strict=True))


def _of_one(table: Mapping[str, NDArray[np.floating]]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in table.items()}
