"""Studies in several processes: the same bytes as in one, also when a worker dies."""

import os
import signal
import sys

import psutil
import pytest

from efield.campaign.cluster import on_cluster
from efield.campaign.plan import read_study
from efield.campaign.run import Silent, run
from efield.ground.errors import InputError, MissingDependencyError

#: Dask's processes close their sockets a little after their owners have gone.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class Killer(Silent):
    """Kills one worker as soon as something is finished."""

    def __init__(self):
        self.killed = None
        self.notes = []

    def placements(self, done):
        if done and self.killed is None:
            children = psutil.Process().children(recursive=True)
            self.killed = next(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))
            os.kill(self.killed, signal.SIGKILL)

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def alone(study_file, tmp_path, contents):
    run(read_study(study_file(), tmp_path / "alone"))
    return contents(tmp_path / "alone")


def test_two_workers_give_the_bytes_of_one_process_and_prepare_each_head_once(study_file, tmp_path, contents, alone):
    outcome = run(read_study(study_file(), tmp_path / "two"), on_cluster(workers=2))
    assert outcome.computed == outcome.chunks
    # Two heads, two workers: nobody prepares the other's head, or at most helps out at the end.
    assert sum(outcome.heads.values()) <= 3
    assert contents(tmp_path / "two") == alone


def test_a_worker_that_is_killed_costs_its_chunks_and_not_the_run(study_file, tmp_path, contents, alone):
    killer = Killer()
    outcome = run(read_study(study_file(), tmp_path / "killed"), on_cluster(workers=2), killer)
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
    with pytest.raises(MissingDependencyError, match=r"efield\[cluster\]"):
        on_cluster(workers=2)
