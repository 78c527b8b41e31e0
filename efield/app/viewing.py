"""`efield view`: from what a person wants to look at to a page on this machine."""

import asyncio
import json
import sys
import webbrowser
from contextlib import suppress
from typing import Any, Final

from efield.app.console import Steps, aside, say
from efield.app.view_engine import live_parts
from efield.app.view_request import ViewRequest
from efield.app.view_sources import Looked, looked_at
from efield.explorer.doorway import Doorway
from efield.explorer.explore import output_of, rate_of
from efield.explorer.explorer import Explorer
from efield.explorer.server import LOOPBACK, Server, library
from efield.ground import checks
from efield.ground.errors import InputError
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import load_pose, read_poses
from efield.nav.alerts import Alert
from efield.nav.engine import OUTSIDE
from efield.nav.sources import Source, source_of
from efield.targeting.targets import parse_target

#: Options of a basis that is built, and those of a coil that moves.
_BUILDING: Final = ("solver", "keep", "radius", "tol")
_MOVING: Final = (
    *("head", "target", "didt", "stimulator", "intensity", "plan", "threshold", "alert", "poses", "follow", "outside"),
    *("conductivity", "conductivity_table", *_BUILDING),
)


#: What is read before any work, so that a wrong name is told at once.
_Given = tuple[tuple[Alert, ...], PoseTable | None, Source | None]


def run(request: ViewRequest, as_json: bool = False) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    request : ViewRequest
    as_json : bool
        The address as a line of JSON on standard output.

    Raises
    ------
    InputError
        That names the option.
    """
    library()
    given, looked = _checked(request), looked_at(request)
    _refuse_idle(request, looked)
    if request.host not in LOOPBACK:
        aside(f"whoever reaches {request.host} and knows the address may move the coil; nothing is encrypted")
    if looked.page is not None:
        _serve_page(looked, request, as_json)
        return
    early = _EarlyPage(request, as_json)
    try:
        _explore(request, looked, given, early, as_json)
    finally:
        early.close()


def _explore(request: ViewRequest, looked: Looked, given: _Given, early: "_EarlyPage", as_json: bool) -> None:
    alerts, recorded, source = given
    parts = live_parts(request, looked, alerts, early.tell)
    output = output_of(parts.engine.coil, request.stimulator, request.threshold)
    parts.engine.didt = rate_of(
        parts.engine.coil, output, parts.didt if request.intensity is None else None, request.intensity
    )
    aside(f"{parts.engine.words}; {parts.engine.target.name}; {parts.engine.coil.name}")
    if parts.engine.basis is None:
        aside("each place where the coil rests is solved in full, which takes seconds; a basis answers in milliseconds")
    poses = recorded if recorded is not None else looked.poses
    with Steps(1)("answering the first pose"):
        options: dict[str, Any] = {"poses": poses, "source": source, "host": request.host, "port": request.port}
        explorer = Explorer(parts.engine, parts.start, output, door=early.taken(), note=aside, **options)
    with explorer:
        if as_json or not early.said:
            _say(explorer.url, as_json)
        if not early.said:
            _open(explorer.url, request)
        explorer.wait()


class _EarlyPage:
    """A page that is there while a basis is built, and shows how far that is; it becomes the explorer's."""

    def __init__(self, request: ViewRequest, as_json: bool) -> None:
        self._request, self._as_json = request, as_json
        self._door: Doorway | None = None
        #: Whether the address was said.
        self.said = False

    def tell(self, done: int, total: int, note: str) -> None:
        """Say how many solves are done; the page is opened at the first call."""
        if self._door is None:
            self._door = Doorway(self._request.host, self._request.port, "Building a basis, to explore with")
            self.said = True
            _say(self._door.url, self._as_json, "building")
            _open(self._door.url, self._request)
        self._door.tell("solves" if not note else f"solves ({note})", done, total)

    def taken(self) -> Doorway | None:
        """The page, for who closes it from then on."""
        door, self._door = self._door, None
        if door is not None:
            door.tell("answering the first pose")
        return door

    def close(self) -> None:
        """Close a page that nobody has taken."""
        if self._door is not None:
            self._door.close()


def _refuse_idle(request: ViewRequest, looked: Looked) -> None:
    """Refuse options that nothing would come of."""
    idle: tuple[str, ...] = ()
    why = ""
    if looked.page is not None:
        idle, why = _MOVING, "results are shown as they are: leave it out, or give a --basis of their head"
    elif looked.basis is not None:
        idle, why = _BUILDING, f"the basis {looked.basis} is read: leave it out"
    usual = ViewRequest()
    for name in idle:
        if getattr(request, name) != getattr(usual, name):
            raise InputError(f"--{name.replace('_', '-')} has nothing to say where {why}")


def _checked(request: ViewRequest) -> _Given:
    checks.choice("--outside", request.outside, OUTSIDE)
    if request.target is not None:
        parse_target(request.target)
    if request.didt is not None and request.intensity is not None:
        raise InputError("--didt and --intensity must not be given together; each sets the drive")
    if request.plan is not None:
        load_pose(request.plan)
    if (request.axes or request.frame) and request.poses is None and request.follow is None:
        raise InputError("--axes and --frame must go with --poses or --follow, whose poses they are of")
    alerts = tuple(map(Alert.parse, request.alert or ()))
    frames = {"axes": request.axes, "frame": request.frame}
    poses = None if request.poses is None else read_poses(request.poses, **frames)
    source = None if request.follow is None else source_of(request.follow, axes=request.axes, frame=request.frame)
    return alerts, poses, source


def _serve_page(looked: Looked, request: ViewRequest, as_json: bool) -> None:
    """Serve a page on which nothing moves."""

    async def serve() -> None:
        server = Server(looked.page or "")
        await server.start(request.host, request.port)
        try:
            _say(server.url, as_json)
            _open(server.url, request)
            await asyncio.Event().wait()
        finally:
            await server.close()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve())


def _say(url: str, as_json: bool, event: str = "ready") -> None:
    if as_json:
        print(json.dumps({"event": event, "url": url}), flush=True)
    else:
        say(f"{url}\n(only this address opens the page; Ctrl-C ends it)")


def _open(url: str, request: ViewRequest) -> None:
    if request.open_page if request.open_page is not None else sys.stdout.isatty():
        webbrowser.open(url)
