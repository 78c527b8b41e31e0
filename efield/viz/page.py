"""A page without window or pyplot state, and the words and bars that every picture shares."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from efield.ground import checks
from efield.ground.errors import InputError
from efield.viz.scale import Scale
from efield.viz.theme import Theme, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Width of a printed page's text, inches: font sizes are in points at this width.
WIDTH_IN: Final = 7.2

MM_PER_INCH: Final = 25.4

#: Below this a page has no room for its words; above it memory runs out before anything is gained (pixels).
_PIXELS: Final = (200, 20_000)

#: Widths that can be asked for, mm: from a small inset to a poster; and dots per inch.
_WIDTHS_MM: Final = (40.0, 1200.0)
_DPI: Final = (50.0, 1200.0)

#: Type sizes, points.
TITLE_PT, LABEL_PT, TICK_PT = 8.0, 7.0, 6.5

#: A letter is about so wide, and a line so high, as shares of the type's size.
_LETTER, _LINE = 0.56, 1.35

#: A title that is too long for one line is set smaller, down to this share; a longer one in several lines.
_LEAST_TITLE: Final = 0.7

#: Parts a title; where it must be broken, it is broken there.
BETWEEN: Final = "  ·  "

#: Between the page's edge and the title, inches.
_INSET_IN: Final = 0.08


def page_size(width_mm: float, dpi: float, shape: float) -> tuple[int, int]:
    """Width and height in pixels of a page that is so wide in print; `shape` is its height over its width.

    Raises
    ------
    InputError
        If the width is not between 40 and 1200 mm, or dpi not between 50 and 1200.
    """
    width = checks.in_range("width_mm", width_mm, *_WIDTHS_MM) / MM_PER_INCH
    dots = checks.in_range("dpi", dpi, *_DPI)
    return round(width * dots), round(width * dots * shape)


def new_page(size: tuple[int, int], title: str, width_in: float = WIDTH_IN, theme: "str | Theme" = "light") -> "Figure":
    """A matplotlib figure of exactly `size` pixels with a title, wrapped to its width.

    Parameters
    ----------
    size : (int, int), pixels
        Width and height.
    title : str
    width_in : float, inches
        How wide it is printed.
    theme : {"light", "dark"} or Theme

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
    page_height, colors = width_in * height / width, theme_of(theme)
    figure = Figure(figsize=(width_in, page_height), dpi=width / width_in, facecolor=colors.paper)
    FigureCanvasAgg(figure)
    points, lines = _title_lines(title, width_in)
    figure.text(
        _INSET_IN / width_in,
        1 - _INSET_IN / page_height,
        "\n".join(lines),
        fontsize=points,
        va="top",
        color=colors.ink,
        linespacing=_LINE - 0.1,
    )
    return figure


def type_in(room_in: float, letters: int, points: float) -> float:
    """Type of at most `points` in which so many letters go into some inches."""
    return min(points, 72 * room_in / (_LETTER * max(letters, 1)))


def _title_lines(title: str, width_in: float) -> tuple[float, list[str]]:
    """Size of a title's type (points), and its lines, none of them wider than the page."""
    fit = max(int((width_in - 2 * _INSET_IN) * 72 / (_LETTER * TITLE_PT)), 20)
    if len(title) <= fit / _LEAST_TITLE:
        return TITLE_PT * min(1.0, fit / max(len(title), 1)), [title]
    lines = [""]
    for part in title.split(BETWEEN):
        joined = f"{lines[-1]}{BETWEEN}{part}" if lines[-1] else part
        if len(joined) <= fit:
            lines[-1] = joined
        else:
            lines += wrap(part, fit, break_on_hyphens=False)
    return TITLE_PT, [line for line in lines if line]


def title_height_in(title: str, width_in: float) -> float:
    """How much of the page's top the title takes, inches."""
    return 2 * _INSET_IN + len(_title_lines(title, width_in)[1]) * _LINE * TITLE_PT / 72


def add_color_bar(
    figure: "Figure",
    box: tuple[float, float, float, float],
    scale: Scale,
    theme: "str | Theme" = "light",
    *,
    flat: bool = False,
) -> None:
    """What the colors mean; `box` is left, bottom, width and height in fractions of the page; `flat` lies down."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    # Longer numbers than four digits push the words off the page.
    short = ScalarFormatter(useMathText=True)
    short.set_powerlimits((-2, 3))
    ink = theme_of(theme).ink
    bar = figure.colorbar(
        ScalarMappable(Normalize(scale.low, scale.high), cmap=scale.colormap),
        cax=figure.add_axes(box),
        extend=scale.extend,
        extendfrac=0.04,
        orientation="horizontal" if flat else "vertical",
        ticks=MaxNLocator(8, steps=[1, 2, 5, 10]),
        format=short,
    )
    words = f"{scale.words}\n{scale.note}" if scale.note else scale.words
    bar.set_label(words, fontsize=LABEL_PT, color=ink, linespacing=1.4, labelpad=2)
    bar.ax.tick_params(labelsize=LABEL_PT, length=2, width=0.5, colors=ink)
    (bar.ax.xaxis if flat else bar.ax.yaxis).get_offset_text().set(fontsize=LABEL_PT, color=ink)
    bar.outline.set(linewidth=0.5, edgecolor=ink)


def label_axes(axes: Any, below: str, beside: str) -> None:
    """Words and ticks of plain axes, in the sizes of the page."""
    axes.set_xlabel(below, fontsize=LABEL_PT)
    axes.set_ylabel(beside, fontsize=LABEL_PT)
    axes.tick_params(labelsize=TICK_PT, length=2, width=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def halo(color: str = "white", width: float = 1.8) -> list[Any]:
    """Path effects that keep a thin mark readable on any background."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=color)]
