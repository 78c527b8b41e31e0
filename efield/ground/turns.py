"""Threads take turns where kernels run on all processors.

The solver's work space is for one caller at a time, and one of Numba's threading layers (workqueue) ends the process
when two threads enter it. As every kernel uses all processors, waiting for each other costs nothing.
"""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_TURN: Final = RLock()


def in_turn(compute: Callable[P, R]) -> Callable[P, R]:
    """The function, waiting until no other thread is in one of those that are decorated so."""

    @wraps(compute)
    def alone(*args: P.args, **options: P.kwargs) -> R:
        with _TURN:
            return compute(*args, **options)

    return alone
