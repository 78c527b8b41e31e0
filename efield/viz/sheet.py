"""A sheet: scenes beside each other on a page of a printed width, with letters, compass, scale bars and color bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypedDict
from zlib import Z_RLE

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.viz.page import LABEL_PT, MM_PER_INCH, add_color_bar, halo, new_page, page_size, title_height_in
from efield.viz.render import image_of
from efield.viz.theme import Theme, theme_of
from efield.viz.views import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.viz.scene import Scene

#: Width over height of a panel.
ASPECT: Final = 0.94

#: Panels stand beside each other from this width on, and below each other on a narrower page (mm).
_BESIDE_MM: Final = 120.0

#: At most so many panels in a row.
_ROW: Final = 3

#: Room, mm: at the edges, between panels, above a panel for its words, right of the panels and below them for bars.
_EDGE_MM, _GAP_MM, _WORDS_MM, _RIGHT_MM, _BELOW_MM = 1.5, 2.5, 5.0, 21.0, 14.0

#: A panel's letter takes so much of the line of its words, mm.
_LETTER_MM: Final = 4.5

#: Lengths a scale bar can have (mm): the longest that takes less than a quarter of the panel.
_BARS_MM: Final = (5.0, 10.0, 20.0, 50.0, 100.0)


class PageOptions(TypedDict, total=False):
    """What pictures on a page can be asked for; see `sheet_figure`."""

    width_mm: float
    dpi: float
    theme: "str | Theme"
    title: str


@dataclass(frozen=True, eq=False)
class Panel:
    """A scene, how it is seen, and the words above it.

    Parameters
    ----------
    scene : Scene
    view : str or View
        See `efield.viz.cameras.camera`.
    words : str
    """

    scene: "Scene"
    view: "str | View"
    words: str = ""


@dataclass(frozen=True)
class _Layout:
    """Boxes of panels (left, bottom, width, height) and of color bars, mm from the lower left; and the page (mm)."""

    width: float
    height: float
    panels: tuple[tuple[float, float, float, float], ...]
    bars: tuple[tuple[float, float, float, float], ...]
    flat: bool

    def share(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A box in fractions of the page."""
        return box[0] / self.width, box[1] / self.height, box[2] / self.width, box[3] / self.height


def sheet_figure(
    panels: Sequence[Panel],
    *,
    width_mm: float = 180.0,
    dpi: float = 300.0,
    theme: "str | Theme" = "light",
    title: str = "",
) -> "Figure":
    """Scenes on a page: side by side where it is 120 mm wide or more, below each other else.

    Parameters
    ----------
    panels : sequence of Panel
    width_mm : float, mm
        How wide it is printed; columns of journals are about 85 mm, pages 180 mm. Type keeps its size.
    dpi : float
        Dots per inch at that width.
    theme : {"light", "dark"} or Theme
    title : str
        Line on top.

    Returns
    -------
    matplotlib.figure.Figure
        Not tied to any window or to pyplot.

    Raises
    ------
    InputError
        If there is no panel, or the width or dpi is out of range.
    MissingDependencyError
        If this machine has no OpenGL.
    """
    page, boxes = empty_sheet(panels, width_mm=width_mm, dpi=dpi, theme=theme, title=title)
    for panel, axes in zip(panels, boxes, strict=True):
        _set_panel(axes, panel, theme_of(theme))
    return page


def empty_sheet(
    panels: Sequence[Panel], *, width_mm: float, dpi: float, theme: "str | Theme", title: str
) -> tuple["Figure", list[Any]]:
    """A sheet with everything but what the panels show, and their axes; see `sheet_figure`."""
    if not panels:
        raise InputError("a sheet needs a panel; instead received none")
    page_size(width_mm, dpi, 1.0)  # refuses what is no number before anything is computed with it
    width, colors = float(width_mm), theme_of(theme)
    scales = list(dict.fromkeys(scale for panel in panels for scale in panel.scene.scales))
    layout = _layout(len(panels), len(scales), width, title)
    page = new_page(page_size(width, dpi, layout.height / layout.width), title, width / MM_PER_INCH, colors)
    boxes = []
    for number, (panel, box) in enumerate(zip(panels, layout.panels, strict=True)):
        boxes.append(page.add_axes(layout.share(box)))
        left, above = box[0] / layout.width, (box[1] + box[3] + 1.0) / layout.height
        style: dict[str, Any] = {"va": "bottom", "color": colors.ink}
        if len(panels) > 1:
            page.text(left, above, chr(ord("a") + number), fontsize=10, fontweight="bold", **style)
            left += _LETTER_MM / layout.width
        page.text(left, above, panel.words, fontsize=LABEL_PT, **style)
    for scale, box in zip(scales, layout.bars, strict=True):
        add_color_bar(page, layout.share(box), scale, colors, flat=layout.flat)
    return page, boxes


