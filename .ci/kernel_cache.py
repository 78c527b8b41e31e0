"""Compiled kernels of earlier checks, found again from any clone and any fresh environment.

Numba files what it compiles under the folder of the source file, and trusts it while that one file stays the same (its
bytes, or in older releases its time): a fresh clone finds nothing, and a kernel into which another file's function was
compiled can be stale. Here the folder is named by everything that decides what the compiler makes: the bytes of all
kernels, the versions, the processor and Numba's own switches. What is found is therefore never stale.

`.ci/run` puts this file into its environments; it is no part of the package. Numba imports it when it is told to by
`NUMBA_CACHE_LOCATOR_CLASSES=kernel_cache.KernelLocator`; releases that do not know the variable learn of it when a
process imports this module (`PYTEST_PLUGINS=kernel_cache`).
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from functools import cache, wraps
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy
from numba.core import caching
from numba.core.dispatcher import Dispatcher

#: Folders of kernels kept; each takes some 10 MB.
KEPT = 6


def kernels_above(source: Path) -> Path | None:
    """Folder `efield/kernels` that a source file lies in, None for any other file."""
    for folder in source.parents:
        if folder.name == "kernels" and folder.parent.name == "efield":
            return folder
    return None


@cache
def fingerprint(kernels: Path) -> str:
    """Hash of everything that decides what the compiler makes of these kernels."""
    switches = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_") and k not in _PLACES)
    machine = [platform.platform(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    versions = [sys.version, numba.__version__, llvmlite.__version__, numpy.__version__]
    digest = hashlib.sha256(repr((versions, machine, switches)).encode())
    for path in sorted(kernels.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(kernels).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:32]


#: Switches of Numba that say where and by how many threads, and change nothing in the code.
_PLACES = {"NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"}


class KernelLocator(caching.CacheImpl._locator_classes[0]):  # the one of NUMBA_CACHE_DIR; its name changed
    """Files kernels by their content below `NUMBA_CACHE_DIR`, and all else as Numba does."""

    def __init__(self, py_func, py_file):
        super().__init__(py_func, py_file)
        kernels = kernels_above(Path(py_file))
        if kernels is not None:
            self._stamp = fingerprint(kernels)
            wing = Path(py_file).parent.relative_to(kernels)
            self._cache_path = str(Path(numba.config.CACHE_DIR) / self._stamp / wing)

    def get_source_stamp(self):
        return getattr(self, "_stamp", None) or super().get_source_stamp()


def _one_at_a_time(save):
    """Numba's `save` under a lock: two processes that keep two signatures of one kernel at once may mix them up."""

    @wraps(save)
    def locked(self, key, data):
        with open(self._index_path + ".lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    return locked


#: Until when another process is waited for that compiles the same kernel: never for ever, whatever became of it.
PATIENCE_S = 60.0

_mine = set()


@contextmanager
def _turn(path):
    """Where two processes would compile the same kernel, the second waits and finds it; a process never for itself."""
    if path in _mine:
        yield
        return
    _mine.add(path)
    try:
        with open(path, "wb") as lock:
            last = time.monotonic() + PATIENCE_S
            while time.monotonic() < last:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.05)
            yield
    finally:
        _mine.discard(path)


def _compiled_once(compile_):
    """Numba's `compile`, by one process at a time for each kernel that is kept."""

    @wraps(compile_)
    def turns(self, signature):
        file = getattr(self._cache, "_cache_file", None)
        if file is None:
            return compile_(self, signature)
        self._cache._impl.locator.ensure_cache_path()
        with _turn(file._index_path + ".turn"):
            return compile_(self, signature)

    return turns


Dispatcher.compile = _compiled_once(Dispatcher.compile)
caching.IndexDataCacheFile.save = _one_at_a_time(caching.IndexDataCacheFile.save)
caching.CacheImpl._locator_classes = [KernelLocator, *caching.CacheImpl._locator_classes]


def keep_the_latest(root: Path) -> None:
    """Remove all folders of kernels but those used last; Numba's own, one for each place of a source, do not count."""
    ours = [folder for folder in root.iterdir() if re.fullmatch("[0-9a-f]{32}", folder.name)]
    for folder in sorted(ours, key=lambda f: f.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def begin() -> None:
    """Mark the folder of the installed kernels as used now, remove old ones, and say what is there."""
    package = importlib.util.find_spec("efield").submodule_search_locations[0]
    root = Path(numba.config.CACHE_DIR)
    folder = root / fingerprint(Path(package) / "kernels")
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    keep_the_latest(root)
    print(f"compiled kernels from earlier checks: {sum(1 for _ in folder.rglob('*.nbc'))} in {folder}")
