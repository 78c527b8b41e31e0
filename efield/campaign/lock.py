"""One writer per store: a lock that the operating system drops when its holder ends, however it ends."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from efield.ground.errors import InputError


class Lock:
    """Held from ``with`` to its end; a file that a killed process leaves behind does not block anyone.

    Parameters
    ----------
    path : Path
        The file that is locked; it is made if it does not exist, and stays.

    Raises
    ------
    InputError
        On entering, if another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def __enter__(self) -> Self:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(file)
        except OSError as error:
            os.close(file)
            raise InputError(
                f"only one process may write to {self.path.parent} at a time; another is at it now: wait until it "
                "ends, or stop it"
            ) from error
        self._file = file
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
