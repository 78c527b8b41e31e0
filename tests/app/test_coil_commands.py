"""`efield coils info` and `convert`, and `--allow-collision`."""

import json

import numpy as np
import pytest

from efield.app.simulation_notes import coil_notes
from efield.coils.equivalent import potential_error
from efield.coils.model import Dipoles
from efield.head.spheres import sphere_head
from efield.io.coils.grid import write_coil_grid
from efield.io.coils.tcd import read_tcd_file, write_tcd
from efield.io.coils.tcd_model import (
    Casing,
    Deformation,
    DeformRange,
    Element,
    RecordedWaveform,
    TcdCoil,
    TcdStimulator,
)
from efield.io.load import load_coil
from efield.io.meshes.gmsh import write_head
from tests.app.command import run


@pytest.fixture
def drawing(tmp_path):
    """A small round coil, quick to compute."""
    path = tmp_path / "ring.toml"
    path.write_text(
        'type = "circular"\nturns = 3\ninner_diameter_mm = 40\nouter_diameter_mm = 60\n'
        "wire_width_mm = 2\nwire_height_mm = 6\ncasing_mm = 4\nmax_didt = 90e6\n"
    )
    return path


@pytest.mark.parametrize("suffix", [".ccd", ".tcd", ".nii.gz"])
def test_a_converted_coil_has_the_field_it_had_within_what_is_said(monkeypatch, capsys, tmp_path, drawing, suffix):
    out = tmp_path / f"ring{suffix}"
    samples = ("--spacing", "6") if suffix == ".nii.gz" else ()
    assert run(monkeypatch, "coils", "convert", drawing, out, *samples) == 0
    notes = capsys.readouterr().err
    stated = float(
        next(line for line in notes.splitlines() if "differs" in line).split(" of its maximum")[0].split()[-1]
    )
    error = potential_error(load_coil(out), load_coil(drawing))
    assert error == pytest.approx(stated, rel=0.05)
    # Worst for the grid, whose samples are 6 mm apart; as dipoles 4e-3 at most.
    assert error < (0.02 if suffix == ".nii.gz" else 0.004)


def test_a_spacing_is_of_samples_only(monkeypatch, capsys, tmp_path, drawing):
    assert run(monkeypatch, "coils", "convert", drawing, tmp_path / "ring.ccd", "--spacing", "6") == 2
    assert "--spacing is of the samples" in capsys.readouterr().err


def test_wires_of_whole_turns_stay_wires_in_tcd(monkeypatch, capsys, tmp_path):
    angle = np.linspace(0, 2 * np.pi, 41)
    path = np.column_stack([30 * np.cos(angle), 30 * np.sin(angle), np.full(41, -5)])
    np.savetxt(tmp_path / "loop.csv", path, delimiter=",")
    assert run(monkeypatch, "coils", "convert", tmp_path / "loop.csv", tmp_path / "loop.tcd") == 0
    assert "dipoles" not in capsys.readouterr().err
    assert potential_error(load_coil(tmp_path / "loop.tcd"), load_coil(tmp_path / "loop.csv")) < 1e-9


def test_a_sampled_field_is_copied_and_not_turned_into_dipoles(monkeypatch, capsys, tmp_path, drawing):
    first, second = tmp_path / "a.nii", tmp_path / "b.nii.gz"
    assert run(monkeypatch, "coils", "convert", drawing, first, "--spacing", "20") == 0
    assert run(monkeypatch, "coils", "convert", first, second) == 0
    assert np.array_equal(load_coil(first).sources[0].a_tm, load_coil(second).sources[0].a_tm)
    assert run(monkeypatch, "coils", "convert", first, tmp_path / "c.ccd") == 2
    assert "magnetic dipoles only" in capsys.readouterr().err


def test_an_unknown_format_is_refused(monkeypatch, capsys, tmp_path, drawing):
    assert run(monkeypatch, "coils", "convert", drawing, tmp_path / "ring.stl") == 2
    assert "must end in" in capsys.readouterr().err
    assert not (tmp_path / "ring.stl").exists()


def test_info_says_moment_inductance_depth_and_draws(monkeypatch, capsys, tmp_path, drawing):
    picture = tmp_path / "ring.png"
    assert run(monkeypatch, "coils", "info", drawing, "--json", "--picture", picture) == 0
    facts = json.loads(capsys.readouterr().out)
    # Three turns whose mean squared radius is (42^2 + 50^2 + 58^2) / 3 / 4 mm^2.
    area = np.pi * sum((d / 2e3) ** 2 for d in (42, 50, 58))
    assert facts["net_moment_am2"][2] == pytest.approx(area, rel=2e-3)
    assert 0.5e-6 < facts["inductance_henry"] < 1.5e-6
    assert 5 < facts["depth_mm"] < 20
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(monkeypatch, "coils", "info", drawing) == 0
    assert "uH" in capsys.readouterr().out


def test_info_of_a_grid_gives_depth_and_spread_of_the_coil_it_was_sampled_from(monkeypatch, capsys, tmp_path, drawing):
    facts = []
    assert run(monkeypatch, "coils", "convert", drawing, tmp_path / "a.nii", "--spacing", "5") == 0
    capsys.readouterr()
    for coil in (drawing, tmp_path / "a.nii"):
        assert run(monkeypatch, "coils", "info", coil, "--json") == 0
        facts.append(json.loads(capsys.readouterr().out))
    wires, grid = facts
    assert grid["inductance_henry"] is None
    assert grid["casing"]["from"] == "nothing"
    # Trilinear between samples 5 mm apart, and its slope by differences over 5 mm.
    assert grid["depth_mm"] == pytest.approx(wires["depth_mm"], rel=0.05)
    assert grid["spread_mm2"] == pytest.approx(wires["spread_mm2"], rel=0.05)


