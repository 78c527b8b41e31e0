"""`efield simulate` with tensors and tables of conductivities."""

import json

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head
from efield.head.tensor_field import TensorField
from efield.io.meshes.gmsh import write_head
from efield.io.volumes.tensor import read_tensors, write_tensors
from efield.targeting.simulate import Simulator
from tests.app.command import run

#: Brain of 70 mm, no white matter; the scalp has a tag of the user.
TAGS = (2, 3, 4, 501)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a head and tensors of a thick plate in its middle, clipped and negative ones among them."""
    folder = tmp_path_factory.mktemp("tensors")
    write_head(folder / "head.msh", sphere_head(tags=TAGS, edge_mm=12.0))
    values = np.zeros((19, 19, 19, 3, 3))
    values[:] = np.diag((3e-4, 1.6e-3, 4e-4))
    values[:, :, :3] = 0
    values[:, :, 4:6] = np.diag((1.6e-3, 3e-4, -1e-4))
    values[:, :, 7:9] = np.diag((1.6e-3, 3e-4, 1e-5))
    affine = np.diag((8.0, 8.0, 8.0, 1.0))
    affine[:3, 3] = -72
    write_tensors(folder / "d.nii.gz", TensorField(values, affine), "fsl")
    (folder / "table.csv").write_text("tag,name,value\n501,gel,0.4\nbone,,0.02\n")
    return folder


def simulate(monkeypatch, files, out, *more):
    return run(monkeypatch, "simulate", "--head", files / "head.msh", "--out", out, *more)


def test_tensors_are_used_counted_printed_and_recorded(monkeypatch, capsys, files, tmp_path):
    options = ("--conductivity", "501=0.3", "--conductivity", "777=0.3", "--target=0,0,65")
    tensors = ("--tensors", files / "d.nii.gz", "--tensor-order", "fsl")
    assert simulate(monkeypatch, files, tmp_path / "out", *options, *tensors) == 0
    printed = capsys.readouterr()
    document = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert document["conductivity"]["501"] == 0.3
    report = document["conductivity_tensors"]
    assert report["file"] == str(files / "d.nii.gz")
    assert (report["order"], report["mapping"], report["factor"]) == ("fsl", "volume-normalized", None)
    assert report["tissues"] == ["white matter", "gray matter"]
    assert report["tets"] == report["used"] + report["missing"] + report["outside"]
    assert min(report["missing"], report["raised"], report["capped"]) > 0
    assert 0.8 < report["used_fraction"] < 1
    notes = [note for note in document["notes"] if note.startswith("tensors: ")]
    assert str(report["used"]) in notes[0]
    assert str(report["raised"]) in notes[-1]
    text = " ".join((printed.out + printed.err).split())
    for note in notes:
        assert note in text
    assert any("tag 777" in note and "does not have" in note for note in document["notes"])


def test_a_direct_factor_a_table_and_what_overrides_it(monkeypatch, capsys, files, tmp_path):
    options = ("--target=0,0,65", "--conductivity-table", files / "table.csv", "--conductivity", "gel=0.5", "--json")
    tensors = ("--tensors", files / "d.nii.gz", "--tensor-order", "fsl", "--tensor-mapping", "direct")
    assert simulate(monkeypatch, files, tmp_path / "out", *options, *tensors, "--tensor-factor", "0.2") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert document["conductivity"] == {"2": 0.275, "3": 1.654, "4": 0.02, "501": 0.5}
    assert document["conductivity_tensors"]["factor"] == 0.2
    assert document["conductivity_tensors"]["mapping"] == "direct"


def test_a_simulator_with_tensors_gives_another_field(files):
    head, coil = sphere_head(edge_mm=15.0), Coil.from_dipoles([[0, 0, -5]], [[0, 0, 1]])
    pose = Pose(np.array([[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 95], [0, 0, 0, 1]]))
    given = Conductivity().with_tensors(read_tensors(files / "d.nii.gz", "fsl"))
    sims = [Simulator(head, conductivity) for conductivity in (None, given)]
    plain, field = (sim.solve(coil, pose).e[head.tissue == 2] for sim in sims)
    assert sims[0].tensor_report is None
    assert sims[1].tensor_report.used > 0
    assert np.linalg.norm(field - plain) > 0.05 * np.linalg.norm(plain)


BAD = {
    "no order": (("--tensors", "d.nii.gz"), "order of the tensor's components must be given"),
    "unknown order": (("--tensors", "d.nii.gz", "--tensor-order", "ants"), "fsl, mrtrix"),
    "no file": (("--tensors", "none.nii", "--tensor-order", "fsl"), "none.nii"),
    "order alone": (("--tensor-order", "fsl"), "must come with --tensors"),
    "factor alone": (("--tensor-factor", "0.3"), "must come with --tensors"),
    "unknown mapping": (
        ("--tensors", "d.nii.gz", "--tensor-order", "fsl", "--tensor-mapping", "volume"),
        "volume-normalized",
    ),
    "factor of another mapping": (
        ("--tensors", "d.nii.gz", "--tensor-order", "fsl", "--tensor-factor", "0.3"),
        "direct",
    ),
    "mesh instead of tensors": (("--tensors", "head.msh", "--tensor-order", "fsl"), "NIfTI"),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD.keys())
def test_wrong_tensors_end_the_run_before_any_work(monkeypatch, capsys, files, tmp_path, options, message):
    """The head does not exist either: the options are looked at first."""
    monkeypatch.chdir(files)
    assert run(monkeypatch, "simulate", "--head", "nowhere.msh", "--out", tmp_path / "out", *options) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert message in text
    assert "nowhere" not in text
    assert not (tmp_path / "out").exists()


def test_a_tag_without_a_conductivity_is_named_with_the_remedy(monkeypatch, capsys, files, tmp_path):
    assert simulate(monkeypatch, files, tmp_path / "out", "--target=0,0,65") == 2
    assert "501" in capsys.readouterr().err


TABLES = {
    "bad.csv": (
        "tag,value\nbone,0.01\nbonne,0.02\ngray matter,-1\nCSF,much\nscalp\n",
        ("line 3", "'bone'", "line 4", "> 0", "line 5", "number", "line 6", "1 columns instead of 2"),
    ),
    "twice.csv": ("tag,value\nbone,0.01\n4,0.02\n", ("line 3", "tag 4 must stand once")),
    "header.csv": ("bone,0.01\n", ("the first line must name the columns",)),
    "empty.csv": ("tag,value\n", ("it is empty",)),
    "name.csv": ("tag,name,value\n501,bone,0.3\n502,7,0.3\n", ("'bone' must be that of tag 4", "must not be a number")),
    "bad.toml": ("bone = 'hard'\n501 = {value = true}\n502 = {valeu = 1}\n", ("bone", "501", "502", "valeu")),
    "syntax.toml": ("bone: 0.01\n", ("must be valid TOML",)),
    "digits.toml": (f"bone = {'9' * 5000}\n", ("TOML",)),
    "huge.toml": (f"bone = 1{'0' * 400}\n", ("must be a number",)),
    "tag.csv": (f"tag,value\n{'9' * 5000},1\n70000,1\n0,1\n", ("line 2", "line 3", "1 to 65535", "line 4")),
    "binary.csv": ("\0\0\0", ("the first line must name the columns",)),
    "table.txt": ("tag,value\nbone,0.01\n", (".csv or .toml",)),
}


@pytest.mark.parametrize(("name", "content"), TABLES.items(), ids=TABLES.keys())
def test_every_bad_line_of_a_table_is_named_before_any_work(monkeypatch, capsys, tmp_path, name, content):
    text, messages = content
    (tmp_path / name).write_text(text)
    options = ("--conductivity-table", tmp_path / name, "--out", tmp_path / "out")
    assert run(monkeypatch, "simulate", "--head", "nowhere.msh", *options) == 2
    printed = "".join(capsys.readouterr().err.split("\n"))
    squeezed = " ".join(printed.split())
    for message in (name, *messages):
        assert message in squeezed or message.replace(" ", "") in squeezed.replace(" ", "")
    assert not (tmp_path / "out").exists()
