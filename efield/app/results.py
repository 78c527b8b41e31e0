"""Folders of results: never over those of an earlier run without a word, and filled completely or not at all."""

import os
from collections.abc import Collection
from itertools import count
from pathlib import Path

from efield.app.console import remark
from efield.ground.errors import InputError


def results_folder(out: Path, default: Path, names: Collection[str], *, force: bool) -> Path:
    """Where the results of a run go, before any work is done for them.

    Parameters
    ----------
    out : Path
        What was asked for; the folder need not exist.
    default : Path
        What holds if nothing is asked for: if it has results already, the next free number is put behind it, which is
        said.
    names : collection of str
        All that a run may write.
    force : bool
        Replace the results of an earlier run.

    Raises
    ------
    InputError
        If the folder cannot be written, or another one than the default holds results.
    """
    _check_writable(out)
    if force or not _holds(out, names):
        return out
    if out != default:
        raise InputError(
            f"--out must be a folder without results; instead {out} has some: choose another one, or replace them with "
            "--force"
        )
    free = next(path for n in count(2) if not _holds(path := out.with_name(f"{out.name}-{n}"), names))
    _check_writable(free)
    remark(f"{out} holds results already; these go to {free} (--force replaces)")
    return free


def _holds(folder: Path, names: Collection[str]) -> bool:
    return any((folder / name).exists() for name in names)


def _check_writable(folder: Path) -> None:
    """Fail before the work, not after it; the folder itself is made only when there is something to put in.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"--out must be a folder; instead {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"--out must be in a folder that can be written; {nearest} cannot")
