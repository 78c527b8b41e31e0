"""`efield sweep --poses` as people use it."""

import csv
import json

import numpy as np
import pytest

from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import write_head
from efield.io.poses.pose_table import PoseTable
from efield.io.volumes.nifti import write_volume
from efield.targeting.placement import place_coil
from tests import small
from tests.app.command import run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _few_dipoles(monkeypatch):
    coils = small.named_coils()
    monkeypatch.setattr("efield.app.recordings.load_coil", lambda name: coils[name])


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A head, and a navigator's file of two targets and ten samples that turn by nine degrees each."""
    folder = tmp_path_factory.mktemp("session")
    head = sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=16.0)
    write_head(folder / "sphere.msh", head)
    coil = small.named_coils()["magstim-70mm-figure8"]
    poses = [place_coil(head, "C3", 9.0 * k, 6.0, coil=coil) for k in range(10)]
    known = {"time_s": np.arange(10.0), "didt": np.linspace(40e6, 70e6, 10), "mep_uv": np.linspace(100, 900, 10)}
    none = {name: np.concatenate([[np.nan, np.nan], values]) for name, values in known.items()}
    table = PoseTable([*poses[:2], *poses], [f"p{k}" for k in range(12)], none)
    table.write(folder / "session.json")
    PoseTable(poses[3:4], ["plan"]).write(folder / "plan.txt")
    affine = np.diag([8.0, 8.0, 8.0, 1.0])
    affine[:3, 3] = -80.0
    write_volume(folder / "coarse.nii.gz", np.zeros((21, 21, 21), np.uint8), affine, code=1)
    (folder / "two.txt").write_text("100\nnan\n")
    return folder


def test_a_session_becomes_a_table_maps_and_pictures(monkeypatch, session, tmp_path, capsys):
    monkeypatch.setattr("efield.app.recordings.can_render", lambda: False)
    out = tmp_path / "done"
    given = ("--poses", session / "session.json", "--head", session / "sphere.msh", "--target", "C3")
    coarse = ("--like", session / "coarse.nii.gz")
    assert run(monkeypatch, "sweep", *given, "--plan", session / "plan.txt", *coarse, "--out", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["pulses"], document["passed_over"], document["solves"]) == (10, 2, 10)
    assert document["off_deg"]["most"] == pytest.approx(54.0, abs=0.1)  # the last turned by 81, the plan by 27
    assert document["responses"]["count"] == 10
    rows = list(csv.DictReader((out / "pulses.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == [f"p{k}" for k in range(2, 12)]
    assert [float(row["didt"]) for row in rows] == pytest.approx(np.linspace(40e6, 70e6, 10))
    assert float(rows[3]["off_mm"]) == pytest.approx(0.0, abs=1e-4)
    assert json.loads((out / "summary.json").read_text()) == document
    assert {file.name for file in out.iterdir()} == set(document["files"])
    assert any("OpenGL" in note for note in document["notes"])


def test_the_table_for_people_says_intensity_drift_and_place(monkeypatch, session, tmp_path, capsys):
    monkeypatch.setattr("efield.app.recordings._write", lambda *_: None)  # as above
    given = ("--poses", session / "session.json", "--head", session / "sphere.msh", "--target", "C3")
    amplitudes = tmp_path / "mep.txt"
    amplitudes.write_text("\n".join(map(str, range(900, 1000, 10))))
    options = ("--stimulator", "magstim-rapid2", "--didt", 5e7)
    assert run(monkeypatch, "sweep", *given, *options) == 2
    assert "must not be given together" in capsys.readouterr().err
    assert run(monkeypatch, "sweep", *given, "--mep", amplitudes, "--didt", 5e7, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "off the first pulse, p2 (mm)" in printed
    assert "intensity: 5e+07 A/s (50 A/us) for every pulse" in printed
    assert "10 responses, sigmoid: R2" in printed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--poses", "none.txt"), "does not exist"),
        (
            ("--poses", "session.json", "--stimulator", "magpro-x100"),
            "that of 10 of 10 is not (p2, p3, p4, p5, and 6 more)",
        ),
        (("--poses", "session.json", "--mep", "plan.txt"), "--mep must be a file of numbers, one a line"),
        (("--poses", "session.json:1", "--mep", "two.txt"), "an amplitude for each of 1 pulses; instead two.txt has 2"),
        (("--poses", "session.json:nobody"), "'nobody'"),
        (("--poses", "session.json", "--plan", "session.json"), "one pose is needed"),
        (("--poses", "session.json", "--current", "up"), "--current must be"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_work(given, message, monkeypatch, session, capsys):
    monkeypatch.chdir(session)
    monkeypatch.setattr("efield.app.recordings.load_head", lambda name: pytest.fail("the head was loaded"))
    assert run(monkeypatch, "sweep", *given) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (session / "efield-pulses").exists()
