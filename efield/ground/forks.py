"""What a process forked after a parallel kernel ran is told: the kernel cannot run there.

GNU OpenMP does not survive a fork. Numba notices and ends the child, a pool of `multiprocessing` starts another in its
place, and its parent waits for ever; MKL hangs there. In such a child every parallel kernel, and whatever else runs
OpenMP, is replaced by an error with advice.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from efield.ground.errors import ForkError

P = ParamSpec("P")
R = TypeVar("R")


def runs_openmp(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function of a module that runs OpenMP by other means than a kernel."""
    function.runs_openmp = True  # type: ignore[attr-defined]
    return function


def _refuse(*_: Any) -> NoReturn:
    raise ForkError(
        "this process was forked after efield had computed on several threads, which OpenMP does not survive: start "
        "processes afresh, with multiprocessing.get_context('spawn') or joblib's default, or set the environment "
        "variable NUMBA_THREADING_LAYER=workqueue before Python starts"
    )


def _openmp_has_run() -> bool:
    numba: Any = sys.modules.get("numba")
    try:
        return numba is not None and sys.platform == "linux" and numba.threading_layer() == "omp"
    except ValueError:  # no kernel has run yet
        return False


def _is_parallel(value: object) -> bool:
    if getattr(value, "runs_openmp", False):
        return True
    return bool(getattr(value, "targetoptions", {}).get("parallel")) if hasattr(value, "py_func") else False


def _after_in_child() -> None:
    if not _openmp_has_run():
        return
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("efield.") and module]
    for space in map(vars, ours):
        for name in [name for name, value in list(space.items()) if _is_parallel(value)]:
            space[name] = _refuse


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
