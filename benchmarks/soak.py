"""A server under everything at once, for an hour: is it still there, are its answers right, does it keep its memory?

    python -m benchmarks soak [--minutes 60] [--head NAME | --edge-mm MM] [--region-mm MM] [--basis FOLDER]

A calm client asks ten times a second and checks each answer against the basis. Beside it, in turn: floods of 10,000
poses, bytes of no protocol, half messages, lengths of 2^62, clients that leave in the middle, clients that never read,
and more clients than are let in. At the end: answers, wrong answers, the growth of the server's memory and of its open
files after the first minute, its exit code and its own report. Exit code 1 if an answer was wrong, the server ended, or
memory grew by more than 20 MB.
"""

import argparse
import contextlib
import json
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


def footprint(process: int) -> tuple[float, int]:
    """MB of memory and open files of a process; nan and 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return float("nan"), 0


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
        answered = wrong = 0
        before: tuple[float, int] | None = None
        begin = time.monotonic()
        attacks = cycle(ATTACKS)
        try:
            with opened(port) as calm:
                while (passed := time.monotonic() - begin) < 60 * options.minutes and server.poll() is None:
                    with contextlib.suppress(OSError):
                        next(attacks)(port, matrices)
                    for _ in range(5):
                        k = answered % len(matrices)
                        answer = asked(calm, matrices[k], answered + 1)
                        wrong += answer["number"] != answered + 1
                        wrong += not np.isclose(answer["measures"]["mean_magnitude"], expected[k], rtol=1e-5)
                        answered += 1
                        time.sleep(0.1)
                    if before is None and passed > min(60.0, 15 * options.minutes):
                        before = footprint(server.pid)
            after = footprint(server.pid)
        finally:
            server.terminate()
            server.wait(timeout=30)
            reading.join(10)
    report = json.loads(lines[-1])
    growth = after[0] - before[0] if before else float("nan")
    print(f"{options.minutes:g} minutes: {answered} answers checked, {wrong} wrong; exit code {server.returncode}")
    print(f"memory {after[0]:.0f} MB, grown by {growth:.1f} MB; open files {after[1]}, before {before and before[1]}")
    print(json.dumps(report))
    if wrong or server.returncode or growth > MOST_GROWTH_MB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
