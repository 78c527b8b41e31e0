"""What was written where, and why it is not a scene where it is none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from efield.viz.probe import can_render, remedy

#: Formats of pictures; in ``.svg`` and ``.pdf`` words and lines are vectors, and rendered panels are pixels.
PICTURES: Final = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class PictureReport:
    """What was written.

    Parameters
    ----------
    path : Path
    kind : {"scene", "slices", "page", "film"}
        Three-dimensional scene, or slices because there is no OpenGL; a page for browsers, or a film of a turn.
    advice : str or None
        One line on how to get the scene, where it is missing.
    """

    path: Path
    kind: Literal["scene", "slices", "page", "film"]
    advice: str | None = None


def drawn(path: Path) -> PictureReport:
    """The report of a picture: what this machine could draw."""
    return PictureReport(path, "scene") if can_render() else PictureReport(path, "slices", remedy())
