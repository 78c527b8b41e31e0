"""Sweeps: the numbers of full solves, with units and provenance, whichever engine is used."""

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.ground.errors import InputError
from efield.search.sweep import sweep
from efield.targeting.metrics import weighted_percentile
from efield.targeting.placement import place_coil


@pytest.fixture(scope="module")
def poses(head, target, coil):
    return [place_coil(head, target, angle, 4, coil=coil) for angle in (0, 40, 80, 120, 160)]


@pytest.fixture(scope="module")
def table(sim, coil, poses, target):
    return sweep(sim, coil, poses, target=target, didt=2e6)


def test_its_values_are_those_of_full_solves(table, sim, head, coil, poses, target):
    tets = target.tets(head)
    volume = head.volumes[tets]
    for k, field in enumerate(sim.solve_many(coil, poses, 2e6)):
        size = field.magnitude[tets]
        assert table.mean_magnitude[k] == pytest.approx(np.average(size, weights=volume), rel=1e-12)
        assert table.p99_magnitude[k] == pytest.approx(weighted_percentile(size, volume, 99), rel=1e-12)
        assert table.max_magnitude[k] == pytest.approx(size.max(), rel=1e-12)
        mean = np.average(field.e[tets], axis=0, weights=volume)
        assert table.along[k] == pytest.approx(mean @ target.direction, rel=1e-9)
        assert np.hypot(table.along[k], table.across[k]) == pytest.approx(np.linalg.norm(mean), rel=1e-9)
        assert np.array_equal(table.matrix[k], poses[k].matrix)


def test_across_the_preferred_direction_little_flows(table):
    """The hand target's preferred current is that of a coil at 45 degrees."""
    assert int(np.argmax(table.along.values)) == 1


def test_it_says_where_it_comes_from(table, coil):
    assert table.along.attrs["units"] == "V/m"
    assert table.attrs["engine"] == "full"
    assert table.attrs["didt"] == 2e6
    assert {"head", "conductivity", "coil", "efield"} <= table.attrs.keys()


def test_a_basis_gives_the_same_table_within_its_certificate(table, basis, coil, poses, target):
    calls = []
    fast = sweep(basis, coil, poses, target=target, didt=2e6, progress=lambda done, of: calls.append((done, of)))
    assert fast.attrs["engine"] == "reduced"
    assert fast.attrs["head"] == table.attrs["head"]
    assert calls == [(5, 5)]
    # As in test_basis: placements that are not among the certificate's.
    allowed = 2 * basis.certificate.field.max
    for name in ("mean_magnitude", "along"):
        assert np.abs(fast[name] - table[name]).max() < allowed * table.mean_magnitude.max()


def test_what_cannot_be_swept_is_refused(sim, basis, coil, poses, target):
    with pytest.raises(InputError, match="at least one"):
        sweep(sim, coil, [], target=target)
    with pytest.raises(InputError, match="built for"):
        sweep(basis, Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]), poses, target=target)
    with pytest.raises(InputError, match="outside"):
        sweep(basis, coil, [poses[0].moved((0, 0, -50))], target=target)
