"""Answers as lines of JSON, written by a thread of its own: whoever does not read them must not stop the server."""

import json
import os
import queue
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any, Final

#: Lines that may wait to be written; more are dropped and counted.
_MOST: Final = 4096

#: How long the end waits for the last lines (s).
_PATIENCE_S: Final = 2.0


class Lines:
    """Writes documents to a stream, a line each, as they come.

    Parameters
    ----------
    stream : text file
        Flushed after each line that no other waits behind.
    broken : callable
        Told, in the writing thread, why nothing can be written any more.
    """

    def __init__(self, stream: IO[str], broken: Callable[[str], None]) -> None:
        self._stream, self._broken = stream, broken
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST)
        #: Lines that were dropped because too many waited.
        self.dropped = 0
        #: Why nothing can be written any more.
        self.error: OSError | ValueError | None = None
        self._whole = self._size()
        self._closing = False
        self._thread = threading.Thread(target=self._write_all, name="efield-lines", daemon=True)
        self._thread.start()

    def write(self, document: Mapping[str, Any], *, last: bool = False) -> None:
        """Write a document soon; dropped if too many wait, the last one only after some patience."""
        try:
            self._waiting.put(json.dumps(document, allow_nan=False), last, _PATIENCE_S)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, unless that takes too long."""
        try:
            self._waiting.put(None, timeout=_PATIENCE_S)
        except queue.Full:
            self._closing = True  # after the line that it is at
        self._thread.join(_PATIENCE_S)

    def _write_all(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                self._stream.write(line + "\n")
                if self._waiting.empty():
                    self._stream.flush()
                    self._whole = self._size()
            except (OSError, ValueError) as error:
                self.error = error
                self._cut()
                self._broken(str(error))
                return
            if self._closing:
                return

    def _size(self) -> int | None:
        """Bytes of the file that is written to; None where that is a pipe or a terminal."""
        with suppress(OSError, ValueError, AttributeError):
            found = os.fstat(self._stream.fileno())
            return found.st_size if stat.S_ISREG(found.st_mode) else None
        return None

    def _cut(self) -> None:
        """Leave no half line in a file: on a full disk a part of one may have been written."""
        if self._whole is not None:
            with suppress(OSError, ValueError):
                os.ftruncate(self._stream.fileno(), self._whole)
