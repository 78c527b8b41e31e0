"""`efield sweep`: run, show, check, repair, new."""

import json
import sys

import pytest

from efield.app.cli import main
from efield.coils.model import Coil
from efield.head.spheres import sphere_head
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head

STUDY = """
[heads]
ball = "ball.msh"
[coils]
b = "two.ccd"
a = "two.ccd"
[targets]
hand = { name = "m1-hand-left", radius_mm = 20 }
[grid]
radius_mm = 6
spacing_mm = 6
angles_deg = [0, 60, 120]
[engine]
kind = "reciprocal"
exact = true
[output]
folder = "out"
chunk = 8
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of a coarse sphere and one coil under two labels, not in the order of the alphabet."""
    place = tmp_path_factory.mktemp("study")
    write_head(place / "ball.msh", sphere_head(edge_mm=20.0))
    write_ccd(place / "two.ccd", Coil.from_dipoles([[-30, 0, -8], [30, 0, -8]], [[0, 0, 5], [0, 0, -5]]))
    (place / "study.toml").write_text(STUDY)
    return place


pytestmark = pytest.mark.usefixtures("one_thread")


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["efield", "sweep", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code or 0


@pytest.fixture
def done(folder, monkeypatch, capsys):
    """The finished store; the first test that wants it pays."""
    assert run(monkeypatch, folder / "study.toml", "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_dry_run_counts_and_computes_nothing(folder, monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, folder / "study.toml", "--dry-run", "--json", "--out", tmp_path / "dry") == 0
    found = json.loads(capsys.readouterr().out)
    # 5 positions x 3 angles, 2 coils; 2 chunks of at most 8 each.
    assert (found["cells"], found["placements"], found["chunks"]) == (2, 30, 4)
    assert not (tmp_path / "dry").exists()


def test_it_runs_and_a_second_time_has_nothing_to_do(folder, done, monkeypatch, capsys):
    assert run(monkeypatch, "run", folder / "study.toml", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["chunks"] == 4
    assert again["computed"] == 0
    assert {"table.csv", "table.parquet", "sweep.zarr"} <= {path.name for path in (folder / "out").iterdir()}


def test_show_ranks_and_draws(folder, done, monkeypatch, capsys):
    picture = folder / "map.png"
    assert run(monkeypatch, "show", folder / "out", "--top", "3", "--json", "--map", picture) == 0
    found = json.loads(capsys.readouterr().out)
    values = [row["mean_vector"] for row in found["best"]]
    assert values == sorted(values, reverse=True)
    assert len(values) == 3
    # The same coil under two labels: each placement comes twice, under the name that the study gave first as well.
    assert {row["coil"] for row in found["best"][:2]} == {"a", "b"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(monkeypatch, "show", folder / "out", "--measure", "along") == 0
    assert "along" in capsys.readouterr().out
    assert run(monkeypatch, "show", folder / "out", "--measure", "loudness") == 2


def test_show_looks_at_the_cells_that_are_named(folder, done, monkeypatch, capsys):
    assert run(monkeypatch, "show", folder / "out", "--coil", "a", "--json") == 0
    assert {row["coil"] for row in json.loads(capsys.readouterr().out)["best"]} == {"a"}
    assert run(monkeypatch, "show", folder / "out", "--coil", "a", "--top", "2") == 0
    printed = capsys.readouterr().out
    # What is the same in all rows stands above them, and where the coil is fits beside the measure.
    for words in ("ball, hand, a", "mean_vector", "angle_deg", "u_mm", "toward medial"):
        assert words in printed
    assert run(monkeypatch, "show", folder / "out", "--coil", "c") == 2
    assert "coil must be one of b, a" in capsys.readouterr().err
    assert run(monkeypatch, "show", folder / "out", "--map", folder / "map.xyz") == 2
    assert "suffix" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on_with_the_same_options(folder, monkeypatch, capsys, tmp_path):
    def interrupted(bench, chunk, progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr("efield.campaign.compute.Bench.chunk", interrupted)
    assert run(monkeypatch, folder / "study.toml", "--out", tmp_path / "else where") == 130
    said = capsys.readouterr().err
    assert "0 of 4 chunks are finished" in said
    assert said.rstrip().endswith(f"efield sweep {folder}/study.toml --out '{tmp_path}/else where'")


def test_a_log_says_once_that_all_is_done(folder, done, monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, folder / "study.toml", "--out", tmp_path / "again") == 0
    assert capsys.readouterr().err.count("sweep: 30 of 30 placements") == 1


def test_a_store_is_good_whatever_the_order_of_its_labels(folder, done, monkeypatch, capsys):
    assert run(monkeypatch, "check", folder / "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["good"]


def test_damage_is_reported_and_repaired(folder, done, monkeypatch, capsys):
    file = next(path for path in sorted((folder / "out/sweep.zarr/along/c").rglob("*")) if path.is_file())
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert run(monkeypatch, "check", folder / "out") == 1
    assert "along" in capsys.readouterr().out
    assert run(monkeypatch, folder / "study.toml") == 2
    assert "--repair" in capsys.readouterr().err
    assert run(monkeypatch, "check", folder / "out", "--repair") == 0
    assert file.read_bytes() == before


def test_all_that_is_wrong_is_listed_at_once(monkeypatch, capsys, tmp_path):
    (tmp_path / "bad.toml").write_text(
        STUDY.replace("spacing_mm", "spacing").replace("ball.msh", "none.msh").replace('"reciprocal"', '"magic"')
    )
    assert run(monkeypatch, tmp_path / "bad.toml") == 2
    err = capsys.readouterr().err
    for words in ("spacing_mm", "none.msh", "magic"):
        assert words in err
    assert not (tmp_path / "out").exists()


def test_new_writes_a_study_that_is_right_and_never_over_another(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "new") == 0
    assert run(monkeypatch, "study.toml", "--dry-run") == 0
    assert run(monkeypatch, "new") == 2
    assert "must not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [("missing.toml",), ("shw",), ("show", "nowhere"), ("check", "nowhere"), ("study.toml", "--probe")],
)
def test_wrong_calls_are_errors_of_one_line(folder, monkeypatch, capsys, arguments):
    monkeypatch.chdir(folder)
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
