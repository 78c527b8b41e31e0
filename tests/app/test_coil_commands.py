"""`efield coils info` and `convert`, and `--allow-collision`."""

import json
import sys

import numpy as np
import pytest

from efield.app.cli import main
from efield.coils.equivalent import potential_error
from efield.head.spheres import sphere_head
from efield.io.gmsh import write_head
from efield.io.load import load_coil


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["efield", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code or 0


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
    assert run(monkeypatch, "coils", "convert", drawing, out, "--spacing", "6") == 0
    notes = capsys.readouterr().err
    stated = float(
        next(line for line in notes.splitlines() if "differs" in line).split(" of its maximum")[0].split()[-1]
    )
    error = potential_error(load_coil(out), load_coil(drawing))
    assert error == pytest.approx(stated, rel=0.05)
    # Worst for the grid, whose samples are 6 mm apart; as dipoles 4e-3 at most.
    assert error < (0.02 if suffix == ".nii.gz" else 0.004)


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


def test_info_of_a_sampled_field_says_why_there_is_no_depth(monkeypatch, capsys, tmp_path, drawing):
    assert run(monkeypatch, "coils", "convert", drawing, tmp_path / "a.nii", "--spacing", "20") == 0
    capsys.readouterr()
    assert run(monkeypatch, "coils", "info", tmp_path / "a.nii", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["inductance_henry"] is None
    assert "casing points" in facts["no_depth_because"]


def test_a_coil_in_the_head_is_an_error_unless_allowed_by_name(monkeypatch, capsys, tmp_path, drawing):
    write_head(tmp_path / "sphere.msh", sphere_head(edge_mm=9.0))
    pose = tmp_path / "pose.txt"
    np.savetxt(pose, [[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 83], [0, 0, 0, 1]])
    options = ("simulate", "--head", tmp_path / "sphere.msh", "--coil", drawing, "--pose", pose, "--target=0,0,65")
    assert run(monkeypatch, *options, "--out", tmp_path / "a") == 2
    error = capsys.readouterr().err
    assert "inside by 1.9 mm" in error or "inside by 2 mm" in error
    assert "--allow-collision" in error
    assert run(monkeypatch, *options, "--out", tmp_path / "a", "--allow-collision", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metrics"]["coil_clearance"]["value"] == pytest.approx(-2.0, abs=0.3)
    assert any("overlaps the head" in note for note in document["notes"])
