"""What `--follow` takes: a recorded file at its own pace, or the stream of another program, with reconnection."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from efield.ground import checks
from efield.ground.errors import InputError
from efield.io.poses.axes import checked_axes, checked_frame
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses
from efield.nav.hub import Hub
from efield.nav.latest import Seen
from efield.nav.mouse import mouse_of
from efield.nav.relay import client_of
from efield.nav.streams import Brainsight, Dialect, Localite

#: Poses a second of a recording that has no times.
_RATE: Final = 10.0

#: First and longest wait before a lost program is looked for again (s).
_FIRST_S, _LONGEST_S = 0.5, 5.0

#: Wait for a connection (s), and read at a time (bytes).
_CONNECT_S: Final = 5.0
_CHUNK: Final = 1 << 16

#: Ports on which the programs listen unless told otherwise.
PORTS: Final = {"brainsight": 60000, "localite": 6666, "invesalius": 5000}

Event = Callable[[dict[str, Any]], None]


class Source(Protocol):
    """Something that sends poses to a hub until it ends or is cancelled."""

    async def run(self, hub: Hub, event: Event) -> None:
        """Send; `event` is told when the source comes and goes."""


@dataclass(frozen=True, eq=False)
class Replay:
    """A recorded file.

    Parameters
    ----------
    name : str
    table : PoseTable
        With times, or ten poses a second.
    speed : float
        Times as fast; 0 sends each pose when the one before is answered.
    untimed : int
        Poses of the file that are left out, as they have no time and others have.
    """

    name: str
    table: PoseTable
    speed: float = 1.0
    untimed: int = 0

    def times(self) -> list[float]:
        """Seconds after the first at which each pose is due."""
        times = self.table.columns.get("time_s")
        if times is None or not np.isfinite(times).all():
            times = np.arange(len(self.table)) / _RATE
        return [float(value) for value in times - times.min()]

    async def run(self, hub: Hub, event: Event) -> None:
        """As `Source.run`; returns when the last pose is answered."""
        answered = asyncio.Event()
        hub.listen(lambda answer: answered.set() if answer.pose.source == self.name else None)
        left_out = {"without_time": self.untimed} if self.untimed else {}
        event({"event": "following", "source": self.name, "poses": len(self.table), **left_out})
        begin, times = asyncio.get_running_loop().time(), self.times()
        for number in np.argsort(times, kind="stable"):
            if self.speed:
                await asyncio.sleep(begin + times[number] / self.speed - asyncio.get_running_loop().time())
            answered.clear()
            hub.offer(Seen(self.table.matrices[number], self.name, self.table.names[number], int(number) + 1))
            if not self.speed:
                await answered.wait()
        while hub.busy_with(self.name):
            answered.clear()
            await answered.wait()
        event({"event": "ended", "source": self.name})


@dataclass(frozen=True, eq=False)
class Stream:
    """Another program's stream.

    Parameters
    ----------
    name : str
        The program.
    host : str
    port : int
    dialect : callable
        Makes a fresh `Dialect` for each connection.
    """

    name: str
    host: str
    port: int
    dialect: Callable[[], Dialect]

    async def run(self, hub: Hub, event: Event) -> None:
        """As `Source.run`; never returns. Why it waits is said once, and so is why what comes cannot be used."""
        wait, said, unusable = _FIRST_S, "", ""
        following = {"event": "following", "source": self.name, "host": self.host, "port": self.port}
        while True:
            try:
                connection = asyncio.open_connection(self.host, self.port)
                reader, writer = await asyncio.wait_for(connection, _CONNECT_S)
            except (OSError, TimeoutError) as error:
                reason = f"{self.host} port {self.port}: {_why(error)}"
                if reason != said:
                    event({"event": "waiting", "source": self.name, "reason": reason})
                said = reason
            else:
                poses = 0

                def heard() -> None:
                    nonlocal poses
                    poses += 1
                    if poses == 1 and unusable:  # noqa: B023 - called before it changes
                        event(following)

                if not unusable:
                    event(following)
                try:
                    reason = await self._until_lost(hub, reader, writer, heard)
                finally:
                    writer.close()
                    hub.waiting.forget(self.name)
                if poses or reason != unusable:
                    event({"event": "lost", "source": self.name, "reason": reason})
                wait, said, unusable = (_FIRST_S, "", "") if poses else (wait, "", reason)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_S)

    async def _until_lost(
        self, hub: Hub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Callable[[], None]
    ) -> str:
        dialect = self.dialect()
        asking = asyncio.ensure_future(_ask(dialect, writer))
        try:
            while data := await reader.read(_CHUNK):
                for matrix, device, stamp in dialect.feed(data):
                    heard()
                    hub.offer(Seen(matrix, self.name, device, 0, stamp))
            return "the connection was closed"
        except (OSError, InputError) as error:
            return str(error)
        finally:
            asking.cancel()


def _why(error: OSError) -> str:
    """Of a connection that there is not."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


async def _ask(dialect: Dialect, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(dialect.question())
        await writer.drain()
        if not dialect.every_s:
            return
        await asyncio.sleep(dialect.every_s)


def _replay(table: PoseTable, speed: float) -> Replay:
    if not len(table):
        raise InputError("a recording must hold a pose to be followed; instead it has none that can be used")
    timed = np.isfinite(table.columns.get("time_s", np.zeros(len(table))))
    chosen = table[timed] if timed.any() else table
    return Replay("recording", chosen, speed, len(table) - len(chosen))


def source_of(url: str, *, axes: str | None = None, frame: str | None = None, speed: float = 1.0) -> Source:
    """What ``--follow`` names.

    Parameters
    ----------
    url : str
        ``brainsight://HOST[:PORT][?tool=SERIAL]``, ``localite://HOST[:PORT][?coil=1]``,
        ``invesalius://HOST[:PORT]?image=T1.nii.gz``, the address of a page of `efield view`, or a file of poses as
        `read_poses` takes it.
    axes, frame : str, optional
        Where they are not what the program usually sends.
    speed : float
        Of files.

    Raises
    ------
    InputError
        If it is none of these, or a file cannot be read.
    """
    axes = None if axes is None else checked_axes(axes)
    frame = None if frame is None else checked_frame(frame)
    if "://" not in url:
        checks.in_range("--speed", speed, 0.0, 1e6)
        return _replay(read_poses(url, axes=axes, frame=frame), speed)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise InputError(f"--follow must be PROGRAM://HOST:PORT or a file; instead {url!r}: {error}") from error
    options = dict(parse_qsl(parts.query))
    if parts.scheme == "brainsight":
        tool = options.pop("tool", "")
        make: Callable[[], Dialect] = lambda: Brainsight(frame, axes or "brainsight", tool)  # noqa: E731
    elif parts.scheme == "localite":
        coil = int(checks.choice("coil", options.pop("coil", "0"), ("0", "1")))
        make = lambda: Localite(frame or "RAS", axes or "localite", coil)  # noqa: E731
    elif parts.scheme == "invesalius":
        return client_of(host, port, options)
    elif parts.scheme == "http":
        return mouse_of(url)
    else:
        known = ", ".join(f"{name}://HOST" for name in PORTS)
        raise InputError(f"--follow must be {known}, the address of `efield view` or a file; instead {url!r}")
    if options:
        raise InputError(f"--follow {parts.scheme}:// has no option {', '.join(options)}")
    return Stream(parts.scheme, host, port, make)
