"""`Explorer`: a page that is served by a thread of this process, and what Python may ask of it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from html import escape
from os import PathLike
from typing import Final, Self

from efield.explorer.doorway import Doorway
from efield.explorer.engine import PAGE, ExplorerEngine, Shown
from efield.explorer.page import page_of
from efield.explorer.session import Output, Session
from efield.ground.errors import InputError
from efield.ground.pose import Pose, given_pose
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import opened_one
from efield.nav.sources import Source
from efield.targeting.naming import Place, target_of
from efield.targeting.targets import Target

#: How long a pose that is set from Python may take to be answered (s).
_PATIENCE_S: Final = 600.0

_HEIGHT_PX: Final = 640


class Explorer:
    """A page that is served by a thread of this process; made by `explore`.

    Parameters
    ----------
    engine : ExplorerEngine
    start : Pose
    output : Output
    poses : PoseTable, optional
    source : Source, optional
        What moves the coil.
    host, port
        Where to listen.
    door : Doorway, optional
        One that is open already, in the place of `host` and `port`; it is the explorer's from then on.
    note : callable
        Told in words what people should know.

    Raises
    ------
    InputError
        If the port is taken.
    """

    def __init__(
        self,
        engine: ExplorerEngine,
        start: Pose,
        output: Output,
        *,
        poses: PoseTable | None = None,
        source: Source | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        door: Doorway | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._closed = threading.Event()
        self._door = door or Doorway(host, port)
        try:
            self._door.run(self._open(engine, start, output, poses, source, note))
        except BaseException:
            self._door.close()
            raise

    async def _open(
        self,
        engine: ExplorerEngine,
        start: Pose,
        output: Output,
        poses: PoseTable | None,
        source: Source | None,
        note: Callable[[str], None],
    ) -> None:
        self._session = session = Session(engine, start, output, poses, note)
        title = f"{engine.coil.name} over {engine.target.name}"
        try:
            await session.hub.compute(engine.learn_plan)
            page = await session.hub.compute(page_of, engine, start, title)
        except BaseException:
            session.hub.close()
            raise
        self._tasks = [asyncio.ensure_future(session.hub.run())]
        await session.hold(start, PAGE)
        self._door.server.become(page, session)
        if source is not None:
            self._tasks.append(asyncio.ensure_future(session.follow(source)))

    @property
    def url(self) -> str:
        """Address of the page; whoever knows it may move the coil."""
        return self._door.url

    @property
    def pose(self) -> Pose:
        """Where the coil is; setting it moves the coil, also on the page, and waits for the answer.

        Raises
        ------
        InputError
            When it is set: if the pose is refused, such as in the head or beyond what the basis is certified for.
        """
        return self._last.at or self._session.start

    @pose.setter
    def pose(self, value: Pose | str | PathLike[str]) -> None:
        shown = self._door.run(self._session.hold(given_pose(opened_one(value))), _PATIENCE_S)
        if shown.status != "ok":
            raise InputError(f"the pose is refused: {shown.reason}")

    @property
    def measures(self) -> dict[str, float]:
        """Measures at the target, by name; empty where the coil cannot be held, or is moving."""
        return dict(self._last.measures)

    @property
    def target(self) -> Target:
        """The target; setting it (a `Target`, a name or a point in mm) measures there."""
        return self._session.engine.target

    @target.setter
    def target(self, value: Place) -> None:
        self._door.run(self._session.aim(target_of(self._session.engine.sim.head, value)), _PATIENCE_S)

    @property
    def didt(self) -> float:
        """dI/dt of the coil, A/s."""
        return self._session.engine.didt

    @property
    def status(self) -> str:
        """ "ok", or why there is no field: "outside", "collision", "refused" or "moving"."""
        return self._last.status

    @property
    def _last(self) -> Shown:
        shown = self._session.shown
        assert shown is not None  # noqa: S101 - the start is answered before there is an explorer
        return shown

    def wait(self) -> None:
        """Serve until `close` is called, or Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._closed.wait()
        self.close()

    def close(self) -> None:
        """End the page's server; can be called again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._door.run(self._shut())
        self._door.close(self._session.hub.close)

    async def _shut(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        if self._closed.is_set():
            return "<p>This explorer was closed.</p>"
        style = f"width:100%;height:{_HEIGHT_PX}px;border:0"
        frame = f'<iframe src="{escape(self.url)}" style="{style}" allowfullscreen></iframe>'
        return f'{frame}<p style="opacity:.7">Shown only where this browser runs on the machine of the kernel.</p>'

    def __repr__(self) -> str:
        return f"Explorer({'closed' if self._closed.is_set() else self.url})"
