"""The server of one session's page: HTTP and a WebSocket on one port, for this machine unless told otherwise.

Whoever is to reach it must know the token in its address. Requests that name another host are refused (a page of
another site cannot reach a server here by giving it a name of its own), and so are sockets that pages of other sites
open. Clients send no paths: what they upload is read under a name of ours.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from efield.explorer.pose_files import uploaded, written
from efield.explorer.session import Session
from efield.ground.errors import EfieldError, MissingDependencyError
from efield.nav.listening import not_listening

#: Largest message and upload (bytes); pages at a time; messages a second of each.
_MOST_MESSAGE: Final = 1 << 16
_MOST_UPLOAD: Final = 32 << 20
_MOST_PAGES: Final = 8
_MOST_PER_S: Final = 500

#: Frames that a page has not drawn yet: more are not sent, the latest waits.
_AHEAD: Final = 2

#: Events that wait for a page that does not read; of more the oldest are dropped.
_MOST_EVENTS: Final = 100

#: Names of this machine.
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'",
}


def library() -> Any:
    """`aiohttp.web`.

    Raises
    ------
    MissingDependencyError
        Without the extra.
    """
    try:
        from aiohttp import web
    except ImportError as error:
        raise MissingDependencyError(
            f'the explorer needs the extra live: pip install "efield[live]" ({error})'
        ) from error
    return web


class Server:
    """Serves a page, and the session behind it if it is a live one.

    Parameters
    ----------
    page : str
        HTML.
    """

    def __init__(self, page: str) -> None:
        self._web, self._page = library(), page
        #: Without one nothing moves; see `become`.
        self.session: Session | None = None
        self.token = secrets.token_urlsafe(18)
        self._hosts: frozenset[str] = frozenset()
        self._pages: set[_Page] = set()
        self.url = ""
        #: What a page that waits for a session is told.
        self.progress: dict[str, Any] = {"words": "starting", "done": 0, "total": 0}

    def become(self, page: str, session: Session) -> None:
        """Serve a page and the session behind it from now on; pages that ask for the progress come anew."""
        self._page, self.session = page, session

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Begin to listen, and return the address of the page; port 0 takes a free one.

        Raises
        ------
        InputError
            If the port cannot be listened on.
        """
        web = self._web

        @web.middleware  # type: ignore[untyped-decorator]
        async def guard(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
            return await self._guarded(request, handler)

        application = web.Application(middlewares=[guard], client_max_size=_MOST_UPLOAD)
        base = f"/{self.token}"
        application.add_routes(
            [
                web.get(f"{base}/", self._get_page),
                web.get("/favicon.ico", self._get_icon),
                web.get(f"{base}/progress", self._get_progress),
                web.get(f"{base}/live", self._live),
                web.get(f"{base}/pose", self._get_pose),
                web.post(f"{base}/poses", self._post_poses),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            raise not_listening("the page", host, port, error) from error
        taken = int(self._runner.addresses[0][1])
        names = LOOPBACK if host in LOOPBACK else (*LOOPBACK, host)
        self._hosts = frozenset(f"[{name}]:{taken}" if ":" in name else f"{name}:{taken}" for name in names)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{taken}{base}/"
        return self.url

    async def close(self) -> None:
        """Hang up on all pages and stop listening; what a page has not read by then is dropped."""
        pages = list(self._pages)
        for page in pages:
            await page.socket.close(code=1001, message=b"the explorer was closed")
        await self._runner.cleanup()
        for page in pages:
            page.transport.abort()
        await asyncio.sleep(0)  # the loop lets go of them

    async def _guarded(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Refuse what is addressed to another host, or comes from another site's page; no word about the token."""
        web = self._web
        if self._hosts_known and request.host not in self._hosts:
            raise web.HTTPForbidden(text="this server answers to its own address only")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="pages of other sites are not answered")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    @property
    def _hosts_known(self) -> bool:
        """Whether this server knows its names: one that listens everywhere does not."""
        return not any(name.startswith(("0.0.0.0:", "[::]:")) for name in self._hosts)

    async def _get_page(self, _: Any) -> Any:
        return self._web.Response(text=self._page, content_type="text/html", charset="utf-8")

    async def _get_icon(self, _: Any) -> Any:
        """Nothing, which browsers ask for all the same."""
        return self._web.Response(status=204)

    async def _get_progress(self, _: Any) -> Any:
        return self._web.json_response({**self.progress, "ready": self.session is not None})

    def _open_session(self) -> Session:
        """The session; of a page on which nothing moves there is none, and of one that waits not yet."""
        if self.session is None:
            raise self._web.HTTPNotFound(text="there is no coil to be moved here")
        return self.session

    async def _get_pose(self, request: Any) -> Any:
        """The pose of the coil, as a file of the format that is asked for."""
        session = self._open_session()
        try:
            name, content = written(session.table(), request.query.get("format", "text"))
        except EfieldError as error:
            raise self._web.HTTPBadRequest(text=str(error)) from error
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return self._web.Response(body=content, content_type="application/octet-stream", headers=disposition)

    async def _post_poses(self, request: Any) -> Any:
        """Read recorded poses that a page uploads."""
        session = self._open_session()
        content = await request.read()
        try:
            session.record(await asyncio.to_thread(uploaded, content, request.query.get("name", "")))
        except EfieldError as error:
            raise self._web.HTTPBadRequest(text=str(error)) from error
        return self._web.json_response({"poses": len(session.poses or ())})

    async def _live(self, request: Any) -> Any:
        """The socket of one page."""
        session = self._open_session()
        if len(self._pages) >= _MOST_PAGES:
            raise self._web.HTTPServiceUnavailable(text=f"{_MOST_PAGES} pages are open already: close one")
        socket = self._web.WebSocketResponse(max_msg_size=_MOST_MESSAGE, heartbeat=20.0, compress=False)
        await socket.prepare(request)
        page = _Page(socket, request.transport)
        self._pages.add(page)
        session.watch(page.tell)
        writing = asyncio.ensure_future(page.write())
        try:
            await self._listen(socket, page, session)
        finally:
            session.leave(page.tell)
            self._pages.discard(page)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return socket

    async def _listen(self, socket: Any, page: "_Page", session: Session) -> None:
        began, count = time.perf_counter(), 0
        async for message in socket:
            now = time.perf_counter()
            began, count = (began, count + 1) if now - began < 1.0 else (now, 1)
            if count > _MOST_PER_S or not isinstance(message.data, str):
                await socket.close(code=1008, message=b"too many messages, or none of ours")
                return
            try:
                content = json.loads(message.data)
                if isinstance(content, dict) and content.get("do") == "seen":
                    page.seen()
                else:
                    await session.obey(content)
            except (ValueError, RecursionError, EfieldError) as error:
                page.tell({"event": "refused", "reason": str(error)})


class _Page:
    """One page that is open: events wait in order, of frames the latest only."""

    def __init__(self, socket: Any, transport: asyncio.Transport) -> None:
        self.socket, self.transport = socket, transport
        self._events: list[str] = []
        self._frame: bytes | None = None
        self._unseen = 0
        self._any = asyncio.Event()

    def tell(self, what: bytes | dict[str, Any]) -> None:
        """Send soon; a frame that still waits is replaced."""
        if isinstance(what, bytes):
            self._frame = what
        else:
            self._events.append(json.dumps(what, allow_nan=False))
            del self._events[:-_MOST_EVENTS]
        self._any.set()

    def seen(self) -> None:
        """A frame was drawn."""
        self._unseen = max(self._unseen - 1, 0)
        self._any.set()

    async def write(self) -> None:
        """Send what there is until cancelled, or until the page is gone."""
        while not self.socket.closed:
            await self._any.wait()
            self._any.clear()
            try:
                while self._events:
                    await self.socket.send_str(self._events.pop(0))
                if self._frame is not None and self._unseen < _AHEAD:
                    frame, self._frame, self._unseen = self._frame, None, self._unseen + 1
                    await self.socket.send_bytes(frame)
            except ConnectionError:
                return
