"""The GPU's code against the CPU's: in Numba's simulator everywhere, and on a GPU where there is one."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.coils.primary import dadt as primary_field
from efield.fem.gpu import device
from efield.fem.problem import FemProblem
from efield.ground.errors import EfieldWarning, InputError
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.kernels import octree
from efield.kernels.coils import stored
from efield.targeting.measuring import Measuring
from efield.targeting.target import Target

HERE = Path(__file__).parent
#: Of the simulated solver.
TOL = 1e-5


def cube(n, side_mm, corner_mm):
    """Kuhn's six tetrahedra in each cell of an n x n x n cube: points, tets."""
    grid = np.stack(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    strides = np.array([(n + 1) ** 2, n + 1, 1])
    cells = grid[(grid < n).all(axis=1)] @ strides
    paths = [(a, b) for a in range(3) for b in range(3) if a != b]
    corners = [(0, strides[a], strides[a] + strides[b], strides.sum()) for a, b in paths]
    tets = (cells[:, None, None] + np.array(corners)).reshape(-1, 4)
    points = np.asarray(corner_mm) + grid * (side_mm / n)
    span = points[tets[:, 1:]] - points[tets[:, :1]]
    tets[np.linalg.det(span) < 0] = tets[np.linalg.det(span) < 0][:, [1, 0, 2, 3]]
    return points, tets


def two_parts():
    """Two cubes that do not touch, and a node of neither, in random order; conductivities of a factor of 6."""
    (p, s), (q, t) = cube(2, 40.0, (0, 0, 0)), cube(2, 30.0, (60, 5, 0))
    points, tets = np.concatenate([p, q, [[55.0, 0.0, 0.0]]]), np.concatenate([s, t + len(p)])
    order = np.random.default_rng(1).permutation(len(points))
    place = np.argsort(order)
    tissue = np.where(points[tets].mean(axis=1)[:, 2] < 15.0, 2, 3)
    head = HeadMesh(points=points[order], tets=place[tets], tissue=tissue)
    return head, np.where(tissue == 2, 0.3, 1.8)


def some_tree():
    """An octree of one level with random coefficients in all octants but one."""
    rng = np.random.default_rng(2)

    def settle(centers, half):
        return np.arange(7), rng.standard_normal((7, 8, 192)).astype(np.float32), np.empty(0, np.intp)

    return octree.grow(np.zeros(3), 0.32, settle)


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(0)
    head, sigma = two_parts()
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn * np.linalg.det(turn), (20.0, 10.0, 70.0)
    root = rng.standard_normal((len(sigma), 3, 3))
    children, coefficients = some_tree()
    return {
        "points": head.points,
        "tets": head.tets,
        "tissue": head.tissue,
        "sigma": sigma,
        "tensors": root @ root.transpose(0, 2, 1) + np.eye(3),
        "dadt": np.cross(head.points / 30 - 1, rng.standard_normal((3, 1, 3))).transpose(1, 2, 0),
        "pose": pose,
        # Wires near, at some distance, and far from the nodes.
        "dipoles": rng.uniform(-30, 30, (4, 3)),
        "moments": rng.standard_normal((4, 3)),
        "starts": np.array([[-5.0, 0, 40], [-300.0, 0, 0], [0, 0, -400.0]]),
        "ends": np.array([[5.0, 0, 40], [300.0, 0, 0], [0, 1.0, -400.0]]),
        "target": np.array([16.0, 18.0, 12.0]),
        "samples": rng.standard_normal((5, 6, 7, 3)),
        "affine": np.array([[60.0, 5, 0, -130], [0, 50, 0, -120], [0, 0, 45, -130], [0, 0, 0, 1]]),
        "children": children,
        "coefficients": coefficients,
        "places": np.concatenate([rng.uniform(-0.1, 0.1, (5, 3)), [[1.0, 0, 0]]]),
    }


@pytest.fixture(scope="module")
def found(given, tmp_path_factory):
    if find_spec("numba.cuda") is None:
        pytest.skip("numba.cuda is not installed: this Numba has no CUDA target of its own, and numba-cuda is missing")
    folder = tmp_path_factory.mktemp("simulated")
    np.savez(folder / "given.npz", **given)
    script = [sys.executable, "-W", "error", HERE / "simulated_gpu.py", folder / "given.npz", folder / "found.npz"]
    subprocess.run(script, check=True, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"})
    return dict(np.load(folder / "found.npz"))


@pytest.fixture(scope="module")
def problem(given):
    head = HeadMesh(points=given["points"], tets=given["tets"], tissue=given["tissue"])
    return FemProblem(head, given["sigma"], tol=1e-10, solver="multigrid", device="cpu")


def relative(one, other):
    return np.abs(one - other).max() / np.abs(other).max()


def test_potentials_and_fields_are_those_of_the_cpu(found, given, problem):
    assert found["device"] == "cuda"
    assert len(found["grids"]) >= 2
    exact = list(problem.answers(given["dadt"], 3))
    assert relative(found["phi"], np.stack([answer.phi for answer in exact], axis=1)) < 20 * TOL
    assert relative(found["e"], np.stack([answer.e for answer in exact], axis=2)) < 20 * TOL
    np.testing.assert_array_equal(found["dadt"], given["dadt"])


@pytest.fixture(scope="module")
def measuring(given, problem):
    target = Target.sphere(center_mm=given["target"], radius_mm=30.0, direction=(0.6, 0.0, 0.8))
    return Measuring(problem, target, np.array([3, 50]))


def test_recovered_fields_are_those_of_the_cpu(found, problem, measuring):
    expected = problem.field_at(found["phi"], found["dadt"], measuring.places)
    assert relative(found["at_pairs"], np.moveaxis(expected[0], 2, 0)) < 1e-12
    assert relative(found["in_tets"], np.moveaxis(expected[1], 2, 0)) < 1e-12


def test_measures_are_those_of_the_cpu(found, given, problem, measuring):
    # Of the same fields, and from the primary field on.
    expected, _ = measuring(found["at_pairs"], found["in_tets"])
    assert not np.isnan(expected).any()
    np.testing.assert_allclose(found["measures"], expected, rtol=1e-12)
    (solved,) = problem.fields_at(given["dadt"], 3, measuring.places, measuring)
    np.testing.assert_allclose(found["measures"], solved[0], rtol=1e3 * TOL)
    # Where the target has no cortex.
    np.testing.assert_allclose(found["faceless"][0, [0, 4, 9]], expected[0, [0, 4, 9]], rtol=1e-12)
    assert np.isnan(found["faceless"][0, 5:9]).all()


def test_residuals_are_within_the_tolerance(found, given, problem):
    load = problem.linear.load(given["dadt"])
    rest = load - problem.linear.stiffness() @ found["phi"]
    assert (np.linalg.norm(rest, axis=0) <= 1.01 * TOL * np.linalg.norm(load, axis=0)).all()
    assert 2 < found["iterations"] < 15


def test_a_column_has_the_same_bits_whatever_is_beside_it(found):
    np.testing.assert_array_equal(found["again"][:, 0], found["phi"][:, 2])


def test_loads_of_tensors_are_those_of_the_cpu(found, given, problem):
    anisotropic = FemProblem(problem.head, given["tensors"], solver="multigrid", device="cpu")
    expected = anisotropic.linear.load(given["dadt"][..., :2])
    assert relative(found["load"], expected) < 1e-13


def test_primary_fields_of_dipoles_and_wires_are_those_of_the_cpu(found, given):
    sources = Dipoles(given["dipoles"], given["moments"]), Segments(given["starts"], given["ends"], np.ones(3))
    coil = Coil(name="some", sources=sources)
    expected = primary_field(coil, Pose(given["pose"]), given["points"], 2e6)
    assert relative(found["primary"][..., 0], expected) < 1e-13
    one, other = (
        primary_field(Coil(name="", sources=(s,)), Pose(given["pose"]), given["points"], 1e6) for s in sources
    )
    assert relative(found["primary"][..., 1], one - other) < 1e-13
    grid = Coil(name="grid", sources=(SampledField(given["affine"], given["samples"]),))
    sampled = primary_field(grid, Pose(given["pose"]), given["points"], 1e6)
    assert relative(found["primary"][..., 2], sampled) < 1e-13
    assert not found["primary"][..., 3].any()
    # The CPU is asked where a node lies on a source, or outside of the samples.
    np.testing.assert_array_equal(found["unknown"], [0.0, 1.0])


def test_stored_potentials_are_those_of_the_cpu(found, given):
    pose = given["pose"]
    tree = 0.32, given["children"], given["coefficients"]
    expected = stored.evaluate(given["places"], pose[:3, :3].copy(), 1e-3 * pose[:3, 3], *tree)
    assert np.isnan(expected[-1]).all()
    known = ~np.isnan(expected[:, 0])
    np.testing.assert_array_equal(np.isnan(found["stored"][:, 0]), ~known)
    turned = found["stored"][known] @ pose[:3, :3].T
    assert relative(turned, expected[known]) < 1e-5


def test_what_stalls_is_finished_on_the_cpu(found):
    assert relative(found["hard"], found["phi"][:, 0]) < 20 * TOL
    (said,) = found["said"]
    assert "stronger smoother" in said


def test_fewer_columns_are_solved_together_when_memory_runs_out(found):
    assert found["widest"] == 1
    assert relative(found["scarce"], found["phi"][:, :2]) < 0.5
    # The same where places for the recovered field take what is left.
    assert found["beside_places"] == 1
    assert 0.2 < found["bytes"] / device.bytes_of_places(5, 0, 0) < 1.0


def test_a_gpu_that_is_not_there_is_said_once_and_the_cpu_computes(problem, monkeypatch):
    monkeypatch.setattr(device, "why_not", lambda: "no NVIDIA driver is installed")
    with pytest.warns(EfieldWarning, match="the CPU computes, because no NVIDIA driver is installed"):
        asked = FemProblem(problem.head, problem.sigma, device="cuda")
    assert asked.device == "cpu"
    assert FemProblem(problem.head, problem.sigma, device="auto").device == "cpu"
    with pytest.raises(InputError, match="device must be one of auto, cpu, cuda"):
        FemProblem(problem.head, problem.sigma, device="gpu")


def test_a_head_that_does_not_fit_is_refused_before_it_is_solved(monkeypatch):
    monkeypatch.setattr(device, "free_memory", lambda: 8e9)
    monkeypatch.setattr(device, "name", lambda: "a card")
    pytest.importorskip("numba.cuda")
    assert device.widest_that_fits(300_000, 4_200_000, 1_650_000) > 1
    with pytest.raises(device.DeviceMemoryError, match=r"needs about .* GB and 8.0 GB of a card are free"):
        device.widest_that_fits(30_000_000, 420_000_000, 165_000_000)


@pytest.mark.gpu
def test_on_a_gpu_fields_are_those_of_the_cpu_and_the_same_bits_again():
    if device.why_not() is not None or device.is_simulated():
        pytest.skip(f"no GPU: {device.why_not()}")
    head = sphere_head(edge_mm=8.0)
    sigma = Conductivity().per_tet(head)
    dadt = np.cross(head.points / 30 - 1, np.random.default_rng(0).standard_normal((40, 1, 3))).transpose(1, 2, 0)
    one, other = (FemProblem(head, sigma, device=name, solver="multigrid") for name in ("cpu", "cuda"))
    assert other.device == "cuda"
    expected, found = one.solve(dadt), other.solve(dadt)
    assert relative(found.phi, expected.phi) < 1e-6
    np.testing.assert_array_equal(other.solve(dadt).phi, found.phi)
    np.testing.assert_array_equal(other.solve(dadt[..., 7]).phi, found.phi[:, 7])
    for answer, exact in zip(other.answers(dadt[..., :5], 5), one.answers(dadt[..., :5], 5), strict=True):
        assert relative(answer.e, exact.e) < 1e-6
    target = Target.sphere(center_mm=(0, 0, 75), radius_mm=12.0, direction=(1, 0, 0))
    at_one, at_other = (Measuring(each, target, np.arange(5)) for each in (one, other))
    (exact,) = one.fields_at(dadt, 40, at_one.places, at_one)
    measured = [
        np.concatenate(each) for each in zip(*other.fields_at(dadt, 40, at_other.places, at_other), strict=True)
    ]
    for values, wanted in zip(measured, exact, strict=True):
        assert relative(values, wanted) < 1e-6
    again = next(other.fields_at(dadt[..., :3], 3, at_other.places, at_other))
    np.testing.assert_array_equal(again[0], measured[0][:3])
    assert other._solver._work.iteration.without_graph is None
