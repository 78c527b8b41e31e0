"""`efield basis build`, `info` and `check`."""

import json
from contextlib import redirect_stdout
from io import StringIO

import pytest

from efield.app import bases
from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import write_head
from tests.app.command import run

#: A region so small that the fewest solves are enough for the error asked for.
SMALL = ("--radius", "6", "--tilt", "3", "--distances", "4,6", "--region-radius", "20", "--max-solves", "64")
TOL = 0.05


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A coarse sphere and a small round coil in files, with the options that name them."""
    folder = tmp_path_factory.mktemp("inputs")
    write_head(folder / "head.msh", sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=18.0))
    (folder / "ring.toml").write_text(
        'type = "circular"\nturns = 3\ninner_diameter_mm = 40\nouter_diameter_mm = 60\n'
        "wire_width_mm = 2\nwire_height_mm = 6\ncasing_mm = 4\n"
    )
    return ("--head", folder / "head.msh", "--coil", folder / "ring.toml")


@pytest.fixture(scope="module")
def built(tmp_path_factory, inputs):
    """A basis in a folder, and what building it printed."""
    out, printed = tmp_path_factory.mktemp("built") / "basis", StringIO()
    arguments = (out, *inputs, "--target", "0,0,65", *SMALL, "--tol", TOL, "--json")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        assert run(patch, "basis", "build", *arguments) == 0
    return out, json.loads(printed.getvalue())


def test_what_build_says_info_says_and_check_finds(monkeypatch, capsys, built, inputs):
    out, certificate = built
    assert certificate["met"]
    assert certificate["field"]["max"] <= TOL
    assert not out.with_name("basis.solves").exists()
    assert run(monkeypatch, "basis", "info", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["certificate"]["field"] == certificate["field"]
    assert run(monkeypatch, "basis", "info", out) == 0
    assert "within 6 mm" in capsys.readouterr().out
    assert run(monkeypatch, "basis", "check", out, *inputs, "--placements", "3", "--json") == 0
    fresh = json.loads(capsys.readouterr().out)
    assert fresh["held_out"] == 3
    # Other placements of the same region: the error has the same size, not the same value.
    assert fresh["field"]["max"] != certificate["field"]["max"]
    assert fresh["field"]["max"] < 5 * certificate["field"]["max"]


def test_a_basis_is_not_checked_with_another_coil_or_conductivity(monkeypatch, capsys, built, inputs):
    out, _ = built
    assert run(monkeypatch, "basis", "check", out, *inputs[:2], "--coil", "magstim-90mm-circular") == 2
    assert "coil differ" in capsys.readouterr().err.replace("the coil", "coil")
    assert run(monkeypatch, "basis", "check", out, *inputs, "--conductivity", "bone=0.02") == 2
    assert "conductivity" in capsys.readouterr().err


def test_a_basis_that_misses_the_error_asked_for_is_written_and_says_so(monkeypatch, capsys, tmp_path, inputs):
    arguments = (tmp_path / "b", *inputs, "--target", "0,0,65", *SMALL, "--tol", "1e-6")
    assert run(monkeypatch, "basis", "build", *arguments) == 1
    assert "--max-solves" in capsys.readouterr().err
    assert (tmp_path / "b" / "basis.json").exists()


def test_an_interrupted_build_goes_on_where_it_stopped(monkeypatch, tmp_path, inputs, built):
    whole, _ = built
    arguments = ("basis", "build", tmp_path / "b", *inputs, "--target", "0,0,65", *SMALL, "--tol", TOL)
    show = bases.Bar.__call__

    def interrupt(bar, done, *rest):
        show(bar, done, *rest)
        if done >= 48:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bases.Bar, "__call__", interrupt)
        assert run(monkeypatch, *arguments) != 0
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "b.solves").glob("*.npy")}
    assert kept
    seen = []
    monkeypatch.setattr(bases.Bar, "__call__", lambda bar, done, *rest: seen.append(done))
    with monkeypatch.context() as patch:
        patch.setattr(bases, "rmtree", lambda path: None)
        assert run(monkeypatch, *arguments) == 0
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "b.solves").glob("*.npy")}
    assert kept.items() <= again.items()
    assert (tmp_path / "b" / "modes.npy").read_bytes() == (whole / "modes.npy").read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--distances", "2"), "LEAST,LARGEST"),
        (("--distances", "5,2"), "least"),
        (("--target", "nowhere"), "nowhere"),
        (("--max-solves", "3"), "max_solves"),
        (("--tilt", "80"), "tilt_deg"),
        (("--clearance", "3"), "--coil any"),
        (("--whole-brain", "--region-radius", "20"), "must not be given together"),
    ],
)
def test_wrong_options_are_named(monkeypatch, capsys, tmp_path, inputs, options, words):
    assert run(monkeypatch, "basis", "build", tmp_path / "b", *inputs, *options) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_folder_that_exists_is_not_touched(monkeypatch, capsys, tmp_path, inputs):
    assert run(monkeypatch, "basis", "build", tmp_path, *inputs) == 2
    assert "does not exist yet" in capsys.readouterr().err
    assert run(monkeypatch, "basis", "info", tmp_path) == 2
    assert "basis.json" in capsys.readouterr().err
