"""How exact a placement must be: what is lost of the goal away from the best place, and away from its angle."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.planning.optimum import Optimum
from efield.viz import palette
from efield.viz.page import LABEL_PT, TICK_PT, halo, label_axes, new_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE: Final = (2160, 1060)

_SUFFIXES: Final = (".png", ".pdf", ".svg")

#: Lines of equal loss, percent; colors end at the last but one.
_LEVELS: Final = (2, 5, 10, 20, 40)
_DARKEST: Final = 40.0


def save_loss_picture(path: str | os.PathLike[str], best: Optimum, title: str = "") -> None:
    """Draw `loss_picture` and write it, completely or not at all (``.png``, ``.pdf`` or ``.svg``).

    Raises
    ------
    InputError
        If the suffix is another or the file cannot be written.
    """
    from efield.io.atomic import replacing

    checks.choice("the suffix of a picture", Path(path).suffix.lower(), _SUFFIXES)
    figure = loss_picture(best, title)
    with replacing(path) as temporary:
        figure.savefig(temporary)


def loss_picture(best: Optimum, title: str = "") -> "Figure":
    """Loss over the scalp at the best angle, and over the angle at the best place.

    Parameters
    ----------
    best : Optimum
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    page = new_page(SIZE, title or f"{best.goal}: {best.value:.3g} {best.unit} at best")
    place, turn = page.add_axes((0.065, 0.11, 0.40, 0.76)), page.add_axes((0.60, 0.11, 0.385, 0.76))
    angles = best.loss["angle_deg"].values
    nearest = int(np.argmin(np.abs((angles - best.place["angle_deg"] + 180) % 360 - 180)))
    lost = 100 * best.loss["loss"]
    _draw_places(page, place, best, lost.isel(angle_deg=nearest).values.T)
    place.set_title(f"percent lost by place, current at {angles[nearest]:g}°", fontsize=LABEL_PT, pad=4)
    here = lost.sel(u_mm=best.place["u_mm"], v_mm=best.place["v_mm"], method="nearest").values
    _draw_angles(turn, best, angles, here)
    turn.set_title("percent lost by angle of the induced current", fontsize=LABEL_PT, pad=4)
    return page


def _draw_places(page: "Figure", axes: Any, best: Optimum, lost: NDArray[np.float64]) -> None:
    u, v = best.loss["u_mm"].values, best.loss["v_mm"].values
    colors = palette.field_colors().reversed()
    drawn = axes.pcolormesh(u, v, lost, cmap=colors, vmin=0.0, vmax=_DARKEST, shading="gouraud")
    lines = axes.contour(u, v, lost, levels=_LEVELS, colors=palette.INK, linewidths=0.6)
    axes.clabel(lines, fmt="%g %%", fontsize=TICK_PT)
    bar = page.colorbar(drawn, cax=page.add_axes((0.478, 0.15, 0.013, 0.68)), extend="max")
    bar.ax.set_title("%", fontsize=LABEL_PT, color=palette.INK, pad=4)
    bar.ax.tick_params(labelsize=LABEL_PT, length=2, width=0.5)
    axes.plot(0, 0, "+", color=palette.TARGET_COLOR, ms=9, mew=1.4, path_effects=halo(), label="over target")
    marks = {"mfc": "none", "mec": palette.COIL_COLOR, "ms": 8, "mew": 1.4, "path_effects": halo()}
    axes.plot(best.place["u_mm"], best.place["v_mm"], "o", label="best", **marks)
    axes.set(aspect="equal")
    label_axes(axes, "toward medial (mm)", "toward anterior (mm)")
    axes.legend(fontsize=TICK_PT, frameon=False, loc="lower left", handletextpad=0.3, borderpad=0.1)


def _draw_angles(axes: Any, best: Optimum, angles: NDArray[np.float64], lost: NDArray[np.float64]) -> None:
    axes.plot([*angles, angles[0] + 360], [*lost, lost[0]], color=palette.INK, lw=1.2)
    axes.axvline(best.place["angle_deg"], color=palette.COIL_COLOR, lw=1.0, label="best")
    axes.set(xlim=(0, 360), ylim=(0, max(10.0, float(np.nanmax(lost)))), xticks=range(0, 361, 45))
    label_axes(axes, "angle, 0 = anterior, 90 = medial (deg)", "% lost")
    axes.legend(fontsize=TICK_PT, frameon=False, loc="best")
