"""The axes of each program's coil, drawn on one coil, from the matrices that its files are read with."""

import os
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from efield.io.poses.axes import AXES
from efield.viz import palette
from efield.viz.page import LABEL_PT, TICK_PT, TITLE_PT, new_page
from efield.viz.report import write_page

SIZE: Final = (2160, 1480)

TITLES: Final = {
    "simnibs": "efield, SimNIBS, visor2, NIBS-BIDS",
    "brainsight": "Brainsight",
    "localite": "Localite",
    "softaxic": "Softaxic",
    "invesalius": "InVesalius",
    "handle": "y along the handle (NIBS-BIDS?)",
}

#: Colors of x, y and z, as they are in most viewers.
_COLORS: Final = ("#c62828", "#2e7d32", "#1565c0")
_LENGTH: Final = 0.95
_CURRENT: Final = "#7b1fa2"


def axes_on_page(name: str) -> NDArray[np.float64]:
    """(3, 3) axes of a program's coil, a row each: to the right and up on the page, and out of it toward the reader.

    The coil lies on the vertex of a head seen from above, nose up, its handle toward the back of the head.
    """
    # Row k of the matrix is their axis k in our coil's coordinates. Ours there: x to the left (y x z), y up, z away.
    return np.asarray(AXES[name] @ np.diag([-1.0, 1.0, -1.0]))


def save_axes_picture(path: str | os.PathLike[str], *, size: tuple[int, int] = SIZE) -> None:
    """Draw the axes of every program and write the picture.

    Parameters
    ----------
    path : path_like
        Written completely or not at all; the suffix names the format (``.png``, ``.pdf``, ``.svg``).
    size : (int, int), pixels
    """
    write_page(path, lambda: axes_figure(size=size))


def axes_figure(*, size: tuple[int, int] = SIZE) -> Figure:
    """One coil for each program: handle, induced current, and the program's x, y and z.

    Parameters
    ----------
    size : (int, int), pixels

    Returns
    -------
    matplotlib.figure.Figure
    """
    page = new_page(size, "The same coil on the vertex, seen from above, nose up: whose axes are where")
    for number, (name, title) in enumerate(TITLES.items()):
        row, column = divmod(number, 3)
        axes = page.add_axes((0.01 + 0.33 * column, 0.49 - 0.47 * row, 0.32, 0.42))
        axes.set(xlim=(-1.75, 1.75), ylim=(-1.75, 1.6), aspect="equal")
        axes.set_axis_off()
        axes.set_title(title, fontsize=TITLE_PT)
        _draw_coil(axes)
        for axis, direction in enumerate(axes_on_page(name)):
            _draw_axis(axes, "xyz"[axis], direction, _COLORS[axis])
    return page


def _draw_coil(axes: Any) -> None:
    """Wings, handle, and the current that is induced in the cortex while the coil's rises."""
    turn = np.linspace(0, 2 * np.pi, 90)
    for side in (-0.62, 0.62):
        axes.fill(side + 0.6 * np.cos(turn), 0.6 * np.sin(turn), color=palette.CASING_COLOR, alpha=0.25, lw=0)
        axes.plot(side + 0.45 * np.cos(turn), 0.45 * np.sin(turn), color=palette.COIL_COLOR, lw=1.4)
    axes.fill([-0.12, 0.12, 0.12, -0.12], [-0.5, -0.5, -1.5, -1.5], color=palette.CASING_COLOR, alpha=0.6, lw=0)
    axes.text(0.18, -1.4, "handle", fontsize=TICK_PT, color=palette.INK)
    style = {"arrowstyle": "-|>", "color": _CURRENT, "lw": 2.2, "alpha": 0.55}
    axes.annotate("", (-1.45, 0.75), (-1.45, -0.75), arrowprops=style)
    axes.text(-1.5, -1.02, "induced\ncurrent", fontsize=TICK_PT, color=_CURRENT, ha="center", va="top")


def _draw_axis(axes: Any, letter: str, direction: NDArray[np.float64], color: str) -> None:
    """An arrow in the page; a dot for one that comes out of it (out of the head), a cross for one that goes in."""
    across, up, out = direction
    if abs(out) < 0.5:
        style = {"arrowstyle": "-|>", "color": color, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (_LENGTH * across, _LENGTH * up), (0, 0), arrowprops=style)
        axes.text(
            1.12 * across, 1.12 * up, letter, fontsize=LABEL_PT, color=color, ha="center", va="center", weight="bold"
        )
        return
    axes.plot(0, 0, "o", ms=11, mfc="white", mec=color, mew=1.6, zorder=4)
    axes.plot(0, 0, "." if out > 0 else "x", ms=6, color=color, mew=1.6, zorder=5)
    where = "out of the head" if out > 0 else "into the head"
    axes.text(0, 1.42, f"{letter} {where}", fontsize=TICK_PT, color=color, ha="center")
