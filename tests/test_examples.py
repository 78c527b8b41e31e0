"""Every example and notebook runs to its asserted number, on a small head."""

import os
import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
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
    try:
        left = runpy.run_path(str(path))
    finally:
        plt.close("all")  # what stays open is there for all tests of this process
    assert isinstance(left["figure"], Figure)
    assert "assert " in path.read_text(encoding="utf-8").rpartition("# %%")[2]
    assert capsys.readouterr().out.strip()


#: Before all notebooks, which are run by one kernel, and before each of them.
PREPARE = """
import numba
from tests import small
numba.set_num_threads(1)
for thing, name, value in small.replacements(small.named_heads(), small.named_coils()):
    setattr(thing, name, value)
"""
FORGET = "%reset -f"


def test_the_notebooks_run(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PREPARE)])
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert not any(cell.get("outputs") for cell in cells), path
        book.cells += [nbformat.v4.new_code_cell(FORGET), *cells]
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute(
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])}
    )
