"""The mouse that moves a coil in the page of `efield view`, as a source of poses; needs the extra ``live``."""

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from efield.ground.errors import InputError, MissingDependencyError
from efield.nav.hub import Hub
from efield.nav.latest import Seen

_NAME: Final = "explorer"

#: Wait before a page is looked for again (s), and the largest message that is taken: the field on a cortex (bytes).
_AGAIN_S: Final = 1.0
_MOST_BYTES: Final = 1 << 25


@dataclass(frozen=True, eq=False)
class Mouse:
    """The coil of a page.

    Parameters
    ----------
    url : str
        As `efield view` prints it: ``http://127.0.0.1:PORT/TOKEN/``.
    """

    url: str

    async def run(self, hub: Hub, event: Callable[[dict[str, Any]], None]) -> None:
        """As `efield.nav.sources.Source.run`; never returns. Why it waits is said once."""
        import aiohttp

        said = ""
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.ws_connect(f"{self.url.rstrip('/')}/live", max_msg_size=_MOST_BYTES) as socket:
                        event({"event": "following", "source": _NAME})
                        await _forward(socket, hub)
                    hub.waiting.forget(_NAME)
                    event({"event": "lost", "source": _NAME, "reason": "the page's server ended"})
                    said = ""
                except (aiohttp.ClientError, TimeoutError) as error:
                    if str(error) != said:
                        event({"event": "waiting", "source": _NAME, "reason": str(error)})
                    said = str(error)
                await asyncio.sleep(_AGAIN_S)


async def _forward(socket: Any, hub: Hub) -> None:
    """Offer the pose of each frame; what a page is told besides is passed over."""
    async for message in socket:
        if isinstance(message.data, bytes):
            matrix, number = _told(message.data)
            if matrix is not None:
                hub.offer(Seen(np.array(matrix, np.float64).reshape(4, 4), _NAME, "mouse", number))
            await socket.send_json({"do": "seen"})


def _told(frame: bytes) -> tuple[Any, int]:
    """Pose and number of a frame (`efield.explorer.frames`): the length of its text, the text, values."""
    try:
        (size,) = struct.unpack_from("<I", frame)
        said = json.loads(frame[4 : 4 + size])
        return said["pose"], said["id"]
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--follow http:// must be a page of `efield view`; instead it sends other frames: {error!r}"
        ) from error


def mouse_of(url: str) -> Mouse:
    """What ``--follow http://...`` names.

    Raises
    ------
    InputError
        If it is no address of a page.
    MissingDependencyError
        Without the extra.
    """
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(f'a page needs the extra live: pip install "efield[live]" ({error})') from error
    if not url.partition("://")[2].partition("/")[2]:
        raise InputError(f"--follow http:// must be the whole address that `efield view` prints; instead {url!r}")
    return Mouse(url)
