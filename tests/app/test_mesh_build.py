"""`efield mesh build`: label volumes of any scheme become heads, and bad ones are answered in one line."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from efield.head import registration
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.io.load import load_head
from efield.io.meshes import gmsh
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.vtu import read_mesh as read_vtu_mesh
from efield.io.meshes.vtu import write_vtu
from efield.io.volumes.label_map import read_label_map
from tests.app.command import run

#: What is meshed here is small.
pytestmark = pytest.mark.filterwarnings("ignore:the mesh is only")

RADII = {5: 44.0, 4: 38.0, 3: 34.0, 2: 30.0}


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """Nested balls with the labels of another scheme, in 2 mm voxels, left-right flipped."""
    grid = np.stack(np.meshgrid(*[np.arange(-48, 49, 2.0)] * 3, indexing="ij"), axis=-1)
    radius = np.linalg.norm(grid, axis=-1)
    labels = np.zeros(radius.shape, np.int16)
    for tag, size in RADII.items():
        labels[radius < size] = 1000 + tag
    affine = np.diag([-2.0, 2, 2, 1])
    affine[:3, 3] = (48, -48, -48)
    path = tmp_path_factory.mktemp("labels") / "aseg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return path


@pytest.fixture
def scheme(tmp_path):
    path = tmp_path / "scheme.csv"
    path.write_text("label,tag\n" + "".join(f"{1000 + tag},{tag}  # shell\n" for tag in RADII))
    return path


def test_a_foreign_scheme_becomes_a_head_with_the_right_volumes(monkeypatch, capsys, volume, scheme, tmp_path):
    out = tmp_path / "head.msh"
    assert run(monkeypatch, "mesh", "build", volume, out, "--label-map", scheme, "--scale", "2", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["closed_manifold"]
    assert report["min_dihedral_deg"] > 5
    assert report["p5_radius_ratio"] > 0.25
    assert report["conforming"]
    for row in report["tissues"]:
        assert row["pieces"] == 1
        assert row["label_cm3"] == pytest.approx(row["volume_cm3"], rel=0.05)
    head = load_head(out)
    assert head.tags == (2, 3, 4, 5)
    ball = 4 / 3 * np.pi * RADII[2] ** 3
    # Two-millimeter voxels of a ball of 30 mm.
    assert head.tissue_volume_mm3(2) == pytest.approx(ball, rel=0.05)


@pytest.fixture(scope="module")
def tags(tmp_path_factory):
    """Nested balls in tissue tags, in the coordinates of MNI152, as their file says."""
    grid = np.stack(np.meshgrid(*[np.arange(-48, 49, 3.0)] * 3, indexing="ij"), axis=-1)
    radius = np.linalg.norm(grid, axis=-1)
    labels = np.zeros(radius.shape, np.int16)
    for tag, size in ({1: 22.0} | RADII).items():
        labels[(radius < size) & ((labels == 0) | (labels > tag))] = tag
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -48
    image = nibabel.Nifti1Image(labels, affine)
    image.set_sform(affine, 4)
    image.set_qform(affine, 4)
    path = tmp_path_factory.mktemp("tags") / "labels.nii.gz"
    nibabel.save(image, path)
    return path


def bent_brain():
    """What stands for the brain of MNI152, and can be laid onto balls by no affine."""
    balls = sphere_head((22.0, 30.0, 34.0), (1, 2, 3), edge_mm=8.0)
    bent = balls.points + np.outer(balls.points[:, 1] ** 2 / 20, (0, 0, 1))
    surfaces = registration._brain(HeadMesh(bent, balls.tets, balls.tissue))
    return surfaces, tuple(registration._sheet(surface) for surface in surfaces)


def test_a_head_keeps_its_map_from_mni_beside_it(monkeypatch, capsys, tags, tmp_path):
    out, copy, coarse = tmp_path / "head.msh", tmp_path / "copy.vtu", ("--scale", "3", "--volume-tolerance", "100")
    assert run(monkeypatch, "mesh", "build", tags, out, *coarse, "--mni", "same") == 0
    assert load_head(out).mni.is_identity
    assert run(monkeypatch, "mesh", "info", out, "--json") == 0
    capsys.readouterr()
    assert run(monkeypatch, "mesh", "convert", out, copy) == 0
    assert "map from MNI coordinates: the coordinates of the label volume" in capsys.readouterr().out
    assert load_head(copy).mni.is_identity
    # Beside a mesh of the same name, and over itself.
    assert run(monkeypatch, "mesh", "convert", out, tmp_path / "head.vtu") == 0
    assert run(monkeypatch, "mesh", "convert", out, out) == 0
    assert load_head(out).mni.is_identity
    assert load_head(tmp_path / "head.vtu").mni.is_identity
    # Balls are no brain: the file says MNI152, but its brain is not there, and no registration fits.
    meshed = replace(load_head(out), mni=None), []
    monkeypatch.setattr("efield.head.lattice.mesh_and_volumes", lambda *_, **__: meshed)
    monkeypatch.setattr(registration, "_template_brain", bent_brain)
    monkeypatch.setattr(registration, "_STARTS_DEG", ((0, 0, 0),))
    monkeypatch.setattr(registration, "_SEEKERS", 200)
    assert run(monkeypatch, "mesh", "build", tags, out, *coarse) == 0
    assert "no map from MNI coordinates: the brain must" in capsys.readouterr().err
    assert load_head(out).mni is None


def test_a_mesh_that_misses_its_labels_is_kept_apart(monkeypatch, capsys, tags, tmp_path):
    out = tmp_path / "head.msh"
    build = ("mesh", "build", tags, out, "--scale", "12", "--mni", "none")
    assert run(monkeypatch, *build) == 2
    error = capsys.readouterr().err
    assert "must keep the volume of its labels" in error
    assert "head.rejected.msh" in error
    assert [path.name for path in tmp_path.iterdir()] == ["head.rejected.msh"]
    assert run(monkeypatch, *build, "--volume-tolerance", "100") == 0
    assert out.is_file()


def test_layers_are_taken_as_given(monkeypatch, capsys, tags, tmp_path):
    build = ("mesh", "build", tags, tmp_path / "head.msh", "--scale", "2", "--mni", "none", "--json")
    assert run(monkeypatch, *build, "--nesting", "gray-matter,3,bone,scalp") == 0
    rows = json.loads(capsys.readouterr().out)["tissues"]
    assert [row["tag"] for row in rows] == [1, 2, 3, 4, 5]
    for row in rows:
        assert row["volume_cm3"] == pytest.approx(row["label_cm3"], rel=0.05)


BAD = {
    "unknown layer": (("{volume}", "head.msh", "--label-map", "{scheme}", "--nesting", "2,9"), "no voxel has [9]"),
    "unknown map": (("{volume}", "head.msh", "--mni", "talairach"), "--mni must be one of"),
    "unknown affine": (("{volume}", "head.msh", "--affine", "both"), "affine must be one of"),
    "negative tolerance": (("{volume}", "head.msh", "--volume-tolerance", "-1"), "--volume-tolerance"),
    "wrong suffix": (("{volume}", "head.stl", "--label-map", "{scheme}"), ".msh or .vtu"),
    "bad edge": (("{volume}", "head.msh", "--edge", "2:1"), "TISSUE=MM"),
    "bad sphere": (("{volume}", "head.msh", "--refine", "1,2,3"), "X,Y,Z"),
    "factor above one": (("{volume}", "head.msh", "--refine", "1,2,3,4,5"), "factor"),
    "missing map": (("{volume}", "head.msh", "--label-map", "nothing.csv"), "nothing.csv"),
    "edge of no tissue": (("{volume}", "head.msh", "--edge", "gray-mater=2"), "'gray-matter'"),
    "negative edge": (("{volume}", "head.msh", "--edge", "2=-1"), "> 0"),
    "missing folder": (("{volume}", "nowhere/head.msh", "--label-map", "{scheme}"), "create nowhere"),
    "labels of another scheme": (("{volume}", "head.msh"), "1002, 1003, 1004, 1005: say"),
    "edges too short": (("{volume}", "head.msh", "--label-map", "{scheme}", "--scale", "0.05"), "million tetrahedra"),
    "missing labels": (("nothing.nii.gz", "head.msh"), "nothing.nii.gz"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_answered_in_one_line(monkeypatch, capsys, volume, scheme, tmp_path, case):
    monkeypatch.chdir(tmp_path)
    arguments, word = BAD[case]
    assert run(monkeypatch, "mesh", "build", *[a.format(volume=volume, scheme=scheme) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert word in error
    assert not list(tmp_path.glob("head.*"))


def test_a_label_that_the_map_leaves_out_is_named(monkeypatch, capsys, volume, tmp_path):
    (tmp_path / "part.csv").write_text("1002,2\n1003,3\n1004,4\n")
    code = run(monkeypatch, "mesh", "build", volume, tmp_path / "head.msh", "--label-map", tmp_path / "part.csv")
    assert code == 2
    assert "1005" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "label,tag\n", "1,2,3\n", "1,-2\n", "1,x\n", "1,2\n1,3\n", "1,70000\n", "1,0\n"])
def test_a_map_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(ValueError, match=r"map\.csv"):
        read_label_map(tmp_path / "map.csv")


def test_another_programs_mesh_is_converted_with_its_tissues_named(monkeypatch, capsys, tmp_path):
    import meshio

    head = sphere_head(edge_mm=14.0)
    source, out = tmp_path / "head.vtk", tmp_path / "head.msh"
    cells = [("tetra", head.tets)]
    meshio.Mesh(head.points, cells, cell_data={"material": [head.tissue.astype(int) + 20]}).write(source)
    assert run(monkeypatch, "mesh", "info", source) == 2
    assert "arrays material" in capsys.readouterr().err
    pairs = [word for tag in head.tags for word in ("--tags", f"{tag + 20}={tag}")]
    assert run(monkeypatch, "mesh", "convert", source, out, *pairs) == 2  # numbers, but of which array?
    capsys.readouterr()
    assert run(monkeypatch, "mesh", "info", source, "--tags", "material", "--json") == 0
    tags = [row["tag"] for row in json.loads(capsys.readouterr().out)["tissues"]]
    assert tags == [tag + 20 for tag in head.tags]
    meshio.Mesh(head.points, cells, cell_data={"tissue": [head.tissue.astype(int) + 20]}).write(source)
    assert run(monkeypatch, "mesh", "convert", source, out, *pairs) == 0
    assert np.array_equal(load_head(out).tissue, head.tissue)
    assert run(monkeypatch, "mesh", "info", source, "--tags", "a=1", "--tags", "b") == 2
    assert "GROUP=TISSUE" in capsys.readouterr().err


def test_a_result_is_converted_with_its_fields_and_back(monkeypatch, capsys, tmp_path):
    head = sphere_head(edge_mm=14.0)
    e = np.random.default_rng(1).normal(size=(len(head.tets), 3)).astype(np.float32)
    write_vtu(tmp_path / "a.vtu", head, cell_data={"E": e, "magnE": np.linalg.norm(e, axis=1)})
    assert run(monkeypatch, "mesh", "convert", tmp_path / "a.vtu", tmp_path / "b.msh") == 0
    assert "fields written: E, magnE" in capsys.readouterr().err
    assert run(monkeypatch, "mesh", "convert", tmp_path / "b.msh", tmp_path / "c.vtu") == 0
    for mesh in (gmsh.read_mesh(tmp_path / "b.msh"), read_vtu_mesh(tmp_path / "c.vtu")):
        assert np.array_equal(mesh.element_data["E"], e)
        assert np.array_equal(mesh.tissue, head.tissue)


def test_triangles_and_second_tags_survive_from_msh_to_msh_and_their_loss_is_said(monkeypatch, capsys, tmp_path):
    head = sphere_head(edge_mm=14.0)
    whole = MeshData(
        points=np.vstack([head.points, [[0, 0, 200.0]]]),  # a node that nothing uses
        tets=head.tets,
        tissue=head.tissue,
        tet_entities=head.tissue + 40,
        triangles=head.tets[:5, :3],
        triangle_tags=np.full(5, 1005),
        node_data={"v": np.arange(len(head.points) + 1.0)},
    )
    gmsh.write_mesh(tmp_path / "a.msh", whole)
    assert run(monkeypatch, "mesh", "convert", tmp_path / "a.msh", tmp_path / "b.msh") == 0
    again = gmsh.read_mesh(tmp_path / "b.msh")
    for name in ("points", "tet_entities", "triangles", "triangle_tags"):
        assert np.array_equal(getattr(again, name), getattr(whole, name)), name
    assert np.array_equal(again.node_data["v"], whole.node_data["v"])
    capsys.readouterr()
    assert run(monkeypatch, "mesh", "convert", tmp_path / "a.msh", tmp_path / "c.vtu") == 0
    assert "left out: 5 triangles" in capsys.readouterr().err
