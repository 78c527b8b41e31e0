"""Measures of the reduced basis: a placement's numbers whatever it is asked for with, and focality in its region."""

import numba
import numpy as np
import pytest

from efield.basis.modes import WIDTH
from efield.ground.checks import plain
from efield.kernels.reduced import modes as kernels
from efield.targeting.measures import weighted_percentile


@pytest.fixture(scope="module")
def inside(basis, head, coil):
    poses = basis.patch.poses(128, (77,), head, coil)
    return [pose for pose in poses if not basis.patch.outside(pose)][: WIDTH + 9]


def test_a_placement_gives_the_same_bits_in_any_batch_and_on_any_threads(basis, inside):
    assert len(inside) > WIDTH
    table = basis.measures(inside, focality=True)
    order = np.random.default_rng(0).permutation(len(inside))
    shuffled = basis.measures([inside[k] for k in order], focality=True)
    alone = basis.measures([inside[WIDTH + 2]], focality=True)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    single = basis.measures(inside, focality=True)
    numba.set_num_threads(threads)
    for name, values in table.items():
        assert np.array_equal(shuffled[name], values[order])
        assert alone[name][0] == values[WIDTH + 2]
        assert np.array_equal(single[name], values)


def test_focality_is_the_gray_volume_of_the_region_above_half_of_its_peak(basis, head, inside):
    found = basis.measures(inside[:3], focality=True)["region_focality_50"]
    gray = head.tissue[basis.tets] == 2
    volume = head.volumes[basis.tets][gray]
    for value, pose in zip(found, inside[:3], strict=True):
        size = np.linalg.norm(basis.field(pose).recovered[gray], axis=1)
        # A tetrahedron at the limit may fall on either side in single precision.
        edge = volume[abs(size - 0.5 * weighted_percentile(size, volume, 99.9)) < 1e-4 * size.max()].sum()
        exact = volume[size >= 0.5 * weighted_percentile(size, volume, 99.9)].sum()
        assert 1000 * value == pytest.approx(exact, abs=edge + 1e-6 * exact)
    doubled = basis.measures(inside[:3], -2e6, focality=True)["region_focality_50"]
    assert doubled == pytest.approx(found, rel=0.02)


def test_modes_in_16_bits_are_off_by_half_a_step_of_their_row():
    rows = np.random.default_rng(3).normal(size=(50, 9)) * np.geomspace(1e-6, 1e6, 50)[:, None]
    rows[7] = 0.0
    modes, scale = np.empty(rows.shape, np.int16), np.empty(50, np.float32)
    kernels.quantize(len(rows), rows, modes, scale)
    modes, scale = plain(modes), plain(scale)
    step = np.abs(rows).max(axis=1) / 32767
    # Half a step, and single precision of the scale.
    assert (np.abs(modes * scale[:, None].astype(float) - rows) <= step[:, None] * (0.5 + 32767 * 1.2e-7)).all()
    vector = np.random.default_rng(4).normal(size=9).astype(np.float32)
    exact = (modes * scale[:, None].astype(float)) @ vector
    for expand in (kernels.expand, kernels.expand_on_all):
        assert np.allclose(expand(modes, scale, vector), exact, rtol=0, atol=2e-6 * 9 * np.abs(rows).max(axis=1))
