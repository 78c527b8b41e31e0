"""Running a study: the chunks that are not finished, here or on a cluster, and then the tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from shlex import quote
from time import perf_counter
from typing import Final

from efield.campaign.compute import Bench, Result
from efield.campaign.costs import duration
from efield.campaign.mesh_errors import read_mesh_errors, write_mesh_errors
from efield.campaign.store import Store, writing
from efield.campaign.study import Chunk, Study, head_loader
from efield.campaign.tables import tables_stand, write_tables
from efield.ground.errors import EfieldError, InputError
from efield.ground.progress import Progress, Tell, told
from efield.targeting.fingerprint import head_digest

#: The time that is left is said once in so many seconds, or in such a share of it.
_SAID_EVERY: Final = 30.0
_SAID_SHARE: Final = 0.1


class ChunkError(EfieldError, RuntimeError):
    """Chunks that could not be computed; everything else is finished and stored."""


@dataclass
class Listener:
    """Told how far a run is, and tells the caller.

    Parameters
    ----------
    tell : callable
    total : int
        Placements of the study.
    done : int
        Placements that are finished, those found in the store included.
    """

    tell: Tell
    total: int
    done: int = 0

    def placements(self, done: int) -> None:
        """Placements that are finished."""
        self.done = done
        self.tell(done, self.total, "")

    def note(self, text: str) -> None:
        """Something worth a line: a head is being prepared, a worker was lost."""
        self.tell(self.done, self.total, text)


@contextmanager
def listening(study: Study, progress: Progress) -> Iterator[Listener]:
    """The listener that tells the caller of a run, in the caller's way."""
    total = study.count * len(study.cells)
    with told(progress, "sweep", "placements", total) as tell:
        yield Listener(tell, total)


class Clock:
    """Says now and then how long a run will still take; the longer that is, the less often."""

    def __init__(self, ear: Listener) -> None:
        self._ear, self._next = ear, 0.0

    def tick(self, left: Callable[[], float]) -> None:
        """Ask for the seconds that are left, and say them, if it is time."""
        now = perf_counter()
        if now < self._next:
            return
        seconds = left()
        self._next = now + max(_SAID_EVERY, _SAID_SHARE * seconds)
        if seconds > 0:
            self._ear.note(f"about {duration(seconds)} left")


@dataclass
class Outcome:
    """What a run did.

    Parameters
    ----------
    chunks : int
        Of the study.
    found : int
        Chunks that were finished before.
    taken_over : int
        Chunks that are known from before the study grew.
    computed : int
        Chunks that this run computed, some or all of their placements.
    heads : dict of str to int
        How many heads each process prepared.
    """

    chunks: int = 0
    found: int = 0
    taken_over: int = 0
    computed: int = 0
    heads: dict[str, int] = field(default_factory=dict)


#: What a runner gives for each chunk: its result, or why there is none, and who computed it with how many heads.
Finished = tuple[Chunk, Result | None, str, tuple[str, int]]
Runner = Callable[[Store, list[Chunk], Listener], Iterator[Finished]]


def run(study: Study, runner: Runner | None = None, progress: Progress = None, *, errors: bool = False) -> Outcome:
    """Compute what is missing of a study, write it to its store, and write the tables when all is there.

    Parameters
    ----------
    study : Study
    runner : callable, optional
        Computes chunks: in this process unless given; see `efield.campaign.cluster.on_cluster`.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of placements, those found in the store included, and
        of what is worth a line: a head is being prepared, a worker was lost.
    errors : bool
        Estimate what the mesh does to the measures at the best placement of each cell when all is there: one solve
        and a half for each, in this process.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If the store is of another study, is being written by another process, or holds damaged chunks.
    ChunkError
        If chunks could not be computed; the others are finished first.
    DiskFullError
        If there is no room.
    """
    with listening(study, progress) as ear, writing(study, lambda done, total, note: ear.note(note)) as store:
        return complete(store, runner or in_this_process, ear, errors=errors)


