"""How exact a placement must be: what is lost of the goal away from the best place, and away from its angle."""

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.planning.optimum import Optimum
from efield.viz import palette
from efield.viz.page import LABEL_PT, TICK_PT, WIDTH_IN, halo, label_axes, new_page
from efield.viz.report import write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE: Final = (2160, 1060)

#: Lines of equal loss, percent; colors end at the last but one.
_LEVELS: Final = (2, 5, 10, 20, 40)
_DARKEST: Final = 40.0


def save_loss_picture(
    path: str | os.PathLike[str], best: Optimum, title: str = "", *, width_in: float = WIDTH_IN
) -> None:
    """Draw `loss_picture` and write it, completely or not at all (``.png``, ``.pdf`` or ``.svg``).

    Raises
    ------
    InputError
        If the suffix is another or the file cannot be written.
    """
    write_page(path, lambda: loss_picture(best, title, width_in=width_in))


def loss_picture(best: Optimum, title: str = "", *, width_in: float = WIDTH_IN) -> "Figure":
    """Loss over the scalp at the best angle, and over the angle at the best place.

    Parameters
    ----------
    best : Optimum
    title : str
    width_in : float
        How wide it is printed, inches: what is printed narrow has larger letters.
    """
    page = new_page(SIZE, title or f"{best.goal}: {best.value_says} at best", width_in)
    place, turn, bar = (page.add_axes(one) for one in _panels(width_in, width_in * SIZE[1] / SIZE[0]))
    angles = best.loss["angle_deg"].values
    nearest = int(np.argmin(np.abs((angles - best.place["angle_deg"] + 180) % 360 - 180)))
    lost = 100 * best.loss["loss"]
    _draw_places(page, place, bar, best, lost.isel(angle_deg=nearest).values.T)
    place.set_title(f"% lost by place, current at {angles[nearest]:g}°", fontsize=LABEL_PT, pad=4)
    here = lost.sel(u_mm=best.place["u_mm"], v_mm=best.place["v_mm"], method="nearest").values
    _draw_angles(turn, best, angles, here)
    turn.set_title("% lost by the current's angle", fontsize=LABEL_PT, pad=4)
    return page


def _panels(width: float, height: float) -> list[tuple[float, float, float, float]]:
    """Two panels and a bar between them on a page (inches), as shares of it; the words around them keep their size."""
    left, right, gap, bottom, top = 0.47, 0.17, 0.93, 0.39, 0.46
    wide, high = (width - left - gap - right) / 2, height - bottom - top
    panels = [(left, bottom, wide, high), (left + wide + gap, bottom, wide, high)]
    bar = (left + wide + 0.09, bottom, 0.09, high - 0.15)
    return [(x / width, y / height, w / width, h / height) for x, y, w, h in [*panels, bar]]


def _draw_places(page: "Figure", axes: Any, beside: Any, best: Optimum, lost: NDArray[np.float64]) -> None:
    u, v = best.loss["u_mm"].values, best.loss["v_mm"].values
    colors = palette.field_colors().reversed()
    drawn = axes.pcolormesh(u, v, lost, cmap=colors, vmin=0.0, vmax=_DARKEST, shading="gouraud")
    lines = axes.contour(u, v, lost, levels=_LEVELS, colors=palette.INK, linewidths=0.6, corner_mask=False)
    axes.clabel(lines, fmt="%g %%", fontsize=TICK_PT)
    bar = page.colorbar(drawn, cax=beside, extend="max")
    bar.ax.set_title("%", fontsize=LABEL_PT, color=palette.INK, pad=4)
    bar.ax.tick_params(labelsize=LABEL_PT, length=2, width=0.5)
    axes.plot(0, 0, "+", color=palette.TARGET_COLOR, ms=8, mew=1.4, path_effects=halo(), label="over target")
    marks = {"mfc": "none", "mec": palette.COIL_COLOR, "ms": 7, "mew": 1.4, "path_effects": halo()}
    axes.plot(best.place["u_mm"], best.place["v_mm"], "o", label="best", **marks)
    axes.set(aspect="equal")
    label_axes(axes, "toward medial (mm)", "toward anterior (mm)")
    words = {"fontsize": TICK_PT, "frameon": False, "handletextpad": 0.3, "borderpad": 0.1}
    page.legend(*axes.get_legend_handles_labels(), loc="upper right", ncols=2, **words)


def _draw_angles(axes: Any, best: Optimum, angles: NDArray[np.float64], lost: NDArray[np.float64]) -> None:
    axes.plot([*angles, angles[0] + 360], [*lost, lost[0]], color=palette.INK, lw=1.2)
    axes.axvline(best.place["angle_deg"], color=palette.COIL_COLOR, lw=1.0)
    axes.set(xlim=(0, 360), ylim=(0, 1.03 * max(10.0, float(np.nanmax(lost)))), xticks=range(0, 361, 90))
    label_axes(axes, "0 = anterior, 90 = medial (deg)", "% lost")
