"""The direct solver: an independent answer to the same system, where it is installed."""

from importlib.util import find_spec

import numpy as np
import pytest

from efield.fem import direct
from efield.fem.problem import FemProblem
from efield.ground.errors import MissingDependencyError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


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
    monkeypatch.setattr(direct, "_memory_available", lambda: 16e9)
    assert direct.pays_off(5_000)
    assert not direct.pays_off(500_000)
    monkeypatch.setattr(direct, "_memory_available", lambda: 1e6)
    assert not direct.pays_off(5_000)
    monkeypatch.setattr(direct, "find_spec", lambda name: None)
    assert not direct.pays_off(5_000)
