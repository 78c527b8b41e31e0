"""A headless Chromium, driven through its DevTools protocol, for pages with WebGL. Needs nothing but aiohttp."""

import asyncio
import base64
import json
import shutil
import tempfile
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--mute-audio",
    "--disable-extensions",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)


def chromium():
    """Path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One page; `complaints` are errors and exceptions that its console saw."""

    def __init__(self, socket):
        self._socket, self._numbers, self._answers = socket, count(1), {}
        self.complaints = []
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self):
        async for message in self._socket:
            content = json.loads(message.data)
            if "id" in content:
                self._answers.pop(content["id"]).set_result(content)
                continue
            about, what = content["method"], content["params"]
            if about == "Runtime.exceptionThrown":
                self.complaints.append(what["exceptionDetails"].get("exception", {}).get("description", str(what)))
            elif about == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning"):
                self.complaints.append(str([one.get("value") for one in what["args"]]))
            elif about == "Log.entryAdded" and what["entry"]["level"] == "error":
                self.complaints.append(what["entry"]["text"])

    async def ask(self, method, **parameters):
        """The answer to one command of the protocol."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        content = await asyncio.wait_for(self._answers[number], 30)
        if "error" in content:
            raise RuntimeError(f"{method}: {content['error']}")
        return content["result"]

    async def js(self, text):
        """The value of an expression, which may be a promise."""
        found = await self.ask("Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{text}: {found['exceptionDetails']}")
        return found["result"].get("value")

    async def until(self, text, seconds=20):
        """Wait until an expression is true, and return its value."""
        for _ in range(int(seconds * 50)):
            if value := await self.js(text):
                return value
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{text} did not come true; {self.complaints}")

    async def mouse(self, kind, x, y, pressed=True):
        """One event of the mouse: Pressed, Moved or Released."""
        button = {"button": "left", "buttons": int(pressed and kind != "Released"), "clickCount": 1}
        await self.ask("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **button)

    async def drag(self, start, end, steps=6):
        """Press, move, release."""
        await self.mouse("Pressed", *start)
        for k in range(1, steps + 1):
            await self.mouse("Moved", *(a + (b - a) * k / steps for a, b in zip(start, end, strict=True)))
        await self.mouse("Released", *end)

    async def click(self, x, y):
        """Press and release."""
        await self.mouse("Pressed", x, y)
        await self.mouse("Released", x, y)

    async def key(self, key, shift=False):
        """Press and release a key by its name in JavaScript."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift, **text)

    async def picture(self, path=None):
        """A screenshot as PNG; written to `path` if that is given."""
        data = base64.b64decode((await self.ask("Page.captureScreenshot"))["data"])
        if path is not None:
            Path(path).write_bytes(data)
        return data


@asynccontextmanager
async def browsing(url, size=(1000, 700), settings=()):
    """A page of a Chromium of its own; `settings` are commands (method, parameters) before it is opened."""
    from aiohttp import ClientSession

    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        flags = (*_FLAGS, f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}", "about:blank")
        quiet = asyncio.subprocess.DEVNULL
        browser = await asyncio.create_subprocess_exec(chromium(), *flags, stdout=quiet, stderr=quiet)
        try:
            port = await _port(Path(folder) / "DevToolsActivePort")
            async with ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tab = next(one for one in await answer.json() if one["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await page.ask(f"{domain}.enable")
                    for method, parameters in settings:
                        await page.ask(method, **parameters)
                    await page.ask("Page.navigate", url=url)
                    yield page
        finally:
            browser.kill()
            await browser.wait()


async def _port(file):
    for _ in range(500):
        if file.exists() and (lines := file.read_text().split()):
            return int(lines[0])
        await asyncio.sleep(0.02)
    raise TimeoutError("chromium did not start")
