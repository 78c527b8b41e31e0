"""Python's search for cycles rests while a kernel compiles, and only then."""

import gc

import numba
import pytest
from numba.core import event
from numba.core.errors import TypingError

import efield.kernels  # noqa: F401  (which makes it rest)


class Seen(event.Listener):
    """Whether the search ran when a compilation began; told of it after those that were there first."""

    def __init__(self):
        self.enabled = []

    def on_start(self, _):
        self.enabled.append(gc.isenabled())

    def on_end(self, _):
        pass


@pytest.fixture
def seen():
    listener = Seen()
    with event.install_listener("numba:compile", listener):
        yield listener.enabled


def two():
    @numba.njit
    def inner(x):
        return x + 1

    @numba.njit
    def outer(x):
        return 2 * inner(x)

    return outer


def test_the_search_rests_from_the_outermost_compilation_to_its_end(seen):
    assert two()(3) == 8
    assert seen == [False, False]
    assert gc.isenabled()


def test_the_search_goes_on_after_one_that_failed(seen):
    with pytest.raises(TypingError):
        two()("text")
    assert False in seen
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off():
    gc.disable()
    try:
        assert two()(1) == 4
        assert not gc.isenabled()
    finally:
        gc.enable()
