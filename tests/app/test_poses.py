"""`efield poses`: info, check and convert say what files hold, what is wrong, and what a format has no place for."""

import json

import numpy as np
import pytest

from efield.app.simulation_notes import direction_note, driven_words
from efield.ground.pose import Pose
from efield.head.spheres import sphere_head
from efield.io.load import load_coil
from efield.io.meshes.gmsh import write_head
from efield.io.poses.axes import from_theirs
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses
from tests.app.command import run

ON_TOP = Pose.from_axes((-30, -30, 85), (0.5, 1, 0), (0.35, 0.35, -0.87)).matrix


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A recorded file, and a small head in the folder of it."""
    folder = tmp_path_factory.mktemp("poses")
    columns = {"time_s": [np.nan, 0.0, 4.0], "mep_uv": [np.nan, 750.0, np.nan]}
    PoseTable([ON_TOP] * 3, ["aim", "one", "two"], columns).write(folder / "recorded.txt", "brainsight")
    rows = (folder / "recorded.txt").read_text().splitlines()
    gone = rows[-1].replace("two", "gone").split("\t")
    gone[4] = "(null)"
    (folder / "recorded.txt").write_text("\n".join([*rows, "\t".join(gone)]) + "\n")
    write_head(folder / "head.msh", sphere_head(edge_mm=12.0))
    return folder


def test_info_says_where_handles_and_currents_point_and_what_was_dropped(monkeypatch, capsys, files):
    assert run(monkeypatch, "poses", "info", files / "recorded.txt") == 0
    said = capsys.readouterr()
    words = " ".join(said.out.split())
    assert "3 poses" in words
    assert "posterior" in words
    assert "anterior" in words
    assert "mep_uv" in words
    assert "1 dropped: it has no position" in said.err
    assert "coil axes of brainsight" in said.err


@pytest.mark.parametrize(("polarity", "sign"), [(1, 1), (-1, -1)])
def test_the_polarity_of_a_coil_turns_the_current_and_not_the_handle(monkeypatch, capsys, files, polarity, sign):
    assert run(monkeypatch, "poses", "info", f"{files / 'recorded.txt'}:samples", "--polarity", polarity, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [pose["name"] for pose in found["poses"]] == ["one", "two"]
    assert found["dropped"][0]["name"] == "gone"
    assert found["poses"][0]["mep_uv"] == 750.0
    assert np.allclose(found["poses"][0]["handle"], -ON_TOP[:3, 1], atol=1e-6)
    assert np.allclose(found["poses"][0]["induced_current"], sign * ON_TOP[:3, 1], atol=1e-6)


def test_a_coil_by_name_says_which_way_its_current_runs(monkeypatch, capsys, files):
    aim = f"{files / 'recorded.txt'}:aim"
    assert run(monkeypatch, "poses", "info", aim, "--coil", "mc-b70", "--json") == 0
    pose = json.loads(capsys.readouterr().out)["poses"][0]
    assert np.allclose(pose["induced_current"], pose["handle"])  # along -y
    assert "in a -y coil" not in pose["says"]
    assert run(monkeypatch, "poses", "info", aim, "--coil", "circular-90mm", "--json") == 0
    assert json.loads(capsys.readouterr().out)["poses"][0]["induced_current"] is None


@pytest.mark.parametrize(
    ("coil", "runs", "so"), [("d70", "anterior", "posterior"), ("mc-b70", "posterior", "anterior")]
)
def test_a_placement_says_where_its_own_current_runs(coil, runs, so):
    pose = Pose.from_axes((0, 0, 90), (0, 1, 0), (0, 0, -1))
    said = direction_note(load_coil(coil), pose, 1e6)
    assert said.endswith(f"; handle toward posterior; current induced toward {runs} by dI/dt > 0")
    assert direction_note(load_coil(coil), pose, -1e6) == f"{said}; dI/dt is negative here, and so it is toward {so}"
    assert said.endswith(driven_words(load_coil(coil), pose, 1e6))


def test_names_are_not_read_as_markup(monkeypatch, capsys, files, tmp_path):
    PoseTable([ON_TOP] * 2, ["M1 [left]", "[/]"]).write(tmp_path / "a.json")
    for verb in (("info",), ("check", "--head", files / "head.msh")):
        assert run(monkeypatch, "poses", verb[0], tmp_path / "a.json", *verb[1:]) == 0
        said = capsys.readouterr().out
        assert "[left]" in said
        assert "[/]" in said


def test_convert_says_what_a_format_has_no_place_for(monkeypatch, capsys, files, tmp_path):
    assert run(monkeypatch, "poses", "convert", files / "recorded.txt", tmp_path / "a.xml") == 0
    said = capsys.readouterr()
    assert "no place for: mep_uv" in said.err
    assert "anterior" in said.out
    assert np.allclose(read_poses(tmp_path / "a.xml").matrices, ON_TOP, atol=2e-6)
    assert run(monkeypatch, "poses", "convert", files / "recorded.txt", tmp_path / "a.xml", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["frame"] == "RAS"  # of the matrices that are printed
    assert (document["written"], document["no_place_for"]) == ([str(tmp_path / "a.xml")], ["mep_uv"])
    assert run(monkeypatch, "poses", "convert", tmp_path / "a.xml", tmp_path / "b.txt", "--to", "invesalius") == 0
    assert "b.txt is read with --from invesalius" in capsys.readouterr().err
    assert run(monkeypatch, "poses", "convert", tmp_path / "a.xml", tmp_path / "c.foo", "--to", "text") == 0
    assert "c.foo is read with --from text" in capsys.readouterr().err
    assert len(read_poses(tmp_path / "c.foo", format="text")) == 3
    again = read_poses(tmp_path / "b.txt", format="invesalius")
    assert np.allclose(again.matrices, ON_TOP, atol=2e-6)


def test_check_accepts_what_lies_on_the_scalp_and_names_what_does_not(monkeypatch, capsys, files, tmp_path):
    head = files / "head.msh"
    assert run(monkeypatch, "poses", "check", files / "recorded.txt", "--head", head) == 0
    assert "3 of 3 poses lie on the scalp" in capsys.readouterr().out
    np.savetxt(tmp_path / "a.txt", from_theirs(ON_TOP[None], "brainsight", "RAS")[0])
    assert run(monkeypatch, "poses", "check", tmp_path / "a.txt", "--head", head, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["poses"][0]["on_scalp"]
    assert "read with --axes brainsight" in [one["remedy"] for one in found["likely_mistakes"]]
    assert run(monkeypatch, "poses", "check", tmp_path / "a.txt", "--head", head, "--axes", "brainsight") == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("info", "no.txt"), "does not exist"),
        (("info", "no.docx"), "does not exist"),
        (("info", "recorded.txt:three"), "must be chosen by its name"),
        (("info", "recorded.txt", "--from", "localight"), "did you mean 'localite'"),
        (("info", "recorded.txt", "--frame", "LAS"), "frame must be one of RAS, LPS"),
        (("info", "recorded.txt", "--polarity", "2"), "--polarity"),
        (("info", "recorded.txt", "--polarity", "1", "--coil", "d70"), "must not be given together"),
        (("convert", "recorded.txt", "a.stmpx"), "must be written to"),
        (("check", "recorded.txt", "--head", "mni125"), "did you mean 'mni152'"),
    ],
)
def test_wrong_input_is_answered(monkeypatch, capsys, files, arguments, says):
    monkeypatch.chdir(files)
    assert run(monkeypatch, "poses", *arguments) == 2
    assert says in capsys.readouterr().err


def test_simulate_takes_a_marker_of_a_navigator(monkeypatch, capsys, files, tmp_path):
    monkeypatch.chdir(files)
    assert run(monkeypatch, "simulate", "--pose", "recorded.txt", "--out", tmp_path) == 2
    assert "one pose is needed" in capsys.readouterr().err
    also = ("--also", "d70,recorded.txt:nowhere,1e6")
    assert run(monkeypatch, "simulate", "--pose", "recorded.txt:aim", *also, "--out", tmp_path) == 2
    assert "instead received 'nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "summary.json").exists()
