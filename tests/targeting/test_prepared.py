"""A prepared solver from the disk gives the same bits, and is never trusted for what it was not made for."""

import os

import numpy as np
import pytest

import efield as ef
from efield.head.spheres import sphere_head
from efield.io import kept as keeper
from efield.targeting import prepared
from tests.small import named_coils


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=18.0)


@pytest.fixture(scope="module")
def pose(head):
    return ef.place_coil(head, over=(0, 0, 85), distance_mm=4)


def solved(head, pose, cache=None, conductivity=None):
    sim = ef.Simulator(head, conductivity, cache=cache, solver="multigrid")
    return sim.solve(named_coils()["d70"], pose).e


@pytest.fixture
def preparations(monkeypatch):
    """Counts how often a solver is prepared instead of read."""
    from efield.fem.problem import FemProblem

    made, make = [], FemProblem._make_solver
    monkeypatch.setattr(FemProblem, "_make_solver", lambda *given: made.append(1) or make(*given))
    return made


def kept(folder):
    return sorted(folder.glob("solver-*"))


def test_a_kept_solver_is_used_and_gives_the_same_bits(head, pose, tmp_path, preparations):
    fresh = solved(head, pose)
    first, second = (solved(head, pose, tmp_path / "new" / "cache") for _ in range(2))
    assert len(preparations) == 2  # the one without a cache, and the first of those with it
    assert (first == fresh).all()
    assert (second == fresh).all()
    assert len(kept(tmp_path / "new" / "cache")) == 1


def test_a_refined_head_has_a_file_of_its_own(head, pose, tmp_path, preparations):
    target = ef.Target.sphere(center_mm=(0, 0, 60))
    sims = [ef.Simulator(head, cache=tmp_path, solver="multigrid", refine=at) for at in (None, target, target)]
    assert len(preparations) == 2
    assert len(kept(tmp_path)) == 2
    fields = [sim.solve(named_coils()["d70"], pose).e for sim in sims]
    assert (fields[1] == fields[2]).all()
    assert len(fields[0]) < len(fields[1])


def test_nodes_in_another_order_and_nodes_of_no_tetrahedron_are_kept_too(head, pose, tmp_path, preparations):
    order = np.random.default_rng(3).permutation(len(head.points) + 5)[: len(head.points)]
    points = np.zeros((len(head.points) + 5, 3))
    points[order] = head.points
    mixed = ef.HeadMesh(points=points, tets=order[head.tets], tissue=head.tissue)
    fresh = solved(mixed, pose)
    assert all((solved(mixed, pose, tmp_path) == fresh).all() for _ in range(2))
    assert len(preparations) == 2


def test_nothing_is_written_unless_asked(head, tmp_path, monkeypatch):
    for variable in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ef.Simulator(head, solver="multigrid")
    assert not list(tmp_path.iterdir())


DAMAGE = {
    "a changed byte": lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:],
    "cut": lambda data: data[:-100],
    "empty": lambda data: b"",
    "something else": lambda data: b"\x93NUMPY" + bytes(5000),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_made_again(head, pose, tmp_path, preparations, change):
    fresh = solved(head, pose, tmp_path)
    (path,) = kept(tmp_path)
    good = path.read_bytes()
    path.write_bytes(change(good))
    assert (solved(head, pose, tmp_path) == fresh).all()
    assert len(preparations) == 2
    assert path.read_bytes() == good


def test_a_file_of_something_else_under_the_right_name_is_made_again(head, pose, tmp_path, preparations):
    other = ef.Conductivity().with_values({"bone": 0.02})
    fresh = solved(head, pose, tmp_path)
    (path,) = kept(tmp_path)
    path.unlink()
    solved(head, pose, tmp_path, other)
    kept(tmp_path)[0].rename(path)
    assert (solved(head, pose, tmp_path) == fresh).all()
    assert len(preparations) == 3


