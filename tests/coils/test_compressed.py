"""The stored polynomials of a coil's field against its direct sum."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield.coils import catalog
from efield.coils.compressed import compress
from efield.coils.model import Coil, SampledField
from efield.coils.primary import dadt
from efield.ground.errors import InputError
from efield.ground.pose import Pose

#: The promise: relative to the largest |dA/dt| on the points.
PROMISE = 1e-4


@pytest.fixture(scope="module")
def pair():
    """Two opposite dipoles, a crude figure-8 that is quickly stored."""
    return Coil.from_dipoles([[25, 0, -8], [-25, 0, -8]], [[0, 0, 0.05], [0, 0, -0.05]])


@pytest.fixture(scope="module")
def head_points():
    """Points in a ball of 85 mm, and a neck that reaches 250 mm below its center."""
    rng = np.random.default_rng(11)
    ball = rng.normal(size=(4000, 3))
    ball *= (85 * rng.uniform(0, 1, 4000) ** (1 / 3) / np.linalg.norm(ball, axis=1))[:, None]
    return np.vstack([ball, rng.uniform((-50, -50, -250), (50, 50, -60), (500, 3))])


def relative_error(coil, compressed, pose, points):
    direct = dadt(coil, pose, points, 1e6)
    error = np.linalg.norm(compressed.dadt(pose, points, 1e6) - direct, axis=1)
    return error.max() / np.linalg.norm(direct, axis=1).max()


@settings(max_examples=20, deadline=None)
@given(polar=st.floats(0, 3.1), azimuth=st.floats(-3.1, 3.1), turn=st.floats(-3.1, 3.1), gap=st.floats(0, 40))
def test_the_promised_error_holds_for_placements_all_around_a_head(pair, head_points, polar, azimuth, turn, gap):
    outward = np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])
    side = np.cross(outward, (np.cos(turn), np.sin(turn), 0.3))
    pose = Pose.from_axes((85 + gap) * outward, y=side, z=-outward)
    assert relative_error(pair, compress(pair), pose, head_points) < PROMISE


def test_the_promised_error_holds_for_a_catalog_coil_touching_the_head(head_points):
    coil = catalog.load_named("magstim-25mm-figure8")
    pose = Pose.from_axes((0, 0, 85), y=(0.4, 1, 0), z=(0, 0, -1))
    near = np.random.default_rng(12).uniform((-40, -30, 70), (40, 30, 85), (1000, 3))
    assert relative_error(coil, compress(coil), pose, np.vstack([head_points, near])) < PROMISE


def test_points_beside_between_and_behind_the_wires_and_far_away_are_summed_directly(pair):
    points = np.array([[25.0, 1.0, -8.0], [0.0, 0.0, -12.0], [25.0, 0.0, -30.0], [0.0, 900.0, 0.0], [5.0, 2.0, 30.0]])
    assert relative_error(pair, compress(pair), Pose(np.eye(4)), points) < PROMISE


def test_a_tighter_tolerance_gives_more_leaves_and_a_smaller_error(pair, head_points):
    pose = Pose.from_axes((0, 0, 90), y=(0, 1, 0), z=(0, 0, -1))
    loose, tight = compress(pair, 1e-3), compress(pair, 1e-5)
    assert tight.leaves > loose.leaves
    assert relative_error(pair, tight, pose, head_points) < relative_error(pair, loose, pose, head_points)
    assert loose.error <= 1e-3
    assert tight.error <= 1e-5


def test_the_same_coil_is_stored_once(pair):
    assert compress(pair) is compress(pair)


def test_result_is_bitwise_the_same_for_any_thread_count(pair, head_points):
    pose = Pose.from_axes((0, 20, 90), y=(0.4, 1, 0), z=(0, 0, -1))
    before = numba.get_num_threads()
    results = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        results.append(compress(pair).dadt(pose, head_points, 1e6))
    numba.set_num_threads(before)
    assert np.array_equal(*results)


def test_bad_arguments_are_refused(pair):
    with pytest.raises(InputError, match="tolerance must be between"):
        compress(pair, 0.5)
    sampled = Coil(name="sampled", sources=(SampledField(np.eye(4), np.zeros((2, 2, 2, 3))),))
    with pytest.raises(InputError, match="interpolated already"):
        compress(sampled)
    with pytest.raises(InputError, match="didt must be finite"):
        compress(pair).dadt(Pose(np.eye(4)), [[0, 0, 50]], np.nan)
    with pytest.raises(InputError, match="on one of the coil's wires or dipoles"):
        compress(pair).dadt(Pose(np.eye(4)), [[25, 0, -8]], 1.0)
