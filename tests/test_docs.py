"""What the pages show is true: their Python runs as written, page by page, and their commands have these options.

Heads by name are small spheres here, with the map from MNI coordinates that the default head has, and reduced bases are
of a small patch. A block after a line ``<!-- not run: reason -->`` is only compiled.
"""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import pyvista
import typer
from nibabel.freesurfer import io as freesurfer

import efield as ef
from efield.app.cli import app
from efield.campaign.plan import read_study
from efield.campaign.run import run
from efield.head.midsurface import mid_surface
from efield.head.surface import boundary
from efield.head.tensor_field import TensorField
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head
from efield.io.surfaces.gifti import write_surface
from efield.io.volumes.nifti import write_volume
from efield.io.volumes.tensor import write_tensors
from efield.viz.probe import can_render
from tests.small import light_coil

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"(?P<note><!-- not run: [^\n]+ -->\n+)?^```(?P<kind>\w+)\n(?P<code>.*?)^```$", re.M | re.S)

#: What docs/studies.md reads.
STUDY = """
[heads]
template = "head.msh"
[coils]
d70 = "coil.ccd"
[targets]
hand = "-39,-15,62"
[grid]
radius_mm = 6
spacing_mm = 6
angles_deg = [0, 45]
[output]
folder = "hand-study"
fields = true
"""

#: Voxels of 4 mm around the whole head.
SHAPE = (52, 52, 52)
AFFINE = np.array([[4.0, 0, 0, -104], [0, 4, 0, -104], [0, 0, 4, -104], [0, 0, 0, 1]])


def blocks(page, *kinds):
    """(first line, code, is it run) of the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match["kind"] in kinds:
            yield text.count("\n", 0, match.start("code")) + 1, match["code"], match["note"] is None


def with_blocks(*kinds):
    return [pytest.param(page, id=page.stem) for page in PAGES if any(blocks(page, *kinds))]


@pytest.fixture(scope="module")
def belongings(named_heads, tmp_path_factory):
    """A folder with what a person has: heads, poses, labels, a cap, surfaces, tensors, a study that has run."""
    folder, head = tmp_path_factory.mktemp("belongings"), named_heads["mni152"]
    for name in ("head.msh", "m2m_ernie/ernie.msh"):
        write_head(_made(folder / name), head)
    np.savetxt(_made(folder / "m2m_ernie/toMNI/MNI2Conform_12DOF.txt"), np.eye(4))
    cap = _made(folder / "m2m_ernie/eeg_positions/EEG10-10_UI_Jurak_2007.csv")
    cap.write_text("Electrode,-60,0,72,C3\nElectrode,0,0,94,Cz\nFiducial,0,94,0,Nz\n")
    for side in ("lh", "rh"):
        write_surface(_made(folder / f"m2m_ernie/surfaces/{side}.central.gii"), mid_surface(head))
    write_volume(folder / "m2m_ernie/T1.nii.gz", np.zeros(SHAPE, np.uint8), AFFINE, code=1)
    write_ccd(folder / "coil.ccd", light_coil())
    tensors = TensorField(np.tile([1e-3, 0, 0, 5e-4, 0, 5e-4], (*SHAPE, 1)), AFFINE)
    write_tensors(folder / "dti_tensor.nii.gz", tensors, "fsl")
    _labels(folder, head)
    (folder / "small.toml").write_text(STUDY)
    run(read_study(folder / "small.toml"))
    return folder


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _labels(folder, head):
    """Masks of voxels, and names of the vertices of a surface as FreeSurfer stores them, around the hand."""
    hand = np.array(ef.m1_hand(head).center_mm)
    places = np.stack(np.indices(SHAPE), axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    ball = np.linalg.norm(places - hand, axis=-1) < 14
    for name, label in (("mask.nii.gz", 3), ("atlas.nii.gz", 12)):
        write_volume(folder / name, np.where(ball, label, 0).astype(np.int16), AFFINE, code=1)
    white = boundary(head, (1,))
    volume = {"head": [2, 0, 20], "valid": "1  # volume info valid", "filename": "orig.mgz", "volume": [256] * 3}
    volume |= {
        "voxelsize": [1.0] * 3,
        "xras": [-1.0, 0, 0],
        "yras": [0, 0, -1.0],
        "zras": [0, 1.0, 0],
        "cras": [0.0] * 3,
    }
    path = _made(folder / "sub/surf/lh.white")
    freesurfer.write_geometry(path, white.points_mm, white.triangles, volume_info=volume)
    near = np.linalg.norm(white.points_mm - hand, axis=1) < 20
    colors = np.array([[25, 5, 25, 0], [60, 20, 220, 0]])
    annotation = _made(folder / "sub/label/lh.aparc.annot")
    freesurfer.write_annot(annotation, near.astype(int), colors, ["unknown", "precentral"], fill_ctab=True)
    rows = [
        f"{i} {x:.3f} {y:.3f} {z:.3f} 0"
        for i, (x, y, z) in zip(np.flatnonzero(near), white.points_mm[near], strict=True)
    ]
    annotation.with_name("lh.BA4a_exvivo.label").write_text("\n".join(["#!ascii label", str(len(rows)), *rows, ""]))


@pytest.fixture
def here(belongings, small_names, small_pictures, tmp_path, monkeypatch):
    """A folder to work in, where heads have small names and bases are small."""
    shutil.copytree(belongings, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pyvista, "OFF_SCREEN", True)
    return tmp_path


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("page", with_blocks("python"))
def test_the_python_of_a_page_runs(page, here):
    space = {"__name__": page.stem}
    for line, code, is_run in blocks(page, "python"):
        whole = compile("\n" * (line - 1) + code, str(page), "exec")
        if not is_run:
            continue
        if ".plot(" in code and not can_render():
            pytest.skip("this machine cannot draw with OpenGL")
        exec(whole, space)


def command_lines(page):
    """(line, words) of each ``efield`` on a page's command lines."""
    for start, code, _ in blocks(page, "bash", "sh", "console"):
        for number, line in enumerate(code.splitlines(), start):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            for one in " ".join(shlex.quote(word) for word in words).split(" '&&' "):
                parts = shlex.split(one)
                if parts and Path(parts[0]).name == "efield":
                    yield number, parts[1:]


@pytest.mark.parametrize("page", with_blocks("bash", "sh", "console"))
def test_the_commands_of_a_page_have_these_options(page):
    whole = typer.main.get_command(app)
    for number, words in command_lines(page):
        command, name = whole, "efield"
        while words and words[0] in getattr(command, "commands", ()):
            name, *words = words
            command = command.commands[name]
        try:
            command.make_context(name, list(words))
        except typer.Exit:  # --version, --help
            continue
        except Exception as error:
            pytest.fail(f"{page.name}, line {number}: {error}")


def test_a_link_that_leads_nowhere_ends_the_build_of_the_site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    dead_links = pytest.importorskip("inner_links", reason="needs sphinx (extra docs)").dead_links
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "sub" / "index.html").write_text('<a id="here" href="../top.html#down"></a>')
    good = '<h1 id="down"></h1><img src="a.png"><a href="sub/#here"></a><a href="#"></a><a href="https://x.org/y"></a>'
    (tmp_path / "top.html").write_text(good)
    assert dead_links(tmp_path) == []
    (tmp_path / "top.html").write_text(good + '<a href="sub/#gone"></a><a href="no.html"></a><img src="b.png">')
    assert dead_links(tmp_path) == ["top.html: b.png", "top.html: no.html", "top.html: sub/#gone"]
