"""Reciprocity: what full solves give, without solving."""

import numpy as np
import pytest

from efield.coils.model import Coil, SampledField
from efield.ground.errors import InputError
from efield.search.reciprocity import reciprocal
from efield.search.region import ScalpRegion
from efield.targeting.targets import Target

#: Both solvers stop at a relative residual of 1e-9; the field's error is a few hundred times that at most.
SOLVER = 1e-6

#: Stated errors of the fast route over the peak, with a margin: of coils with windings, and of a coil of two dipoles,
#: whose field is the rougher one.
FAST, ROUGH = 5e-6, 5e-5


@pytest.fixture(scope="module")
def poses(head, target, coil):
    return ScalpRegion.around(head, target, 20, 8, (3, 10)).poses(24, (5,), head, coil)


@pytest.fixture(scope="module")
def one(sim, target):
    return reciprocal(sim, target)


@pytest.fixture(scope="module")
def solved(sim, head, target, coil, poses):
    tets = target.tets(head)
    weight = head.volumes[tets] / head.volumes[tets].sum()
    return np.array([weight @ sim.solve(coil, pose, -3e6).e[tets] for pose in poses[:4]])


def test_the_exact_route_is_the_full_solve(by_axes, solved, coil, poses):
    mean = by_axes.mean(coil, poses[:4], -3e6, exact=True)
    assert np.abs(mean - solved).max() < SOLVER * np.abs(solved).max()
    size = by_axes.magnitude(coil, poses[:4], -3e6, exact=True)
    assert np.allclose(size, np.linalg.norm(solved, axis=1), rtol=SOLVER)


def test_one_direction_is_one_solve_and_the_same_number(one, target, by_axes, solved, coil, poses):
    assert len(one.directions) == 1
    along = one.along(coil, poses[:4], -3e6, exact=True)
    assert np.abs(along - solved @ target.direction).max() < SOLVER * np.abs(solved).max()
    assert np.allclose(by_axes.along(coil, poses[:4], -3e6, exact=True), along, rtol=SOLVER, atol=SOLVER)
    with pytest.raises(InputError, match="axes=True"):
        one.magnitude(coil, poses)


def test_the_fast_route_is_within_its_error(one, coil, poses):
    exact = one.along(coil, poses, exact=True)
    assert np.abs(one.along(coil, poses) - exact).max() < FAST * np.abs(exact).max()


def test_a_coil_of_few_dipoles_is_within_it_too(one, poses):
    coil = Coil.from_dipoles([[0, 0, -10], [5, 0, -12]], [[0, 0, 1], [1, 0, 0]])
    exact = one.along(coil, poses, exact=True)
    assert np.abs(one.along(coil, poses) - exact).max() < ROUGH * np.abs(exact).max()


def test_far_from_the_head_the_fast_route_sums_exactly(one, coil, poses):
    far = [poses[0].moved((0, 0, -400))]
    assert np.array_equal(one.along(coil, far), one.along(coil, far, exact=True))


def test_no_placements_give_no_numbers(one, by_axes, coil):
    assert one.along(coil, []).shape == (0,)
    assert by_axes.mean(coil, [], exact=True).shape == (0, 3)


def test_what_cannot_be_answered_is_refused(sim, target, one, poses):
    plain = Target("plain", target.center_mm, 12.0)
    assert len(reciprocal(sim, plain).directions) == 3
    with pytest.raises(InputError, match="direction"):
        reciprocal(sim, plain, axes=False)
    with pytest.raises(InputError, match="direction"):
        reciprocal(sim, plain).along(Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]), poses)
    grid = Coil(name="grid", sources=(SampledField(np.eye(4), np.zeros((2, 2, 2, 3))),))
    with pytest.raises(InputError, match="exact=True"):
        one.along(grid, poses)
