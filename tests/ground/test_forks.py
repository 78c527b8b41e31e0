"""A process forked after a solve fails with advice instead of hanging, or computes where the layer survives."""

import os
import subprocess
import sys

import pytest

#: A pool of forked processes after a parallel kernel ran here; each child reports what it got.
_SCRIPT = """
import multiprocessing
import numpy as np
import numba
from efield.ground.errors import EfieldError
from efield.kernels.elements import multigrid

def total(_):
    try:
        return multigrid.dots(np.ones((5000, 1)), np.ones((5000, 1))).tolist()
    except EfieldError as error:
        return str(error)

assert total(0) == [5000.0]
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(numba.threading_layer(), pool.map(total, range(2)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_a_pool_forked_after_a_kernel_answers_or_says_what_to_do(layer):
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    used, answer = done.stdout.split(maxsplit=1)
    if used == "omp" and sys.platform == "linux":
        assert answer.count("get_context('spawn')") == 2
    else:
        assert answer.strip() == "[[5000.0], [5000.0]]"


def test_nothing_changes_in_a_process_that_ran_no_kernel_before():
    script = _SCRIPT.replace("assert total(0) == [5000.0]", "").replace("numba.threading_layer()", "'none'")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "none [[5000.0], [5000.0]]", done.stderr
