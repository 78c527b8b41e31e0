"""Every example and notebook runs to its asserted number, on a small head."""

import os
import runpy
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
NOTEBOOKS = sorted(FOLDER.glob("notebooks/*.ipynb"))


@pytest.mark.usefixtures("one_thread", "small_names", "small_pictures")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(mpl.rcParams, "backend", "agg")
    left = runpy.run_path(str(path))
    assert isinstance(left["figure"], Figure)
    assert "assert " in path.read_text(encoding="utf-8").rpartition("# %%")[2]
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    book = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells)
    small = (Path(__file__).parent / "small.py").read_text(encoding="utf-8")
    apply = "for thing, name, value in replacements(named_heads(), named_coils()):\n    setattr(thing, name, value)"
    threads = "import numba\nnumba.set_num_threads(1)"
    book.cells.insert(0, nbformat.v4.new_code_cell("\n".join([small, apply, threads])))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute(
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])}
    )
