"""Studies in several processes: the same bytes as in one, also when a worker dies."""

import os
import signal
import sys
from contextlib import contextmanager

import psutil
import pytest

from efield.campaign import cluster
from efield.campaign.cluster import SchedulerLostError, on_cluster
from efield.campaign.compute import plain_task
from efield.campaign.plan import read_study
from efield.campaign.run import ChunkError, run
from efield.campaign.worker import Report, work
from efield.ground.errors import InputError, MissingDependencyError
from tests.campaign.conftest import STUDY, made_up

#: Dask's processes close their sockets a little after their owners have gone.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class Killer:
    """Kills one worker as soon as something is finished."""

    def __init__(self):
        self.killed = None
        self.notes = []

    def __call__(self, done, total, note):
        if note:
            self.notes.append(note)
        if done and not note and self.killed is None:
            children = psutil.Process().children(recursive=True)
            self.killed = next(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))
            os.kill(self.killed, signal.SIGKILL)


@pytest.fixture(scope="module")
def alone(files, tmp_path_factory, contents):
    """What the small study leaves when one process computes it."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "study.toml").write_text(STUDY.format(files=files))
    run(read_study(folder / "study.toml"))
    return contents(folder / "out")


@pytest.fixture(scope="module")
def client():
    """Of two workers, that need not be started for each test."""
    with cluster._client(2, None) as client:
        yield client


@pytest.fixture
def two_workers(client, monkeypatch):
    """A runner on them."""

    @contextmanager
    def started(workers, scheduler):
        assert (workers, scheduler) == (2, None)
        yield client

    monkeypatch.setattr(cluster, "_client", started)
    return on_cluster(workers=2)


def test_two_workers_give_the_bytes_of_one_process_and_prepare_each_head_once(
    study_file, tmp_path, contents, alone, two_workers
):
    outcome = run(read_study(study_file(), tmp_path / "two"), two_workers)
    assert outcome.computed == outcome.chunks
    # Two heads, two workers: nobody prepares the other's head, or at most helps out at the end.
    assert sum(outcome.heads.values()) <= 3
    assert contents(tmp_path / "two") == alone


def test_a_worker_that_is_killed_costs_its_chunks_and_not_the_run(study_file, tmp_path, contents, alone, two_workers):
    killer = Killer()
    outcome = run(read_study(study_file(), tmp_path / "killed"), two_workers, killer)
    assert any(note.startswith("lost 1 of 2 workers") for note in killer.notes)
    assert killer.killed is not None
    assert not psutil.pid_exists(killer.killed)
    assert outcome.computed == outcome.chunks
    assert contents(tmp_path / "killed") == alone


def test_a_cluster_that_cannot_be_had_is_an_error_that_says_what_to_do(study, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="between 1 and"):
        on_cluster(workers=0)
    with pytest.raises(InputError, match="either"):
        on_cluster()
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"\.\[cluster\]"):
        on_cluster(workers=2)


class Future:
    """A chunk on a worker of `Pool`."""

    def __init__(self, pool, chunk, address):
        self.pool, self.chunk, self.address, self.status, self.error = pool, chunk, address, "pending", None

    def result(self, timeout):
        if self.address not in self.pool.workers:
            raise TimeoutError
        return Report(made_up(self.pool.store, self.chunk), "", self.address, 1)

    def exception(self):
        return self.error

    def cancel(self):
        self.status = "cancelled"

    def release(self):
        pass


class Pool:
    """A Dask client without Dask: `happens` says what becomes of each chunk that is handed out."""

    def __init__(self, workers, happens):
        self.workers, self.happens, self.store = dict.fromkeys(workers, 1), happens, None
        self.sent = []

    def nthreads(self):
        return dict(self.workers)

    def submit(self, call, task, threads, *, key, workers, **options):
        assert call is work
        (address,) = workers
        chunk = next(c for c in self.store.study.chunks() if plain_task(self.store.study, c)["chunk"] == task["chunk"])
        future = Future(self, chunk, address)
        self.sent.append((chunk.name, address))
        self.happens(self, future)
        return future


@pytest.fixture
def pooled(monkeypatch, study):
    """Runs the study on a pool, and returns the notes."""

    def dispatched(pool):
        def runner(store, chunks, ear):
            pool.store = store
            yield from cluster._Dispatch(pool, store, ear).run(chunks)

        def wait(futures, **options):
            found = [future for future in futures if future.status in ("finished", "error")]
            if not found:
                raise TimeoutError
            return type("Waited", (), {"done": found[:1]})

        monkeypatch.setattr(cluster, "_LOOK_EVERY", 0.001)
        monkeypatch.setattr("distributed.wait", wait)
        ear = Killer()
        ear.killed = 0
        run(study, runner, ear)
        return ear.notes

    return dispatched


def finishes(pool, future):
    future.status = "finished"


def test_a_result_that_died_with_its_worker_is_computed_again(pooled, study, whole, contents):
    def once(pool, future):
        finishes(pool, future)
        if len(pool.sent) == 2:
            del pool.workers[future.address]

    pool = Pool(["one", "two"], once)
    notes = pooled(pool)
    assert any(note.startswith("lost 1 of 2") for note in notes)
    assert contents(study.output) == contents(whole)


def test_a_chunk_that_kills_its_workers_is_given_up_and_the_others_are_finished(pooled, study):
    def deadly(pool, future):
        if future.chunk.name != "0-0-0-000001":
            finishes(pool, future)
        else:
            del pool.workers[future.address]
            pool.workers[f"worker {len(pool.sent)}"] = 1

    with pytest.raises(ChunkError, match=r"1 of 6 chunks .* 0-0-0-000001 .* its worker died 3 times"):
        pooled(Pool(["one"], deadly))


def test_whatever_fails_on_a_worker_costs_the_chunk_and_not_the_run(pooled):
    def missing(pool, future):
        future.status, future.error = "error", ModuleNotFoundError("No module named 'efield'")

    with pytest.raises(ChunkError, match=r"6 of 6 .* ModuleNotFoundError: No module named 'efield'"):
        pooled(Pool(["one"], missing))


def test_a_scheduler_that_goes_away_is_an_error_that_says_how_to_go_on(pooled):
    def gone(pool, future):
        raise OSError("Timed out")

    with pytest.raises(SchedulerLostError, match="same command again"):
        pooled(Pool(["one"], gone))


def test_a_run_without_workers_says_that_it_waits(pooled, study):
    class Late(Pool):
        def nthreads(self):
            self.looks = getattr(self, "looks", 0) + 1
            return super().nthreads() if self.looks > 3 else {}

    assert sum("no workers yet" in note for note in pooled(Late(["one"], finishes))) == 1


def test_a_worker_with_another_version_refuses(study):
    report = work(plain_task(study, next(study.chunks())) | {"efield": "0.0.1"}, 1)
    assert report.result is None
    assert "workers must have the version of efield that runs the study, 0.0.1" in report.error
