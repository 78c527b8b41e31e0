"""The command line does its job, and answers bad input with one line and exit code 2."""

import json
from dataclasses import fields

import nibabel
import numpy as np
import pytest
import pyvista
import typer

import efield
from efield.app.cli import app
from efield.app.request import Request
from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import read_mesh, write_head
from efield.io.volumes.nifti import write_volume
from tests.app.command import run


@pytest.fixture(scope="module")
def small_head(tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "sphere.msh"
    write_head(path, sphere_head(edge_mm=12.0))
    return path


def simulate(monkeypatch, head, out, *more):
    return run(monkeypatch, "simulate", "--head", head, "--out", out, *more)


@pytest.mark.usefixtures("drawn")
def test_simulate_writes_what_it_says(monkeypatch, capsys, small_head, tmp_path):
    out = tmp_path / "out"
    assert simulate(monkeypatch, small_head, out, "--gmsh", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "summary.json").read_text())
    assert sorted(p.name for p in out.iterdir()) == sorted(printed["files"])
    e = pyvista.read(out / "field.vtu").cell_data["E"]
    assert np.allclose(read_mesh(out / "field.msh").element_data["E"], e)
    image = nibabel.load(out / "field.nii.gz")
    assert np.nanmax(image.get_fdata()) <= 1.3 * np.linalg.norm(e, axis=1).max()
    assert (out / "m1.png").read_bytes().startswith(b"\x89PNG")
    measures = printed["measures"]
    # A 70 mm figure-8 with its winding 11 mm from an 85 mm sphere: 1.3 V/m per A/us on the cortex below.
    assert 0.7 < measures["mean_magnitude"]["value"] < 1.5
    assert measures["angle"]["value"] < 20
    assert 0 < measures["mean_magnitude"]["error"] < 0.05 * measures["mean_magnitude"]["value"]
    given = read_mesh(small_head)
    assert len(e) == printed["head"]["tets"] > len(given.tets)
    assert printed["head"]["refined_within_mm"] == [10.0, 7.0, 6.5]


def test_the_solver_of_a_shipped_head_is_kept_for_the_next_run_unless_told_not_to(
    monkeypatch, capsys, small_head, tmp_path
):
    monkeypatch.setattr("efield.io.cache_folder.cache_folder", lambda: tmp_path / "cache")
    assert simulate(monkeypatch, small_head, tmp_path / "a", "--target=0,0,65") == 0
    assert not (tmp_path / "cache").exists()  # a head from a file
    monkeypatch.setattr("efield.io.cache_folder.HEAD_NAMES", (str(small_head),))
    assert simulate(monkeypatch, small_head, tmp_path / "b", "--target=0,0,65", "--no-cache", "--solver=multigrid") == 0
    assert not (tmp_path / "cache").exists()
    files = []
    for out in ("c", "d"):
        assert simulate(monkeypatch, small_head, tmp_path / out, "--target=0,0,65", "--solver=multigrid") == 0
        assert len(list((tmp_path / "cache").iterdir())) == 1
        files.append((tmp_path / out / "field.vtu").read_bytes())
    assert files[0] == files[1] == (tmp_path / "b" / "field.vtu").read_bytes()


def test_a_mesh_stays_as_it_is_where_that_is_asked_for_and_errors_are_printed(
    monkeypatch, capsys, small_head, tmp_path
):
    assert simulate(monkeypatch, small_head, tmp_path / "a", "--target=0,0,65", "--no-refine") == 0
    printed = capsys.readouterr()
    assert " ± " in printed.out
    document = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert document["head"]["tets"] == len(read_mesh(small_head).tets)
    assert document["head"]["refined_within_mm"] == []


def test_a_field_file_that_fails_beside_the_picture_fails_the_run(monkeypatch, capsys, small_head, tmp_path):
    def full(*_):
        raise efield.EfieldError("the disk is full")

    monkeypatch.setattr("efield.app.simulation._save_meshes", full)
    assert simulate(monkeypatch, small_head, tmp_path / "out", "--target=0,0,65") == 2
    assert "the disk is full" in capsys.readouterr().err
    assert not (tmp_path / "out" / "summary.json").exists()


def test_every_field_of_the_request_is_an_option_with_its_default_and_help():
    options = {option.name: option for option in typer.main.get_command(app).commands["simulate"].params}
    assert list(options) == [field.name for field in fields(Request)] + ["as_json"]
    for field in fields(Request):
        assert options[field.name].opts == [f"--{field.name.replace('_', '-')}"]
        assert options[field.name].default == field.default
        assert len(options[field.name].help) > 10
    assert Request() == Request(**{field.name: field.default for field in fields(Request)})


