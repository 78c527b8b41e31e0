"""The direct solver: an independent answer to the same system, where it is installed."""

import gc
import os
import pickle
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

from efield.fem import direct
from efield.fem.problem import FemProblem
from efield.fem.solvers import MultigridCG
from efield.ground.errors import EfieldWarning, ForkError, MissingDependencyError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head

installed = pytest.mark.skipif(find_spec("pypardiso") is None, reason="pypardiso is not installed (extra mkl)")


@pytest.fixture(scope="module")
def head():
    ball = sphere_head(edge_mm=14.0)
    # Two parts and an unused node, so that ties and empty rows are exercised too.
    return HeadMesh(
        points=np.concatenate([ball.points, [[500.0, 0, 0]], ball.points + np.array([300.0, 0, 0])]),
        tets=np.concatenate([ball.tets, ball.tets + len(ball.points) + 1]),
        tissue=np.tile(ball.tissue, 2),
    )


def test_direct_and_multigrid_agree_or_the_missing_package_is_named(head, coil):
    sigma = Conductivity().per_tet(head)
    if find_spec("pypardiso") is None:
        with pytest.raises(MissingDependencyError, match=r'pip install "\.\[mkl\]" .* pip install pypardiso'):
            FemProblem(head, sigma, solver="direct")
        return
    dadt = coil.dadt(head.points)
    block = np.stack([dadt, 2 * dadt[:, [1, 2, 0]]], axis=2)
    exact = FemProblem(head, sigma, solver="direct", tol=1e-10).solve(block)
    iterated = FemProblem(head, sigma, solver="multigrid", tol=1e-10).solve(block)
    assert exact.iterations == 0 < iterated.iterations
    np.testing.assert_allclose(exact.phi, iterated.phi, atol=1e-8 * np.abs(exact.phi).max())


def test_a_missing_package_is_named(head, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(direct, "import_module", missing)
    with pytest.raises(MissingDependencyError, match=r'pip install "\.\[mkl\]" .* pip install pypardiso'):
        FemProblem(head, np.ones(len(head.tets)), solver="direct")


def test_auto_takes_the_direct_solver_only_when_installed_small_and_within_memory(monkeypatch):
    monkeypatch.setattr(direct, "find_spec", lambda name: object())
    monkeypatch.setattr(direct.memory, "available", lambda: 16e9)
    assert direct.pays_off(5_000)
    assert not direct.pays_off(500_000)
    monkeypatch.setattr(direct.memory, "available", lambda: 1e6)
    assert not direct.pays_off(5_000)
    monkeypatch.setattr(direct, "find_spec", lambda name: None)
    assert not direct.pays_off(5_000)


@installed
def test_a_solve_that_stalls_gives_way_to_the_direct_solver(head, coil, monkeypatch):
    dadt = coil.dadt(head.points)
    block = np.stack([dadt, 2 * dadt[:, [1, 2, 0]]], axis=2)
    problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid", tol=1e-10)
    usual = problem.solve(block)
    monkeypatch.setattr(MultigridCG, "patience", 1)
    monkeypatch.setattr(MultigridCG, "round_length", 1)
    monkeypatch.setattr(MultigridCG, "least_progress", 1e-6)
    with pytest.warns(EfieldWarning, match="gave way to the direct one"):
        found = problem.solve(block)
    assert found.residual <= 1e-10
    np.testing.assert_allclose(found.phi, usual.phi, atol=1e-8 * np.abs(usual.phi).max())


@installed
def test_a_factor_is_freed_with_its_solver(head, monkeypatch):
    """The library keeps every factor until it is told: a study of conductivities would fill the memory."""
    solver = direct.DirectSolver(FemProblem(head, np.ones(len(head.tets))).linear.stiffness())
    freed = []
    monkeypatch.setattr(type(solver._pardiso), "free_memory", lambda self, everything: freed.append(everything))
    del solver
    gc.collect()
    assert freed == [True]


@installed
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_gets_an_error_instead_of_hanging(head):
    problem = FemProblem(head, np.ones(len(head.tets)), solver="direct")
    load = np.zeros((len(head.points), 1))
    problem.solve_load(load)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads run
        child = os.fork()
    if child == 0:
        try:
            problem.solve_load(load)
        except ForkError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@installed
def test_a_field_that_was_solved_directly_can_be_pickled(head, coil):
    """A factor is the library's own: a copy makes another."""
    problem = FemProblem(head, Conductivity().per_tet(head), solver="direct")
    dadt = coil.dadt(head.points)
    again = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(again.solve(dadt).phi, problem.solve(dadt).phi)
