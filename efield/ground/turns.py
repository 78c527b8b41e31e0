"""Threads take turns where they solve.

The solver's work space is for one caller at a time. As every kernel uses all processors, waiting for each other costs
nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from threading import RLock
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_TURN: Final = RLock()


def in_turn(compute: Callable[P, R]) -> Callable[P, R]:
    """The function, waiting until no other thread is in one of those that are decorated so."""

    @wraps(compute)
    def alone(*args: P.args, **options: P.kwargs) -> R:
        with _TURN:
            return compute(*args, **options)

    return alone


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Kernels that the block calls run on the calling thread alone.

    Work of a millisecond is done in less time than it takes to wake the other threads: on busy cores that took 2 to 5
    ms of one answer in ten.
    """
    import numba

    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(threads)


def side_by_side(compute: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What is computed of each item, in their order, on as many threads as kernels use.

    For kernels that run on one thread and let others run (``nogil``). The first item is computed before the others, so
    that what they share is made once.
    """
    import numba

    rest, number = iter(items), numba.get_num_threads()
    first = [compute(one) for one in islice(rest, 1)]
    if number == 1:  # another thread would only be waited for
        return first + [compute(one) for one in rest]
    with ThreadPoolExecutor(number) as threads:
        return first + list(threads.map(compute, rest))
