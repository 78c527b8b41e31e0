"""Second order: exact where quadratics are, its own convergence rate, the same equation."""

import numpy as np
import pytest

from efield.fem.assembly import LinearElements
from efield.fem.problem import FemProblem
from efield.fem.quadratic import QuadraticElements
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=14.0)


@pytest.fixture(scope="module")
def problem(head):
    return FemProblem(head, Conductivity().per_tet(head), order=2, tol=1e-10, solver="multigrid")


def test_unknowns_are_the_nodes_then_the_middles_of_the_edges(head, problem):
    n = len(head.points)
    assert np.array_equal(problem.nodes_mm[:n], head.points) or np.allclose(problem.nodes_mm[:n], head.points)
    # Euler characteristic of a ball: n - e + f - m = 1, with f = (4 m + boundary) / 2.
    elements = QuadraticElements(LinearElements(head.points / 1e3, head.tets, problem.sigma))
    assert len(problem.nodes_mm) == n + len(elements.linear.edges)
    corners = elements.places[elements.dofs[:, 4]]
    np.testing.assert_allclose(corners, elements.linear.points[head.tets[:, :2]].mean(axis=1))


def test_linear_potentials_have_the_stiffness_of_first_order(head, problem):
    linear = LinearElements(head.points / 1e3, np.ascontiguousarray(head.tets), problem.sigma)
    quadratic = QuadraticElements(linear)
    up = quadratic.from_linear()
    difference = up.T @ quadratic.stiffness() @ up - linear.stiffness()
    assert np.abs(difference.data).max() < 1e-12 * np.abs(linear.stiffness().data).max()


def test_any_quadratic_gradient_is_canceled_exactly(problem):
    x, y, z = problem.nodes_mm.T / 1e3
    gauge = np.column_stack([2 * x + y, x - 4 * y, 6 * z + 1])
    psi = x**2 + x * y - 2 * y**2 + 3 * z**2 + z
    phi = problem.solve(gauge).phi
    np.testing.assert_allclose(phi, psi.mean() - psi, atol=1e-7 * np.abs(psi).max())
    assert np.abs(problem.element_field(phi, gauge)).max() < 1e-7
    assert np.abs(problem.recovered_field(phi, gauge).field).max() < 1e-6


def test_several_primary_fields_are_solved_side_by_side(problem, coil):
    dadt = coil.dadt(problem.nodes_mm)
    block = problem.solve(np.stack([dadt, -3 * dadt], axis=2))
    assert 0 < block.iterations < 30
    np.testing.assert_allclose(block.phi[:, 1], -3 * block.phi[:, 0], atol=1e-8 * np.abs(block.phi).max())


def test_second_order_converges_at_second_order_and_beats_first_order_tenfold(solve_sphere, coil):
    errors = {}
    for edge in (18.0, 9.0):
        head = sphere_head(edge_mm=edge)
        problem = FemProblem(head, Conductivity().per_tet(head), order=2)
        dadt = coil.dadt(problem.nodes_mm)
        field = problem.element_field(problem.solve(dadt).phi, dadt)
        chosen = (head.tissue == 2) & (np.hypot(*head.barycenters[:, :2].T) < 30) & (head.barycenters[:, 2] > 40)
        truth = coil.truth(head.barycenters[chosen])
        weight = head.volumes[chosen, None]
        errors[edge] = np.sqrt((weight * (field[chosen] - truth) ** 2).sum() / (weight * truth**2).sum())
    # At the centers, where second order is a little better than its rate.
    assert 1.8 <= np.log2(errors[18.0] / errors[9.0]) <= 3.0
    assert errors[9.0] < 0.1 * solve_sphere(9.0).errors(coil)[0]


def test_high_contrasts_and_potential_shapes(head, coil):
    sigma = np.choose(head.tissue, [1, 1, 1e-3, 1e3, 1e-3, 1.0])
    problem = FemProblem(head, sigma, order=2, solver="multigrid")
    assert problem.solve(coil.dadt(problem.nodes_mm)).iterations < 40
