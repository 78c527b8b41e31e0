"""What a Dask worker runs: one chunk, from plain values; what it prepared stays in its process for the next chunk."""

import json
import os
import platform
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from efield.campaign.compute import Bench, Result
from efield.campaign.files import NOTE
from efield.campaign.plan import parse_study
from efield.campaign.study import Cell, Chunk
from efield.ground.errors import EfieldError, InputError
from efield.ground.version import __version__

#: The bench of the study at hand. A process serves one study at a time; Numba's threads allow one chunk at a time.
_BENCH: dict[tuple[str, str, str], Bench] = {}
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False)
class Report:
    """What a worker sends back.

    Parameters
    ----------
    result : Result or None
        None if the chunk could not be computed.
    error : str
        Why, if so.
    process : str
        Host and process id.
    heads : int
        Heads this process has prepared so far.
    """

    result: Result | None
    error: str
    process: str
    heads: int


def work(task: dict[str, Any], threads: int) -> Report:
    """Compute one chunk.

    Parameters
    ----------
    task : dict
        From `efield.campaign.compute.plain_task`.
    threads : int
        Threads that Numba may use.
    """
    with _ONE_AT_A_TIME:
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
        head, target, coil, number, first, count = task["chunk"]
        bench, result, error = None, None, ""
        try:
            _check_version(task["efield"])
            bench = _bench(task)
            missing = None if task["missing"] is None else np.array(task["missing"], dtype=np.intp)
            result = bench.chunk(Chunk(Cell(head, target, coil), number, first, count), missing)
        except EfieldError as refused:
            error = str(refused)
        return Report(result, error, f"{platform.node()}:{os.getpid()}", 0 if bench is None else bench.heads)


def _check_version(wanted: str) -> None:
    """Another version may compute other numbers."""
    if __version__ != wanted:
        raise InputError(
            f"workers must have the version of efield that runs the study, {wanted}; instead {platform.node()} has "
            f"{__version__}: install {wanted} there"
        )


def _bench(task: dict[str, Any]) -> Bench:
    key = task["document"], task["base"], task["folder"]
    if key not in _BENCH:
        _BENCH.clear()
        folder = Path(task["folder"])
        study = parse_study(json.loads(task["document"]), Path(task["base"]), output=folder)
        seen = (folder / NOTE).exists()
        if study.engine.kind == "reduced" and not seen:
            raise InputError(
                f"the workers must see the store at {folder}, where reduced bases are kept: put it on a shared disk"
            )
        _BENCH[key] = Bench(study, folder if seen else None)
    return _BENCH[key]
