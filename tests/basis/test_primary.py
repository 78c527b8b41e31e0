"""What is stored of a coil is read from the folder of the simulator by the next process, and only there."""

import numpy as np
import pytest

from efield.basis import primary
from efield.basis.snapshots import Snapshots
from efield.coils.model import Coil
from efield.targeting import prepared


@pytest.fixture
def stored(monkeypatch):
    """Counts coils whose potential is stored anew."""
    made, store = [], prepared.compress.__wrapped__
    monkeypatch.setattr(prepared, "compress", lambda coil: made.append(coil) or store(coil))
    monkeypatch.setattr(primary, "_FEW_SOURCES", 0)
    return made


def fresh_process():
    primary.evaluator.cache_clear()
    prepared.prepared_coil.cache_clear()


def test_bases_find_the_coil_where_the_simulator_keeps_it(basis, sim, tmp_path, stored, monkeypatch):
    far = Coil.from_dipoles([(0, 0, -40.0)], [(0, 0, 1.0)], name="far")
    pose, held = basis.patch.poses(1, (7,), sim.head, far)[0], []
    for cache in (None, tmp_path, tmp_path):
        fresh_process()
        monkeypatch.setattr(sim, "cache", cache)
        sampled = basis._answers.sampled(pose, 1e6, far)[0]
        shots = Snapshots(sim, basis.outputs, 1, {}, None, lambda *_: None)
        held.append((sampled, *shots.fields("one", [(far, pose)])))
        assert len(list(tmp_path.glob("coil-*"))) == (cache is not None)
    assert len(stored) == 2
    assert all(np.array_equal(one, other) for one, other in zip(held[0] * 2, held[1] + held[2], strict=True))
    fresh_process()
