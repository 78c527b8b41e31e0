"""Results do not go over those of an earlier run without a word, and a full disk leaves nothing half written."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from efield.app.cli import app
from efield.app.results import results_folder
from efield.ground.errors import InputError
from efield.head.spheres import sphere_head
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head
from tests.app.command import files_of_at_most, run
from tests.small import light_coil

NAMES = ("summary.json", "field.vtu")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    write_head(folder / "sphere.msh", sphere_head((68.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=12.0))
    write_ccd(folder / "coil.ccd", light_coil())
    np.savetxt(folder / "pose.txt", [[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 95], [0, 0, 0, 1]])
    radius = np.linalg.norm(np.indices((23, 23, 23)) - 11, axis=0)
    labels = np.select([radius < 7, radius < 10], [2, 5]).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(labels, np.diag([4.0, 4, 4, 1])), folder / "labels.nii.gz")
    return folder


def given(small):
    return ("--head", small / "sphere.msh", "--coil", small / "coil.ccd", "--target", "C3")


def test_a_default_folder_gets_a_number_and_one_that_is_named_is_refused(tmp_path, capsys):
    default = tmp_path / "efield-out"
    assert results_folder(default, default, NAMES, force=False) == default
    default.mkdir()
    (default / "pose.txt").touch()
    assert results_folder(default, default, NAMES, force=False) == default  # nothing of ours is in it
    (default / "summary.json").touch()
    assert results_folder(default, default, NAMES, force=False) == tmp_path / "efield-out-2"
    said = capsys.readouterr().err
    assert "efield-out holds results already; these go to" in said.replace("\n", "")
    (tmp_path / "efield-out-2").mkdir()
    (tmp_path / "efield-out-2" / "field.vtu").touch()
    assert results_folder(default, default, NAMES, force=False) == tmp_path / "efield-out-3"
    assert results_folder(default, default, NAMES, force=True) == default
    with pytest.raises(InputError, match="--force"):
        results_folder(default, tmp_path / "other", NAMES, force=False)
    with pytest.raises(InputError, match="is a file"):
        results_folder(default / "pose.txt" / "in", default, NAMES, force=False)


@pytest.mark.parametrize(
    ("module", "command", "file"),
    [
        ("simulation", ("simulate", "--no-refine"), "summary.json"),
        ("planning", ("optimize", "--radius", 1, "--tilt", 0), "optimum.json"),
        ("recordings", ("sweep", "--didt", 1e6, "--poses"), "summary.json"),
    ],
)
def test_of_two_runs_at_once_the_later_does_not_replace_the_other(
    monkeypatch, small, tmp_path, capsys, module, command, file
):
    # The other run ends after this one has looked at the folder, and before it writes.
    (tmp_path / file).write_text("of the other run")
    monkeypatch.setattr(f"efield.app.{module}.results_folder", lambda *_, **__: tmp_path)
    last = (small / "pose.txt",) if module == "recordings" else ()
    assert run(monkeypatch, *command, *last, *given(small)) == 2
    assert "another run has put its results there" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == "of the other run"


def test_simulate_twice_keeps_both_and_force_replaces_all_of_one(monkeypatch, small, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    fast = ("simulate", *given(small), "--no-refine", "--json")
    assert run(monkeypatch, *fast, "--gmsh") == 0
    assert json.loads(capsys.readouterr().out)["folder"] == "efield-out"
    first = (tmp_path / "efield-out" / "summary.json").read_bytes()
    assert run(monkeypatch, *fast) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["folder"] == "efield-out-2"
    assert (tmp_path / "efield-out" / "summary.json").read_bytes() == first
    assert run(monkeypatch, *fast, "--out", "efield-out-2") == 2
    assert "--force" in capsys.readouterr().err
    assert "negative" not in json.loads(first)["pose_says"]
    assert run(monkeypatch, *fast, "--force", "--angle", 90, "--current", "reverse") == 0
    document = json.loads((tmp_path / "efield-out" / "summary.json").read_text())
    assert document["folder"] == "efield-out"
    assert "dI/dt is negative here, and so it is toward" in document["pose_says"]
    assert not (tmp_path / "efield-out" / "field.msh").exists()  # of the run before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["efield-out", "efield-out-2"]


def mesh_build(small, out):
    return "mesh", "build", small / "labels.nii.gz", out / "head.msh", "--scale", 3


VERBS = {
    "simulate": lambda small, out: ("simulate", *given(small), "--no-refine", "--out", out),
    "optimize": lambda small, out: ("optimize", *given(small), "--radius", 4, "--tilt", 0, "--out", out),
    "coils convert": lambda small, out: ("coils", "convert", small / "coil.ccd", out / "coil.tcd"),
    "coils info": lambda small, out: ("coils", "info", small / "coil.ccd", "--picture", out / "coil.png"),
    "mesh convert": lambda small, out: ("mesh", "convert", small / "sphere.msh", out / "sphere.vtu"),
    "mesh repair": lambda small, out: ("mesh", "repair", small / "sphere.msh", out / "mended.msh"),
    "mesh build": lambda small, out: (*mesh_build(small, out), "--mni", "same"),
    "basis build": lambda small, out: (
        *("basis", "build", out / "basis", "--head", small / "sphere.msh", "--coil", small / "coil.ccd"),
        *("--target", "C3", "--radius", 5, "--max-solves", 64),
    ),
    "sweep new": lambda small, out: ("sweep", "new", out / "study.toml"),
    "poses convert": lambda small, out: ("poses", "convert", small / "pose.txt", out / "pose.csv"),
}


#: These compute for seconds before they write as the others do.
SLOW = ("optimize", "basis build")


@pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=pytest.mark.thorough) if verb in SLOW else verb for verb in VERBS]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(monkeypatch, small, tmp_path, capsys, verb):
    out = tmp_path / "out"
    if " " in verb:
        out.mkdir()
    with files_of_at_most(20):
        assert run(monkeypatch, *VERBS[verb](small, out)) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert "error: File too large" in errors[0]
    assert not [path for path in tmp_path.rglob("*") if path != out]
    assert out.exists() == (" " in verb)


@pytest.mark.filterwarnings("ignore:the mesh is only")
def test_a_mesh_whose_map_has_no_room_is_not_written_either(monkeypatch, small, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "head.msh").write_text("of before")

    def full(*_given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "head.msh.mni.json")

    monkeypatch.setattr("efield.app.meshes.write_sidecar", full)
    assert run(monkeypatch, *mesh_build(small, out), "--mni", "same") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert "error: No space left on device" in errors[0]
    assert [path.name for path in out.iterdir()] == ["head.msh"]
    assert (out / "head.msh").read_text() == "of before"


def test_a_study_on_a_full_disk_is_one_line_and_goes_on_when_there_is_room(monkeypatch, small, tmp_path, capsys):
    study = f"""
        heads = {{ a = "{small}/sphere.msh" }}
        coils = {{ a = "{small}/coil.ccd" }}
        targets = {{ a = {{ name = "C3", radius_mm = 20 }} }}
        grid = {{ radius_mm = 0, spacing_mm = 5, angles_deg = [0, 90] }}
        output = {{ folder = "out" }}
    """
    (tmp_path / "study.toml").write_text(study)
    with files_of_at_most(20):
        assert run(monkeypatch, "sweep", tmp_path / "study.toml") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert "must have room" in errors[0]
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["lock"]
    assert run(monkeypatch, "sweep", tmp_path / "study.toml") == 0


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")


@needs_full
def test_output_that_cannot_be_written_is_one_line():
    with open("/dev/full", "w") as full:
        child = [sys.executable, "-m", "efield", "targets"]
        found = subprocess.run(child, stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 2
    assert found.stderr.startswith("error: No space left on device")
    assert found.stderr.count("\n") == 1


@needs_full
def test_json_that_cannot_be_written_is_one_line_and_nothing_of_it_is_kept_for_later(monkeypatch, capsys):
    with open("/dev/full", "w") as full:  # whatever is left is written when it is closed, and fails again
        monkeypatch.setattr(sys, "stdout", full)
        assert run(monkeypatch, "coils", "list", "--json") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: No space left on device")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("verb", "rival"),
    [
        (("simulate", "--pose", "pose.txt", "--angle", "0"), "--angle and --pose"),
        (("simulate", "--pose", "pose.txt", "--distance", "4"), "--distance and --pose"),
        (("uncertainty", "--pose", "pose.txt", "--angle", "45"), "--angle and --pose"),
        (("dose", "--rmt", "50", "--rmt-pose", "pose.txt", "--rmt-angle", "45"), "--rmt-angle and --rmt-pose"),
    ],
)
def test_an_angle_beside_a_pose_is_refused(monkeypatch, capsys, verb, rival):
    assert run(monkeypatch, *verb) == 2
    assert f"{rival} must not be given together" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "begun", "completed"),
    [("--coil", "magstim-70", "magstim-70mm-figure8"), ("--target", "m1-leg-l", "m1-leg-left")],
)
def test_a_shell_completes_names(monkeypatch, capsys, option, begun, completed):
    words = f"efield simulate {option} {begun}"
    asked = {"_EFIELD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app(prog_name="efield")
    assert completed in capsys.readouterr().out.split()
