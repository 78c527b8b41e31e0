"""Every example and notebook runs to its asserted number, on a small head."""

import runpy
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.usefixtures("one_thread", "small_names")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(mpl.rcParams, "backend", "agg")
    left = runpy.run_path(str(path))
    assert isinstance(left["figure"], Figure)
    assert "assert " in path.read_text(encoding="utf-8").rpartition("# %%")[2]
    assert capsys.readouterr().out.strip()
