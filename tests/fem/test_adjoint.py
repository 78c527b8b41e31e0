"""The adjoint: one solve says what every primary field does."""

import numpy as np
import pytest

from efield.fem.adjoint import adjoint_weights
from efield.fem.problem import FemProblem
from efield.ground.errors import InputError
from efield.head.spheres import sphere_head

#: Both solves stop at a relative residual of 1e-11, and the two sums round differently.
SOLVER = 1e-8


@pytest.fixture(scope="module")
def problem():
    head = sphere_head((40.0, 50.0), (2, 4), edge_mm=10.0)
    return FemProblem(head, np.where(head.tissue == 2, 0.3, 0.01), tol=1e-11)


@pytest.fixture(scope="module")
def primary(problem):
    return np.random.default_rng(0).normal(size=(len(problem.head.points), 3))


def test_functionals_of_random_fields_agree_with_forward_solves(problem, primary):
    weights = np.random.default_rng(1).normal(size=(len(problem.head.tets), 3, 2))
    field = problem.element_field(problem.solve(primary).phi, primary)
    forward = np.einsum("tdk,td->k", weights, field)
    adjoint = np.einsum("ndk,nd->k", adjoint_weights(problem, weights), primary)
    assert np.abs(adjoint - forward).max() < SOLVER * np.linalg.norm(weights) * np.linalg.norm(field)
    one = adjoint_weights(problem, weights[:, :, 0])
    assert np.vdot(one, primary) == pytest.approx(forward[0], rel=1e-6)


@pytest.mark.parametrize("tensors", [False, True])
def test_functionals_of_the_recovered_field_agree_with_forward_solves(problem, primary, tensors):
    if tensors:
        turned = problem.sigma[:, None, None] * np.array([[1.6, 0.3, 0.0], [0.3, 0.9, 0.1], [0.0, 0.1, 0.6]])
        problem = FemProblem(problem.head, turned, tol=1e-11)
    weights = np.zeros((len(problem.head.tets), 3, 2))
    chosen = np.random.default_rng(2).choice(len(weights), 60, replace=False)
    weights[chosen] = np.random.default_rng(1).normal(size=(60, 3, 2))
    field = problem.recovered_field(problem.solve(primary).phi, primary).in_tets(chosen)
    forward = np.einsum("tdk,td->k", weights[chosen], field)
    adjoint = np.einsum("ndk,nd->k", adjoint_weights(problem, weights, recovered=True), primary)
    assert np.abs(adjoint - forward).max() < SOLVER * np.linalg.norm(weights) * np.linalg.norm(field)
    elements = np.einsum("ndk,nd->k", adjoint_weights(problem, weights), primary)
    assert np.abs(elements - forward).max() > 1e-3 * np.abs(forward).max()


@pytest.mark.parametrize("recovered", [False, True])
def test_a_gradient_does_nothing(problem, recovered):
    """dA/dt = grad f is answered by phi = -f: the field vanishes, and so must every functional."""
    weights = np.zeros((len(problem.head.tets), 3))
    weights[100] = (1, -2, 0.5)
    uniform = np.tile((0.3, 0.1, -0.7), (len(problem.head.points), 1))
    assert abs(np.vdot(adjoint_weights(problem, weights, recovered=recovered), uniform)) < SOLVER


def test_bad_weights_are_refused(problem):
    with pytest.raises(InputError, match="one vector per tetrahedron"):
        adjoint_weights(problem, np.zeros((5, 3)))
    second = FemProblem(problem.head, problem.sigma, order=2)
    with pytest.raises(InputError, match="order 1"):
        adjoint_weights(second, np.zeros((len(problem.head.tets), 3)))
