"""Room on the disk: what a full one means, and what killed writers left on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from efield.ground.errors import EfieldError
from efield.io.atomic import NO_ROOM


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
        if error.errno in NO_ROOM:
            raise DiskFullError(
                f"{folder} must have room for the results; instead: {error.strerror}. Finished chunks are kept: free "
                "some space and run the same command again"
            ) from error
        raise


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
