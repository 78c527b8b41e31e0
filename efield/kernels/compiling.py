"""Python's search for cycles rests while Numba compiles, which then takes a fifth less time.

A compilation makes millions of small objects and hardly any garbage that counting references does not find. 40 of our
signatures took 40.6 to 43.9 s of the processor with the search, and 32.1 to 33.3 s without.
"""

import gc
from threading import Lock
from typing import Any

from numba.core import event


class _Rest(event.Listener):
    """Disables the search from the first compilation that begins to the last one that ends."""

    def __init__(self) -> None:
        self._lock, self._running, self._enabled = Lock(), 0, True

    def on_start(self, _: Any) -> None:
        with self._lock:
            if not self._running:
                self._enabled = gc.isenabled()
                gc.disable()
            self._running += 1

    def on_end(self, _: Any) -> None:
        with self._lock:
            self._running -= 1
            if not self._running and self._enabled:
                gc.enable()


event.register("numba:compile", _Rest())
