"""One explorer over the small basis, and a client of its socket."""

import asyncio
import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from efield.targeting.placement import place_coil

aiohttp = pytest.importorskip("aiohttp", reason="needs aiohttp (extra live)")

from efield.explorer.explore import explore  # noqa: E402


@pytest.fixture(scope="session")
def start(head, target, coil):
    """A placement that the small basis is certified for."""
    return place_coil(head, target, 45.0, 4.5, coil=coil)


@pytest.fixture(scope="module")
def explorer(basis, start):
    with explore(basis, didt=2e6, pose=start, plan=start, browser=False) as found:
        yield found


@pytest.fixture
def at_start(explorer, start, target):
    """The explorer as it was at first."""
    explorer.target = target
    explorer.pose = start
    return explorer


class Client:
    """A page without a browser."""

    def __init__(self, session, socket):
        self.session, self._socket, self.events = session, socket, []

    async def send(self, **message):
        await self._socket.send_str(json.dumps(message))

    async def raw(self, data):
        await (self._socket.send_str if isinstance(data, str) else self._socket.send_bytes)(data)

    async def receive(self, seen=True):
        """The next event, or frame with its values; None when the server hung up."""
        message = await asyncio.wait_for(self._socket.receive(), 20)
        if message.type is aiohttp.WSMsgType.TEXT:
            self.events.append(json.loads(message.data))
            return self.events[-1]
        if message.type is not aiohttp.WSMsgType.BINARY:
            return None
        size = struct.unpack_from("<I", message.data)[0]
        if seen:
            await self.send(do="seen")
        frame = json.loads(message.data[4 : 4 + size])
        steps = np.frombuffer(message.data, "<u2", offset=4 + size)
        values = np.where(steps == 65535, np.nan, steps * (frame.get("high", 0.0) / 65534))
        return frame | {"event": "frame", "values": values}

    async def until(self, wanted):
        """The first message that is wanted."""
        while True:
            message = await self.receive()
            assert message is not None
            if wanted(message):
                return message

    async def frame(self):
        return await self.until(lambda message: message["event"] == "frame")

    async def event(self, name):
        return await self.until(lambda message: message["event"] == name)


@pytest.fixture
def talk(at_start):
    """Runs a conversation with the explorer's socket, after its first frame."""

    def run(conversation):
        async def whole():
            async with aiohttp.ClientSession() as session, session.ws_connect(f"{at_start.url}live") as socket:
                client = Client(session, socket)
                client.first = await client.frame()
                return await conversation(client)

        return asyncio.run(whole())

    return run


@pytest.fixture
def fetch(at_start):
    """Asks by HTTP: status, headers and body."""

    def ask(path, method="GET", base=None, **options):
        async def whole():
            async with aiohttp.ClientSession() as session:
                where = (at_start.url if base is None else base) + path
                async with session.request(method, where, **options) as answer:
                    return SimpleNamespace(status=answer.status, headers=answer.headers, body=await answer.read())

        return asyncio.run(whole())

    return ask