def _layout(panels: int, bars: int, width: float, title: str) -> _Layout:
    beside = width >= _BESIDE_MM
    columns = min(panels, _ROW) if beside else 1
    rows = -(-panels // columns)
    right, below = (bars * _RIGHT_MM, 0.0) if beside else (0.0, bars * _BELOW_MM)
    across = (width - 2 * _EDGE_MM - right - (columns - 1) * _GAP_MM) / columns
    up = across / ASPECT
    top = title_height_in(title, width / MM_PER_INCH) * MM_PER_INCH if title else _EDGE_MM
    height = top + rows * (up + _WORDS_MM) + (rows - 1) * _GAP_MM + below + _EDGE_MM
    boxes = []
    for number in range(panels):
        row, column = divmod(number, columns)
        left = _EDGE_MM + column * (across + _GAP_MM)
        boxes.append((left, height - top - (row + 1) * (up + _WORDS_MM) - row * _GAP_MM, across, up))
    if beside:
        start = width - _EDGE_MM - right
        middle = (height - top - _WORDS_MM) / 2
        long = min(60.0, 0.75 * up)
        places = [(start + k * _RIGHT_MM + 2.5, middle - long / 2, 2.6, long) for k in range(bars)]
    else:
        places = [(0.1 * width, _EDGE_MM + below - 3.5 - k * _BELOW_MM, 0.8 * width, 2.2) for k in range(bars)]
    return _Layout(width, height, tuple(boxes), tuple(places), not beside)


def _set_panel(axes: Any, panel: Panel, theme: Theme) -> None:
    extent = axes.get_window_extent()
    pixels = (max(round(extent.width), 16), max(round(extent.height), 16))
    view = panel.scene.view(panel.view, pixels[0] / pixels[1])
    draw_panel(axes, image_of(panel.scene, view, pixels, theme), view, theme)


def draw_panel(axes: Any, image: NDArray[np.uint8], view: View, theme: Theme) -> None:
    """A rendered image with its compass and scale bar, in millimeters of the picture."""
    rows, columns = image.shape[:2]
    half = view.half_height_mm
    across = half * columns / rows
    # In millimeters of the picture, so that the scale bar is true by construction.
    axes.imshow(image, extent=(-across, across, -half, half), interpolation="none")
    axes.set_axis_off()
    _add_compass(axes, view, across, theme)
    _add_scale_bar(axes, across, half, theme)


def _add_scale_bar(axes: Any, across: float, half: float, theme: Theme) -> None:
    length = max((bar for bar in _BARS_MM if bar < across / 2), default=_BARS_MM[0])
    right, bottom = across - 0.06 * half, -0.94 * half
    style: dict[str, Any] = {"color": theme.ink, "path_effects": halo(theme.paper)}
    axes.plot([right - length, right], [bottom, bottom], lw=2.0, solid_capstyle="butt", **style)
    middle = right - length / 2
    axes.text(middle, bottom + 0.025 * half, f"{length:g} mm", ha="center", va="bottom", fontsize=LABEL_PT, **style)


def _add_compass(axes: Any, view: View, across: float, theme: Theme) -> None:
    """Letters of the anatomical axes in the lower left corner."""
    half = view.half_height_mm
    size = 0.13 * half
    origin = np.array([-across + 0.17 * half, -half + 0.17 * half])
    style: dict[str, Any] = {"color": theme.ink, "path_effects": halo(theme.paper)}
    for letter, along in view.compass().items():
        line = {"arrowstyle": "-", "lw": 1.0, "shrinkA": 0, "shrinkB": 0, **style}
        axes.annotate("", xy=origin + size * along, xytext=origin, arrowprops=line)
        place = origin + size * along + 0.055 * half * along / max(float(np.linalg.norm(along)), 1e-9)
        axes.text(*place, letter, ha="center", va="center", fontsize=LABEL_PT, **style)


def write_figure(figure: "Figure", path: Any) -> None:
    """Write a sheet at its own dots per inch, as the temporary name's suffix says, or as PNG to an open file.

    PNG has no alpha where the paper is opaque, and is compressed by runs of equal bytes: a page of the default head
    takes 1.39 MB and 0.15 s, against 1.77 MB and 0.3 s with alpha at zlib's level 3.
    """
    if isinstance(path, str | PathLike) and not str(path).endswith(".png"):
        figure.savefig(path, facecolor=figure.get_facecolor(), dpi=figure.dpi)
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    page = Image.fromarray(pixels[..., :3] if pixels[..., 3].min() == 255 else pixels)
    page.save(path, format="PNG", dpi=(figure.dpi, figure.dpi), compress_level=1, compress_type=Z_RLE)
