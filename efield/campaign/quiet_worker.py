"""Preloaded by the workers that `efield sweep --workers` starts: they leave Ctrl-C to the process that started them."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Called by Dask when a worker starts, in its main thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