def test_output_scales_with_the_stimulator_and_comes_with_a_warning(monkeypatch, capsys, small_head, tmp_path):
    arguments = ("--stimulator", "magstim-rapid2", "--intensity", "50", "--json")
    assert simulate(monkeypatch, small_head, tmp_path / "a", *arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["didt"] == pytest.approx(0.5 * efield.load_coil("d70").max_didt)
    assert any("not a medical device" in note for note in document["notes"])


def test_no_output_is_not_taken_for_a_rate_in_another_unit(monkeypatch, capsys, small_head, tmp_path):
    assert simulate(monkeypatch, small_head, tmp_path / "a", "--intensity", "0", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["measures"]["focality_50"]["value"] is None
    assert not any("--didt" in note for note in document["notes"])


def test_conductivities_are_replaced_by_name_and_recorded(monkeypatch, capsys, small_head, tmp_path):
    options = ("--conductivity", "bone=0.02", "--conductivity", "Gray-Matter=0.3", "--json")
    assert simulate(monkeypatch, small_head, tmp_path / "a", *options) == 0
    assert json.loads(capsys.readouterr().out)["conductivity"] == {"2": 0.3, "3": 1.654, "4": 0.02, "5": 0.465}


def test_a_pose_from_a_file_is_used_as_it_is_and_a_second_coil_adds_its_field(
    monkeypatch, capsys, small_head, tmp_path
):
    """The same coil in the same place at minus half the rate takes half of the field away."""
    pose = tmp_path / "pose.txt"
    matrix = np.array([[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 95], [0, 0, 0, 1]])
    np.savetxt(pose, matrix)
    means = []
    for also in ((), ("--force", "--also", f"d70,{pose},-0.5e6")):
        assert simulate(monkeypatch, small_head, tmp_path / "a", "--pose", pose, "--target=0,0,65", *also) == 0
        assert "mean |E| in the target" in capsys.readouterr().out
        document = json.loads((tmp_path / "a" / "summary.json").read_text())
        assert document["pose"] == matrix.tolist()
        means.append(document["measures"]["mean_magnitude"]["value"])
    assert means[1] == pytest.approx(means[0] / 2, rel=1e-6)
    assert document["also"] == [{"coil": "magstim-70mm-figure8", "pose": matrix.tolist(), "didt": -0.5e6}]
    # --angle is refused beside --pose: it is no remedy.
    turned = [note for note in document["notes"] if "45 degrees away from the preferred direction" in note]
    assert [note for note in turned if "--angle" not in note] == turned != []


def test_what_a_coil_file_leaves_open_is_said_and_fiducials_place_electrodes(monkeypatch, capsys, small_head, tmp_path):
    """A figure-8 of two dipoles whose current has the other sign than the catalog's, over Cz."""
    rows = "-0.03 0 -0.005 0 0 0.02\n0.03 0 -0.005 0 0 -0.02\n"
    (tmp_path / "two.ccd").write_text(f"# two version 1.0;coilname=two\n2\n# rows\n{rows}")
    cap = tmp_path / "marks.csv"
    cap.write_text("Fiducial,0,85,0,Nz\nFiducial,0,-85,0,Iz\nFiducial,-85,0,0,LPA\nFiducial,85,0,0,RPA\n")
    options = ("--coil", tmp_path / "two.ccd", "--fiducials", cap, "--target", "Cz", "--json")
    assert simulate(monkeypatch, small_head, tmp_path / "a", *options) == 0
    document = json.loads(capsys.readouterr().out)
    notes = " ".join(document["notes"])
    assert "the casing of two is not known: the gap is that of its wires or dipoles" in notes
    assert "a rising current in two induces along -y" in notes
    assert document["pose"][2][3] == pytest.approx(89.0, abs=0.5)  # on the scalp's top, 4 mm above
    assert "10-10 arcs" in document["target"]["note"]


def pose_file(path, change):
    matrix = np.array([[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 95], [0, 0, 0, 1]])
    np.savetxt(path, change @ matrix)
    return path


def bad_pose(change):
    return lambda tmp: ("--pose", pose_file(tmp / "pose.txt", change))


def mask(tmp):
    """A slab of voxels with label 3."""
    labels = np.zeros((9, 40, 40), np.uint8)
    labels[4] = 3
    affine = np.diag([5.0, 5, 5, 1])
    affine[:3, 3] = (-50, -100, -100)
    write_volume(tmp / "mask.nii.gz", labels, affine, code=1)
    return tmp / "mask.nii.gz"


def three_fiducials(tmp):
    (tmp / "part.csv").write_text("Fiducial,0,85,0,Nz\nFiducial,0,-85,0,Iz\nFiducial,-85,0,0,LPA\n")
    return tmp / "part.csv"


SHEAR = np.eye(4)
SHEAR[0, 1] = 0.2
DOWN = np.eye(4)
DOWN[2, 3] = -60
BAD = {
    "no such head": (lambda tmp: ("--head", tmp / "nothing.msh"), "nothing.msh"),
    "unknown head": (lambda tmp: ("--head", "mni125"), "mni152"),
    "unknown coil": (lambda tmp: ("--coil", "magstim-70mm-figure9"), "magstim-70mm-figure8"),
    "unknown target": (lambda tmp: ("--target", "m1-hnad-left"), "m1-hand-left"),
    "a label that a mask lacks": (lambda tmp: ("--target", f"{mask(tmp)}:4"), "it holds 3"),
    "a mask that is missing": (lambda tmp: ("--target", tmp / "no.nii.gz:3"), "does not exist"),
    "a mask in MNI for a head without a map": (lambda tmp: ("--target", f"{mask(tmp)}:3,mni"), "map from MNI"),
    "target outside": (lambda tmp: ("--target=0,0,200",), "gray matter"),
    "zero distance": (lambda tmp: ("--distance", "0"), "--distance"),
    "negative distance": (lambda tmp: ("--distance", "-2"), "--distance"),
    "distance is nan": (lambda tmp: ("--distance", "nan"), "--distance"),
    "distance in meters": (lambda tmp: ("--distance", "0.004"), "multiply by 1000"),
    "rate in A/us": (lambda tmp: ("--didt", "80"), "give 8e+07"),
    "stimulator alone": (lambda tmp: ("--stimulator", "magstim-rapid2"), "--intensity"),
    "intensity of a coil without known output": (
        lambda tmp: ("--coil", "circular-90mm", "--intensity", "50"),
        "--didt",
    ),
    "intensity too high": (lambda tmp: ("--stimulator", "magstim-rapid2", "--intensity", "150"), "intensity"),
    "both drives": (
        lambda tmp: ("--didt", "1e6", "--stimulator", "magstim-rapid2", "--intensity", "50"),
        "together",
    ),
    "unknown stimulator": (lambda tmp: ("--stimulator", "magstim-rapid3", "--intensity", "50"), "magstim-rapid2"),
    "conductivity without a value": (lambda tmp: ("--conductivity", "bone"), "NAME=S/m"),
    "no such order": (lambda tmp: ("--order", "3"), "--order"),
    "unknown tissue": (lambda tmp: ("--conductivity", "bonne=1"), "'bone'"),
    "negative conductivity": (lambda tmp: ("--conductivity", "bone=-1"), "bone"),
    "mirrored pose": (bad_pose(np.diag([-1.0, 1, 1, 1])), "mirrored"),
    "sheared pose": (bad_pose(SHEAR), "sheared"),
    "pose inside the head": (bad_pose(DOWN), "outside the head"),
    "register without white matter": (lambda tmp: ("--register",), "white and gray matter"),
    "a second coil without a pose": (lambda tmp: ("--also", "d70,1e6"), "COIL,POSE.txt,A/s"),
    "a second coil without a number": (lambda tmp: ("--also", f"d70,{pose_file(tmp / 'p.txt', np.eye(4))},x"), "dI/dt"),
    "a second coil in the head": (
        lambda tmp: ("--also", f"d70,{pose_file(tmp / 'p.txt', DOWN)},1e6"),
        "outside the head",
    ),
    "fiducials that are missing": (lambda tmp: ("--fiducials", tmp / "nothing.csv"), "nothing.csv"),
    "fiducials that lack one": (lambda tmp: ("--fiducials", three_fiducials(tmp)), "lacks RPA"),
    "choices for a coil without any": (lambda tmp: ("--coil", tmp / "x.tcd:rot2p=1"), "x.tcd does not exist"),
    "missing pose": (lambda tmp: ("--pose", tmp / "nothing.txt"), "nothing.txt"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_answered_in_one_line(monkeypatch, capsys, small_head, tmp_path, case):
    options, word = BAD[case]
    out = tmp_path / "out"
    assert simulate(monkeypatch, small_head, out, *options(tmp_path)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert word in lines[0]
    assert not out.exists()


def damaged(change):
    def make(tmp, good):
        path = tmp / "bad.msh"
        path.write_bytes(change(good.read_bytes()))
        return path

    return make


def made_of(**change):
    def make(tmp, good):
        import meshio

        head = sphere_head(edge_mm=12.0)
        arrays = {"points": head.points, "tets": head.tets, "tissue": head.tissue} | {
            k: f(head) for k, f in change.items()
        }
        path = tmp / "bad.msh"
        cells = [("tetra", arrays["tets"])]
        tags = [arrays["tissue"].astype(np.int32)]
        meshio.write(
            path,
            meshio.Mesh(arrays["points"], cells, cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags}),
            file_format="gmsh22",
            binary=False,
        )
        return path

    return make


def with_nan(head):
    points = head.points.copy()
    points[7] = np.nan
    return points


MESHES = {
    "truncated": (damaged(lambda data: data[: len(data) // 2]), "bad.msh"),
    "empty": (damaged(lambda data: b""), "bad.msh"),
    "wrong magic": (damaged(lambda data: b"PK\x03\x04" + data[4:]), "bad.msh"),
    "meters": (made_of(points=lambda h: h.points / 1000), "meters"),
    "not finite": (made_of(points=with_nan), "finite|nan"),
    "inverted": (made_of(tets=lambda h: h.tets[:, [1, 0, 2, 3]]), "volume|inverted|orient"),
    "unknown tags": (made_of(tissue=lambda h: np.where(h.tissue == 3, 77, h.tissue)), "77"),
}


@pytest.mark.parametrize("case", MESHES)
def test_bad_meshes_are_answered_in_one_line(monkeypatch, capsys, small_head, tmp_path, case):
    make, words = MESHES[case]
    out = tmp_path / "out"
    assert simulate(monkeypatch, make(tmp_path, small_head), out) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[")]
    assert len(lines) == 1
    assert any(word in lines[0] for word in words.split("|"))
    assert not out.exists()


def test_a_file_in_the_place_of_the_folder_is_not_overwritten(monkeypatch, capsys, small_head, tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    assert simulate(monkeypatch, small_head, out) == 2
    assert "--out" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_a_region_of_a_mask_is_simulated_and_told(monkeypatch, capsys, small_head, tmp_path):
    assert simulate(monkeypatch, small_head, tmp_path / "out", "--target", f"{mask(tmp_path)}:3", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["target"]["region"] == "in label 3 of mask.nii.gz"
    assert told["target"]["center_mm"][0] == pytest.approx(-30)
    assert told["measures"]["target_volume"]["value"] > 1000
    assert told["measures"]["target_spread"]["value"] is None


def test_targets_are_listed_with_space_source_and_spread(monkeypatch, capsys):
    assert run(monkeypatch, "targets", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["targets"]}
    assert rows["m1-hand-left"]["spread_mm"] == [2.7, 4.0, 4.0]
    assert all(row["space"] and row["source"] for row in rows.values())
    assert run(monkeypatch, "targets") == 0
    assert "mask.nii.gz:3" in capsys.readouterr().out


def test_coils_are_listed_and_described(monkeypatch, capsys):
    assert run(monkeypatch, "coils", "list", "--json") == 0
    names = [coil["name"] for coil in json.loads(capsys.readouterr().out)["coils"]]
    assert "magstim-70mm-figure8" in names
    assert run(monkeypatch, "coils", "info", "d70") == 0
    text = capsys.readouterr().out
    assert "Deng" in text
    assert "114.73" in text
    assert run(monkeypatch, "coils", "list") == 0


def test_a_mesh_is_described(monkeypatch, capsys, small_head):
    assert run(monkeypatch, "mesh", "info", small_head, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["closed_manifold"]
    assert [tissue["tag"] for tissue in facts["tissues"]] == [2, 3, 4, 5]
    assert run(monkeypatch, "mesh", "info", small_head) == 0
    assert "gray matter" in capsys.readouterr().out


def test_version_and_help(monkeypatch, capsys):
    assert run(monkeypatch, "--version") == 0
    assert efield.__version__ in capsys.readouterr().out
    assert run(monkeypatch, "simulate", "--help") == 0
    assert "A/s" in capsys.readouterr().out
