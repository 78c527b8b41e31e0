"""A live server in a thread with an event loop of its own, so that clients of any kind can be tried against it."""

import asyncio
import contextlib
import socket
import struct
import threading
import time

import numpy as np
import pytest

from efield.ground.pose import Pose
from efield.nav import openigtlink as igtl
from efield.nav.engine import LiveEngine
from efield.nav.hub import Hub
from efield.nav.openigtlink_server import Limits, OpenIGTLinkServer
from efield.targeting.placement import place_coil


@pytest.fixture(scope="session")
def pose(head, target, coil):
    """A placement that the small basis is certified for."""
    return place_coil(head, target, 45.0, 4.5, coil=coil)


@pytest.fixture(scope="session")
def poses(pose):
    """Twelve placements that the small basis is certified for, all different."""
    turns = np.radians(np.arange(12) * 15.0)
    found = []
    for turn in turns:
        matrix = pose.matrix.copy()
        c, s = np.cos(turn), np.sin(turn)
        matrix[:3, :3] = pose.rotation @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        found.append(Pose(matrix))
    return found


@pytest.fixture(scope="session")
def engine(basis, coil, target):
    return LiveEngine(basis, coil, target, 2e6)


class Loop:
    """An event loop in a thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks = []

    def __call__(self, work, timeout=20):
        """Run a coroutine there, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def start(self, work):
        """Run a coroutine there until the end of the test."""
        self._tasks.append(asyncio.run_coroutine_threadsafe(work, self.loop))
        return self._tasks[-1]

    def stop(self):
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(BaseException):
                task.result(5)
        self(self._settle())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    @staticmethod
    async def _settle():
        """Let everything end that still runs."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0.01)


@pytest.fixture
def loop():
    found = Loop()
    yield found
    found.stop()


@pytest.fixture
def hub(engine, loop):
    """A hub that answers."""

    async def make():
        return Hub(engine, notes.append)

    notes = []
    found = loop(make())
    found.notes = notes
    loop(found.rehearse())
    loop.start(found.run())
    yield found
    found.close()


@pytest.fixture
def serving(hub, loop):
    """Starts an OpenIGTLink server, with options, and returns it with its port."""
    servers = []

    def start(**options):
        async def make():
            server = OpenIGTLinkServer(hub, **options)
            server.port = await server.start("127.0.0.1", options.pop("port", 0))
            return server

        servers.append(loop(make()))
        return servers[-1]

    yield start
    for server in servers:
        loop(server.close())


@pytest.fixture
def server(serving):
    return serving(limits=Limits(clients=3, patience_s=0.4, messages_per_s=50_000.0))


class Raw:
    """A client made of nothing but a socket and the format's tables."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """Type, device, header version and body of the next message; None at the end."""
        header = self._exactly(58)
        if header is None:
            return None
        version, kind, device, _, size, crc = struct.unpack(">H12s20sQQQ", header)
        body = self._exactly(size)
        assert igtl.checksum(body) == crc
        return kind.rstrip(b"\0").decode(), device.rstrip(b"\0").decode(), version, body

    def text(self):
        """The text of the next message, which must be a STRING."""
        kind, _, version, body = self.receive()
        assert kind == "STRING", body
        body = body[12:-2] if version == 2 else body
        return body[4:].decode()

    def ended(self):
        """Whether the server hangs up, whatever it says before."""
        with contextlib.suppress(ConnectionResetError):
            while self.receive() is not None:
                pass
        return True

    def close(self):
        self.socket.close()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data


@pytest.fixture
def connect():
    """Opens raw connections to ports of this machine."""
    opened = []

    def open_one(port):
        opened.append(Raw(port))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()


def transform(matrix, device="CoilToRefe", version=1, number=0):
    """The bytes of a TRANSFORM."""
    content = igtl.transform_content(matrix)
    return igtl.packed(igtl.Message("TRANSFORM", device, content, time.time(), version, number))


@pytest.fixture(scope="session")
def as_transform():
    return transform


@pytest.fixture(scope="session")
def until():
    """Waits until something holds, and fails if it does not come true in time."""

    def wait(holds, seconds=10):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.01)

    return wait