SPOILED = {
    "columns beyond the matrix": lambda arrays: {"matrix_columns": arrays["matrix_columns"] + 10**6},
    "rows that start too late": lambda arrays: {"up0_rows": arrays["up0_rows"] + 10**6},
    "a value too few": lambda arrays: {"matrix0_values": arrays["matrix0_values"][:-1]},
    "no order": lambda arrays: {"order": np.zeros(3, np.int32)},
    "parts beyond the nodes": lambda arrays: {"part": arrays["part"] + 10**6},
    "grids missing": lambda arrays: {"tops": np.ones(9)},
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_a_sealed_file_whose_arrays_do_not_fit_is_made_again(head, pose, tmp_path, preparations, change):
    """No kernel reads memory that is not there, whoever sealed the file."""
    fresh = solved(head, pose, tmp_path)
    (path,) = kept(tmp_path)
    sealed = prepared.kept_solver(head, ef.Conductivity().per_tet(head), tmp_path, "multigrid")
    assert sealed.path == path
    arrays = sealed.read()
    sealed.write(arrays | change(arrays))
    assert (solved(head, pose, tmp_path) == fresh).all()
    assert len(preparations) == 2


def test_other_conductivities_and_versions_have_files_of_their_own(head, pose, tmp_path, preparations, monkeypatch):
    solved(head, pose, tmp_path)
    other = ef.Conductivity().with_values({"bone": 0.02})
    changed = solved(head, pose, tmp_path, other)
    assert (changed == solved(head, pose, conductivity=other)).all()
    monkeypatch.setattr(keeper, "version", lambda name: "0.0")
    solved(head, pose, tmp_path)
    assert len(kept(tmp_path)) == 3
    assert len(preparations) == 4


def test_those_unused_for_longest_go(head, pose, tmp_path):
    for number in range(7):
        solved(head, pose, tmp_path, ef.Conductivity().with_values({"bone": 0.01 + 0.001 * number}))
        if number == 2:
            first = min(kept(tmp_path), key=os.path.getmtime)
            for age, path in enumerate(sorted(kept(tmp_path), key=os.path.getmtime)):
                os.utime(path, (1000 + age, 1000 + age))
            solved(head, pose, tmp_path, ef.Conductivity().with_values({"bone": 0.01}))
    assert len(kept(tmp_path)) == 5
    assert first in kept(tmp_path)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_folder_that_takes_nothing_fails_no_run(head, pose, tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(keeper, "write_arrays", refuse)
    assert np.isfinite(solved(head, pose, tmp_path)).all()
    (tmp_path / "file").write_text("no folder")
    assert np.isfinite(solved(head, pose, tmp_path / "file")).all()
    assert not kept(tmp_path)


def test_second_order_is_not_kept(head, tmp_path):
    ef.Simulator(head, order=2, cache=tmp_path)
    assert not kept(tmp_path)


def test_what_is_stored_of_a_coil_is_read_again(tmp_path, monkeypatch):
    """The same bits from the file, made again where that was damaged; another casing is another file."""
    coil = ef.Coil.from_dipoles([(0, 0, -40.0)], [(0, 0, 1.0)], name="far")
    made, store = [], prepared.compress
    monkeypatch.setattr(prepared, "compress", lambda *given: made.append(1) or store(*given))
    points, pose = np.random.default_rng(0).normal(size=(50, 3)) * 20 + (0, 0, 60), ef.Pose(np.eye(4))
    fields = []
    for spoil in (False, False, True):
        prepared.prepared_coil.cache_clear()
        (path,) = list(tmp_path.glob("coil-*")) or [None]
        if spoil:
            path.write_bytes(path.read_bytes()[:-40])
        fields.append(prepared.prepared_coil(coil, tmp_path).dadt(pose, points, 1e6))
    assert len(made) == 2
    assert (fields[0] == fields[1]).all()
    assert (fields[0] == fields[2]).all()
    assert np.abs(fields[0]).max() > 0
