"""What a session knows: the engine, how the coil is held, the poses to choose from, who watches; and what pages ask."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from efield.coils.polarity import induced_direction
from efield.explorer.engine import PAGE, ExplorerEngine, Shown, Wish
from efield.explorer.frames import frame_of
from efield.explorer.page import target_told
from efield.explorer.placing import RANGES, together, wishes
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.io.poses.formats import FORMATS, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.nav.engine import Answer
from efield.nav.hub import Hub
from efield.nav.latest import Seen
from efield.nav.sources import Source
from efield.targeting.measures import MEASURES
from efield.targeting.motor_sites import NAMES
from efield.targeting.naming import target_of
from efield.targeting.targets import Target

#: Names of recorded poses that a page lists; it steps through all of them.
_LISTED: Final = 2000

#: Poses a second of a recording that has no times.
_RATE: Final = 10.0

#: dI/dt that pages may ask for, A/s.
_DIDT: Final = (1e3, 1e9)


@dataclass(frozen=True, eq=False)
class Output:
    """What stands behind the coil.

    Parameters
    ----------
    full_didt : float or None
        dI/dt in A/s at 100 % of the stimulator's output; None where it is not known.
    stimulator : str
    threshold : float or None
        `mean_magnitude` (of a basis on the middle of the cortex the measure of that name) at the motor threshold, V/m.
    """

    full_didt: float | None = None
    stimulator: str = ""
    threshold: float | None = None


class Session:
    """One coil over one head, watched by some pages; all of it lives in one event loop.

    Parameters
    ----------
    engine : ExplorerEngine
    start : Pose
        Where the coil is at first, and to which it goes back.
    output : Output
    poses : PoseTable, optional
        To choose from, and to play.
    note : callable
        Told in words what people should know.
    """

    def __init__(
        self,
        engine: ExplorerEngine,
        start: Pose,
        output: Output,
        poses: PoseTable | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.engine, self.start, self.output, self.poses = engine, start, output, poses
        self.hub = Hub(engine, note)
        self.hub.listen(self._answered)
        #: The answer that was given last.
        self.shown: Shown | None = None
        #: What a followed program does, if one is followed.
        self.followed: dict[str, Any] | None = None
        self._wanted = engine.ground.placement(start)[0]
        self._wish: dict[str, Any] = {}
        self._asked = 0
        #: The planes that pages show, as they are told.
        self._cuts: dict[str, Any] | None = None
        self._watching: list[Callable[[bytes | dict[str, Any]], None]] = []
        self._waiting: dict[int, asyncio.Future[Shown]] = {}

    def watch(self, told: Callable[[bytes | dict[str, Any]], None]) -> None:
        """Tell `told` frames (bytes) and events (dict) from now on, beginning with how things are."""
        self._watching.append(told)
        for event in (self._hello(), self._target(), self._recorded()):
            told(event)
        if self.followed is not None:
            told(self.followed)
        if self._cuts is not None:
            told(self._cuts)
        if self.shown is not None:
            told(frame_of(self.shown))

    def leave(self, told: Callable[[bytes | dict[str, Any]], None]) -> None:
        """Tell it no more."""
        self._watching.remove(told)

    async def obey(self, message: Any) -> None:
        """Do what a page asks for.

        Raises
        ------
        InputError
            If it is nothing that can be asked for, or a number is out of range.
        """
        if not isinstance(message, dict):
            raise InputError(f"a message must be an object; instead received {checks.kind(message)}")
        acts = {
            "hold": self._hold,
            "drive": self._drive,
            "aim": self._aim,
            "recorded": self._choose,
            "home": self._home,
            "cut": self._cut,
        }
        await acts[checks.choice("do", str(message.get("do", "")), acts)](message)

    async def hold(self, pose: Pose, source: str = "python") -> Shown:
        """Hold the coil at a pose, and wait for the answer."""
        number = self.hub.offer(Seen(pose.matrix, source))
        return await self._answer_to(number)

    async def aim(self, target: Target) -> None:
        """Take another target.

        Raises
        ------
        InputError
            If it cannot be one, such as beyond the region of the basis.
        """
        engine = await self.hub.compute(self.engine.aimed_at, target)
        self.engine = self.hub.engine = engine
        self._tell(self._target())
        if engine.cuts is not None:
            await self._show_cuts()
        self.again()

    def record(self, poses: PoseTable) -> None:
        """Take poses to choose from and to play."""
        if not len(poses):
            raise InputError("a file of poses must hold one; instead it is empty")
        self.poses = poses
        self._tell(self._recorded())

    async def follow(self, source: Source) -> None:
        """Take poses from a source until it ends."""

        def event(document: dict[str, Any]) -> None:
            self.followed = {"event": "follow", "state": document["event"]} | {
                key: document[key] for key in ("source", "reason", "poses") if key in document
            }
            self._tell(self.followed)

        await source.run(self.hub, event)

    def again(self) -> None:
        """Answer once more where the coil is: with another target or output."""
        at = self.start if self.shown is None or self.shown.at is None else self.shown.at
        source = PAGE if self.shown is None else self.shown.pose.source
        device = "" if self.shown is None else self.shown.pose.device
        self.hub.offer(Seen(at.matrix, source, device))

    def table(self) -> PoseTable:
        """The pose of the coil now, as a table of one.

        Raises
        ------
        InputError
            If there is none.
        """
        if self.shown is None or self.shown.at is None:
            raise InputError("there must be a pose to be saved; instead there is none yet")
        columns = {"didt": np.array([self.engine.didt])}
        if self.output.full_didt:
            columns["intensity_percent"] = np.array([100 * abs(self.engine.didt) / self.output.full_didt])
        names, induced = (self.engine.target.name,), induced_direction(self.engine.coil)
        return PoseTable(self.shown.at.matrix[None], names, columns, induced=induced)

    async def _hold(self, message: dict[str, Any]) -> None:
        # A wish that waits is replaced by this one, and must not be lost.
        self._wish = together(self._wish, wishes(message.get("wish")))
        number = checks.whole("number", message.get("number", 0), 0)
        options: dict[str, Any] = {"wish": self._wish, "rough": message.get("rough") is True}
        self._asked = self.hub.offer(Wish(np.eye(4), PAGE, "", number, placement=self._wanted, **options))

    async def _drive(self, message: dict[str, Any]) -> None:
        rate = checks.in_range("didt", message.get("didt"), *_DIDT)
        await self.hub.compute(self.engine.drive, rate if self.engine.didt > 0 else -rate)
        self._tell(self._target())
        self.again()

    async def _aim(self, message: dict[str, Any]) -> None:
        head = self.engine.sim.head
        if "name" in message:
            await self.aim(target_of(head, checks.choice("name", str(message["name"]), NAMES)))
        else:
            await self.aim(target_of(head, checks.point_mm("at_mm", message.get("at_mm", ()))))

    async def _choose(self, message: dict[str, Any]) -> None:
        if self.poses is None:
            raise InputError("there must be recorded poses to choose from; instead none were loaded")
        number = checks.whole("number", message.get("number"), 0, len(self.poses) - 1)
        self.hub.offer(Seen(self.poses.matrices[number], "recording", self.poses.names[number], number + 1))

    async def _cut(self, message: dict[str, Any]) -> None:
        at = message.get("at_mm")
        where = self.engine.target.center_mm if at is None else checks.point_mm("at_mm", at)
        await self.hub.compute(self.engine.cut, where)
        await self._show_cuts()
        self.again()

    async def _show_cuts(self) -> None:
        engine = self.engine
        assert engine.cuts is not None  # noqa: S101 - they were just made
        told = await self.hub.compute(engine.cuts.to_json, engine.image)
        self._cuts = {"event": "cuts", "number": engine.cut_count, **told}
        self._tell(self._cuts)

    async def _home(self, _: dict[str, Any]) -> None:
        self.hub.offer(Seen(self.start.matrix, PAGE))

    async def _answer_to(self, number: int) -> Shown:
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            return await self._waiting[number]
        finally:
            del self._waiting[number]

    def _answered(self, answer: Answer) -> None:
        assert isinstance(answer, Shown)  # noqa: S101
        if answer.id >= self._asked:
            self._wish = {}
        if answer.at is None and answer.pose.source == PAGE:  # the coil stays where it was
            self._tell({"event": "refused", "reason": answer.reason})
        else:
            self._show(answer)
        for number, waits in self._waiting.items():
            if number <= answer.id and not waits.done():
                waits.set_result(answer)

    def _show(self, answer: Shown) -> None:
        self.shown = answer
        if answer.placement is not None and not self._wish:
            self._wanted = answer.placement
        if self._watching:
            self._tell(frame_of(answer))

    def _tell(self, what: bytes | dict[str, Any]) -> None:
        for told in self._watching:
            told(what)

    def _hello(self) -> dict[str, Any]:
        engine = self.engine
        return {
            "event": "hello",
            "words": engine.words,
            "coil": engine.coil.name,
            "live": engine.basis is not None,
            "painted": engine.canvas.words,
            "ranges": RANGES,
            "output": vars(self.output),
            "measures": {name: [MEASURES[name].unit, MEASURES[name].meaning] for name in engine.names},
            "formats": {name: FORMATS[name].title for name in WRITTEN},
            "targets": list(NAMES) if engine.sim.head.mni is not None else [],
        }

    def _target(self) -> dict[str, Any]:
        return {"event": "target", "plan": self.engine.plan_measures, "didt": self.engine.didt} | target_told(
            self.engine
        )

    def _recorded(self) -> dict[str, Any]:
        names = () if self.poses is None else self.poses.names
        times = None if self.poses is None else self.poses.columns.get("time_s")
        if times is None or not np.isfinite(times).all():
            times = np.arange(len(names)) / _RATE
        return {
            "event": "poses",
            "count": len(names),
            "names": list(names[:_LISTED]),
            "times": (times - times[:1]).tolist(),
        }
