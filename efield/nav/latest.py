"""Poses that wait for the engine: of each coil of each sender the latest only."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Coils of one sender that may wait; of one who names more, the oldest poses go.
_MOST_COILS: Final = 16

#: Latencies that percentiles are of.
_KEPT: Final = 100_000


@dataclass(frozen=True, eq=False)
class Seen:
    """A pose as it came in, not checked yet.

    Parameters
    ----------
    matrix : (4, 4) float
        Coil to head, mm, RAS, in our axes.
    source : str
        Who sent it, such as ``client 3``.
    device : str
        What the sender calls the coil, or the pose.
    number : int
        The sender's own number of the message, 0 if it has none.
    stamp : float
        When it was measured by the sender's clock, seconds since 1970; 0 if it is not said.
    at : float
        When it arrived, by `time.perf_counter`.
    """

    matrix: NDArray[np.float64]
    source: str
    device: str = ""
    number: int = 0
    stamp: float = 0.0
    at: float = field(default_factory=time.perf_counter)


class Latest:
    """A box in which a newer pose takes the place of an older one. For one event loop.

    Senders take turns, and so do the coils of each: however many poses and coils one sends, another waits for one
    answer of each sender at most.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, tuple[int, Seen]]] = {}
        self._any = asyncio.Event()
        #: Poses that came in.
        self.received = 0
        #: Poses that a newer one replaced before the engine was free.
        self.replaced = 0

    def put(self, pose: Seen) -> int:
        """Put in a pose, and return its id: the count of poses so far."""
        self.received += 1
        # A sender or a coil that is there keeps its turn.
        coils = self._waiting.setdefault(pose.source, {})
        self.replaced += pose.device in coils
        coils[pose.device] = (self.received, pose)
        if len(coils) > _MOST_COILS:
            del coils[next(iter(coils))]
            self.replaced += 1
        self._any.set()
        return self.received

    def pass_over(self) -> None:
        """Count a pose that came together with a newer one of the same coil."""
        self.received += 1
        self.replaced += 1

    def forget(self, source: str) -> None:
        """Take out what a sender that has left sent last."""
        self._waiting.pop(source, None)

    def holds(self, source: str) -> bool:
        """Whether a pose of this sender waits."""
        return source in self._waiting

    async def take(self) -> tuple[int, Seen]:
        """The id and pose whose turn it is; waits for one."""
        while not self._waiting:
            self._any.clear()
            await self._any.wait()
        source = next(iter(self._waiting))
        coils = self._waiting.pop(source)
        found = coils.pop(next(iter(coils)))
        if coils:
            self._waiting[source] = coils
        return found


class Latency:
    """Milliseconds from a pose's arrival to its answer, and how many answers there were; the latest are kept."""

    def __init__(self) -> None:
        self._all_ms: deque[float] = deque(maxlen=_KEPT)
        self._engine_ms: deque[float] = deque(maxlen=_KEPT)
        self.answered = 0

    def add(self, all_ms: float, engine_ms: float) -> None:
        """Take in one answer."""
        self.answered += 1
        self._all_ms.append(all_ms)
        self._engine_ms.append(engine_ms)

    def percentiles(self) -> dict[str, dict[str, float]]:
        """``p50``, ``p99`` and ``max`` in ms of all the time, and of the engine's share; empty without answers."""
        parts = {"latency_ms": self._all_ms, "engine_ms": self._engine_ms}
        return {name: _percentiles(values) for name, values in parts.items() if values}


def _percentiles(values: deque[float]) -> dict[str, float]:
    found = np.percentile(np.array(values), [50, 99, 100])
    return dict(zip(("p50", "p99", "max"), (round(float(value), 3) for value in found), strict=True))