def test_info_of_a_grid_that_misses_the_head_names_the_range(monkeypatch, capsys, tmp_path, drawing):
    write_coil_grid(tmp_path / "a.nii", load_coil(drawing), bounds=[[-50, -50, 0], [50, 50, 60]], spacing_mm=10)
    assert run(monkeypatch, "coils", "info", tmp_path / "a.nii", "--json") == 0
    assert "it covers x -50.0 to 50.0" in json.loads(capsys.readouterr().out)["no_depth_because"]


def test_a_picture_that_cannot_be_written_is_refused_before_any_work(monkeypatch, capsys, tmp_path, drawing):
    for name, words in (("ring.txt", ".png, .pdf or .svg"), ("nowhere/ring.png", "create")):
        assert run(monkeypatch, "coils", "info", drawing, "--picture", tmp_path / name) == 2
        output = capsys.readouterr()
        assert words in output.err
        assert output.out == ""


def test_samples_too_far_apart_are_refused(monkeypatch, capsys, tmp_path, drawing):
    assert run(monkeypatch, "coils", "convert", drawing, tmp_path / "a.nii", "--spacing", "120") == 2
    assert "--spacing" in capsys.readouterr().err
    assert not (tmp_path / "a.nii").exists()


def test_a_tcd_coil_stays_deformable_in_tcd_and_other_formats_say_it_does_not(monkeypatch, capsys, tmp_path):
    hinge = Deformation(0, "rot2p", np.zeros(3), np.array([0.0, 1, 0]))
    wing = Element("wing", Dipoles(np.array([[20.0, 0, -5]]), np.array([[0.0, 0, 1]])), 0, 0, (0,))
    plate = Casing(np.array([[0.0, 0, 0], [40, 0, 0], [0, 40, 0]]), np.array([[0, 1, 2]]))
    pulse = RecordedWaveform("p", np.array([0, 1e-4]), np.array([0.0, 1]))
    source = tmp_path / "a.tcd"
    stimulator = TcdStimulator("S", max_didt=1e8, waveforms=(pulse,))
    write_tcd(source, TcdCoil("a", (wing,), "", "1", (stimulator,), (hinge,), (DeformRange(0, -9, 9),), (plate,)))
    assert run(monkeypatch, "coils", "convert", source, tmp_path / "b.tcd") == 0
    assert "note" not in capsys.readouterr().err
    again = read_tcd_file(tmp_path / "b.tcd")
    assert again.settings == read_tcd_file(source).settings
    assert again.stimulators[0].waveforms[0].name == "p"
    assert coil_notes(load_coil(source), {}) == ["parts of a: setting rot2p-0 = 0 (initial), from -9 to 9 degrees"]
    assert run(monkeypatch, "coils", "convert", f"{source}:rot2p-0=4", tmp_path / "b.ccd") == 0
    notes = capsys.readouterr().err
    assert "no longer deforms: setting rot2p-0 = 4" in notes
    assert "the casing has no place in a .ccd file" in notes


def test_the_loss_of_a_casing_known_as_points_is_said(monkeypatch, capsys, tmp_path, drawing):
    assert run(monkeypatch, "coils", "convert", drawing, tmp_path / "a.tcd") == 0
    assert "known as points only, has no place in a .tcd file" in capsys.readouterr().err
    assert run(monkeypatch, "coils", "info", tmp_path / "a.tcd") == 0
    assert "wires or dipoles themselves" in capsys.readouterr().out


def test_a_coil_in_the_head_is_an_error_unless_allowed_by_name(monkeypatch, capsys, tmp_path, drawing):
    write_head(tmp_path / "sphere.msh", sphere_head(edge_mm=12.0))
    pose = tmp_path / "pose.txt"
    np.savetxt(pose, [[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 83], [0, 0, 0, 1]])
    options = ("simulate", "--head", tmp_path / "sphere.msh", "--coil", drawing, "--pose", pose, "--target=0,0,65")
    assert run(monkeypatch, *options, "--out", tmp_path / "a") == 2
    error = capsys.readouterr().err
    assert "inside by 1.9 mm" in error or "inside by 2 mm" in error
    assert "--allow-collision" in error
    assert run(monkeypatch, *options, "--out", tmp_path / "a", "--allow-collision", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["measures"]["coil_clearance"]["value"] == pytest.approx(-2.0, abs=0.3)
    assert any("overlaps the head" in note for note in document["notes"])


@pytest.mark.filterwarnings("always:.*states 9 dipoles")
def test_a_wrong_count_of_dipoles_is_a_note_and_not_a_place_in_our_code(monkeypatch, capsys, tmp_path):
    (tmp_path / "a.ccd").write_text("# a version 1.0\n9\n# rows\n0 0 -0.005 0 0 1\n")
    assert run(monkeypatch, "coils", "info", tmp_path / "a.ccd") == 0
    output = capsys.readouterr()
    assert output.err.startswith("note: a.ccd states 9 dipoles and holds 1")
    assert "Warning" not in output.err
    assert "states 9 dipoles" in " ".join(output.out.split())
