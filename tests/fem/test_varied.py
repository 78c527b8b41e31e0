"""Conductivities that vary: sums over tissues against the matrices of other problems, and guesses."""

import numpy as np
import pytest

from efield.fem.problem import FemProblem
from efield.fem.varied import VariedProblem
from efield.ground.errors import InputError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head

TAGS = (4, 2)
FACTORS = np.array([0.4, 1.7])


@pytest.fixture(scope="module")
def egg():
    """Not a sphere, whose field does not hear of conductivity."""
    ball = sphere_head(edge_mm=14.0)
    return HeadMesh(ball.points * (1.15, 0.85, 1.0), ball.tets, ball.tissue)


@pytest.fixture(scope="module")
def problem(egg):
    return FemProblem(egg, Conductivity().per_tet(egg), solver="multigrid", tol=1e-9)


@pytest.fixture(scope="module")
def drive(egg):
    x, y, z = egg.points.T
    return np.column_stack([y * z, -x, z * x]) / 1e3


def scaled_problem(problem):
    sigma = problem.sigma.copy()
    for tag, factor in zip(TAGS, FACTORS, strict=True):
        sigma[problem.head.tissue == tag] *= factor
    return FemProblem(problem.head, sigma, solver="multigrid", tol=1e-9)


def test_a_solve_at_other_conductivities_is_that_of_a_problem_with_them(problem, drive):
    found = VariedProblem(problem, TAGS, drive).solve(FACTORS, np.zeros(len(drive)))
    wanted = scaled_problem(problem).solve(drive).phi
    assert found.residual <= 1e-9
    assert np.abs(found.phi[:, 0] - wanted).max() < 1e-6 * np.ptp(wanted)
    assert np.abs(problem.solve(drive).phi - wanted).max() > 1e-3 * np.ptp(wanted)


def test_only_what_a_guess_lacks_is_solved_for(problem, drive):
    varied = VariedProblem(problem, TAGS, drive)
    whole = varied.solve(FACTORS, np.zeros(len(drive)))
    near = varied.solve(FACTORS, whole.phi[:, 0] * (1 + 1e-5))
    assert near.iterations < 0.7 * whole.iterations
    assert near.residual <= 1e-9


def test_galerkin_finds_a_potential_that_is_in_the_space(problem, drive):
    varied = VariedProblem(problem, TAGS, drive)
    wanted = varied.solve(FACTORS, np.zeros(len(drive))).phi[:, 0]
    other = problem.solve(drive).phi
    modes = np.linalg.qr(np.column_stack([other, wanted]))[0]
    model = varied.extended(varied.extended(None, modes[:, :1]), modes)
    found = modes @ model(FACTORS[None])[0]
    assert np.abs(found - wanted).max() < 1e-6 * np.ptp(wanted)


def test_parts_add_up_to_the_whole_stiffness(problem, drive):
    whole = problem.linear.stiffness()
    parts = VariedProblem(problem, problem.head.tags, drive)._parts
    assert abs(sum(part for part, _ in parts) - whole).max() < 1e-12 * abs(whole).max()
    total = sum(load for _, load in parts)
    assert np.allclose(total, problem.linear.load(drive[..., None])[:, 0], atol=1e-14)


def test_tissues_that_are_not_there_are_refused(problem, drive):
    with pytest.raises(InputError, match="no tag 9"):
        VariedProblem(problem, (9,), drive)
    second = FemProblem(problem.head, problem.sigma, order=2)
    with pytest.raises(InputError, match="order 1"):
        VariedProblem(second, TAGS, drive)
