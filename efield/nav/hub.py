"""Where poses and answers meet: senders put poses in, one thread computes, and whoever listens is told."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from efield.nav.engine import Answer, LiveEngine
from efield.nav.latest import Latency, Latest, Seen

Listener = Callable[[Answer], None]

#: How long Python lets one thread run while another waits (s): its 5 ms would be most of an answer's time when poses
#: pour in.
_SWITCH_S: Final = 2e-4


class Hub:
    """Takes poses and gives out answers, in one event loop; what takes time runs in a thread of its own.

    One thread computes at a time: two would share the same processors. Answers that take no longer than to wake another
    thread, which on a busy machine is milliseconds, are given in the event loop while that thread has
    nothing to do.

    Parameters
    ----------
    engine : LiveEngine
    note : callable, optional
        Is told, in words, what people should know; silent unless given.
    """

    def __init__(self, engine: LiveEngine, note: Callable[[str], None] = lambda _: None) -> None:
        self.engine, self.note, self.latency = engine, note, Latency()
        self.waiting = Latest()
        #: Answers that were given, by status.
        self.by_status: dict[str, int] = {}
        self._listeners: list[Listener] = []
        self._now = ""
        #: What the thread has not finished yet.
        self._working = 0
        self._thread = ThreadPoolExecutor(1, "efield-engine")

    def offer(self, pose: Seen) -> int:
        """Take a pose, and return its id; a newer one of the same sender and coil replaces it if the engine is busy."""
        return self.waiting.put(pose)

    def busy_with(self, source: str) -> bool:
        """Whether a pose of this sender waits or is being answered."""
        return self._now == source or self.waiting.holds(source)

    def listen(self, listener: Listener) -> None:
        """Tell `listener` every answer from now on; it is called in the event loop and must not block or raise."""
        self._listeners.append(listener)

    async def compute(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run something in the engine's thread."""
        self._working += 1
        task = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        task.add_done_callback(self._finished)
        return await task

    def _finished(self, _: asyncio.Future[Any]) -> None:
        self._working -= 1

    async def rehearse(self) -> None:
        """Have the engine answer once wherever it will answer, so that the first pose waits for nothing.

        Raises
        ------
        InputError
            As `LiveEngine.rehearse`.
        """
        await self.compute(self.engine.rehearse)
        if self.engine.quick:
            self.engine.rehearse()

    async def run(self) -> None:
        """Answer poses until it is cancelled."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            while True:
                number, pose = await self.waiting.take()
                self._now = pose.source
                if self.engine.quick and not self._working:
                    answer = self.engine.answer(number, pose)
                else:
                    answer = await self.compute(self.engine.answer, number, pose)
                self._now = ""
                self._tell(answer)
                # Poses that pour in must not keep sockets from being read, or the newest would not be known.
                await asyncio.sleep(0)
        finally:
            sys.setswitchinterval(before)

    def close(self) -> None:
        """Let the engine's thread end; what it computes is finished first."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def report(self) -> dict[str, Any]:
        """Counts of poses and answers, and percentiles of the latency."""
        counts = {"received": self.waiting.received, "replaced": self.waiting.replaced}
        return counts | {"answered": self.latency.answered, **self.by_status} | self.latency.percentiles()

    def _tell(self, answer: Answer) -> None:
        self.by_status[answer.status] = self.by_status.get(answer.status, 0) + 1
        for listener in self._listeners:
            listener(answer)
        self.latency.add(answer.age_ms, answer.engine_ms)
