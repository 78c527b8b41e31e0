"""Writing so that it lasts: files that are complete or absent, on the disk and not only in its cache."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from efield.ground.errors import EfieldError

#: What an operating system says when there is no room: disk, quota, largest file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFullError(EfieldError, OSError):
    """There is no room left for a result; what was finished is kept."""


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turns a full disk into an error that says what to do.

    Raises
    ------
    DiskFullError
        If the block runs out of room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(
                f"{folder} must have room for the results; instead: {error.strerror}. Finished chunks are kept: free "
                "some space and run the same command again"
            ) from error
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, bring it to the disk, and rename it."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    settle(path.parent)


def settle(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def settle_tree(folder: Path) -> None:
    """Bring all files below a folder to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file.fileno())
        settle(Path(parent))


def sealed(path: Path) -> str:
    """SHA-256 of a file as it stands, after it was brought to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        found = hashlib.file_digest(file, "sha256").hexdigest()
    settle(path.parent)
    return found


def sha256(path: Path) -> str | None:
    """SHA-256 of a file; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def clear_leftovers(*folders: Path) -> None:
    """Remove what a killed writer left: everything in these folders whose name begins with a dot."""
    for folder in folders:
        for path in folder.glob(".*") if folder.is_dir() else ():
            if path.is_dir():
                rmtree(path)
            else:
                path.unlink()


def remove(folder: Path) -> None:
    """Remove a folder that can be made again, if it is there."""
    if folder.is_dir():
        rmtree(folder)
