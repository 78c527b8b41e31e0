"""Chunks on a Dask cluster: a few processes on this machine, or a scheduler that is running somewhere.

Workers compute, this process writes: the store needs no shared file system, and has one writer. Each worker is given
chunks of the head it has prepared, as long as there are any.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Final
from uuid import uuid4

from efield.campaign.bench import plain_task
from efield.campaign.run import Finished, Listener, Runner
from efield.campaign.store import Store
from efield.campaign.study import Chunk
from efield.campaign.worker import work
from efield.ground.errors import InputError, MissingDependencyError

#: Chunks a worker holds: one it computes, one that waits, so that it need not wait for us.
_HELD: Final = 2

#: How often new and lost workers are looked for, seconds.
_LOOK_EVERY: Final = 1.0


def on_cluster(*, workers: int | None = None, scheduler: str | None = None) -> Runner:
    """A runner for `efield.campaign.run.run`.

    Parameters
    ----------
    workers : int, optional
        Start this many processes of one thread on this machine, reachable from this machine only.
    scheduler : str, optional
        Address of a running scheduler, such as ``tcp://10.0.0.1:8786``. It can run any code on its workers and sees all
        data: it must be trusted.

    Raises
    ------
    InputError
        If not exactly one of the two is given.
    MissingDependencyError
        If Dask is not installed.
    """
    if (workers is None) == (scheduler is None):
        raise InputError("give either workers or scheduler")
    if workers is not None and not 1 <= workers <= 1024:
        raise InputError(f"workers must be between 1 and 1024; instead received {workers}")
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "running on several processes or a cluster needs Dask; install it with: pip install 'efield[cluster]'"
        ) from error

    def runner(store: Store, chunks: list[Chunk], ear: Listener) -> Iterator[Finished]:
        if not chunks:
            return
        with _client(workers, scheduler) as client:
            yield from _Dispatch(client, store, ear).run(chunks)

    return runner


@contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout="20s")
        except (OSError, ValueError) as error:
            raise InputError(
                f"--scheduler must be the address of a running Dask scheduler; {scheduler}: {error}"
            ) from error
        with client:
            yield client
        return
    # Chunks stay where they were sent: another worker would have to prepare the head first.
    quiet = {"distributed.scheduler.work-stealing": False}
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@dataclass
class _Dispatch:
    """Hands out chunks, and keeps them near the head they need."""

    client: Any
    store: Store
    ear: Listener
    held: dict[Any, tuple[Chunk, str]] = field(default_factory=dict)
    last: dict[str, Chunk] = field(default_factory=dict)

    def run(self, chunks: list[Chunk]) -> Iterator[Finished]:
        """Results as they come."""
        from distributed import wait

        waiting, known = list(chunks), dict[str, int]()
        while waiting or self.held:
            known = self._look(known)
            self._hand_out(waiting, known)
            if not self.held:
                sleep(_LOOK_EVERY)
                continue
            try:
                done = wait(list(self.held), timeout=_LOOK_EVERY, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in done:
                yield self._collect(future)

    def _look(self, known: dict[str, int]) -> dict[str, int]:
        """Addresses of the workers and their threads."""
        now = dict(self.client.nthreads())
        lost = [address for address in known if address not in now]
        for address in lost:
            self.last.pop(address, None)
        if lost:
            self.ear.note(f"lost {len(lost)} of {len(known)} workers; their chunks are computed again elsewhere")
        if not now and known:
            self.ear.note("there are no workers; waiting for some")
        return now

    def _hand_out(self, waiting: list[Chunk], workers: dict[str, int]) -> None:
        """Give every worker something to do, and one more to come."""
        load = Counter(address for _, address in self.held.values())
        for wanted in range(1, _HELD + 1):
            for address, threads in workers.items():
                while load[address] < wanted and (chunk := self._choose(waiting, address, workers)) is not None:
                    waiting.remove(chunk)
                    self.last[address] = chunk
                    load[address] += 1
                    future = self.client.submit(
                        work,
                        plain_task(self.store.study, chunk),
                        threads,
                        key=f"efield-{chunk.name}-{uuid4().hex}",
                        workers=[address],
                        allow_other_workers=True,
                        pure=False,
                    )
                    self.held[future] = (chunk, address)

    def _choose(self, waiting: list[Chunk], address: str, workers: dict[str, int]) -> Chunk | None:
        """The next chunk for a worker: of its cell, else of its head, else of what the fewest others are at."""
        others = [last.cell for name, last in self.last.items() if name != address and name in workers]
        if self.store.study.engine.kind == "reduced":
            # A basis is built by one worker: the others must not begin it as well.
            busy = {chunk.cell for chunk, name in self.held.values() if name != address} | set(others)
            waiting = [chunk for chunk in waiting if chunk.cell not in busy]
        mine = self.last.get(address)
        heads, cells = Counter(cell.head for cell in others), Counter(others)

        def cost(chunk: Chunk) -> tuple[bool, bool, int, int]:
            cell = chunk.cell
            at_cell, at_head = (False, False) if mine is None else (cell == mine.cell, cell.head == mine.cell.head)
            return not at_cell, not at_head, heads[cell.head], cells[cell]

        return min(waiting, key=cost, default=None)

    def _collect(self, future: Any) -> Finished:
        from distributed import KilledWorker

        chunk, _ = self.held.pop(future)
        try:
            report = future.result()
        except KilledWorker as error:
            text = f"its worker died {error.allowed_failures + 1} times; is there enough memory?"
            return chunk, None, text, ("a dead worker", 0)
        finally:
            future.release()
        return chunk, report.result, report.error, (report.process, report.heads)
