"""A response made from one place's field is found at that place."""

import numpy as np
import pytest

from efield.delivered.localize import localize
from efield.delivered.pulses import pulses
from efield.ground.errors import InputError
from efield.head.tissue import GRAY_MATTER
from efield.io.poses.pose_table import PoseTable

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def explored(sim, coil, wandering, target):
    """Ninety pulses all over the target, their poses, and the place of gray matter that is to respond."""
    poses = wandering(90, 25.0, 180.0, seed=2)
    head = sim.head
    nodes = np.unique(head.tets[head.tissue == GRAY_MATTER])
    wanted = target.center_mm + np.array([9.0, -9.0, 3.0])
    place = nodes[np.argmin(np.linalg.norm(head.points[nodes] - wanted, axis=1))]
    sizes = [
        float(np.linalg.norm(field.recovered.on_nodes(np.array([place]), GRAY_MATTER)))
        for field in sim.solve_many(coil, poses, 60e6)
    ]
    return poses, head.points[place], np.array(sizes)


@pytest.mark.parametrize("curve", ["line", "sigmoid"])
def test_the_place_whose_field_made_the_responses_is_found(curve, explored, sim, coil, target):
    poses, place, size = explored
    noise = np.random.default_rng(4).normal(0.0, 0.05, len(size))
    middle = 0.5 * (size.min() + size.max())
    response = size / size.max() if curve == "line" else 1.0 / (1.0 + np.exp(12.0 * (middle - size) / np.ptp(size)))
    recording = PoseTable(poses, columns={"didt": np.full(90, 60e6), "mep_uv": 1000.0 * (response + noise)})
    found = pulses(sim, coil, recording, target).localization
    fit = getattr(found, curve)
    np.testing.assert_allclose(fit.place_mm, place)
    # What is left is the noise.
    assert fit.largest == pytest.approx(1.0 - np.var(noise) / np.var(response + noise), abs=0.04)
    assert found.sigmoid.largest >= found.line.largest
    np.testing.assert_allclose(found.magnitude[:5], size[:5], rtol=2e-3)


def test_a_straight_line_is_the_squared_correlation():
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(20, 80, (30, 5))
    response = magnitude[:, 3] * 10 + rng.normal(0, 60, 30)
    found = localize(magnitude, response, np.eye(5, 3), np.ones(5))
    expected = [np.corrcoef(column, response)[0, 1] for column in magnitude.T]
    np.testing.assert_allclose(found.line.r2, np.where(np.array(expected) > 0, np.square(expected), 0.0), atol=1e-5)
    assert found.line.best == 3


def test_what_falls_with_the_field_explains_nothing():
    magnitude = np.linspace(10, 60, 12)[:, None] * [[1.0, 1.0]]
    magnitude[:, 1] = magnitude[::-1, 1]
    found = localize(magnitude, np.linspace(100, 900, 12), np.eye(2, 3), np.ones(2))
    assert found.line.r2.tolist() == pytest.approx([1.0, 0.0])
    assert found.sigmoid.r2[1] == 0.0


def test_too_little_to_regress_is_said():
    with pytest.raises(InputError, match="at least 8"):
        localize(np.ones((3, 2)), np.arange(3.0), np.eye(2, 3), np.ones(2))
    with pytest.raises(InputError, match="amplitudes that differ"):
        localize(np.ones((9, 2)), np.ones(9), np.eye(2, 3), np.ones(2))
    with pytest.raises(InputError, match="fields that differ"):
        localize(np.ones((9, 2)), np.arange(9.0), np.eye(2, 3), np.ones(2))
