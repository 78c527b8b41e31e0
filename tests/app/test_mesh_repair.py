"""Broken meshes on the command line: seen by `mesh info`, refused by `simulate`, mended by `mesh repair` when asked."""

import json

import numpy as np
import pytest

from efield.app.request import Request
from efield.app.request_parts import check, target_of
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap
from efield.head.spheres import sphere_head
from efield.io.load import load_head
from efield.io.meshes.gmsh import write_head
from efield.io.mni_sidecar import write_sidecar
from efield.io.volumes.nifti import write_scalar_nifti
from tests.app.command import run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A head, and the same with its upper half on nodes of its own, there and 0.04 mm above."""
    folder = tmp_path_factory.mktemp("meshes")
    head = sphere_head((66.0, 70.0, 78.0, 85.0), (2, 3, 4, 5), edge_mm=16.0)
    tets, upper = np.array(head.tets), head.barycenters[:, 2] > 0
    nodes, corners = np.unique(tets[upper], return_inverse=True)
    tets[upper] = len(head.points) + corners.reshape(-1, 4)
    cut = HeadMesh(points=np.vstack([head.points, head.points[nodes]]), tets=tets, tissue=head.tissue)
    write_head(folder / "whole.msh", head, element_data={"magnE": np.arange(len(tets))})
    gap = np.vstack([head.points, head.points[nodes] + np.array([0, 0, 0.04])])
    write_head(folder / "gap.msh", HeadMesh(points=gap, tets=tets, tissue=head.tissue))
    write_head(folder / "cut.msh", cut, element_data={"magnE": np.arange(len(tets))})
    return folder


def test_info_and_simulate_see_a_cut(monkeypatch, capsys, files, tmp_path):
    assert run(monkeypatch, "mesh", "info", files / "cut.msh", "--json") == 0
    found = json.loads(capsys.readouterr().out)["defects"]
    assert {defect["kind"] for defect in found} == {"cut", "insulated part"}
    assert run(monkeypatch, "mesh", "info", files / "cut.msh") == 0
    printed = capsys.readouterr().out
    assert "NOT whole: it is cut along" in printed
    assert run(monkeypatch, "simulate", "--head", files / "cut.msh", "--out", tmp_path / "out") == 2
    assert "efield mesh repair" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_repair_gives_the_mesh_back_with_its_fields(monkeypatch, capsys, files, tmp_path):
    assert run(monkeypatch, "mesh", "repair", files / "cut.msh", tmp_path / "mended.msh", "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["defects"] == []
    assert "nodes merged with others, 0 copies of tetrahedra removed" in printed.err
    assert "fields written: magnE" in printed.err
    mended, whole = load_head(tmp_path / "mended.msh"), load_head(files / "whole.msh")
    assert len(mended.points) == len(whole.points)
    np.testing.assert_array_equal(mended.barycenters, whole.barycenters)
    assert mended.mni is None


def test_repair_carries_the_map_of_the_mesh(monkeypatch, capsys, files, tmp_path):
    mesh, out, matrix = tmp_path / "cut.msh", tmp_path / "mended.msh", np.diag([0.9, 1.1, 1.0, 1.0])
    mesh.write_bytes((files / "cut.msh").read_bytes())
    write_sidecar(mesh, AffineMap(matrix, "by hand"))
    assert run(monkeypatch, "mesh", "repair", mesh, out) == 0
    assert (load_head(out).mni.description, *load_head(out).mni.matrix.ravel()) == ("by hand", *matrix.ravel())
    # One of a mesh before, which lay at the same name, is not left to the next.
    assert run(monkeypatch, "mesh", "repair", files / "cut.msh", out) == 0
    assert load_head(out).mni is None
    # Of another mesh it is refused, and nothing is written.
    write_sidecar(mesh, AffineMap(matrix, "by hand"))
    mesh.write_bytes((files / "whole.msh").read_bytes())
    assert run(monkeypatch, "mesh", "repair", mesh, tmp_path / "no.msh") == 2
    assert "another mesh" in capsys.readouterr().err
    assert not (tmp_path / "no.msh").exists()


def test_what_repair_does_not_mend_is_not_written(monkeypatch, capsys, files, tmp_path):
    assert run(monkeypatch, "mesh", "repair", files / "gap.msh", tmp_path / "out.msh") == 2
    assert "gap.msh: a head mesh must be whole" in capsys.readouterr().err
    assert not (tmp_path / "out.msh").exists()


def test_the_radius_of_a_target_reaches_gray_matter_around_a_lesion():
    head = sphere_head((40.0, 66.0, 78.0, 85.0), (3, 2, 4, 5), edge_mm=16.0)
    with pytest.raises(OutsideHeadError, match="enlarge its radius"):
        target_of(head, Request(target="0,0,10")).tets(head)
    assert len(target_of(head, Request(target="0,0,10", radius=45.0)).tets(head))
    with pytest.raises(InputError, match="--radius"):
        check(Request(radius=0.02))


def test_a_region_keeps_its_own_extent(tmp_path):
    head = sphere_head((66.0, 78.0, 85.0), (2, 4, 5), edge_mm=16.0)
    affine = np.diag((10.0, 10, 10, 1))
    affine[:3, 3] = -20, -20, 30
    write_scalar_nifti(tmp_path / "mask.nii.gz", np.ones((5, 5, 4)), affine)
    request = Request(target=f"{tmp_path / 'mask.nii.gz'}:1", radius=20.0)
    with pytest.raises(InputError, match="which has its own extent"):
        target_of(head, request)
