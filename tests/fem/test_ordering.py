"""The solver's own order of unknowns brings neighbors together and is seen nowhere outside."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags

from efield.fem import solvers
from efield.fem.assembly import LinearElements
from efield.fem.ordering import local_order, reordered, spread
from efield.fem.quadratic import QuadraticElements
from efield.ground.units import mm_to_m
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head

TOL = 1e-10


@pytest.fixture(scope="module")
def elements():
    """A sphere whose nodes are in random order, with one node that no tetrahedron uses."""
    head = sphere_head(edge_mm=14.0)
    order = np.random.default_rng(0).permutation(len(head.points) + 1)
    points = np.concatenate([head.points, [[0.0, 0, 200]]])[order]
    shuffled = HeadMesh(points=points, tets=np.argsort(order)[head.tets], tissue=head.tissue)
    return LinearElements(mm_to_m(points), np.ascontiguousarray(shuffled.tets), Conductivity().per_tet(shuffled))


@pytest.fixture(scope="module")
def matrix(elements):
    return csr_matrix(elements.stiffness())


def loads(n, width):
    block = np.random.default_rng(1).standard_normal((n, width))
    return block - block.mean(axis=0)


def test_random_order_is_found_and_made_local(matrix):
    order = local_order(matrix)
    assert order is not None
    assert np.array_equal(np.sort(order), np.arange(matrix.shape[0]))
    assert spread(reordered(matrix, order, order)) < 1 < 3 < spread(matrix)


def test_a_good_order_is_left_alone(matrix):
    order = local_order(matrix)
    assert local_order(reordered(matrix, order, order)) is None
    assert local_order(diags([np.full(99, -1.0), np.full(100, 2.0), np.full(99, -1.0)], [-1, 0, 1]).tocsr()) is None
    assert local_order(csr_matrix((5, 5))) is None


@pytest.mark.parametrize("width", [1, 17])
def test_the_potential_is_that_of_the_given_order(matrix, elements, width, monkeypatch):
    used = matrix.diagonal() > 0
    load = np.zeros((matrix.shape[0], width))
    load[used] = loads(used.sum(), width)
    solver = solvers.MultigridCG(matrix, elements.points)
    found = solver.solve(load, TOL)
    residual = np.linalg.norm(load - matrix @ found.phi, axis=0) / np.linalg.norm(load, axis=0)
    assert residual.max() <= 1.01 * TOL  # rounding of the residual itself
    monkeypatch.setattr(solvers, "local_order", lambda matrix: None)
    kept = solvers.MultigridCG(matrix, elements.points).solve(load, TOL)
    # The residual bounds the error up to the condition number, some thousands here.
    np.testing.assert_allclose(found.phi, kept.phi, atol=1e4 * TOL * np.abs(kept.phi).max())


def test_second_order_elements_are_reordered_on_both_grids(elements):
    quadratic = QuadraticElements(elements)
    fine, coarse, up = (csr_matrix(m) for m in (quadratic.stiffness(), elements.stiffness(), quadratic.from_linear()))
    load = np.zeros((fine.shape[0], 2))
    used = fine.diagonal() > 0
    load[used] = loads(used.sum(), 2)
    found = solvers.MultigridCG(fine, elements.points, (coarse, up)).solve(load, TOL)
    assert np.linalg.norm(load - fine @ found.phi) <= 1.5 * TOL * np.linalg.norm(load)
    assert found.iterations < 30  # a coarse grid in another order than its interpolation would not help at all
