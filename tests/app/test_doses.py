"""`efield dose` and `efield protocol` as people use them."""

import json
from dataclasses import fields

import numpy as np
import pytest

from efield.app.console import OUT
from efield.app.dose_request import DoseRequest
from efield.app.doses import run as find_dose
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import write_head
from tests.app.command import run


@pytest.fixture(scope="module")
def small_head(tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "sphere.msh"
    write_head(path, sphere_head((68.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=12.0))
    return path


@pytest.fixture
def dose(monkeypatch, small_head):
    places = ("--head", small_head, "--rmt-target", "C3", "--target", "Cz")
    return lambda *more: run(monkeypatch, "dose", *places, *more)


def test_a_dose_has_reports_of_its_protocol_and_a_disclaimer(dose, capsys):
    assert dose("--rmt", 50, "--rmt-sd", 2, "--error", 3, "--protocol", "P15", "--phase", "second", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    found = document["dose"]
    assert found["percent"] == 110
    # On a sphere all places are alike, up to the mesh and to what a center of a few tetrahedra is.
    assert found["output_percent"] == pytest.approx(55, rel=0.25)
    assert found["treated"]["stimulator"] == "magstim-rapid2"
    assert found["treated"]["phase"] == found["measured"]["phase"] == "second"
    assert found["interval_percent"][0] < found["output_percent"] < found["interval_percent"][1]
    assert document["safety"]["verdict"] == "within what was tested"
    assert document["feasibility"]["verdict"] in ("possible", "unknown")
    assert any("needs a clinician" in note for note in found["notes"])
    assert [target["name"] for target in document["targets"]] == ["C3 (cortex below)", "Cz (cortex below)"]


def test_a_threshold_at_the_treated_place_is_the_output(dose, tmp_path, capsys):
    np.savetxt(tmp_path / "pose.txt", Pose.from_axes((0, 0, 92), (0, 1, 0), (0, 0, -1)).matrix)
    place = ("--rmt-target", "Cz", "--rmt-pose", tmp_path / "pose.txt", "--pose", tmp_path / "pose.txt")
    assert dose("--rmt", 50, *place, "--protocol", "P30", "--percent", "80", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["poses"][0] == document["poses"][1]
    assert document["dose"]["output_percent"] == pytest.approx(40)
    assert "lacks train" in document["no_reports"]


def test_a_dose_is_shown_as_a_table(dose, monkeypatch, capsys):
    # Other tests may have left a width of their own; `_width` is what `COLUMNS` becomes.
    monkeypatch.setattr(OUT, "_width", 300)
    assert dose("--rmt", 90, "--percent", 150, "--coil", "mc-b70", "--protocol", "P08") == 0
    text = capsys.readouterr().out
    assert "5 to 95 %" in text
    assert "in the interval: numerical errors of the fields" in text
    assert "BEYOND THE STIMULATOR'S MAXIMUM" in text
    assert "output: not possible" in text
    assert "Drakaki" in text
    assert "needs a clinician" in text
    assert "longer than the cell (0.8 s at 10 Hz, 150 %" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rmt", 150), "--rmt must be between 0 and 100"),
        (("--rmt", 50, "--protocol", "P13"), "--percent must be given with P13"),
        (("--rmt", 50, "--protocol", "P99"), "protocol must be one of"),
        (("--rmt", 50, "--percent", 1.1), "write 110 for 110 %"),
        (("--rmt", 50, "--rmt-method", "eye"), "method must be one of"),
        (("--rmt", 50, "--rmt-distance", 0.004), "--rmt-distance must be in millimeters"),
        (("--rmt", 50, "--distance", 0.004), "--distance must be in millimeters"),
        (("--rmt", 50, "--error", -1), "--error must be between"),
        (("--rmt", 50, "--stimulator", "nope"), "stimulator must be one of"),
        (("--rmt", 50, "--rmt-coil", "magstim-70mm-circular"), "--rmt-max-didt"),
        (("--rmt", 50, "--protocol", "P17"), "90 % of an active motor threshold"),
        (("--rmt", 50, "--stimulator", "magpro-x100"), "another maker's: choose another, or give --max-didt"),
    ],
)
def test_bad_options_are_refused_before_any_work(dose, capsys, options, message):
    assert dose(*options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "loading head" not in error


def test_what_is_not_said_of_the_threshold_is_as_of_the_treatment():
    assert {field.name.removeprefix("rmt_") for field in fields(DoseRequest) if field.name.startswith("rmt_")} - {
        field.name for field in fields(DoseRequest)
    } == {"method", "sd"}


def test_another_coil_at_the_threshold_has_its_own_stimulator(small_head):
    coils = {"rmt_coil": "magstim-70mm-figure8", "coil": "magventure-mc-b70"}
    request = DoseRequest(rmt=50, head=str(small_head), rmt_target="Cz", target="Cz", **coils)
    found, _ = find_dose(request, progress=None)
    assert (found.measured.stimulator, found.treated.stimulator) == ("magstim-rapid2", "magpro-x100")
    assert found.by_threshold.percent is None
    per_drive = found.measured.field / found.treated.field
    assert found.output_percent == pytest.approx(50 * per_drive * 114.73 / 155.33)


def test_the_solver_gets_the_conductivities_that_are_asked_for(dose, monkeypatch, capsys):
    def told(_head, sigma, **_options):
        raise InputError(f"bone {sigma.values[4]}, scalp {sigma.values[5]}")

    monkeypatch.setattr("efield.app.request_parts.Simulator", told)
    assert dose("--rmt", 50, "--conductivity", "bone=0.02") == 2
    assert "bone 0.02, scalp 0.465" in capsys.readouterr().err


def test_a_coil_from_a_file_has_the_rate_its_file_says(small_head, tmp_path):
    (tmp_path / "ring.toml").write_text(
        'type = "circular"\nturns = 3\ninner_diameter_mm = 40\nouter_diameter_mm = 60\n'
        "wire_width_mm = 2\nwire_height_mm = 6\ncasing_mm = 4\nmax_didt = 90e6\n"
    )
    places = {"head": str(small_head), "rmt_target": "C3", "target": "C3"}
    request = DoseRequest(rmt=20, rmt_coil="d70", coil=str(tmp_path / "ring.toml"), **places)
    found, _ = find_dose(request, progress=None)
    assert (found.measured.stimulator, found.treated.stimulator) == ("magstim-rapid2", "")
    assert found.treated.max_didt == 90e6
    ratio = 114.73 / 90 * found.measured.field / found.treated.field
    assert found.output_percent == pytest.approx(20 * ratio)


def test_protocols_are_listed_shown_and_checked(monkeypatch, capsys):
    assert run(monkeypatch, "protocol", "list", "--pain", "postherpetic", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["P18", "P22a", "P22b"]
    assert rows[0]["unverified"] == ["intensity_percent"]
    assert rows[0]["evidence_beside"]
    assert run(monkeypatch, "protocol", "list", "--evidence", "against") == 0
    assert "third line" in capsys.readouterr().out
    assert run(monkeypatch, "protocol", "show", "p30") == 0
    shown = capsys.readouterr().out
    assert "UNVERIFIED" in shown
    assert "lacks train" in shown
    asked = ("--output", 60, "--stimulator", "rapid2", "--coil", "d70", "--json")
    assert run(monkeypatch, "protocol", "show", "P08", *asked) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["safety"]["verdict"] == "not tabulated"
    assert document["feasibility"]["checks"]
    assert run(monkeypatch, "protocol", "check", "--hz", 10, "--train", 5, "--percent", 120) == 0
    assert "longer than the cell" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "--pain", "foot"), "pain must be one of"),
        (("show", "P08", "--output", 60), "--stimulator must be given together"),
        (("show", "P08", "--coil", "d70"), "--coil with both"),
        (("check", "--hz", 5, "--train", 5, "--percent", 1.1), "write 110 for 110 %"),
        (("show", "P30", "--output", 60, "--stimulator", "rapid2"), "lacks train"),
        (("check", "--hz", 0, "--train", 5, "--percent", 100), "--hz must be > 0"),
        (("check", "--hz", 5, "--train", 5, "--percent", 100, "--trains", 0), "--trains must be a whole number"),
    ],
)
def test_wrong_questions_are_answered_with_one_line(monkeypatch, capsys, arguments, message):
    assert run(monkeypatch, "protocol", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error.replace("\n", " ")
    assert len(error.strip().splitlines()) == 1
