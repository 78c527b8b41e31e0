"""The second process compiles what it says, and none is started when that has been done."""

import os
import subprocess
import sys

from efield.app.warmup import Warmup


def test_it_leaves_compiled_kernels_behind(tmp_path):
    command = [sys.executable, "-P", "-m", "efield.app.warmup"]
    subprocess.run(command, check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)})
    compiled = {path.name.split("-")[0] for path in tmp_path.rglob("*.nbi")}
    assert {"recovery.recover", "multigrid.descend", "bubbles.apply", "bubbles.field_at"} <= compiled


def test_no_process_is_started_for_kernels_that_are_there(monkeypatch):
    monkeypatch.setattr("efield.app.warmup._compiled_before", lambda: True)
    with Warmup() as warmup:
        warmup.wait()
        assert warmup._process is None


def test_a_process_that_is_not_awaited_is_stopped(monkeypatch):
    monkeypatch.setattr("efield.app.warmup._compiled_before", lambda: False)
    with Warmup() as warmup:
        process = warmup._process
    assert process is not None
    assert process.poll() is not None
