"""The second opinion: bubbles are those of second order, and what they say of the error is true on a sphere."""

import numpy as np
import pytest

from efield.fem.enrichment import Bubbles
from efield.fem.problem import FemProblem
from efield.fem.quadratic import QuadraticElements
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head

from .conftest import figure_eight, relative_error, under_coil


@pytest.fixture(scope="module", params=["numbers", "tensors"])
def problem(request, one_thread):
    head = sphere_head(edge_mm=16.0)
    sigma = Conductivity().per_tet(head)
    if request.param == "tensors":
        sigma = sigma[:, None, None] * np.diag([1.0, 2.0, 3.0])
    return FemProblem(head, sigma, solver="multigrid")


@pytest.fixture(scope="module")
def given(problem):
    rng = np.random.default_rng(0)
    return rng.normal(size=len(problem.head.points)), rng.normal(size=(len(problem.head.points), 3))


def quadratic(problem):
    elements = QuadraticElements(problem.linear)
    return elements, elements.stiffness(), elements.from_linear(), len(problem.head.points)


def test_bubbles_have_the_matrix_and_the_residual_of_second_order(problem, given):
    elements, stiffness, up, n = quadratic(problem)
    phi, dadt = given
    bubbles = Bubbles(problem.linear, phi, dadt)
    load = elements.load((up @ dadt)[:, :, None])[:, 0]
    wanted = (load - stiffness @ (up @ phi))[n:]
    np.testing.assert_allclose(bubbles.residual, wanted, atol=1e-13 * np.abs(wanted).max())
    block = stiffness[n:, n:]
    np.testing.assert_allclose(bubbles.diagonal, block.diagonal(), rtol=1e-12)
    x = np.random.default_rng(1).normal(size=problem.linear.n_edges)
    np.testing.assert_allclose(bubbles.times(x), block @ x, atol=1e-13 * np.abs(block @ x).max())
    coupling = up.T @ stiffness[:, n:] @ x
    np.testing.assert_allclose(bubbles.load(x)[:, 0], -coupling, atol=1e-13 * np.abs(coupling).max())


def test_the_opinion_is_the_field_of_its_potential(problem, given):
    elements, _, up, n = quadratic(problem)
    opinion = problem.second_opinion(*given)
    potential = up @ opinion.phi + np.concatenate([np.zeros(n), opinion.bubbles])
    wanted = elements.field(potential[:, None], (up @ given[1])[:, :, None])[:, :, 0]
    tets = np.arange(len(problem.head.tets))
    found = opinion.at(tets, np.full((len(tets), 4), 0.25))
    np.testing.assert_allclose(found, wanted, atol=1e-12 * np.abs(wanted).max())
    np.testing.assert_allclose(opinion.scaled(-2.0).at(tets, np.full((len(tets), 4), 0.25)), -2 * found, rtol=1e-12)


def test_more_steps_would_balance_the_bubbles(problem, given):
    bubbles = Bubbles(problem.linear, *given)
    left = bubbles.residual - bubbles.times(bubbles.heights())
    assert (left**2 / bubbles.diagonal).sum() < 0.05 * (bubbles.residual**2 / bubbles.diagonal).sum()


def test_on_a_sphere_it_is_nearer_to_the_truth_and_knows_how_far_the_recovered_field_is_off(one_thread):
    head, coil = sphere_head(edge_mm=9.0), figure_eight()
    problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid")
    dadt = coil.dadt(head.points)
    phi = problem.solve(dadt).phi
    near = np.flatnonzero(under_coil(head.barycenters) & (head.tissue == 2))
    truth, weight = coil.truth(head.barycenters[near]), head.volumes[near]
    recovered = problem.recovered_field(phi, dadt).in_tets(near)
    opinion = problem.second_opinion(phi, dadt).at(near, np.full((len(near), 4), 0.25))
    error, estimate = relative_error(recovered, truth, weight), relative_error(recovered, opinion, weight)
    assert relative_error(opinion, truth, weight) < 0.6 * error
    assert estimate == pytest.approx(error, rel=0.3)


def test_without_a_primary_field_there_is_nothing_to_say(problem):
    n = len(problem.head.points)
    opinion = problem.second_opinion(np.zeros(n), np.zeros((n, 3)))
    assert not opinion.bubbles.any()
    assert not opinion.at(np.arange(5), np.full((5, 4), 0.25)).any()
