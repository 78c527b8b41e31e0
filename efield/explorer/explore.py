"""`explore`: opens the explorer from Python, in a notebook or a script."""

import asyncio
import threading
import webbrowser
from collections.abc import Callable, Coroutine
from contextlib import suppress
from html import escape
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from efield.basis.reduced_basis import ReducedBasis
from efield.coils import stimulators
from efield.coils.model import Coil
from efield.explorer.engine import PAGE, ExplorerEngine, Shown
from efield.explorer.page import page_of
from efield.explorer.server import Server, library
from efield.explorer.session import Output, Session
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose, given_pose
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import opened_one, read_poses
from efield.nav.alerts import Alert
from efield.nav.sources import Source, source_of
from efield.targeting import given
from efield.targeting.named import the_coil
from efield.targeting.naming import target_of
from efield.viz.showing import in_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efield.targeting.named import CoilLike
    from efield.targeting.naming import Place
    from efield.targeting.simulate import Simulator
    from efield.targeting.targets import Target

#: How long a pose that is set from Python may take to be answered (s).
_PATIENCE_S: Final = 600.0

_HEIGHT_PX: Final = 640

T = TypeVar("T")


def explore(
    engine: "ReducedBasis | Simulator",
    coil: "CoilLike | None" = None,
    target: "Place | None" = None,
    *,
    didt: float | None = None,
    intensity: float | None = None,
    stimulator: str | None = None,
    pose: "Pose | str | PathLike[str] | None" = None,
    plan: "Pose | str | PathLike[str] | None" = None,
    poses: "PoseTable | Iterable[Pose] | str | PathLike[str] | None" = None,
    follow: str | None = None,
    threshold: float | None = None,
    outside: str = "refuse",
    host: str = "127.0.0.1",
    port: int = 0,
    browser: bool | None = None,
) -> "Explorer":
    """Move a coil over a head in a page, and see the field follow.

    Parameters
    ----------
    engine : ReducedBasis or Simulator
        A basis answers in milliseconds. With a simulator each place where the coil rests is solved in full, which takes
        seconds.
    coil : Coil, or its name or file, optional
        That of the basis; needed with a simulator or a basis for any coil.
    target : Target, str or (3,) array_like, optional
        That of the basis, or the left hand area.
    didt : float, A/s, optional
        At first; 1e6 unless given, or what `intensity` says.
    intensity : float, optional
        Percent of the stimulator's output.
    stimulator : str, optional
        If not the coil's usual one.
    pose : Pose or file, optional
        Where the coil is at first: the plan, or over the target.
    plan : Pose or file, optional
        The planned pose: measures are compared with it.
    poses : PoseTable, iterable of Pose, or file, optional
        To choose from, and to play.
    follow : str, optional
        What moves the coil, in the words of ``efield serve --follow``.
    threshold : float, V/m, optional
        What the first measure, the mean of abs. E in the target, is at the motor threshold, measured in the same way.
    outside : {"refuse", "solve"}
        With a basis: what becomes of a pose that it is not certified for.
    host, port : str, int
        Where the page is served; for this machine only, and on a free port, unless told otherwise.
    browser : bool, optional
        Open a browser; by default in a program, not in a notebook, where the page is shown below the cell.

    Returns
    -------
    Explorer
        With `pose`, `measures`, `target`, `url` and `close()`.

    Raises
    ------
    InputError
        If an argument cannot be used.
    MissingDependencyError
        Without the extra ``live``.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> explorer = ef.explore(ef.Simulator(head), "d70", "m1-hand-left", browser=False)
    >>> sorted(explorer.measures)[:3]
    ['across', 'along', 'angle']
    >>> explorer.close()
    """
    library()
    source = None if follow is None else source_of(follow)
    made = live_engine(engine, coil, target, plan=plan, outside=outside)
    output = output_of(made.coil, stimulator, threshold)
    made.didt = rate_of(made.coil, output, didt, intensity)
    start = made.plan if pose is None else given_pose(opened_one(pose))
    table = None if poses is None else table_of(poses)
    explorer = Explorer(made, start or made.inside(), output, poses=table, source=source, host=host, port=port)
    if browser if browser is not None else not in_notebook():
        webbrowser.open(explorer.url)
    return explorer


