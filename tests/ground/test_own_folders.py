"""Where neither the package nor a home can be written, compiled kernels go to a temporary folder, with one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import efield
from efield.io.cache_folder import cache_folder

KERNELS = """
import os, sys
import efield
from efield.kernels import octree
from efield.kernels.geometry import clearance
from efield.app.warmup import _compiled_before
print(os.environ.get("NUMBA_CACHE_DIR"), _compiled_before())
"""

NOWHERE = """
import tempfile
def nowhere():
    raise FileNotFoundError(2, "no usable temporary folder")
tempfile.gettempdir = nowhere
"""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A copy of the package in which no kernel can be kept, whoever runs it."""
    folder = tmp_path_factory.mktemp("site")
    source = Path(efield.__file__).parent
    shutil.copytree(source, folder / "efield", ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    for wing in {file.parent for file in (folder / "efield" / "kernels").rglob("*.py")}:
        (wing / "__pycache__").write_text("a file where a folder would have to be")
    return folder


def python(site, temporary, code):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "PYTEST", "XDG"))}
    homeless = {"HOME": os.devnull, "TMPDIR": str(temporary), "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=kept | homeless, cwd=temporary, capture_output=True, text=True, check=True)


def test_kernels_are_kept_in_a_private_temporary_folder_that_the_next_run_finds(sealed, tmp_path):
    first, second = (python(sealed, tmp_path, KERNELS) for _ in range(2))
    folder = Path(first.stdout.split()[0])
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0
    assert second.stdout.split()[0] == str(folder)
    assert first.stderr.count("\n") == 1
    assert f"kernels are kept in {folder}; set NUMBA_CACHE_DIR" in first.stderr
    # A folder that others could have written is not trusted.
    folder.chmod(0o777)
    other = Path(python(sealed, tmp_path, KERNELS).stdout.split()[0])
    assert other != folder
    assert other.parent == tmp_path


def test_without_any_folder_kernels_are_compiled_in_every_run(sealed, tmp_path):
    found = python(sealed, tmp_path, NOWHERE + KERNELS)
    assert found.stdout.split() == ["None", "True"]
    assert "no folder can be written" in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_process_without_a_home_keeps_nothing_in_the_current_folder(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache_folder().is_absolute()
