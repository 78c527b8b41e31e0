"""A white page without window or pyplot state, and the words and bars that every picture shares."""

from typing import TYPE_CHECKING, Any, Final

from efield.ground import checks
from efield.ground.errors import InputError
from efield.viz import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Width of a printed page's text, inches: font sizes are in points at this width.
WIDTH_IN: Final = 7.2

#: Below this a page has no room for its words; above it memory runs out before anything is gained (pixels).
_PIXELS: Final = (200, 20_000)

#: Type sizes, points.
TITLE_PT, LABEL_PT, TICK_PT = 8.0, 7.0, 6.5

#: So many letters of a title fit; longer ones are set smaller, down to this share.
_TITLE_LETTERS: Final = 112
_LEAST_TITLE: Final = 0.7


def new_page(size: tuple[int, int], title: str) -> "Figure":
    """A white matplotlib figure of exactly `size` pixels with a title line.

    Parameters
    ----------
    size : (int, int), pixels
        Width and height.
    title : str

    Raises
    ------
    InputError
        If a side is shorter than 200 or longer than 20 000 pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if len(size) != 2:
        raise InputError(f"size must be width and height in pixels; instead received {size!r}")
    width, height = (round(checks.in_range("size", side, *_PIXELS)) for side in size)
    figure = Figure(figsize=(WIDTH_IN, WIDTH_IN * height / width), dpi=width / WIDTH_IN, facecolor="white")
    FigureCanvasAgg(figure)
    inset = 0.08
    page_height = WIDTH_IN * height / width
    points = TITLE_PT * min(1.0, max(_LEAST_TITLE, _TITLE_LETTERS / max(len(title), 1)))
    figure.text(inset / WIDTH_IN, 1 - inset / page_height, title, fontsize=points, va="top", color=palette.INK)
    return figure


def add_color_bar(figure: "Figure", box: tuple[float, float, float, float], limit: float) -> None:
    """|E| from 0 to `limit` V/m; `box` is left, bottom, width and height in fractions of the page."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colors = ScalarMappable(Normalize(0.0, limit), cmap=palette.field_colors())
    bar = figure.colorbar(colors, cax=figure.add_axes(box), extend="max", extendfrac=0.04)
    bar.set_label("|E| (V/m)", fontsize=TITLE_PT, color=palette.INK)
    bar.ax.tick_params(labelsize=LABEL_PT, length=2, width=0.5)
    bar.outline.set_linewidth(0.5)


def halo(color: str = "white", width: float = 1.8) -> list[Any]:
    """Path effects that keep a thin mark readable on any background."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=color)]
