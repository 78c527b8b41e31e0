"""A server of OpenIGTLink: each TRANSFORM of the coil is answered by a STRING with the measures as JSON.

Every client is held to limits: sizes of messages, messages a second, how long half a message may take, and how much
may wait for it to be read. What it cannot take is not sent, and not kept for later, so that nothing old arrives late.
"""

import asyncio
import json
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from efield.ground.errors import EfieldError, InputError
from efield.io.poses.axes import checked_axes, checked_frame, from_theirs
from efield.nav import openigtlink as igtl
from efield.nav.engine import Answer
from efield.nav.hub import Hub
from efield.nav.latest import Seen
from efield.nav.listening import listening, quick
from efield.nav.openigtlink import Message
from efield.nav.pictures import Pictures

#: The port that OpenIGTLink is registered for.
PORT: Final = 18944

#: What 3D Slicer's modules for TMS call the coil's transform.
DEVICES: Final = ("CoilToRefe", "NavigationTransform")

#: What answers are called.
NAME: Final = "efield"

#: What is read of a client before the others have their turn (bytes): a hundred poses, 2 ms of work.
_READ_BYTES: Final = 1 << 14

#: How long the end waits for clients to read their last message (s).
_GOODBYE_S: Final = 0.05

#: Turns of the event loop after which a connection that was accepted before the server ended has its client.
_ACCEPTED: Final = 3

#: Kinds of answers that a client can ask for (GET_), or ask to get with every pose of anybody (STT_, STP_).
_STREAMS: Final = ("STRING", "IMAGE", "POLYDATA")
_WANTED: Final = frozenset(
    [
        "TRANSFORM",
        "GET_STATUS",
        "GET_CAPABIL",
        *(f"{verb}_{kind}" for verb in ("GET", "STT", "STP") for kind in _STREAMS),
    ]
)


@dataclass(frozen=True)
class Limits:
    """What a client may do.

    Parameters
    ----------
    clients : int
        At a time.
    message_bytes : int
        Of a message that is read.
    messages_per_s : float
        Sustained; a second's worth may come at once.
    waiting_bytes : int
        Answers that a client has not read yet; beyond this it gets none.
    patience_s : float
        A client that does not read, or does not finish a message, for so long is dropped.
    """

    clients: int = 8
    message_bytes: int = 1 << 20
    messages_per_s: float = 20_000.0
    waiting_bytes: int = 1 << 16
    patience_s: float = 5.0


