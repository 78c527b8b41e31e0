"""Films: a turn around a scene, or one scene after the other, such as a coil that is moved (GIF, MP4)."""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError, MissingDependencyError
from efield.io.atomic import replacing
from efield.viz.render import image_of, images_of
from efield.viz.report import PictureReport
from efield.viz.sheet import Panel, draw_panel, empty_sheet
from efield.viz.theme import Theme, theme_of
from efield.viz.views import View, turned

if TYPE_CHECKING:
    from efield.viz.scene import Scene

#: Dots per inch of a film: 85 mm are 335 pixels, 180 mm 709.
_DPI: Final = 100.0

Frame = tuple[NDArray[np.uint8], View]


def save_turn(
    path: str | PathLike[str],
    scene: "Scene",
    view: "str | View" = "head",
    *,
    frames: int = 36,
    seconds: float = 6.0,
    width_mm: float = 85.0,
    theme: "str | Theme" = "light",
    title: str = "",
) -> PictureReport:
    """A film of one turn around the head's long axis, which starts at a view and can be repeated without a jump.

    Parameters
    ----------
    path : path_like
        ``.gif``, or ``.mp4`` where ffmpeg is installed; it appears complete or not at all.
    scene : Scene
    view : str or View
    frames : int
        Pictures in the turn, 2 to 720; one of the default head takes about a second without a graphics card.
    seconds : float, s
        That the turn takes.
    width_mm, theme, title
        As in `efield.viz.sheet.sheet_figure`; at 100 dots per inch.
    """
    count = checks.whole("frames", frames, 2, 720)
    start = scene.view(view, 1.0)
    views = [turned(start, 360.0 * number / count) for number in range(count)]

    def drawn(pixels: tuple[int, int], colors: Theme) -> Iterator[Frame]:
        return zip(images_of(scene, views, pixels, colors), views, strict=True)

    return _save(path, scene, drawn, count / seconds, width_mm, theme, title)


def save_film(
    path: str | PathLike[str],
    scenes: Iterable["Scene"],
    view: "str | View" = "head",
    *,
    per_second: float = 5.0,
    width_mm: float = 85.0,
    theme: "str | Theme" = "light",
    title: str = "",
) -> PictureReport:
    """A film of one scene after the other, all from where the first is seen, such as the poses of a session.

    Give the scenes one scale, ``cortex(field, limit=...)``: the color bar is the first one's.

    Parameters
    ----------
    path : path_like
        ``.gif``, or ``.mp4`` where ffmpeg is installed; it appears complete or not at all.
    scenes : iterable of Scene
        Taken one at a time, so that a generator may solve for each.
    view : str or View
    per_second : float
    width_mm, theme, title
        As in `efield.viz.sheet.sheet_figure`; at 100 dots per inch.
    """
    following = iter(scenes)
    first = next(following, None)
    if first is None:
        raise InputError("a film needs a scene; instead received none")
    seen = first.view(view, 1.0)

    def drawn(pixels: tuple[int, int], colors: Theme) -> Iterator[Frame]:
        yield image_of(first, seen, pixels, colors), seen
        for scene in following:
            yield image_of(scene, seen, pixels, colors), seen

    return _save(path, first, drawn, checks.positive("per_second", per_second), width_mm, theme, title)


def _save(
    path: str | PathLike[str],
    scene: "Scene",
    drawn: Any,
    rate: float,
    width_mm: float,
    theme: "str | Theme",
    title: str,
) -> PictureReport:
    where, colors = Path(path), theme_of(theme)
    checks.choice("the suffix of a film", where.suffix.lower(), (".gif", ".mp4"))
    figure, (axes,) = empty_sheet([Panel(scene, "head")], width_mm=width_mm, dpi=_DPI, theme=colors, title=title)
    extent = axes.get_window_extent()
    pixels = (round(extent.width), round(extent.height))
    writer = _writer(where, rate)
    with replacing(where) as temporary, writer.saving(figure, str(temporary), dpi=_DPI):
        for image, view in drawn(pixels, colors):
            axes.clear()
            draw_panel(axes, image, view, colors)
            writer.grab_frame(facecolor=colors.paper)
    return PictureReport(where, "film")


def _writer(path: Path, rate: float) -> Any:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if path.suffix.lower() == ".gif":
        return PillowWriter(fps=max(1, round(rate)))
    if not FFMpegWriter.isAvailable():
        raise MissingDependencyError("an .mp4 needs ffmpeg, which is not installed; a .gif needs nothing")
    # The common decoders take even sides and this pixel format only.
    return FFMpegWriter(
        fps=max(1, round(rate)), extra_args=["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
    )