def live_engine(
    engine: "ReducedBasis | Simulator",
    coil: "CoilLike | None",
    target: "Place | None",
    *,
    plan: "Pose | str | PathLike[str] | None" = None,
    outside: str = "refuse",
    alerts: tuple[Alert, ...] = (),
) -> ExplorerEngine:
    """The engine of an explorer; its target is that of the basis, or the left hand area, unless given.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    if isinstance(engine, ReducedBasis):
        maker, usual, sim = engine.serves(coil), engine.target, engine.sim
    elif coil is None:
        raise InputError("coil must be given with a simulator, such as 'magstim-70mm-figure8'; instead received none")
    else:
        maker, usual, sim = the_coil(coil), None, given.simulator(engine)
    aim = target_of(sim.head, target if target is not None else usual or "m1-hand-left")
    planned = None if plan is None else given_pose(opened_one(plan))
    return ExplorerEngine(engine, maker, aim, outside=outside, plan=planned, alerts=alerts)


def output_of(coil: Coil, stimulator: str | None, threshold: float | None) -> Output:
    """What stands behind a coil: the usual stimulator unless one is named.

    Raises
    ------
    InputError
        If the stimulator is not known with this coil, or the threshold is not positive.
    """
    full = coil.max_didt if stimulator is None else stimulators.didt(stimulator, coil, 100.0)
    return Output(full, stimulator or "", None if threshold is None else checks.positive("threshold", threshold))


def rate_of(coil: Coil, output: Output, didt: float | None, intensity: float | None) -> float:
    """dI/dt in A/s, given itself or as percent of the output; 1 A/us if neither is.

    Raises
    ------
    InputError
        If both are given, or the output is not known.
    """
    if intensity is None:
        return 1e6 if didt is None else checks.rate("didt", didt)
    if didt is not None:
        raise InputError("didt and intensity must not be given together; each sets the drive")
    if output.full_didt is None:
        raise InputError(f"the largest dI/dt of {coil.name} is not known: give stimulator as well, or didt")
    return output.full_didt * checks.percent_of_output("intensity", intensity) / 100.0


def table_of(poses: "PoseTable | Iterable[Pose] | str | PathLike[str]") -> PoseTable:
    """Poses to choose from, of a table, a file or a list."""
    if isinstance(poses, PoseTable):
        return poses
    return read_poses(poses) if isinstance(poses, str | PathLike) else PoseTable([pose.matrix for pose in poses])


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
        output: Output = Output(),  # noqa: B008 - frozen
        *,
        poses: PoseTable | None = None,
        source: Source | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="efield-explorer", daemon=True)
        self._thread.start()
        try:
            self._server = self._run(self._open(engine, start, output, poses, source, (host, port), note))
        except BaseException:
            self._stop()
            raise

    async def _open(
        self,
        engine: ExplorerEngine,
        start: Pose,
        output: Output,
        poses: PoseTable | None,
        source: Source | None,
        where: tuple[str, int],
        note: Callable[[str], None],
    ) -> Server:
        self._session = session = Session(engine, start, output, poses, note)
        title = f"{engine.coil.name} over {engine.target.name}"
        try:
            await session.hub.compute(engine.learn_plan)
            server = Server(await session.hub.compute(page_of, engine, start, title), session)
            await server.start(*where)
        except BaseException:
            session.hub.close()
            raise
        self._tasks = [asyncio.ensure_future(session.hub.run())]
        await session.hold(start, PAGE)
        if source is not None:
            self._tasks.append(asyncio.ensure_future(session.follow(source)))
        return server

    @property
    def url(self) -> str:
        """Address of the page; whoever knows it may move the coil."""
        return self._server.url

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
    def pose(self, value: "Pose | str | PathLike[str]") -> None:
        shown = self._run(self._session.hold(given_pose(opened_one(value))), _PATIENCE_S)
        if shown.status != "ok":
            raise InputError(f"the pose is refused: {shown.reason}")

    @property
    def measures(self) -> dict[str, float]:
        """Measures at the target, by name; empty where the coil cannot be held, or is moving."""
        return dict(self._last.measures)

    @property
    def target(self) -> "Target":
        """The target; setting it (a `Target`, a name or a point in mm) measures there."""
        return self._session.engine.target

    @target.setter
    def target(self, value: "Place") -> None:
        self._run(self._session.aim(target_of(self._session.engine.sim.head, value)), _PATIENCE_S)

    @property
    def didt(self) -> float:
        """dI/dt of the coil, A/s."""
        return self._session.engine.didt

    @property
    def status(self) -> str:
        """"ok", or why there is no field: "outside", "collision", "refused" or "moving"."""
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
        self._run(self._shut())
        self._session.hub.close()
        self._stop()

    async def _shut(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.close()

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        if self._closed.is_set():
            return "<p>This explorer was closed.</p>"
        frame = f'<iframe src="{escape(self.url)}" style="width:100%;height:{_HEIGHT_PX}px;border:0" allowfullscreen></iframe>'
        return f'{frame}<p style="opacity:.7">Shown only where this browser runs on the machine of the kernel.</p>'

    def __repr__(self) -> str:
        return f"Explorer({'closed' if self._closed.is_set() else self.url})"
