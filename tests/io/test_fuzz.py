"""A short run of `benchmarks/fuzz.py`: every reader reads or refuses what is damaged, in bounded memory and time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded by Linux's limits")
@pytest.mark.parametrize(
    "group",
    ["coil packed", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("surface lh", "pose matlab"))],
)
def test_damaged_files_are_read_or_refused_and_nothing_else(group):
    command = [sys.executable, str(SCRIPT), "--cases", "100", "--minutes", "0.2", "--only", group, "--json"]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    results = json.loads(child.stdout.splitlines()[-1])
    assert child.returncode == 0, results
    for counts in results.values():
        assert counts["tried"] > 0
        assert counts["refused"] > counts["tried"] / 4  # the damage is real
