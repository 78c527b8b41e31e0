"""Socket.IO, for InVesalius and for web pages: as a server, or as a client behind a relay (extra ``live``).

Any client may also emit ``pose`` with ``{"matrix": 4x4, "device": ...}``, in our axes; every answer is emitted as
``efield``.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.ground.errors import EfieldError, InputError, MissingDependencyError
from efield.ground.pose import Pose
from efield.ground.rigid import put_right
from efield.io.atomic import replacing
from efield.nav import invesalius
from efield.nav.engine import Answer
from efield.nav.hub import Hub
from efield.nav.latest import Seen
from efield.nav.listening import not_listening
from efield.nav.pictures import Shapes

#: Largest message, clients at a time, messages a second of each.
_MOST_BYTES: Final = 1 << 20
_MOST_CLIENTS: Final = 8
_MOST_PER_S: Final = 5000

#: A client that does not answer a ping within so long is dropped (s).
_PATIENCE_S: Final = 5


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(f'Socket.IO needs the extra live: pip install "efield[live]" ({error})') from error


@dataclass
class Desk:
    """What is done with messages of InVesalius and others.

    Parameters
    ----------
    hub : Hub
    shapes : Shapes
        Of the surface that a request is answered with.
    space : Space or None
        Of InVesalius's image; without one its stream of poses is not understood.
    folder : Path
        Where results are written. What a request says of paths is not obeyed.
    """

    hub: Hub
    shapes: Shapes
    space: invesalius.Space | None
    folder: Path
    _numbers: Any = field(default_factory=count)
    _cancelled: int = 0
    _told: set[str] = field(default_factory=set)

    async def message(self, source: str, content: Any, emit: Callable[[Any], Awaitable[None]]) -> None:
        """Obey one message of InVesalius; answers to requests go to `emit`."""
        topic, data = invesalius.topic_of(content)
        try:
            if topic == invesalius.POSE:
                self._pose(source, data)
            elif topic == invesalius.RUN:
                await self._run(data, emit)
            elif topic in invesalius.CANCEL:
                self._cancelled += 1
            elif topic in (invesalius.CHARM, invesalius.CONVERT):
                raise InputError(f"efield does not do {topic!r}: it was started with its head, and writes .vtp itself")
        except EfieldError as error:
            await emit(invesalius.error(str(error)))

    def pose(self, source: str, content: Any) -> None:
        """Take a pose in our axes; what is none is answered as refused."""
        given = content if isinstance(content, dict) else {}
        try:
            matrix = np.array(given.get("matrix"), np.float64).reshape(4, 4)
        except (TypeError, ValueError):
            matrix = np.full((4, 4), np.nan)
        self.hub.offer(Seen(matrix, source, str(given.get("device", ""))[:40]))

    def _pose(self, source: str, data: Any) -> None:
        if self.space is None:
            if "space" not in self._told:
                self._told.add("space")
                self.hub.note("poses of InVesalius need the image that it has open: give --image T1.nii.gz")
            return
        self.hub.offer(Seen(self.space.pose(data.get("coord")), source, "InVesalius"))

    async def _run(self, data: Any, emit: Callable[[Any], Awaitable[None]]) -> None:
        engine = self.hub.engine
        matrix = put_right("matsimnibs", invesalius.asked_pose(data))[0]
        rate = data.get("didt", engine.didt)
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 1e4 <= abs(rate) <= 1e9:
            raise InputError(f"didt must be in A/s, 1e4 to 1e9; instead received {rate!r}")
        path, cancelled = self.folder / f"efield-{next(self._numbers)}.vtp", self._cancelled
        await emit(invesalius.progress(f"{engine.words}; head and coil are those efield was started with", 10.0))
        await self.hub.compute(self._write, path, Pose(matrix), float(rate) / engine.didt)
        if self._cancelled != cancelled:
            raise InputError("the request was cancelled")
        await emit(invesalius.loaded(str(path)))

    def _write(self, path: Path, pose: Pose, factor: float) -> None:
        import pyvista

        surface, values = self.shapes.on_cortex(pose)
        faces = np.full((len(surface.triangles), 4), 3)
        faces[:, 1:] = surface.triangles
        drawn = pyvista.PolyData(surface.points_mm, faces.ravel())
        drawn.point_data["magnE"] = np.abs(factor) * values
        with replacing(path) as temporary:
            drawn.save(temporary)


class SocketServer:
    """A Socket.IO server on one port.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        socketio, self._web = _library("socketio"), _library("aiohttp.web")
        self.server = socketio.AsyncServer(
            async_mode="aiohttp",
            max_http_buffer_size=_MOST_BYTES,
            ping_interval=_PATIENCE_S,
            ping_timeout=_PATIENCE_S,
        )
        self._clients: dict[str, tuple[float, int]] = {}
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        self.server.on(invesalius.FROM_INVESALIUS, self._message)
        self.server.on("pose", self._pose)
        desk.hub.listen(self._answered)

    async def start(self, host: str, port: int) -> int:
        """Begin to listen, and return the port; 0 takes a free one.

        Raises
        ------
        InputError
            If the port cannot be listened on.
        """
        application = self._web.Application()
        self.server.attach(application)
        self._runner = self._web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = self._web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            raise not_listening("Socket.IO", host, port, error) from error
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Hang up on everybody and stop listening."""
        await self.server.shutdown()
        await self._runner.cleanup()

    async def _connect(self, sid: str, environ: Any) -> bool:
        if len(self._clients) >= _MOST_CLIENTS:
            return False
        self._clients[sid] = (time.perf_counter(), 0)
        return True

    async def _disconnect(self, sid: str, *_: Any) -> None:
        self._clients.pop(sid, None)
        self.desk.hub.waiting.forget(f"socket-{sid}")

    async def _allowed(self, sid: str) -> bool:
        """Count a message; too many within a second end the connection."""
        began, number = self._clients.get(sid, (0.0, _MOST_PER_S))
        now = time.perf_counter()
        self._clients[sid] = (began, number + 1) if now - began < 1.0 else (now, 1)
        if self._clients[sid][1] <= _MOST_PER_S:
            return True
        await self.server.disconnect(sid)
        return False

    async def _message(self, sid: str, content: Any = None) -> None:
        async def emit(reply: Any) -> None:
            await self.server.emit(invesalius.TO_INVESALIUS, reply, to=sid)

        if await self._allowed(sid):
            await self.desk.message(f"socket-{sid}", content, emit)

    async def _pose(self, sid: str, content: Any = None) -> None:
        if await self._allowed(sid):
            self.desk.pose(f"socket-{sid}", content)

    def _answered(self, answer: Answer) -> None:
        if self._clients:
            keep(self.server.emit("efield", answer.to_json()))


@dataclass(frozen=True, eq=False)
class SocketClient:
    """A client behind a relay, as `--follow invesalius://HOST:PORT` asks for.

    Parameters
    ----------
    url : str
    space : Space or None
    """

    url: str
    space: invesalius.Space | None

    async def run(self, hub: Hub, event: Callable[[dict[str, Any]], None]) -> None:
        """Follow InVesalius until cancelled; looks for the relay again when it is lost. That it waits is said once."""
        from tempfile import TemporaryDirectory

        socketio = _library("socketio")
        client = socketio.AsyncClient(reconnection_delay=0.5, reconnection_delay_max=5)
        with TemporaryDirectory(prefix="efield-") as folder:
            desk = Desk(hub, Shapes(hub.engine), self.space, Path(folder))

            async def emit(reply: Any) -> None:
                await client.emit(invesalius.TO_RELAY, reply)

            async def message(content: Any = None) -> None:
                await desk.message("invesalius", content, emit)

            said: list[str] = []

            async def found() -> None:
                said.clear()
                event({"event": "following", "source": "invesalius", "url": self.url})

            async def missing(*_: Any) -> None:
                if not said:
                    said.append(self.url)
                    event({"event": "waiting", "source": "invesalius", "reason": f"no relay answers at {self.url}"})

            async def lost(*_: Any) -> None:
                hub.waiting.forget("invesalius")
                event({"event": "lost", "source": "invesalius"})

            for name in (invesalius.FROM_RELAY, invesalius.FROM_INVESALIUS):
                client.on(name, message)
            for name, told in (("connect", found), ("connect_error", missing), ("disconnect", lost)):
                client.on(name, told)
            try:
                await client.connect(self.url, retry=True)
                await client.wait()
            finally:
                await client.disconnect()


def client_of(host: str, port: int, options: dict[str, str]) -> SocketClient:
    """What `--follow invesalius://...` names.

    Raises
    ------
    InputError
        If there is another option than ``image``, or it cannot be read.
    MissingDependencyError
        Without the extra.
    """
    image = options.pop("image", None)
    if options:
        raise InputError(f"--follow invesalius:// has no option {', '.join(options)}; it has image=T1.nii.gz")
    _library("socketio")
    return SocketClient(f"http://{host}:{port}", None if image is None else invesalius.Space.of(image))


#: Tasks that nobody waits for; Python may forget those that nobody holds.
_RUNNING: Final[set[asyncio.Future[Any]]] = set()


def keep(work: Awaitable[Any]) -> None:
    """Start something that nobody waits for."""
    task = asyncio.ensure_future(work)
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
