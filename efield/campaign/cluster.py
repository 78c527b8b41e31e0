"""Chunks on a Dask cluster: a few processes on this machine, or a scheduler that is running somewhere.

Workers compute, this process writes: the store needs no shared file system, and has one writer. Each worker is given
chunks of the head it has prepared, as long as there are any.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Final
from uuid import uuid4

from efield.campaign.compute import plain_task
from efield.campaign.run import Finished, Listener, Runner
from efield.campaign.store import Store
from efield.campaign.study import Chunk
from efield.campaign.worker import Report, work
from efield.ground.errors import EfieldError, InputError, MissingDependencyError

#: Chunks a worker holds: one it computes, one that waits, so that it need not wait for us.
_HELD: Final = 2

#: How often new and lost workers are looked for, seconds.
_LOOK_EVERY: Final = 1.0

#: A chunk whose workers died this often is given up: it may be what kills them.
_DEATHS: Final = 3


class SchedulerLostError(EfieldError, ConnectionError):
    """The scheduler went away during a run; what was finished is stored."""


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
        import distributed
    except ImportError as error:
        what = "running on several processes or a cluster"
        raise MissingDependencyError.of(what, "cluster", "dask", "distributed") from error

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
    quiet = {
        # Chunks stay where they were sent: another worker would have to prepare the head first.
        "distributed.scheduler.work-stealing": False,
        # Ctrl-C reaches all processes of a terminal; this one answers it and ends the others.
        "distributed.worker.preload": ["efield.campaign.quiet_worker"],
    }
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
    deaths: Counter[str] = field(default_factory=Counter)
    waits: bool = False

    def run(self, chunks: list[Chunk]) -> Iterator[Finished]:
        """Results as they come."""
        waiting, known = list(chunks), dict[str, int]()
        while waiting or self.held:
            with _connected():
                known, given_up = self._look(known, waiting)
                self._hand_out(waiting, known)
                done = self._finished()
            yield from given_up
            for future in done:
                with _connected():
                    finished = self._collect(future)
                if finished is not None:
                    yield finished

    def _finished(self) -> list[Any]:
        """Chunks that are done, after a while at most."""
        from distributed import wait

        if not self.held:
            sleep(_LOOK_EVERY)
            return []
        try:
            return list(wait(list(self.held), timeout=_LOOK_EVERY, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def _look(self, known: dict[str, int], waiting: list[Chunk]) -> tuple[dict[str, int], list[Finished]]:
        """Addresses of the workers and their threads; chunks of lost ones wait again, or are given up."""
        now = dict(self.client.nthreads())
        lost = [address for address in known if address not in now]
        for address in lost:
            self.last.pop(address, None)
        if lost:
            self.ear.note(f"lost {len(lost)} of {len(known)} workers; their chunks are computed again elsewhere")
        if not now and not self.waits:
            self.ear.note("there are no workers yet; waiting for some (Ctrl-C stops)")
        self.waits = not now
        given_up: list[Finished] = []
        blamed: set[str] = set()
        for future, (chunk, address) in list(self.held.items()):
            # A worker may come and go between two looks: what counts is who is there now. Errors are with the
            # scheduler, results were in the worker.
            if address in now or future.status == "error":
                continue
            del self.held[future]
            if address not in blamed and future.status != "finished":
                # The first that it held was at work; the other waited.
                blamed.add(address)
                self.deaths[chunk.name] += 1
            future.cancel()
            if self.deaths[chunk.name] < _DEATHS:
                waiting.insert(0, chunk)
                continue
            text = f"its worker died {_DEATHS} times; is there enough memory?"
            given_up.append((chunk, None, text, ("a dead worker", 0)))
        return now, given_up

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
                        # Not elsewhere: another worker may have to prepare the head first. `_look` sees to the lost.
                        allow_other_workers=False,
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

    def _collect(self, future: Any) -> Finished | None:
        """What became of a chunk; None if its worker died before it could be fetched, which `_look` sees to."""
        chunk, address = self.held[future]
        if future.status == "error":
            # Whatever went wrong over there, a missing package included: it costs this chunk, not the run.
            error = future.exception()
            finished: Finished = (chunk, None, f"a worker failed with {type(error).__name__}: {error}", ("a worker", 0))
        elif (report := self._fetched(future, address)) is not None:
            finished = (chunk, report.result, report.error, (report.process, report.heads))
        else:
            return None
        del self.held[future]
        future.release()
        return finished

    def _fetched(self, future: Any, address: str) -> Report | None:
        """The result, however long it travels; None if its worker is gone, or Dask would wait for it for ever."""
        patience = _LOOK_EVERY
        while True:
            try:
                return future.result(timeout=patience)  # type: ignore[no-any-return]
            except TimeoutError:
                if address not in self.client.nthreads():
                    return None
                patience *= 2


@contextmanager
def _connected() -> Iterator[None]:
    """Turns a scheduler that went away into an error that says what to do."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise SchedulerLostError(
            "the Dask scheduler must be there until the end; instead the connection was lost. Finished chunks are "
            "kept: start it and its workers again and run the same command again"
        ) from error
