"""`efield sweep`: run, show, check, repair, new."""

import csv
import json
import shlex

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.head.spheres import sphere_head
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head
from efield.io.poses.reading import load_pose
from tests.app import command

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
angles_deg = [0, 60, 120, 180]
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
    return command.run(monkeypatch, "sweep", *arguments)


@pytest.fixture
def done(folder, monkeypatch, capsys):
    """The finished store; the first test that wants it pays."""
    assert run(monkeypatch, folder / "study.toml", "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_dry_run_counts_and_computes_nothing(folder, monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, folder / "study.toml", "--dry-run", "--json", "--out", tmp_path / "dry") == 0
    found = json.loads(capsys.readouterr().out)
    # 5 positions x 4 angles, 2 coils; 3 chunks of at most 8 each.
    assert (found["cells"], found["placements"], found["chunks"]) == (2, 40, 6)
    assert not (tmp_path / "dry").exists()
    assert found["didt"] == {"b": [1e6], "a": [1e6]}
    (target,) = found["targets"]
    # Over the hand area of the sphere, on its gray surface, on the left.
    assert np.linalg.norm(target["center_mm"]) < 80
    assert target["center_mm"][0] < 0
    assert target["tets"] > 0


def test_dry_run_refuses_the_folder_that_a_run_would_refuse(folder, monkeypatch, capsys, tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    for refused in (tmp_path, tmp_path / "letters.txt" / "out"):
        assert run(monkeypatch, folder / "study.toml", "--dry-run", "--out", refused) == 2
        assert "letters.txt" in capsys.readouterr().err


def test_it_runs_and_a_second_time_has_nothing_to_do(folder, done, monkeypatch, capsys):
    assert run(monkeypatch, "run", folder / "study.toml", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["chunks"] == 6
    assert again["computed"] == 0
    assert {"table.csv", "table.parquet", "sweep.zarr"} <= {path.name for path in (folder / "out").iterdir()}


def test_the_command_it_names_can_be_pasted_where_folders_have_blanks(folder, monkeypatch, capsys, tmp_path):
    out = tmp_path / "my study"
    assert run(monkeypatch, folder / "study.toml", "--out", out, "--no-errors") == 0
    said = capsys.readouterr().out
    assert shlex.split(said[said.index("`") + 1 : said.rindex("`")]) == ["efield", "sweep", "show", str(out)]


def test_show_ranks_each_cell_by_what_excites_and_draws(folder, done, monkeypatch, capsys):
    picture = folder / "map.png"
    assert run(monkeypatch, "show", folder / "out", "--top", "3", "--json", "--map", picture) == 0
    blocks = json.loads(capsys.readouterr().out)["blocks"]
    # The same coil under two labels: a block of each.
    assert {(block["head"], block["target"], block["coil"]) for block in blocks} == {
        ("ball", "hand", "a"),
        ("ball", "hand", "b"),
    }
    for block in blocks:
        values = [row["along"] for row in block["rows"]]
        assert block["measure"] == "along"
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
        assert np.shape(block["rows"][0]["pose"]) == (4, 4)
        assert any("biphasic" in note for note in block["notes"])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(monkeypatch, "show", folder / "out", "--measure", "loudness") == 2


def test_of_a_measure_without_a_sign_half_a_turn_is_not_shown_twice(folder, done, monkeypatch, capsys):
    asked = (folder / "out", "--coil", "a", "--measure", "mean_vector", "--top", "15")
    assert run(monkeypatch, "show", *asked, "--json") == 0
    (block,) = json.loads(capsys.readouterr().out)["blocks"]
    # 5 positions x angles 0, 60, 120 and 180, of which 180 is 0 again.
    assert len(block["rows"]) == 15
    assert {row["angle_deg"] % 180 for row in block["rows"]} == {0, 60, 120}
    assert block["notes"][0].startswith("not shown: 5 placements")


def test_show_looks_at_the_cells_that_are_named(folder, done, monkeypatch, capsys):
    assert run(monkeypatch, "show", folder / "out", "--coil", "a", "--json") == 0
    (block,) = json.loads(capsys.readouterr().out)["blocks"]
    assert block["coil"] == "a"
    assert block["mesh_errors"]["placement"] == block["rows"][0]["placement"]
    assert 0 < block["mesh_errors"]["errors"]["along"] < 0.3 * block["rows"][0]["along"]
    assert run(monkeypatch, "show", folder / "out", "--coil", "a", "--top", "2") == 0
    printed = capsys.readouterr().out
    # The cell stands above its table, and where the coil is fits beside the measure.
    for words in ("ball, hand, a", "along", "angle_deg", "u_mm", "toward medial", " ± ", "error by the mesh"):
        assert words in printed
    assert run(monkeypatch, "show", folder / "out", "--coil", "c") == 2
    assert "coil must be one of b, a" in capsys.readouterr().err
    assert run(monkeypatch, "show", folder / "out", "--map", folder / "map.xyz") == 2
    assert "suffix" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["best.txt", "best.json", "best.xml"])
def test_the_best_pose_goes_to_a_file_that_simulate_takes(folder, done, monkeypatch, capsys, tmp_path, name):
    wanted = (folder / "out", "--coil", "a", "--pose", tmp_path / name)
    assert run(monkeypatch, "show", *wanted, "--json") == 0
    (block,) = json.loads(capsys.readouterr().out)["blocks"]
    np.testing.assert_allclose(load_pose(tmp_path / name).matrix, block["rows"][0]["pose"], atol=1e-5)


def test_show_prints_csv_with_the_columns_of_the_studys_table(folder, done, monkeypatch, capsys):
    assert run(monkeypatch, "show", folder / "out", "--top", "2", "--csv") == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == next(csv.reader((folder / "out/table.csv").read_text().splitlines()))
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["coil"] for row in table] in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    assert run(monkeypatch, "show", folder / "out", "--csv", "--json") == 2


def test_ctrl_c_says_how_to_go_on_with_the_same_options(folder, monkeypatch, capsys, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("efield.campaign.compute.Bench.chunk", interrupted)
    assert run(monkeypatch, folder / "study.toml", "--out", tmp_path / "else where") == 130
    said = capsys.readouterr().err
    assert "0 of 6 chunks are finished" in said
    assert said.rstrip().endswith(f"efield sweep {folder}/study.toml --out '{tmp_path}/else where'")


def test_a_log_says_once_that_all_is_done(folder, done, monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, folder / "study.toml", "--out", tmp_path / "again") == 0
    assert capsys.readouterr().err.count("sweep: 40 of 40 placements") == 1


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


def test_new_writes_a_study_that_is_right_and_never_over_another(monkeypatch, capsys, tmp_path, named_heads):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("efield.campaign.study.load_head", named_heads.__getitem__)
    assert run(monkeypatch, "new") == 0
    assert run(monkeypatch, "study.toml", "--dry-run") == 0
    assert run(monkeypatch, "new") == 2
    assert "must not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.toml",),
        ("shw",),
        ("show", "nowhere"),
        ("check", "nowhere"),
        ("check", "out", "--workers", "2"),
        ("study.toml", "--probe"),
    ],
)
def test_wrong_calls_are_errors_of_one_line(folder, monkeypatch, capsys, arguments):
    monkeypatch.chdir(folder)
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
