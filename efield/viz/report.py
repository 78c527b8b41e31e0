"""What was written where, and why it is not a scene where it is none."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from efield.ground import checks
from efield.io.atomic import replacing
from efield.viz.probe import can_render, remedy
from efield.viz.sheet import write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def drawn(path: str | PathLike[str]) -> PictureReport:
    """The report of a picture: what this machine could draw."""
    where = Path(path)
    return PictureReport(where, "scene") if can_render() else PictureReport(where, "slices", remedy())


def write_page(path: str | PathLike[str], draw: "Callable[[], Figure]", what: str = "picture") -> None:
    """Draw a page and write it, completely or not at all.

    Raises
    ------
    InputError
        If the suffix is not one of `PICTURES`, before anything is drawn; or if the file cannot be written.
    """
    checks.choice(f"the suffix of a {what}", Path(path).suffix.lower(), PICTURES)
    with replacing(path) as temporary:
        write_figure(draw(), temporary)
