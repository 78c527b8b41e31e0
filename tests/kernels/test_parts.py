"""Rows are shared out among threads: all of them, once, by whatever process; an error reaches the caller."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from efield.kernels.parts import in_parts


@in_parts(least=10)
def _count(first, last, times):
    for i in range(first, last):
        times[i] += 1


@in_parts
def _refuse_the_last(first, last, bad):
    for i in range(first, last):
        if bad[i]:
            raise ValueError("a row was refused")


@in_parts(new=lambda given: np.zeros((len(given), 2)), rows=lambda result: len(result) - 1)
def _doubled(first, last, given, result):
    for i in range(first, last):
        result[i, 1] = 2 * given[i]


def test_the_array_that_is_new_comes_back_with_as_many_rows_written_as_it_is_told():
    np.testing.assert_array_equal(_doubled(np.array([3.0, 4.0, 5.0])), [[0, 6], [0, 8], [0, 0]])


@pytest.mark.parametrize("rows", [0, 1, 9, 19, 20, 1001])
@pytest.mark.parametrize("threads", [1, numba.config.NUMBA_NUM_THREADS])
def test_each_row_is_computed_once(rows, threads):
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        times = np.zeros(rows, np.int64)
        _count(rows, times)
    finally:
        numba.set_num_threads(before)
    assert (times == 1).all()


@pytest.mark.parametrize("row", [0, -1])
def test_an_error_in_any_part_reaches_the_caller_and_the_threads_go_on(row):
    bad = np.zeros(100, np.bool_)
    bad[row] = True
    with pytest.raises(ValueError, match="a row was refused"):
        _refuse_the_last(len(bad), bad)
    bad[row] = False
    _refuse_the_last(len(bad), bad)


#: A pool of forked processes after kernels ran on several threads here; each child computes on several of its own.
_SCRIPT = """
import multiprocessing
import numpy as np
from efield.kernels.elements import multigrid

def total(_):
    return multigrid.dots(np.ones((50_000, 1)), np.ones((50_000, 1))).tolist()

assert total(0) == [50_000.0]
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(total, range(2)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_pool_forked_after_a_kernel_computes():
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[[50000.0], [50000.0]]", done.stderr
