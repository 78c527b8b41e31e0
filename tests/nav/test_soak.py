"""The small form of `python -m benchmarks soak`: a server that is attacked keeps its answers, and nothing else."""

import contextlib
import gc
import os
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from efield.ground.pose import Pose
from efield.nav.openigtlink_server import Limits
from tests import checkout  # noqa: F401 - benchmarks can be imported then

from benchmarks.live import asked  # isort: skip
from benchmarks.soak import ATTACKS, opened  # isort: skip

#: Python's own memory may grow by so much in a round of attacks (bytes): buffers that were never as large before.
MOST_GROWTH = 300_000

FILES = Path("/proc/self/fd")


@pytest.fixture
def attacked(serving, poses, basis, until):
    """A round of all attacks, after each of which a calm client asks; all that is left behind is looked at."""
    server = serving(limits=Limits(clients=8, patience_s=0.3))
    matrices = [pose.matrix for pose in poses]
    rounded = [Pose(matrix.astype(np.float32).astype(float)) for matrix in matrices]
    expected = basis.measures(rounded, 2e6)["mean_magnitude"]

    def play(calm, first):
        for number, attack in enumerate(ATTACKS, first):
            with contextlib.suppress(OSError):  # the server hung up first
                attack(server.port, matrices)
            k = number % len(matrices)
            answer = asked(calm, matrices[k], number)
            assert answer["number"] == number
            assert answer["measures"]["mean_magnitude"] == pytest.approx(expected[k], rel=1e-5)
        until(lambda: len(server.open) == 1)  # the calm one
        gc.collect()

    play.server = server
    return play


def files():
    return len(os.listdir(FILES)) if FILES.exists() else 0


def test_attacks_leave_no_memory_files_threads_or_stale_answers(attacked, until):
    tracemalloc.start()
    try:
        with opened(attacked.server.port) as calm:
            until(lambda: len(attacked.server.open) == 1)  # its end of the connection is a file, too
            before = files(), threading.active_count()
            attacked(calm, 1)
            kept = tracemalloc.get_traced_memory()[0]
            attacked(calm, 101)
            until(lambda: (files(), threading.active_count()) == before)
            assert tracemalloc.get_traced_memory()[0] - kept < MOST_GROWTH
    finally:
        tracemalloc.stop()