def complete(store: Store, runner: Runner, ear: Listener, *, errors: bool = False) -> Outcome:
    """Do the work of `run` on a store that is locked."""
    damaged = [chunk for chunk in store.finished() if store.damage(chunk)]
    if damaged:
        raise InputError(
            f"the finished chunks of {store.folder} must be as they were written; instead {len(damaged)} are damaged "
            f"(first: {damaged[0].name}): see `efield sweep check {quote(str(store.folder))}`, and --repair"
        )
    total = sum(1 for _ in store.study.chunks())
    outcome = Outcome(total, total - len(store.pending()))
    outcome.taken_over = _take_over(store, ear)
    pending = store.pending()
    _check_heads(store, {chunk.cell.head for chunk in pending}, ear)
    done = store.study.count * len(store.study.cells) - sum(chunk.count for chunk in pending)
    failures: list[str] = []
    ear.placements(done)
    for chunk, result, error, (process, heads) in runner(store, pending, ear):
        if result is None:
            failures.append(f"chunk {chunk.name} ({store.study.cell_name(chunk.cell)}): {error}")
            ear.note(failures[-1])
            continue
        _check_same(store, chunk, result)
        store.write(chunk, store.completed(chunk, result.arrays), result.made_of)
        _say_if_inaccurate(store, chunk, result, ear)
        outcome.computed += 1
        outcome.heads[process] = heads
        done += chunk.count
        ear.placements(done)
    if failures:
        raise ChunkError(
            f"{len(failures)} of {total} chunks could not be computed, the others are stored; the first: {failures[0]}"
        )
    if not tables_stand(store):
        ear.note("writing the tables")
        write_tables(store)
    if errors and read_mesh_errors(store) is None:
        write_mesh_errors(store, ear.note)
    store.drop_earlier()
    return outcome


def _take_over(store: Store, ear: Listener) -> int:
    """Finish all chunks that are known from before the study grew; how many they are."""
    if not store.earlier:
        return 0
    ear.note("the study has grown: what it has in common with the one before is taken over")
    return sum(store.taken_over(chunk) for chunk in store.pending())


def _check_heads(store: Store, coming: set[int], ear: Listener) -> None:
    """Refuse heads that are no longer those of their finished chunks; those that are computed show it themselves."""
    load = head_loader(store.study.base)
    for number, entry in enumerate(store.study.heads):
        if number in coming:
            continue
        ear.note(f"looking at head {entry.label}")
        if head_digest(load(entry)) != store.facts.heads[number].digest:
            raise InputError(
                f"the head {entry.label} must be as it was when the store {store.folder} was begun; instead its file "
                "changed: put the file back, or give another output folder"
            )


def _say_if_inaccurate(store: Store, chunk: Chunk, result: Result, ear: Listener) -> None:
    """A basis that misses the error asked for is used all the same, but not in silence."""
    error, wanted = result.arrays.get("certified_error"), store.study.engine.basis_tol
    if error is not None and chunk.number == 0 and error > wanted:
        ear.note(
            f"the basis of {store.study.cell_name(chunk.cell)} has errors of E up to {float(error):.1e}, more than "
            f"engine.basis_tol = {wanted:g}: allow more with engine.max_solves, or choose a smaller grid"
        )


def _check_same(store: Store, chunk: Chunk, result: Result) -> None:
    """Refuse a result made with other heads or coils than the store was begun with."""
    cell, facts = chunk.cell, store.facts
    head = facts.heads[cell.head]
    wanted = {"head": head.digest, "conductivity": head.conductivity, "coil": facts.coils[cell.coil]}
    wanted["target"] = head.targets[cell.target].digest
    first = store.markers.made_of(Chunk(cell, 0, 0, min(store.study.chunk, store.study.count)))
    if first is not None and "basis" in first:
        wanted["basis"] = first["basis"]
    changed = [name for name, value in wanted.items() if result.made_of.get(name) != value]
    if changed:
        raise InputError(
            f"{store.study.cell_name(cell)} must be as it was when the store {store.folder} was begun; instead its "
            f"{' and '.join(changed)} changed: put the file back, or give another output folder"
        )


def in_this_process(store: Store, chunks: list[Chunk], ear: Listener) -> Iterator[Finished]:
    """Compute chunks one after another, with all threads."""
    bench = Bench(store.study, store.folder, ear.note)
    clock = Clock(ear)
    done = store.study.count * len(store.study.cells) - sum(chunk.count for chunk in chunks)
    for number, chunk in enumerate(chunks, 1):
        missing = store.missing(chunk)
        done += chunk.count
        computed = chunk.count if missing is None else len(missing)

        def tell(count: int, of: int, note: str, before: int = done - computed) -> None:
            ear.placements(before + count)

        try:
            result = bench.chunk(chunk, missing, tell)
        except EfieldError as error:
            yield chunk, None, str(error), ("here", bench.heads)
            continue
        yield chunk, result, "", ("here", bench.heads)
        clock.tick(lambda n=number: bench.costs.of(bench.routes, store.facts, chunks[n:]))  # type: ignore[misc]
