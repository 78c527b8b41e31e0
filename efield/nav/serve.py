"""A live session: the engine, who sends poses, who is answered, until it is told to end."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from efield.ground.errors import InputError
from efield.io.atomic import NO_ROOM
from efield.nav.engine import Answer, LiveEngine
from efield.nav.hub import Hub
from efield.nav.invesalius import Space
from efield.nav.lines import Lines
from efield.nav.openigtlink_server import DEVICES, NAME, Limits, OpenIGTLinkServer
from efield.nav.pictures import Pictures
from efield.nav.relay import Desk, SocketServer
from efield.nav.sources import Source, source_of

#: Addresses that only this machine reaches.
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class Session:
    """What is served to whom.

    Parameters
    ----------
    host : str
        Address to listen on.
    openigtlink, socketio : int, optional
        Ports; 0 takes a free one, None does not listen.
    devices : tuple of str
        Names of the transforms that are poses of the coil; all if it is empty.
    name : str
        Of the device that answers over OpenIGTLink.
    axes, frame : str, optional
        Of poses that come over OpenIGTLink and from what is followed, where they are not the usual ones.
    image : path_like, optional
        The image that InVesalius has open.
    spacing_mm : float
        Of images of the field.
    follow : str, optional
        As `efield.nav.sources.source_of` takes it.
    speed : float
        Of a recording.
    limits : Limits
        Of each OpenIGTLink client.
    """

    host: str = "127.0.0.1"
    openigtlink: int | None = None
    socketio: int | None = None
    devices: tuple[str, ...] = DEVICES
    name: str = NAME
    axes: str | None = None
    frame: str | None = None
    image: Path | None = None
    spacing_mm: float = 2.0
    follow: str | None = None
    speed: float = 1.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.openigtlink is None and self.socketio is None and self.follow is None:
            raise InputError("a live session needs a port to listen on or something to follow; instead it has neither")
        for what, port in (("--openigtlink", self.openigtlink), ("--socketio", self.socketio)):
            if port is not None and not 0 <= port <= 65535:
                raise InputError(f"{what} must be a port from 0 to 65535; instead received {port}")


def serve(
    engine: LiveEngine,
    session: Session,
    *,
    lines: IO[str] | None = None,
    note: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
    told: Callable[[Answer], None] | None = None,
) -> dict[str, Any]:
    """Answer poses until SIGINT or SIGTERM, or until a recording has ended that nobody else is served beside.

    Parameters
    ----------
    engine : LiveEngine
    session : Session
    lines : text file, optional
        Gets every answer and event as a line of JSON.
    note : callable
        Told in words what people should know.
    told : callable, optional
        Told every answer, in the event loop.

    Returns
    -------
    dict
        What `Hub.report` says at the end.

    Raises
    ------
    InputError
        If a port is taken, or the session cannot be as it is asked for.
    """
    return asyncio.run(_serve(engine, session, lines, note, told))


async def _serve(
    engine: LiveEngine,
    session: Session,
    lines: IO[str] | None,
    note: Callable[[str], None],
    told: Callable[[Answer], None] | None,
) -> dict[str, Any]:
    hub, loop, ended = Hub(engine, note), asyncio.get_running_loop(), asyncio.Event()

    def unread(why: str) -> None:
        note(f"answers cannot be written any more: {why}")
        loop.call_soon_threadsafe(ended.set)

    # Read and refused before anything is computed.
    source = (
        None
        if session.follow is None
        else source_of(session.follow, axes=session.axes, frame=session.frame, speed=session.speed)
    )
    if session.host not in _LOOPBACK:
        note(f"warning: {session.host} lets other machines send poses and read answers; nothing is encrypted")
    async with AsyncExitStack() as stack:
        stack.callback(hub.close)
        await hub.rehearse()
        writer: Lines | None = None
        if lines is not None:
            writer = Lines(lines, unread)
            stack.callback(writer.close)
            hub.listen(lambda answer: writer.write(answer.to_json()))

        def event(document: dict[str, Any]) -> None:
            if writer is not None:
                writer.write(document | {"time": time.time()}, last=document["event"] == "end")
            note(_in_words(document))

        if told is not None:
            hub.listen(told)
        ports = await _open(hub, session, stack)
        stack.enter_context(_signals(loop, ended))
        event({"event": "ready", **ports})
        tasks = [asyncio.ensure_future(hub.run()), asyncio.ensure_future(ended.wait())]
        if source is not None:
            tasks.append(asyncio.ensure_future(_follow(source, hub, event, ended if ports else None)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        event({"event": "end", **hub.report()})
        if writer is not None and isinstance(writer.error, OSError) and writer.error.errno in NO_ROOM:
            raise writer.error  # who left is no error, a full disk is
    return hub.report()


async def _follow(
    source: Source, hub: Hub, event: Callable[[dict[str, Any]], None], ended: asyncio.Event | None
) -> None:
    """Send what a source has; a recording that is over ends the session, unless others may still come."""
    await source.run(hub, event)
    if ended is not None:
        await ended.wait()


async def _open(hub: Hub, session: Session, stack: AsyncExitStack) -> dict[str, int]:
    """Listen on all ports that are asked for; which they are."""
    ports = {}
    pictures = Pictures(hub, session.spacing_mm)
    if session.openigtlink is not None:
        server = OpenIGTLinkServer(
            hub,
            session.devices,
            session.axes or "simnibs",
            session.frame or "RAS",
            name=session.name,
            pictures=pictures,
            limits=session.limits,
        )
        ports["openigtlink"] = await server.start(session.host, session.openigtlink)
        stack.push_async_callback(server.close)
    if session.socketio is not None:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="efield-")))
        space = None if session.image is None else Space.of(session.image)
        web = SocketServer(Desk(hub, pictures.shapes, space, folder))
        ports["socketio"] = await web.start(session.host, session.socketio)
        stack.push_async_callback(web.close)
    return ports


@contextmanager
def _signals(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM end the session in order, where the system and the thread let us."""
    taken = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, ended.set)
        except (NotImplementedError, RuntimeError, ValueError):
            continue  # Windows has none, and only the main thread of a process may take signals
        taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def _in_words(event: dict[str, Any]) -> str:
    rest = ", ".join(f"{name} {_value(value)}" for name, value in event.items() if name != "event")
    return f"{event['event']}: {rest}" if rest else str(event["event"])


def _value(value: Any) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, dict) else str(value)
