"""Kernels that compute rows, shared out among threads.

A kernel takes the first and the last of its rows before everything else, and lets other threads run (`nogil`). Numba's
own `parallel=True` does the same and takes three to four times as long to compile: 1.8 s against 0.4 s for the load of
linear tetrahedra. It runs on OpenMP, too, which a forked process does not survive.
"""

import os
from collections.abc import Callable
from functools import cache, partial, wraps
from itertools import pairwise
from queue import SimpleQueue
from threading import Thread
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
def _tasks() -> "SimpleQueue[Any]":
    """Where threads wait for work. Futures of an executor would cost 20 us a call, where this costs 7."""
    tasks: SimpleQueue[Any] = SimpleQueue()
    for number in range(1, numba.config.NUMBA_NUM_THREADS):
        Thread(target=_work, args=(tasks,), name=f"kernels-{number}", daemon=True).start()
    return tasks


def _work(tasks: "SimpleQueue[Any]") -> None:
    while True:
        done, kernel, arguments = tasks.get()
        error = None
        try:
            kernel(*arguments)
        except BaseException as raised:  # told to the caller
            error = raised
        done.put(error)
        del done, kernel, arguments, error  # whoever waits for the next task keeps no array of this one


if hasattr(os, "register_at_fork"):  # a forked process has the queue, but none of the threads
    os.register_at_fork(after_in_child=_tasks.cache_clear)


def in_parts(
    function: Callable[..., None] | None = None,
    *,
    least: int = 1,
    new: Callable[..., Any] | None = None,
    rows: Callable[[Any], int] = len,
) -> Any:
    """Compile a kernel(first, last, ...) and make it one of (count, ...) that runs on as many threads as Numba's do.

    Each row is written by one thread, and a kernel whose rows do not depend on each other gives the same bits for any
    number of them. Fewer than `least` rows are not worth a thread. A kernel must not call another of its kind. Division
    by zero gives inf or nan, as in Numba's own parallel loops. `kernel` is the compiled function.

    With `new` it becomes one of the arguments between count and the last: that is what `new` makes of them, an array or
    several, and what is returned once the `rows` of the first are written.
    """
    if function is None:
        return partial(in_parts, least=least, new=new, rows=rows)
    kernel = njit(cache=True, nogil=True, error_model="numpy")(function)

    def over(count: int, *arrays: Any) -> None:
        parts = max(1, min(numba.get_num_threads(), count // least))
        if parts == 1:
            kernel(0, count, *arrays)
            return
        bounds, done = [count * part // parts for part in range(parts + 1)], SimpleQueue[Any]()
        for ends in pairwise(bounds[1:]):
            _tasks().put((done, kernel, (*ends, *arrays)))
        kernel(0, bounds[1], *arrays)
        for error in [done.get() for _ in bounds[2:]]:
            if error is not None:
                raise error

    def filled(*arrays: Any) -> Any:
        made = new(*arrays)  # type: ignore[misc]
        written = made if isinstance(made, tuple) else (made,)
        over(rows(written[0]), *arrays, *written)
        return made

    public = wraps(function)(over if new is None else filled)
    public.kernel = kernel  # type: ignore[attr-defined]
    return public
