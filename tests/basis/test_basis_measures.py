"""Measures of the reduced basis: their definitions, and a placement's numbers whatever it is asked for with."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield.basis.modes import WIDTH
from efield.head.surface import cortex
from efield.kernels.measures import weighted_percentile as fast_percentile
from efield.kernels.reduced import modes as kernels
from efield.targeting.metrics import weighted_percentile
from efield.targeting.placement_measures import MEASURES, Measures, scaled

#: A sum in another order differs by this much.
ROUNDING = 1e-12


@pytest.fixture(scope="module")
def inside(basis, head, coil):
    poses = basis.region.poses(128, (77,), head, coil)
    return [pose for pose in poses if not basis.region.outside(pose)][: WIDTH + 9]


# The first call compiles.
@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from((0.1, 1.0, 50.0, 99.0, 99.9, 100.0)), st.sampled_from((1, 7, 5000)))
def test_the_percentile_is_that_of_the_summary(seed, percent, size):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=size) ** 3
    values[: size // 3] = values[-1]
    # Sums of eighths are exact in any order.
    weights = rng.integers(1, 9, size) / 8
    assert fast_percentile(values, weights, percent) == weighted_percentile(values, weights, percent)


def test_measures_are_what_their_meanings_say(head, target):
    measures, tets = Measures.at(head, target), target.tets(head)
    e = np.random.default_rng(1).normal(size=(len(tets), 3))
    found = dict(zip(measures.names, measures.of(e), strict=True))
    volume, size = head.volumes[tets], np.linalg.norm(e, axis=1)
    mean = np.average(e, axis=0, weights=volume)
    surface = cortex(head)
    faces = np.flatnonzero(np.isin(surface.owners, tets))
    inward = -np.einsum("ij,ij->i", e[np.searchsorted(tets, surface.owners[faces])], surface.triangle_normals[faces])
    area = surface.areas[faces]
    assert tuple(MEASURES) == measures.names
    assert len(faces) > 3
    assert found["mean_magnitude"] == pytest.approx(np.average(size, weights=volume), rel=ROUNDING)
    assert found["p50_magnitude"] == weighted_percentile(size, volume, 50)
    assert found["p99_magnitude"] == weighted_percentile(size, volume, 99)
    assert found["max_magnitude"] == size.max()
    assert found["normal_mean"] == pytest.approx(np.average(abs(inward), weights=area), rel=ROUNDING)
    assert found["normal_in_p99"] == pytest.approx(weighted_percentile(inward, area, 99), rel=ROUNDING)
    assert found["normal_out_p99"] == pytest.approx(weighted_percentile(-inward, area, 99), rel=ROUNDING)
    assert found["along"] == pytest.approx(mean @ target.direction, rel=ROUNDING)
    across = mean - (mean @ target.direction) * target.direction
    assert found["across"] == pytest.approx(np.linalg.norm(across), rel=ROUNDING)


@pytest.mark.parametrize("share", [-2.0, 0.5])
def test_measures_at_another_rate_are_those_of_the_scaled_field(head, target, share):
    measures = Measures.at(head, target)
    e = np.random.default_rng(2).normal(size=(3, len(target.tets(head)), 3))
    table = dict(zip(measures.names, measures.of_many(e).T, strict=True)) | {"e": e}
    exact = dict(zip(measures.names, measures.of_many(share * e).T, strict=True))
    for name, values in scaled(table, share, measures.names).items():
        assert np.allclose(values, exact[name], rtol=ROUNDING, atol=0)
    assert np.array_equal(scaled(table, share)["e"], share * e)


def test_without_cortex_there_is_no_normal_component():
    found = Measures(np.ones(4), None).of(np.ones((4, 3)))
    assert np.isnan(found[4:]).all()
    assert found[:4] == pytest.approx((3**0.5,) * 4, rel=ROUNDING)


def test_a_placement_gives_the_same_bits_in_any_batch_and_on_any_threads(basis, inside):
    assert len(inside) > WIDTH
    table = basis.metrics(inside, focality=True)
    order = np.random.default_rng(0).permutation(len(inside))
    shuffled = basis.metrics([inside[k] for k in order], focality=True)
    alone = basis.metrics([inside[WIDTH + 2]], focality=True)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    single = basis.metrics(inside, focality=True)
    numba.set_num_threads(threads)
    for name, values in table.items():
        assert np.array_equal(shuffled[name], values[order])
        assert alone[name][0] == values[WIDTH + 2]
        assert np.array_equal(single[name], values)


def test_focality_is_the_gray_volume_of_the_region_above_half_of_its_peak(basis, head, inside):
    found = basis.metrics(inside[:3], focality=True)["focality_50"]
    gray = head.tissue[basis.tets] == 2
    volume = head.volumes[basis.tets][gray]
    for value, pose in zip(found, inside[:3], strict=True):
        size = basis.field(pose).magnitude[gray]
        # A tetrahedron at the limit may fall on either side in single precision.
        edge = volume[abs(size - 0.5 * weighted_percentile(size, volume, 99.9)) < 1e-4 * size.max()].sum()
        exact = volume[size >= 0.5 * weighted_percentile(size, volume, 99.9)].sum()
        assert 1000 * value == pytest.approx(exact, abs=edge + 1e-6 * exact)
    doubled = basis.metrics(inside[:3], -2e6, focality=True)["focality_50"]
    assert doubled == pytest.approx(found, rel=0.02)


def test_modes_in_16_bits_are_off_by_half_a_step_of_their_row():
    rows = np.random.default_rng(3).normal(size=(50, 9)) * np.geomspace(1e-6, 1e6, 50)[:, None]
    rows[7] = 0.0
    modes, scale = np.empty(rows.shape, np.int16), np.empty(50, np.float32)
    kernels.quantize(rows, modes, scale)
    step = np.abs(rows).max(axis=1) / 32767
    # Half a step, and single precision of the scale.
    assert (np.abs(modes * scale[:, None].astype(float) - rows) <= step[:, None] * (0.5 + 32767 * 1.2e-7)).all()
    vector = np.random.default_rng(4).normal(size=9).astype(np.float32)
    exact = (modes * scale[:, None].astype(float)) @ vector
    for expand in (kernels.expand, kernels.expand_on_all):
        assert np.allclose(expand(modes, scale, vector), exact, rtol=0, atol=2e-6 * 9 * np.abs(rows).max(axis=1))
