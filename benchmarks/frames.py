"""Pose to picture: frames a second that the explorer's server answers, and that a browser draws.

    python -m benchmarks frames [--head NAME | --edge-mm MM] [--region-mm MM] [--basis FOLDER] [--seconds S]
                                [--no-browser]

`efield view` serves a reduced basis in a process of its own. A client asks over a socket for one placement after the
other inside the patch, each when the one before is answered: the server lays the coil on the scalp, takes the measures
and paints the cortex. Then a headless Chromium that draws without a graphics card moves the coil, a little with each of
its pictures. The load of the machine is printed with the figures: they mean little on a busy one. Wanted on two idle
cores: 20 frames a second.
"""

import argparse
import asyncio
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from aiohttp import ClientSession

from benchmarks.live import arguments, percentiles, prepared
from tests.chromium import browsing, chromium

#: A walk around the start: tenths of millimeters and degrees, as a hand moves.
_TURN_DEG, _REACH_MM, _LAP = 3.0, 4.0, 40

#: Processes by a word of their command line.
_PROCESSES = {"type=gpu-process": "drawing", "type=renderer": "page", "efield.app": "server"}

#: The walk inside the page, a step for each picture of the browser, as a hand does: times of those with a new field.
_WALK = """new Promise(done => {
  const root = document.documentElement, angle = document.getElementById("angle_deg-number");
  const start = Number(angle.value), drawn = [], end = performance.now() + %d;
  let last = "", count = 0;
  const step = () => {
    const now = performance.now();
    if (now > end) { done(drawn); return; }
    if (root.dataset.frame !== last) { last = root.dataset.frame; drawn.push(now); }
    angle.value = start + %g * Math.sin(2 * Math.PI * (count += 1) / %d);
    angle.dispatchEvent(new Event("change"));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def started(head: str, basis: Path) -> tuple[subprocess.Popen, str]:
    """The command, and the address of its page."""
    command = [sys.executable, "-c", "from efield.app.cli import main; main()", "view", str(basis), "--head", head]
    server = subprocess.Popen([*command, "--no-open", "--json"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, json.loads(server.stdout.readline())["url"]


def said(frame: bytes) -> dict:
    """What a frame says of its pose."""
    return json.loads(frame[4 : 4 + struct.unpack_from("<I", frame)[0]])


async def over_socket(url: str, seconds: float) -> tuple[list[float], list[dict], int]:
    """Milliseconds from wish to frame, what the frames say, and bytes of one."""
    times, told, size = [], [], 0
    async with ClientSession() as session, session.ws_connect(f"{url}live", max_msg_size=0) as socket:

        async def frame() -> bytes:
            while True:
                message = await socket.receive()
                if isinstance(message.data, bytes):
                    await socket.send_json({"do": "seen"})
                    return message.data

        held = said(await frame())["placement"]
        foot, angle = np.array(held["foot_mm"]), held["angle_deg"]
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            turn = 2 * np.pi * len(times) / _LAP
            away = _REACH_MM * np.array([np.cos(turn), np.sin(turn), 0.0])
            wish = {"foot_mm": (foot + away).tolist(), "angle_deg": angle + _TURN_DEG * np.sin(turn)}
            await socket.send_json({"do": "hold", "wish": wish})
            answer = await frame()
            times.append(1e3 * (time.perf_counter() - begin))
            told.append(said(answer))
            size = len(answer)
    return times, told, size


def processor_ms() -> dict[str, float]:
    """CPU time so far of all processes below this one, by what they do (Linux)."""
    found: dict[str, float] = {}
    waiting = [os.getpid()]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        for task in (folder / "task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                waiting.append(child)
                words = (Path("/proc") / str(child) / "cmdline").read_text()
                kind = next((name for mark, name in _PROCESSES.items() if mark in words), "the rest of the browser")
                ticks = (Path("/proc") / str(child) / "stat").read_text().rpartition(")")[2].split()[11:13]
                found[kind] = found.get(kind, 0.0) + 1e3 * sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return found


async def in_browser(url: str, seconds: float, slices: bool) -> tuple[list[float], dict[str, float]]:
    """Milliseconds from one drawn frame to the next, and CPU time that each took."""
    async with browsing(url) as page:
        await page.until("document.documentElement?.dataset.frame")
        if slices != await page.js("document.getElementById('slices').ariaPressed === 'true'"):
            await page.key("s")
        await asyncio.sleep(1.0)
        before = processor_ms()
        drawn = await page.js(_WALK % (1e3 * seconds, _TURN_DEG, _LAP))
        spent = {name: (ms - before.get(name, 0.0)) / len(drawn) for name, ms in processor_ms().items()}
        assert not page.complaints, page.complaints
        return np.diff(drawn).tolist(), spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--no-browser", action="store_true", help="only the socket")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        head, where, _ = prepared(options, Path(folder))
        server, url = started(head, where)
        try:
            times, told, size = asyncio.run(over_socket(url, options.seconds))
            load = os.getloadavg()[0]
            assert all(answer["status"] == "ok" for answer in told), next(a for a in told if a["status"] != "ok")
            print(f"load of the machine {load:.1f} on {os.cpu_count()} cores; {size / 1e3:.0f} kB a frame")
            print(f"over the socket   {1e3 / np.mean(times):6.1f} frames/s   {percentiles(times)}")
            print(f"in the server                       {percentiles([answer['engine_ms'] for answer in told])}")
            if options.no_browser or chromium() is None:
                return
            for slices in (False, True):
                gaps, spent = asyncio.run(in_browser(url, options.seconds, slices))
                what = "with slices" if slices else "in Chromium"
                print(f"{what}       {1e3 / np.mean(gaps):6.1f} frames/s   {percentiles(gaps)}")
                each = ", ".join(f"{name} {ms:.1f}" for name, ms in spent.items())
                print(f"                  {sum(spent.values()):6.1f} ms of the processor a frame: {each}")
        finally:
            server.terminate()
            server.communicate(timeout=30)


if __name__ == "__main__":
    main()
