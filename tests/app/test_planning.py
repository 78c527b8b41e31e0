"""`efield optimize` and `efield uncertainty` as people use them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from efield.head.spheres import sphere_head
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head
from efield.targeting.validation import validation_coil
from tests.app.command import run
from tests.small import coarse_sources


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A head and a coil that take little time."""
    folder = tmp_path_factory.mktemp("small")
    write_head(folder / "sphere.msh", sphere_head((68.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=12.0))
    write_ccd(folder / "coil.ccd", replace(validation_coil(), sources=coarse_sources()))
    return ("--head", folder / "sphere.msh", "--coil", folder / "coil.ccd", "--target", "C3")


def test_the_best_placement_is_written_with_its_pose_and_picture(monkeypatch, small, tmp_path, capsys):
    out = tmp_path / "best"
    assert run(monkeypatch, "optimize", *small, "--radius", 4, "--tilt", 0, "--didt", 80e6, "--out", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    pose = np.loadtxt(out / "pose.txt")
    assert np.allclose(pose, document["pose"], atol=1e-12)
    assert f"# {document['pose_says']}\n" in (out / "pose.txt").read_text()
    assert document["gain"] >= -1e-3
    assert document["tolerance_deg"] is None or document["tolerance_deg"] > 5
    assert json.loads((out / "optimum.json").read_text()) == document
    assert (out / "loss.png").stat().st_size > 10_000
    # |E| of the best at 80 A/us is that of `simulate` at the pose that was written.
    simulated = ("--pose", out / "pose.txt", "--didt", 80e6, "--no-refine", "--out", tmp_path / "field", "--json")
    assert run(monkeypatch, "simulate", *small, *simulated) == 0
    measures = json.loads(capsys.readouterr().out)["measures"]
    assert measures["mean_magnitude"]["value"] == pytest.approx(document["value"], rel=1e-5)


def test_a_table_says_what_varied_and_how_sure_a_measure_is(monkeypatch, small, capsys):
    given = ("--vary", "bone=0.003..0.012", "--vary", "csf=1.2..1.8", "--samples", 128)
    assert run(monkeypatch, "uncertainty", *small, *given) == 0
    printed = capsys.readouterr().out
    assert "mean_magnitude" in printed
    assert "bone: 0.003 to 0.012 S/m" in printed
    assert "placement: as planned" in printed


def test_the_picture_says_what_drive_its_field_is_of(monkeypatch, small, tmp_path):
    said = []
    monkeypatch.setattr("efield.app.planning.check_drawable", lambda *_: None)
    monkeypatch.setattr("efield.app.planning.save_uncertainty_picture", lambda *given: said.append(given[-1]))
    given = ("--vary", "bone=0.003..0.012", "--samples", 64, "--didt", 80e6, "--picture", tmp_path / "a.png")
    assert run(monkeypatch, "uncertainty", *small, *given) == 0
    assert [title.split(", ")[-1] for title in said] == ["dI/dt 80 A/µs"]


@pytest.mark.parametrize(
    ("verb", "given", "message"),
    [
        ("uncertainty", ("--vary", "bone"), "NAME=LOW..HIGH"),
        ("uncertainty", ("--vary", "bone=0.1..0.01"), "low to a higher"),
        ("uncertainty", ("--placement", "by-eye"), "cap"),
        ("uncertainty", ("--picture", "sure.html"), "suffix of a picture"),
        ("optimize", ("--forbidden", "1,2,3"), "x,y,z,radius"),
        ("optimize", ("--forbidden", "none.nii.gz:3"), "none.nii.gz"),
        ("uncertainty", ("--angle", "up"), "--angle"),
        ("optimize", ("--goal", "most"), "--goal"),
        ("optimize", ("--spare", "C4"), "focality"),
        ("optimize", ("--didt", -80e6), "--didt"),
        ("optimize", ("--radius", 100), "--radius"),
        ("uncertainty", ("--samples", 3), "--samples"),
        ("uncertainty", ("--vary", "bone=0.1..0.2", "--vary", "bone=0.2..0.3"), "twice"),
        ("uncertainty", ("--vary", "bone=0.1..0.2", "--vary", "skull=0.2..0.3"), "twice"),
        ("uncertainty", ("--vary", "gm=100..600"), "mS/m"),
        ("uncertainty", ("--vary", "gm=0.1..inf"), "finite"),
        ("optimize", ("--conductivity", "bone=0.01", "--conductivity", "skull=0.02"), "once"),
        ("optimize", ("--target", "m1-toe"), "target"),
    ],
)
def test_wrong_options_are_named(monkeypatch, small, tmp_path, capsys, verb, given, message):
    where = ("--out", tmp_path / "best") if verb == "optimize" else ()
    assert run(monkeypatch, verb, *small, *where, *given) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "best").exists()
