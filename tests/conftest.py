"""Shared by all tests."""

import numba
import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Heads as small as these gain nothing from threads, and lose much where other programs are busy."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
