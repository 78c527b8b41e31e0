"""Text in files of poses: how it is read whatever its encoding, and what is said of a pose in it."""

import codecs
from collections.abc import Sequence
from math import isfinite
from typing import Final

from efield.ground.directions import in_words
from efield.ground.pose import Pose
from efield.io.bounded.cursor import Cursor

#: What matrices of ours are, for whoever opens a file of them.
CONVENTION: Final = "coil to head, mm, RAS; columns x, y, z, center; z into the head, y away from the handle"

_LARGEST_BYTES: Final = 1 << 28
_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(cursor: Cursor) -> str:
    """The text of a file, with or without a byte order mark.

    Raises
    ------
    FileFormatError
        If the file is far too large, or no text.
    """
    if len(cursor.data) > _LARGEST_BYTES:
        raise cursor.error(f"a file of poses must be smaller; instead it has {len(cursor.data)} bytes; is it one?")
    try:
        text = cursor.data.decode("utf-16" if cursor.data.startswith(_WIDE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise cursor.error("a file of poses must be text in UTF-8; instead it is binary, or damaged") from error
    if "\0" in text:
        raise cursor.error("a file of poses must be text; instead it is binary, or damaged")
    return text


def finite_number(text: str | None) -> float | None:
    """The number that a text is; None for a text that is none, for nan and for inf."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if isfinite(value) else None


def on_one_line(name: str) -> str:
    """A name as text files hold it: without tabs, ends of lines, and letters that cannot be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def pose_words(pose: Pose, induced: Sequence[float] | None = ()) -> str:
    """Where the handle and the induced current of a pose point.

    Parameters
    ----------
    pose : Pose
    induced : (3,) float or None, optional
        Direction in the coil's frame that a rising current induces; None for a coil without one, empty if the coil is
        not known.
    """
    handle = f"handle toward {in_words(pose.handle)}"
    if induced is None:
        return f"{handle}; the coil induces current in no one direction"
    if len(induced):
        return f"{handle}; current induced toward {in_words(pose.current(induced))} by dI/dt > 0"
    along, against = in_words(pose.y), in_words(pose.handle)
    return (
        f"{handle}; current induced toward {along} by dI/dt > 0 in a +y coil, toward {against} in a -y coil "
        "(efield coils list)"
    )
