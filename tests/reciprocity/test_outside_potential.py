"""The potential of currents outside the head: the sum over 1/r, however it is split and stored."""

import numpy as np
import pytest

from efield.head.spheres import sphere_head
from efield.kernels.reduced import reciprocity as kernels
from efield.reciprocity import outside_potential as exterior
from efield.reciprocity.outside_potential import ExteriorField, InverseDistance

#: Polynomials of degree 7 through lattice points, a quarter of the reach apart, on the smooth part: what they miss of a
#: source within reach, times the root of the sources' number, over the sum.
LATTICE = 5e-4
#: The same 20 mm and more from all sources, where the smooth part is 1/r itself.
FAR = 1e-6
#: Of the leaves' fit over the largest potential near the scalp, in single precision.
STORED = 2 * exterior._FIT


def direct(points, sources, currents):
    distance = np.linalg.norm(points[:, None] - sources, axis=2)
    return (currents[None] / distance[:, :, None]).sum(axis=1)


@pytest.fixture(scope="module")
def sources():
    rng = np.random.default_rng(1)
    return rng.uniform(-0.03, 0.03, (400, 3)), rng.normal(size=(400, 3))


def misses(sources, points, half=0.06):
    exact = direct(points, *sources)
    return np.abs(InverseDistance.of(*sources, np.zeros(3), half)(points) - exact).max() / np.abs(exact).max()


def test_the_split_sum_is_the_sum_among_the_sources_and_far_from_them(sources):
    points = np.random.default_rng(2).uniform(-0.055, 0.055, (500, 3))
    assert misses(sources, points) < LATTICE
    inner = (sources[0] / 3, sources[1])
    assert misses(inner, points[np.linalg.norm(points, axis=1) > 0.01 * np.sqrt(3) + 0.02]) < FAR


def test_a_lattice_twice_as_fine_misses_sixteen_times_less(sources, monkeypatch):
    points, half = np.random.default_rng(2).uniform(-0.03, 0.03, (500, 3)), 0.032
    coarse = misses(sources, points, half)
    monkeypatch.setattr(exterior, "_STEP_MM", exterior._STEP_MM / 2)
    # The fourth derivative of the smooth part is continuous, the fifth jumps: at least fourth order.
    assert misses(sources, points, half) < coarse / 16


def test_a_cloud_of_one_source_has_no_cubes_to_get_lost_in():
    sums = InverseDistance.of(np.array([[0.01, 0.0, -0.02]]), np.ones((1, 3)), np.zeros(3), 0.05)
    points = np.array([[0.01, 0.0, -0.019], [0.01, 0.009, -0.02], [-0.04, 0.0, 0.0], [0.02, 0.01, -0.01]])
    exact = direct(points, np.array([[0.01, 0.0, -0.02]]), np.ones((1, 3)))
    assert np.allclose(sums(points), exact, rtol=1e-3)
    assert sums(points)[0] == pytest.approx(exact[0], rel=1e-4)


def test_the_smooth_part_is_one_over_r_outside_and_joins_it_smoothly():
    assert kernels.smoothed(4.0) == 0.5
    assert kernels.smoothed(0.0) > 2.0
    inside, outside = (np.array([kernels.smoothed((1 + side * h) ** 2) for h in (0.01, 0.02)]) for side in (-1, 1))
    assert inside - 1 / (1 - np.array([0.01, 0.02])) == pytest.approx(0.0, abs=1e-7)
    assert outside == pytest.approx(1 / (1 + np.array([0.01, 0.02])), abs=1e-15)


def test_the_stored_field_is_the_sum_outside_the_head_and_says_where_it_is_not_stored():
    # Half as large as a head: leaves are so many millimeters wide whatever the head.
    head = sphere_head((35.0, 36.5, 39.5, 42.5), (2, 3, 4, 5), edge_mm=8.0)
    rng = np.random.default_rng(3)
    radius = np.linalg.norm(head.points, axis=1)
    # Strong currents at depth, weak ones in the scalp, as the adjoint ones are.
    currents = rng.normal(size=(2, *head.points.shape)) * (radius < 0.8 * radius.max())[:, None]
    field = ExteriorField.of(head, currents)
    direction = rng.normal(size=(200, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    points = 1e-3 * direction * (radius.max() + rng.uniform(5, 60, 200))[:, None]
    tree = (field.center, field.half, field.children, field.coefficients)
    poses = np.tile(np.eye(4), (200, 1, 1))
    poses[:, :3, 3] = points
    stored = kernels.placements(poses, np.zeros((1, 3)), np.array([[0.0, 1.0, 0.0]]), *tree)
    exact = np.stack([direct(points, 1e-3 * head.points, part)[:, 1] for part in currents], axis=1)
    near = 1e-3 * direction * (radius.max() + exterior._REFERENCE_MM)
    largest = max(np.linalg.norm(direct(near, 1e-3 * head.points, part), axis=1).max() for part in currents)
    assert np.abs(stored - exact).max() < STORED * largest
    poses[0, :3, 3] = 0.0
    poses[1, :3, 3] = 10.0
    lost = kernels.placements(poses[:3], np.zeros((1, 3)), np.array([[0.0, 1.0, 0.0]]), *tree)
    assert np.isnan(lost).all(axis=1).tolist() == [True, True, False]


def test_a_grid_of_points_has_the_sums_of_its_points(sources):
    sums = InverseDistance.of(*sources, np.zeros(3), 0.06)
    centers, offsets = np.array([[0.02, -0.01, 0.03], [-0.04, 0.04, 0.01]]), np.array([-0.008, 0.001, 0.0075])
    grid = np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3)
    each = sums((centers[:, None] + grid).reshape(-1, 3)).reshape(2, 27, -1)
    # The same sums in another order: rounding.
    assert np.abs(sums.on_grids(centers, offsets) - each).max() < 1e-12 * np.abs(each).max()
