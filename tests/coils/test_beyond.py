"""A sampled field beyond its grid: continued where its sources say what it is, and nowhere else."""

import numpy as np
import pytest

from efield.coils.beyond import WORST, continuation
from efield.coils.model import Coil, SampledField
from efield.coils.primary import unchecked_vector_potential as vector_potential

STEP_MM, HALF_MM = 10.0, 100.0
AFFINE = np.array([[STEP_MM, 0, 0, -HALF_MM], [0, STEP_MM, 0, -HALF_MM], [0, 0, STEP_MM, -HALF_MM], [0, 0, 0, 1.0]])
PLACES = np.stack(np.meshgrid(*[np.arange(-HALF_MM, HALF_MM + 1, STEP_MM)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def eight(half_mm):
    """A figure-8 of two dipoles, whose wings are centered so far from its origin."""
    return Coil.from_dipoles([[-half_mm, 0, -6.0], [half_mm, 0, -6.0]], [[0, 0, 5.0], [0, 0, -5.0]])


def sampled(coil, deepest_mm=HALF_MM):
    values = vector_potential(coil, PLACES).reshape(21, 21, 21, 3)
    return SampledField(AFFINE, values[:, :, : int((deepest_mm + HALF_MM) / STEP_MM) + 1])


@pytest.fixture(scope="module")
def far():
    points = np.random.default_rng(0).uniform([-120, -110, 0], [120, 140, 230], (2000, 3))
    return points[np.abs(points).max(axis=1) > HALF_MM]


@pytest.mark.parametrize("half_mm", [10.0, 25.0, 40.0])
def test_a_small_coil_is_continued_all_around_its_grid_within_the_stated_error(half_mm, far):
    coil = eight(half_mm)
    found = continuation(sampled(coil))
    assert found.nearest_mm <= HALF_MM
    peak = np.linalg.norm(vector_potential(coil, PLACES[PLACES[:, 2] > 0]), axis=1).max()
    assert np.linalg.norm(found(far) - vector_potential(coil, far), axis=1).max() < found.error * peak
    assert found.error <= WORST


def test_wires_near_the_edge_of_a_grid_are_not_taken_for_a_small_coil(far):
    found = continuation(sampled(eight(95.0)))
    assert found is None or found.nearest_mm > HALF_MM


def test_a_grid_that_ends_in_front_of_the_coil_is_not_continued():
    assert continuation(sampled(eight(25.0), deepest_mm=50.0)) is None


def in_front(coil, half_mm, depth_mm):
    """The coil's field on a grid that lies in front of it only."""
    shape = int(2 * half_mm / STEP_MM) + 1, int(2 * half_mm / STEP_MM) + 1, int(depth_mm / STEP_MM)
    affine = AFFINE.copy()
    affine[:3, 3] = -half_mm, -half_mm, STEP_MM
    places = np.indices(shape).reshape(3, -1).T * STEP_MM + affine[:3, 3]
    return SampledField(affine, vector_potential(coil, places).reshape(*shape, 3)), places


def others(seed):
    """Coils that the sources of a continuation were not made for: clouds of dipoles of any direction, and loops."""
    rng = np.random.default_rng(seed)
    size = rng.uniform([10, 10, 2], [45, 25, 15])
    if seed % 3:
        places = rng.uniform(-1, 1, (40, 3)) * size - [0, 0, size[2] + 4]
        return Coil.from_dipoles(places, rng.normal((0, 0, 2), 1, (40, 3)))
    turn = np.linspace(0, 2 * np.pi, 49)
    ring = np.column_stack([size[0] * np.cos(turn), size[1] * np.sin(turn), 0 * turn - 6])
    return Coil.from_segments(ring[:-1], ring[1:])


@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize(("half_mm", "deepest_mm"), [(60.0, 120.0), (80.0, 120.0)])
def test_a_grid_in_front_of_a_coil_is_continued_as_said_and_says_nothing_of_its_sides(far, seed, half_mm, deepest_mm):
    coil = others(seed)
    source, places = in_front(coil, half_mm, deepest_mm)
    found = continuation(source)
    if found is None:
        pytest.skip("not continued")
    answer, truth = found(far), vector_potential(coil, far)
    known = ~np.isnan(answer[:, 0])
    assert known.mean() > 0.5
    peak = np.linalg.norm(vector_potential(coil, places), axis=1).max()
    assert np.linalg.norm((answer - truth)[known], axis=1).max() < found.error * peak
    assert np.isnan(found(np.array([[110.0, 0, -20], [0, -110.0, -20], [0, 90, -90]]))).all()
