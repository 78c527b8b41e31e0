"""The map from MNI152 lies beside its mesh, and belongs to that mesh only."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from efield.ground.errors import FileFormatError
from efield.head.mni import AffineMap
from efield.head.spheres import sphere_head
from efield.io.load import load_head
from efield.io.meshes.gmsh import write_head
from efield.io.mni_sidecar import read_sidecar, write_sidecar

MATRIX = np.array([[0.9, 0.1, 0, 3], [-0.1, 1.1, 0, -2], [0, 0, 1.0, 5], [0, 0, 0, 1]])


@pytest.fixture
def mesh(tmp_path):
    write_head(tmp_path / "head.msh", sphere_head(edge_mm=20.0))
    return tmp_path / "head.msh"


def test_a_map_comes_back_with_its_mesh(mesh):
    assert load_head(mesh).mni is None
    place = write_sidecar(mesh, AffineMap(MATRIX, "by hand"))
    assert place.name == "head.msh.mni.json"
    found = load_head(mesh).mni
    assert_allclose(found.matrix, MATRIX)
    assert found.description == "by hand"
    for name in ("moved.msh", "moved.msh.mni.json"):
        (mesh.parent / name).write_bytes((mesh.parent / name.replace("moved", "head")).read_bytes())
    assert_allclose(load_head(mesh.parent / "moved.msh").mni.matrix, MATRIX)


def test_a_map_of_another_mesh_is_refused(mesh):
    write_sidecar(mesh, AffineMap(MATRIX, "by hand"))
    write_head(mesh, sphere_head((80.0, 90.0), (2, 5), edge_mm=20.0))
    with pytest.raises(FileFormatError, match=r"another mesh.*remove it"):
        load_head(mesh)


def test_a_map_written_by_hand_needs_a_matrix_only(mesh):
    place = mesh.with_name("head.msh.mni.json")
    place.write_text(json.dumps({"matrix": MATRIX.tolist()}))
    assert_allclose(read_sidecar(mesh).matrix, MATRIX)
    for text in ("", "{", "[]", "{}", '{"matrix": 1}', '{"matrix": [[1]]}', '{"matrix": "x"}'):
        place.write_text(text)
        with pytest.raises(FileFormatError, match=r"head\.msh\.mni\.json"):
            load_head(mesh)
    place.write_text(json.dumps({"matrix": np.diag([-1.0, 1, 1, 1]).tolist()}))
    with pytest.raises(FileFormatError, match="left and right"):
        load_head(mesh)
