"""Writing a file or a folder completely or not at all, and, where it must outlive a power cut, onto the disk."""

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final

from efield.ground.errors import InputError

#: What an operating system says when there is no room: disk, quota, largest file.
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: str | os.PathLike[str], *, lasting: bool = False) -> Iterator[Path]:
    """A temporary path that becomes `path` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    path : path_like
        The file to write or to replace.
    lasting : bool
        Bring the file and its name to the disk, and not only to the system's cache.

    Yields
    ------
    Path
        A path with the same name, so that writers which look at suffixes behave, in a temporary folder beside
        the target, so that the final rename stays on one file system and is atomic. The temporary folder's name
        begins with a dot.

    Raises
    ------
    InputError
        If the folder of `path` does not exist or cannot be written, or `path` is a folder.
    """
    target = Path(path)
    check_place(target)
    with _beside(target) as temporary:
        yield temporary
        if lasting:
            settle_file(temporary)
        temporary.replace(target)
        if lasting:
            settle_folder(target.parent)


@contextmanager
def new_folder(path: str | os.PathLike[str], *, lasting: bool = False) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    path : path_like
        A folder that does not exist yet.
    lasting : bool
        Bring all files in it to the disk, and not only to the system's cache.

    Raises
    ------
    InputError
        If `path` exists, or its parent does not or cannot be written.
    """
    target = Path(path)
    if target.exists():
        raise InputError(f"the folder to write must not exist yet; instead {target} does: delete it or rename")
    check_place(target)
    with _beside(target) as temporary:
        temporary.mkdir()
        yield temporary
        if lasting:
            _settle_tree(temporary)
        temporary.rename(target)
        if lasting:
            settle_folder(target.parent)


@contextmanager
def filled_folder(
    path: str | os.PathLike[str], replaces: Collection[str] = (), *, force: bool = True
) -> Iterator[Path]:
    """A temporary folder whose files come into `path` when the block ends well; nothing does when it does not.

    Parameters
    ----------
    path : path_like
        A folder, which may exist; it is made with its parents.
    replaces : collection of str
        Names of files and folders that go if they are there and the block wrote no new ones: files that belong
        together are never of two runs.
    force : bool
        False: nothing goes. The folder, which had none of them before the work, has been filled by another run
        meanwhile if it has some in the end.

    Raises
    ------
    InputError
        If the folder above `path` cannot be written, or files would go that must not.
    """
    target = Path(path).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as temporary:
        temporary.mkdir()
        yield temporary
        if not target.exists():
            temporary.rename(target)
            return
        if not force and any((target / name).exists() for name in replaces):
            raise InputError(
                f"{path} must be this run's alone; instead another run has put its results there meanwhile, and "
                "nothing was written: give each a folder of its own (--out), or replace those with --force"
            )
        for name in {*replaces} - {file.name for file in temporary.iterdir()}:
            _remove(target / name)
        for file in temporary.iterdir():
            if file.is_dir():
                _remove(target / file.name)
            file.replace(target / file.name)


def _remove(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir():
        rmtree(path)
    else:
        path.unlink(missing_ok=True)


def system_words(error: OSError) -> str:
    """What the operating system refused, for people: the reason, the file or folder, and what to do."""
    reason = error.strerror or str(error)
    place = f": {_named(error.filename)}" if error.filename is not None else ""
    if error.errno in NO_ROOM:
        return f"{reason}{place}; make room, or choose a folder on another disk. No file was left half written"
    return f"{reason}{place}; check the path and its permissions, or choose another folder"


def _named(file: object) -> str:
    """A file by the name it was to have: those that are being written lie in hidden folders beside it."""
    parts = Path(os.fsdecode(file) if isinstance(file, bytes) else str(file)).parts
    hidden = [number for number, part in enumerate(parts) if part.startswith(".") and part.strip(".")]
    return str(Path(*parts[: hidden[0]], parts[-1])) if hidden and hidden[0] else str(Path(*parts))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A path of the target's name in a temporary folder beside it, which is removed in the end."""
    try:
        folder = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise InputError(f"{target.parent} must be writable; instead: {error.strerror}") from error
    try:
        yield folder / target.name
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


def settle_file(path: Path) -> None:
    """Bring a file to the disk; the entry in its folder is another matter."""
    # Windows flushes only what is open for writing.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def settle_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _settle_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            settle_file(Path(parent) / name)
        settle_folder(Path(parent))
