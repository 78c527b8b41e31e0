"""An address that is open before there is anything to explore: its page says how far the work has come."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from efield.explorer.page import waiting_page
from efield.explorer.server import Server

T = TypeVar("T")


class Doorway:
    """A server in a thread of this process, with an event loop of its own.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    title : str
        Of the page that waits.

    Raises
    ------
    InputError
        If the port is taken.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, title: str = "efield") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="efield-explorer", daemon=True)
        self._thread.start()
        try:
            self.server = self.run(self._open(host, port, title))
        except BaseException:
            self._stop()
            raise

    async def _open(self, host: str, port: int, title: str) -> Server:
        server = Server(waiting_page(title))
        await server.start(host, port)
        return server

    @property
    def url(self) -> str:
        """Address of the page."""
        return self.server.url

    def tell(self, words: str, done: int = 0, total: int = 0) -> None:
        """Say on the page what is being done, and how much of it is; may be called from any thread."""
        self.server.progress = {"words": words, "done": done, "total": total}

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """The result of something that is run in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def close(self, then: Callable[[], None] = lambda: None) -> None:
        """Stop listening, do what is to be done then, and end the thread."""
        self.run(self.server.close())
        then()
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