class OpenIGTLinkServer:
    """Listens on one port.

    Parameters
    ----------
    hub : Hub
    devices : collection of str
        Names of the transforms that are poses of the coil; all of them if it is empty.
    axes, frame : str
        Of the coil and of the head in these transforms; see `efield.io.poses.axes`.
    name : str
        Of the device that answers and pictures come from.
    pictures : Pictures, optional
        Draws images and surfaces, for those who ask for them.
    limits : Limits
    """

    def __init__(
        self,
        hub: Hub,
        devices: Collection[str] = DEVICES,
        axes: str = "simnibs",
        frame: str = "RAS",
        *,
        name: str = NAME,
        pictures: Pictures | None = None,
        limits: Limits = Limits(),
    ) -> None:
        self.hub, self.devices, self.limits, self.name = hub, frozenset(devices), limits, name[:20]
        self.axes, self.frame = checked_axes(axes), checked_frame(frame)
        self.clients: dict[str, _Client] = {}
        #: Connections that are not closed yet, those of clients that were sent away included.
        self.open: set[_Client] = set()
        self.pictures = pictures or Pictures(hub)
        self.count = 0
        self.last: Answer | None = None
        hub.listen(self._answered)

    async def start(self, host: str, port: int = PORT) -> int:
        """Begin to listen, and return the port; 0 takes a free one.

        Raises
        ------
        InputError
            If the port is taken, or the address is none of this machine.
        """
        self._server = await listening(lambda: _Client(self), host, port, "OpenIGTLink")
        self._watch = asyncio.ensure_future(self._drop_stuck())
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Say goodbye to all clients and stop listening."""
        self._watch.cancel()
        # Accept nobody else, and let who was accepted get a client: a server that is closed meanwhile loses them open.
        for socket in self._server.sockets:
            with suppress(NotImplementedError):  # loops of Windows have no readers
                asyncio.get_running_loop().remove_reader(socket.fileno())
        for _ in range(_ACCEPTED):
            await asyncio.sleep(0)
        self._server.close()
        for client in list(self.clients.values()):
            client.status(igtl.ENDING, "Ending", "the server ends")
        for client in list(self.open):
            client.transport.close()
        await asyncio.sleep(_GOODBYE_S if self.open else 0)
        while self.open:
            for client in list(self.open):
                client.transport.abort()
            await asyncio.sleep(0)

    def _answered(self, answer: Answer) -> None:
        self.last = answer
        own = self.clients.get(answer.pose.source)
        # What is not from a client of ours is for all of them.
        everybody = not answer.pose.source.startswith(_Client.KIND)
        for client in self.clients.values():
            if client is own or everybody or "STRING" in client.streams:
                client.string(answer)
        for kind in ("IMAGE", "POLYDATA"):
            if answer.status == "ok" and any(kind in client.streams for client in self.clients.values()):
                self.pictures.draw(kind, answer, self.drawn)

    def drawn(self, kind: str, answer: Answer, content: bytes) -> None:
        """Send a picture to those who asked for it."""
        for client in self.clients.values():
            if kind in client.streams | client.once:
                client.once.discard(kind)
                client.send(kind, content, answer)

    async def _drop_stuck(self) -> None:
        """Once a second drop who has waited too long with half a message, or has read nothing for too long."""
        while True:
            await asyncio.sleep(min(1.0, self.limits.patience_s / 4))
            for client in list(self.clients.values()):
                client.drop_if_stuck()


class _Client(asyncio.BufferedProtocol):
    """One connection."""

    KIND: Final = "igtl-"

    def __init__(self, server: OpenIGTLinkServer) -> None:
        self.server, self.limits = server, server.limits
        self.reader = igtl.Reader(_WANTED, self.limits.message_bytes)
        self.version, self.streams, self.once = 1, set[str](), set[str]()
        self.skipped = 0
        self._allowance, self._counted = self.limits.messages_per_s, time.perf_counter()
        self._heard = self._began = self._read_at = time.perf_counter()
        self._written = self._read = 0
        self._room = memoryview(bytearray(_READ_BYTES))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a client, or send it away if there are too many."""
        self.transport = cast(asyncio.Transport, transport)
        quick(self.transport)
        server = self.server
        server.open.add(self)
        server.count += 1
        self.name = f"{self.KIND}{server.count}"
        if len(server.clients) >= self.limits.clients:
            self._refuse(igtl.BUSY, "Busy", f"there are {self.limits.clients} clients already")
            return
        server.clients[self.name] = self

    def connection_lost(self, _: Exception | None) -> None:
        """Forget a client and what it sent last."""
        self.server.open.discard(self)
        if self.server.clients.pop(self.name, None) is self:
            self.server.hub.waiting.forget(self.name)

    def get_buffer(self, _: int) -> memoryview:
        """Where the next bytes go; they are few, so that others are read in between."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Obey all messages that are complete."""
        data = bytes(self._room[:nbytes])
        self._heard = time.perf_counter()
        if not self.reader.half:
            self._began = self._heard
        try:
            messages = self.reader.feed(data)
            self._began = self._heard if messages else self._began
        except InputError as error:
            self._refuse(igtl.UNKNOWN, "Unreadable", str(error))
            return
        if not self._allowed(len(messages)):
            self._refuse(igtl.OVERFLOW, "TooFast", f"more than {self.limits.messages_per_s:g} messages a second")
            return
        poses = {message.device: message for message in messages if message.kind == "TRANSFORM" and message.intact}
        for message in messages:
            self.version = max(self.version, min(message.version, 2))
            try:
                if message.kind == "TRANSFORM" and message.intact and poses[message.device] is not message:
                    self._passed_over(message)
                else:
                    self._obey(message)
            except EfieldError as error:
                self.status(igtl.UNKNOWN, message.kind, str(error))

    def _allowed(self, count: int) -> bool:
        now = time.perf_counter()
        most = self.limits.messages_per_s
        self._allowance = min(most, self._allowance + most * (now - self._counted)) - count
        self._counted = now
        return self._allowance >= 0

    def _obey(self, message: Message) -> None:
        verb, _, kind = message.kind.partition("_")
        if not message.intact:
            self.status(igtl.CHECKSUM, message.kind, "the checksum does not agree with the body")
        elif message.kind == "TRANSFORM":
            self._pose(message)
        elif message.kind == "GET_STATUS":
            self.status(igtl.OK, "OK", json.dumps(self.server.hub.report()))
        elif message.kind == "GET_CAPABIL":
            self._write(
                "CAPABILITY", b"".join(name.encode().ljust(12, b"\0") for name in sorted(_WANTED)), self.server.name
            )
        elif verb == "GET":
            self._latest(kind)
        elif verb == "STT":
            self.server.pictures.shapes.check(kind)
            self.streams.add(kind)
        else:
            self.streams.discard(kind)

    def _is_coil(self, message: Message) -> bool:
        return not self.server.devices or message.device in self.server.devices

    def _passed_over(self, message: Message) -> None:
        """A pose that a newer one came with need not be understood."""
        if self._is_coil(message):
            self.server.hub.waiting.pass_over()

    def _pose(self, message: Message) -> None:
        server = self.server
        if not self._is_coil(message):
            return
        matrix = from_theirs(igtl.transform(message.content)[None], server.axes, server.frame)[0]
        server.hub.offer(Seen(matrix, self.name, message.device, message.number, message.stamp, self._heard))

    def _latest(self, kind: str) -> None:
        """Answer GET_ with what was said last, with the age it has by now."""
        last = self.server.last
        if last is None or (kind != "STRING" and last.status != "ok"):
            why = "no pose was answered yet" if last is None else f"the latest pose has no field: {last.reason}"
            self.status(igtl.NOT_FOUND, f"GET_{kind}", why)
        elif kind == "STRING":
            self.string(last)
        else:
            self.server.pictures.shapes.check(kind)
            self.once.add(kind)
            self.server.pictures.draw(kind, last, self.server.drawn)

    def string(self, answer: Answer) -> None:
        """Send an answer's measures."""
        document = answer.to_json() | {"skipped": self.skipped}
        self.send("STRING", igtl.text_content(json.dumps(document, allow_nan=False)), answer)

    def send(self, kind: str, content: bytes, answer: Answer) -> None:
        """Send what is said of a pose, unless too much waits already."""
        if self.transport.get_write_buffer_size() > self.limits.waiting_bytes:
            self.skipped += 1
            return
        self._write(kind, content, self.server.name, answer)

    def status(self, code: int, name: str, text: str) -> None:
        """Send a STATUS, unless too much waits already."""
        if self.transport.get_write_buffer_size() <= self.limits.waiting_bytes:
            self._write("STATUS", igtl.status_content(code, name[:20], text), self.server.name)

    def _write(self, kind: str, content: bytes, device: str, answer: Answer | None = None) -> None:
        now = time.time()
        # The time of a result is that of its pose.
        stamp = now if answer is None else now - answer.age_ms / 1e3
        number = 0 if answer is None else answer.pose.number
        data = igtl.packed(Message(kind, device, content, stamp, self.version, number))
        self._written += len(data)
        self.transport.write(data)

    def _refuse(self, code: int, name: str, text: str) -> None:
        """Say why, and hang up."""
        self.status(code, name, text)
        self.transport.close()
        self.server.clients.pop(self.name, None)
        self.server.hub.waiting.forget(self.name)

    def drop_if_stuck(self) -> None:
        """Hang up on a client that keeps half a message back, or does not read."""
        now, patience = time.perf_counter(), self.limits.patience_s
        if self.reader.half and now - self._began > patience:
            self._refuse(igtl.TIMED_OUT, "TimedOut", "half a message came, and not the rest")
        waiting = self.transport.get_write_buffer_size()
        if not waiting or self._written - waiting != self._read:
            self._read, self._read_at = self._written - waiting, now
        elif now - self._read_at > patience:
            self.transport.abort()
