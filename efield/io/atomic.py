"""Writing a file completely or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from efield.ground.errors import InputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path that becomes `path` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    path : path_like
        The file to write or to replace.

    Yields
    ------
    Path
        A path with the same name, so that writers which look at suffixes behave, in a temporary folder beside
        the target, so that the final rename stays on one file system and is atomic.

    Raises
    ------
    InputError
        If the folder of `path` does not exist or cannot be written, or `path` is a folder.
    """
    target = Path(path)
    check_place(target)
    try:
        folder = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise InputError(f"{target.parent} must be writable; instead: {error.strerror}") from error
    temporary = folder / target.name
    try:
        yield temporary
        temporary.replace(target)
    finally:
        rmtree(folder, ignore_errors=True)


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a file that could not be written, before the work that would go into it.

    Raises
    ------
    InputError
        If `path` is a folder, or its folder does not exist or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f"the file to write must not be a folder; instead received {target}; add a file name")
    if not target.parent.is_dir():
        raise InputError(f"the folder of {target} must exist; create {target.parent} first")
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"{target.parent} must be writable; instead it is not; choose another folder")
