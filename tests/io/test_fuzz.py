"""A short run of `benchmarks/fuzz.py`: every reader reads or refuses what is damaged, in bounded memory and time."""

import importlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded by Linux's limits")
@pytest.mark.parametrize(
    "group",
    ["coil packed", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("surface lh", "pose matlab"))],
)
def test_damaged_files_are_read_or_refused_and_nothing_else(group, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    fuzz = importlib.import_module("fuzz")
    names = [name for name in fuzz.kinds(tmp_path, group.split(" ")[0]) if group in name]
    assert names
    for name in names:
        counts = fuzz.run(name, seed=0, cases=100, seconds=12.0 / len(names))
        assert counts["failures"] == []
        assert counts["tried"] > 0
        assert counts["refused"] > counts["tried"] / 4  # the damage is real
