"""Files that stand in for others: the note that Git leaves for a large file, and a page that a server sent instead."""

import os
from typing import Final

from efield.ground.errors import FileFormatError

#: As much of a file as must be seen.
SEEN_BYTES: Final = 1024

_LFS: Final = b"version https://git-lfs.github.com/spec/"


def check_no_stand_in(path: str | os.PathLike[str], start: bytes) -> None:
    """Refuse what is not the file itself, by its first bytes.

    Raises
    ------
    FileFormatError
        If it is a pointer of Git LFS or git-annex, or an HTML page.
    """
    seen = start[:SEEN_BYTES]
    text = seen.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if seen.startswith(_LFS):
        raise FileFormatError(f"{path} must be the file itself; instead it is a Git LFS pointer: run git lfs pull")
    if text.startswith((b"/annex/objects/", b"../.git/annex/objects/")) or b".git/annex/objects/" in text[:64]:
        raise FileFormatError(f"{path} must be the file itself; instead it is a git-annex pointer: run git annex get")
    if text.startswith((b"<!doctype html", b"<html")) or (text.startswith((b"<?xml", b"<!--")) and b"<html" in text):
        raise FileFormatError(
            f"{path} must be the file itself; instead it is a web page (HTML), such as a login or error page that was "
            "saved under its name: download it again"
        )
