"""Kernels that compute rows, shared out among threads.

A kernel takes the first and the last of its rows before everything else, and lets other threads run (`nogil`). Numba's
own `parallel=True` does the same with less delay per call, and takes three to four times as long to compile: 1.8 s
against 0.4 s for the load of linear tetrahedra. It is left to the iterations of the solver (`elements/multigrid`),
which call their kernels thousands of times a second.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, wraps
from itertools import pairwise
from typing import Any

import numba
from numba import njit


def helper(function: Callable[..., Any]) -> Any:
    """Compile what a kernel calls for each of its rows, and what makes no arrays: it counts none in and out.

    Other functions count each array that they are given, in turn with all other threads: of a recovered field that
    took a third of the time.
    """
    return njit(cache=True, _nrt=False)(function)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS, "kernels")


if hasattr(os, "register_at_fork"):  # a forked process has the object, but none of its threads
    os.register_at_fork(after_in_child=_threads.cache_clear)


def in_parts(function: Callable[..., None]) -> Any:
    """Compile a kernel(first, last, ...) and make it one of (count, ...) that runs on as many threads as Numba's do.

    Each row is written by one thread, and a kernel whose rows do not depend on each other gives the same bits for any
    number of them. It must not call another of its kind. Division by zero gives inf or nan, as in Numba's own parallel
    loops. `kernel` is the compiled function.
    """
    kernel = njit(cache=True, nogil=True, error_model="numpy")(function)

    @wraps(function)
    def over(count: int, *arrays: Any) -> None:
        parts = max(1, min(numba.get_num_threads(), count))
        bounds = [count * part // parts for part in range(parts + 1)]
        others = [_threads().submit(kernel, *ends, *arrays) for ends in pairwise(bounds[1:])]
        kernel(0, bounds[1], *arrays)
        for other in others:
            other.result()

    over.kernel = kernel  # type: ignore[attr-defined]
    return over
