"""A server under everything at once, for an hour: is it still there, are its answers right, does it keep its memory?

    python -m benchmarks soak [--minutes 60] [--head NAME | --edge-mm MM] [--region-mm MM] [--basis FOLDER]

A calm client asks ten times a second and checks each answer against the basis. Beside it, in turn: floods of 10,000
poses, bytes of no protocol, half messages, lengths of 2^62, clients that leave in the middle, clients that never read,
and more clients than are let in. At the end: answers, wrong answers, the server's memory, open files and threads after
the first minute and at the end, each time when the attackers had been sent away, its exit code and its own report.
Exit code 1 if an answer was wrong or another's, the server ended, memory grew by more than 20 MB, or files or threads
grew at all. tests/nav/test_soak.py is its small form.
"""

import argparse
import contextlib
import os
import random
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.live import arguments, asked, prepared, started, walk
from efield.ground.pose import Pose
from efield.nav import openigtlink as igtl

MOST_GROWTH_MB = 20.0

#: A client that does not read is dropped after 5 s; what the system still keeps of it, soon after.
SENT_AWAY_S = 8.0


def footprint(process: int) -> tuple[float, int, int]:
    """MB of memory, open files and threads of a process; nan and 0 where the system does not tell."""
    place = Path(f"/proc/{process}")
    try:
        pages = int((place / "statm").read_text().split()[1])
        counts = (len(os.listdir(place / name)) for name in ("fd", "task"))
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, *counts
    except OSError:
        return float("nan"), 0, 0


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def transform(matrix: np.ndarray, number: int) -> bytes:
    return igtl.packed(igtl.Message("TRANSFORM", "CoilToRefe", igtl.transform_content(matrix), 0.0, 2, number))


def flood(port: int, matrices: list[np.ndarray]) -> None:
    with opened(port) as one:
        one.sendall(b"".join(transform(matrices[k % len(matrices)], k) for k in range(10_000)))
        one.recv(1 << 16)


def junk(port: int, _: list[np.ndarray]) -> None:
    with opened(port) as one:
        one.sendall(random.randbytes(1000))
        one.recv(1 << 16)


def huge(port: int, _: list[np.ndarray]) -> None:
    with opened(port) as one:
        one.sendall(struct.pack(">H12s20sQQQ", 1, b"TRANSFORM", b"CoilToRefe", 0, 1 << 62, 0))
        one.recv(1 << 16)


def half(port: int, matrices: list[np.ndarray]) -> None:
    with opened(port) as one:
        one.sendall(transform(matrices[0], 1)[:90])


def leave(port: int, matrices: list[np.ndarray]) -> None:
    with opened(port) as one:
        one.sendall(transform(matrices[0], 1) * 20 + b"\0")


def mute(port: int, matrices: list[np.ndarray]) -> None:
    with opened(port) as one:
        one.sendall(igtl.packed(igtl.Message("STT_STRING", "")) + igtl.packed(igtl.Message("STT_POLYDATA", "")))
        for k in range(200):
            one.sendall(transform(matrices[k % len(matrices)], k))
            time.sleep(0.005)


def crowd(port: int, _: list[np.ndarray]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(opened(port))


ATTACKS: tuple[Callable[[int, list[np.ndarray]], None], ...] = (flood, junk, huge, half, leave, mute, crowd)


class Watched:
    """The server as the system sees it, when nobody but the calm client is there: memory (MB), open files, threads."""

    def __init__(self, process: int) -> None:
        self._process = process
        self.first: tuple[float, int, int] | None = None
        self.last = (float("nan"), 0, 0)

    def look(self) -> None:
        """Wait until those who do not read were sent away, and look."""
        time.sleep(SENT_AWAY_S)
        self.last = footprint(self._process)
        self.first = self.first or self.last

    def faults(self) -> list[str]:
        """What grew, in words."""
        names, most = ("MB of memory", "open files", "threads"), (MOST_GROWTH_MB, 0, 0)
        grown = [last - first for first, last in zip(self.first or self.last, self.last, strict=True)]
        return [f"{more:.0f} more {name}" for more, name, limit in zip(grown, names, most, strict=True) if more > limit]


def attacked(
    port: int,
    matrices: list[np.ndarray],
    expected: np.ndarray,
    watched: Watched,
    seconds: float,
    running: Callable[[], bool],
) -> tuple[int, int]:
    """Attack for so long; how many answers the calm client got, and how many of them were wrong or not its own."""
    answered = wrong = 0
    begin, attacks = time.monotonic(), cycle(ATTACKS)
    with opened(port) as calm:
        while (passed := time.monotonic() - begin) < seconds and running():
            with contextlib.suppress(OSError):
                next(attacks)(port, matrices)
            for _ in range(5):
                k = answered % len(matrices)
                answer = asked(calm, matrices[k], answered + 1)
                wrong += answer["number"] != answered + 1
                wrong += not np.isclose(answer["measures"]["mean_magnitude"], expected[k], rtol=1e-5)
                answered += 1
                time.sleep(0.1)
            if watched.first is None and passed > min(60.0, seconds / 4):
                watched.look()
        watched.look()
    return answered, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        head, where, basis = prepared(options, Path(folder))
        matrices = walk(basis, 100)
        # As they come over the wire, in single precision.
        poses = [Pose(matrix.astype(np.float32).astype(float)) for matrix in matrices]
        expected = basis.measures(poses, 1e6)["mean_magnitude"]
        server, port = started(head, where)
        lines: deque[str] = deque(maxlen=1)
        reading = threading.Thread(target=lines.extend, args=(server.stdout,), daemon=True)
        reading.start()
        watched = Watched(server.pid)
        try:
            asks = (port, matrices, expected, watched, 60 * options.minutes, lambda: server.poll() is None)
            answered, wrong = attacked(*asks)
        finally:
            server.terminate()
            server.wait(timeout=30)
            reading.join(10)
    print(f"{options.minutes:g} minutes: {answered} answers checked, {wrong} wrong; exit code {server.returncode}")
    print(f"memory (MB), open files, threads: {watched.last}, at first {watched.first}")
    print(lines[-1].strip())
    faults = watched.faults() + [f"{wrong} wrong answers"] * bool(wrong) + ["it crashed"] * bool(server.returncode)
    if faults:
        raise SystemExit(f"failed: {', '.join(faults)}")


if __name__ == "__main__":
    main()
