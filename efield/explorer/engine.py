"""From a pose to what a page shows of it: how the coil is held, the measures, and |E| on the cortex."""

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil
from efield.explorer.canvas import Canvas
from efield.explorer.cuts import Cuts
from efield.explorer.placing import Ground, Placement, overlaps
from efield.ground.errors import EfieldError
from efield.ground.pose import Pose
from efield.ground.rigid import put_right
from efield.io.volumes.image import HeadImage
from efield.nav.engine import Answer, LiveEngine
from efield.nav.latest import Seen
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target
from efield.viz.palette import PERCENTILE

#: Who moves the coil on the page.
PAGE: Final = "page"


@dataclass(frozen=True, eq=False)
class Wish(Seen):
    """A placement that is wished for in the place of a pose; `matrix` is not used.

    Parameters
    ----------
    placement : Placement
    wish : dict
        What is to be changed of it; see `Ground.changed`.
    rough : bool
        The coil is still moving: what takes seconds is left out.
    """

    placement: Placement | None = None
    wish: dict[str, Any] | None = None
    rough: bool = False


@dataclass(frozen=True, eq=False)
class Shown(Answer):
    """An answer, and what a page draws of it.

    Further statuses: "collision", and "moving" (no field while the coil moves, because it takes seconds).

    Parameters
    ----------
    at : Pose or None
        Where the coil is; None if it is no pose.
    placement : Placement or None
    gap_mm : float
        From casing to scalp.
    along_mm : (float, float) or None
        Place over the scalp, u (medial) and v (anterior), from the point over the target.
    target : str
    didt : float
        A/s.
    values : (k,) float or None
        |E| in V/m on the canvas; None where there is none to be shown.
    cuts : int
        Which planes `cut_values` are of, by the engine's count; 0 without.
    cut_values : (K,) float or None
        |E| in V/m at their pixels.
    """

    at: Pose | None = None
    placement: Placement | None = None
    gap_mm: float = np.nan
    along_mm: tuple[float, float] | None = None
    target: str = ""
    didt: float = 0.0
    values: NDArray[np.float32] | None = None
    cuts: int = 0
    cut_values: NDArray[np.float32] | None = None

    @property
    def peak(self) -> float:
        """The percentile of |E| that colors end at, V/m; nan without a field."""
        known = np.array([]) if self.values is None else self.values[np.isfinite(self.values)]
        return float(np.percentile(known, PERCENTILE)) if len(known) else float("nan")


