"""What the check keeps of compiled kernels: found from any folder, never stale, never mixed up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / ".ci"

KERNEL = "from numba import njit\nfrom .other import g\n@njit(cache=True)\ndef f(x):\n    return g(x) + 1\n"
#: From each folder in a fork of a process that has not seen its kernels.
CALL = """
import os, sys
import kernel_cache
for folder in sys.argv[1:]:
    if os.fork() == 0:
        sys.path.insert(0, folder)
        from efield.kernels.wing.kernel import f
        print(f(2.0), sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
SAVE = """
import sys, time
from threading import Thread
import kernel_cache
from numba.core.caching import IndexDataCacheFile

class Slow(IndexDataCacheFile):
    def _load_index(self):
        found = super()._load_index()
        time.sleep(0.3)
        return found

file = Slow(sys.argv[1], "kernel", "stamp")
savers = [Thread(target=file.save, args=(key, "code of " + key)) for key in ("float32", "float64")]
[saver.start() for saver in savers]
[saver.join() for saver in savers]
print(file.load("float32"), "|", file.load("float64"))
"""


@pytest.fixture
def ran(tmp_path):
    """Runs a program where the check's cache is told to Numba, and returns the words it prints."""

    def run(program, *arguments):
        ours = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(CI)}
        locators = {"NUMBA_CACHE_LOCATOR_CLASSES": "kernel_cache.KernelLocator"}
        command = [sys.executable, "-P", "-c", program, *map(str, arguments)]
        done = subprocess.run(command, env=os.environ | ours | locators, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


@pytest.fixture
def clone(tmp_path):
    """Writes a package of one kernel that calls a function of another file, and returns its folder."""

    def write(name, other):
        wing = tmp_path / name / "efield" / "kernels" / "wing"
        wing.mkdir(parents=True)
        for folder in (wing, wing.parent, wing.parent.parent):
            (folder / "__init__.py").touch()
        (wing / "kernel.py").write_text(KERNEL)
        (wing / "other.py").write_text(f"from numba import njit\n@njit\ndef g(x):\n    return {other}\n")
        return tmp_path / name

    return write


def test_a_kernel_of_one_clone_is_found_in_another_until_a_file_that_it_calls_changes(ran, clone):
    clones = clone("one", "2 * x"), clone("two", "2 * x"), clone("three", "3 * x")
    assert ran(CALL, *clones) == ["5.0", "0", "1", *("5.0", "1", "0"), *("7.0", "0", "1")]


def test_the_folders_used_last_are_kept_whatever_numba_makes_beside_them(ran, tmp_path):
    root = tmp_path / "kept"
    for age, name in enumerate(["wing_4542a43d4b20", *(f"{number:032x}" for number in range(8)), "wing_0987"]):
        (root / name).mkdir(parents=True)
        os.utime(root / name, (1e9 - age, 1e9 - age))
    ran("import sys, pathlib, kernel_cache; kernel_cache.keep_the_latest(pathlib.Path(sys.argv[1]))", root)
    kept = sorted(folder.name for folder in root.iterdir() if len(folder.name) == 32)
    assert kept == [f"{number:032x}" for number in range(6)]


def test_two_signatures_saved_at_once_keep_their_own_code(ran, tmp_path):
    assert " ".join(ran(SAVE, tmp_path)) == "code of float32 | code of float64"
