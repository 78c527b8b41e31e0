"""Lines of JSON never make anybody wait."""

import contextlib
import errno
import io
import json
import os
import resource
import threading
import time

from efield.nav import lines
from efield.nav.lines import Lines


def test_documents_become_lines_in_order():
    stream = io.StringIO()
    writer = Lines(stream, lambda why: None)
    for number in range(100):
        writer.write({"id": number})
    writer.close()
    assert [json.loads(line)["id"] for line in stream.getvalue().splitlines()] == list(range(100))


def test_who_does_not_read_loses_lines_and_stops_nobody(monkeypatch):
    monkeypatch.setattr(lines, "_PATIENCE_S", 0.05)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w") as stream:
        writer = Lines(stream, lambda why: None)
        for _ in range(lines._MOST + 2000):
            writer.write({"x": "y" * 100})
        assert writer.dropped > 0
        writer.close()
        # Somebody reads after all: the thread ends with the line it was at.
        while writer._thread.is_alive():
            with contextlib.suppress(BlockingIOError):
                os.read(reading, 1 << 16)
            time.sleep(0.01)
    os.close(reading)


def test_a_reader_that_has_left_is_told_once():
    reading, writing = os.pipe()
    os.close(reading)
    told, event = [], threading.Event()
    stream = os.fdopen(writing, "w")
    writer = Lines(stream, lambda why: (told.append(why), event.set()))
    writer.write({"a": 1})
    assert event.wait(5)
    writer.write({"a": 2})
    writer.close()
    assert len(told) == 1
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_a_full_disk_leaves_whole_lines_and_is_told(tmp_path):
    told, before = [], resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.suppress(OSError), (tmp_path / "log").open("a") as stream:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30, before[1]))
        try:
            writer = Lines(stream, told.append)
            for number in range(100):
                writer.write({"id": number})
                time.sleep(0.01 if number < 3 else 0)
            writer.close()
            assert writer.error.errno == errno.EFBIG
            assert len(told) == 1
            kept = (tmp_path / "log").read_text()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert kept == "".join(f'{{"id": {number}}}\n' for number in range(kept.count("\n")))
    assert kept