class ExplorerEngine(LiveEngine):
    """A live engine that lays coils and paints.

    Parameters
    ----------
    engine, coil, target, didt, options
        As for `LiveEngine`.
    canvas : Canvas, optional
        One that another engine with the same basis has made.
    image : HeadImage, optional
        Shown in planes through the head, in the place of tissues.
    """

    def __init__(
        self,
        engine: ReducedBasis | Simulator,
        coil: Coil,
        target: Target,
        didt: float = 1e6,
        *,
        canvas: Canvas | None = None,
        image: HeadImage | None = None,
        **options: Any,
    ) -> None:
        super().__init__(engine, coil, target, didt, **options)
        self.ground = Ground.over(self.sim.head, coil, target)
        self.canvas = canvas or Canvas.of(self)
        self.image = image
        #: Planes through the head, if a page wants them, and how many there have been.
        self.cuts: Cuts | None = None
        self.cut_count = 0
        self._rows = self.canvas.rows

    def aimed_at(self, target: Target) -> "ExplorerEngine":
        """The same engine with another target.

        Raises
        ------
        InputError
            If not all of its tissue lies in the basis, or the plan cannot be answered.
        """
        if self.basis is not None:
            self.basis.outputs.measured(self.sim.head, target)
        options: dict[str, Any] = {"outside": self.outside, "plan": self.plan, "alerts": self.alerts}
        options |= {"canvas": self.canvas, "image": self.image}
        other = ExplorerEngine(self.basis or self.sim, self.coil, target, self.didt, **options)
        other._last, other.cut_count = self._last, self.cut_count
        other.learn_plan()
        if self.cuts is not None:
            other.cut(target.center_mm)
        return other

    def cut(self, at_mm: ArrayLike) -> None:
        """Show planes through a place from now on.

        Raises
        ------
        InputError
            If it is not in the head.
        """
        self.cuts = Cuts.through(self, at_mm)
        self.cut_count += 1
        self._rows = np.concatenate([self.canvas.rows, self.cuts.rows])

    def painted(self, pose: Pose) -> dict[str, Any]:
        """What is drawn of a pose: |E| on the canvas and in the planes.

        Raises
        ------
        InputError
            If the engine refuses the pose.
        """
        cuts, split = self.cuts, len(self.canvas.rows)
        if self.basis is None:
            field = self.solved(pose)
            values, inside = self.canvas.of_field(field), None if cuts is None else cuts.of_field(field)
        else:
            outside = "solve" if self.outside == "solve" else "raise"
            e = self.basis.on_rows(pose, self._rows, self.didt, coil=self.coil, outside=outside)
            values = self.canvas.magnitude(e[:split])
            inside = None if cuts is None else cuts.magnitude(e[split:])
        return {"values": values, "cut_values": inside, "cuts": self.cut_count}

    def drive(self, didt: float) -> None:
        """Drive the coil with another dI/dt (A/s); what was solved is scaled."""
        self._last = None if self._last is None else self._last * (didt / self.didt)
        self.didt = didt
        self.learn_plan()

    @property
    def quick(self) -> bool:
        """No: laying the coil and painting take longer than to hand them to another thread."""
        return False

    def answer(self, id: int, seen: Seen) -> Answer:
        """What is to be shown of a pose or a wish; never raises for what a sender can send."""
        begin = time.perf_counter()
        try:
            pose, placement, gap = self._held(seen)
        except EfieldError as error:
            return self._without(id, seen, "refused", str(error), begin)
        along = self.ground.along(placement.foot_mm)
        where: dict[str, Any] = {"at": pose, "placement": placement, "gap_mm": gap, "along_mm": along}
        if overlaps(gap):
            reason = f"the coil is in the head by {-gap:.2g} mm: lift it, or move it to where it fits"
            return self._without(id, seen, "collision", reason, begin, **where)
        if self.basis is None and getattr(seen, "rough", False):
            return self._without(id, seen, "moving", "the field follows when the coil rests", begin, **where)
        answer = super().answer(id, _at(seen, pose))
        painted = self.painted(pose) if answer.status == "ok" else {}
        rest: dict[str, Any] = {"pose": _at(seen, pose), "engine_ms": 1e3 * (time.perf_counter() - begin)}
        return Shown(**{**vars(answer), **rest}, **where, **self._drive(), **painted)

    def _held(self, seen: Seen) -> tuple[Pose, Placement, float]:
        """Where the coil is, how it is held, and its gap."""
        if isinstance(seen, Wish) and seen.placement is not None:
            placement = self.ground.changed(seen.placement, seen.wish or {})
            pose = self.ground.pose(placement)
            # With a gap that is asked for and met the clearance need not be measured again.
            gap = placement.distance_mm if placement.distance_mm >= 0.5 else self.ground.placement(pose)[1]
            return pose, placement, gap
        pose = Pose(put_right("the pose", seen.matrix)[0])
        return pose, *self.ground.placement(pose)

    def _without(self, id: int, seen: Seen, status: str, reason: str, begin: float, **where: Any) -> Shown:
        """What is said of a pose that gets no field."""
        kind, pose = "full" if self.basis is None else "reduced", where.get("at")
        taken, off = 1e3 * (time.perf_counter() - begin), {} if pose is None else self._off_plan(pose)
        at = seen if pose is None else _at(seen, pose)
        return Shown(id, at, status, reason, kind, {}, off, (), 0.0, taken, **where, **self._drive())

    def _drive(self) -> dict[str, Any]:
        return {"didt": self.didt, "target": self.target.name}


def _at(seen: Seen, pose: Pose) -> Seen:
    return Seen(pose.matrix, seen.source, seen.device, seen.number, seen.stamp, seen.at)
