"""A picture of a coil's field, without OpenGL: |E| on the cortical surface of a spherical head."""

import os
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.targeting.depth_spread import CorticalField, cortical_field
from efield.targeting.named import CoilLike, the_coil
from efield.viz import palette
from efield.viz.caption import named
from efield.viz.page import LABEL_PT, TICK_PT, TITLE_PT, add_color_bar, new_page
from efield.viz.report import write_page
from efield.viz.scale import Scale

SIZE: Final = (2160, 1080)

SUFFIXES: Final = (".png", ".pdf", ".svg")

#: Contours on the map, as shares of the largest |E|: 0.5 bounds the half-value area.
_SHARES: Final = (0.5, 0.75)


def save_coil_picture(path: str | os.PathLike[str], coil: CoilLike, *, size: tuple[int, int] = SIZE) -> None:
    """Draw a coil's field and write it.

    Parameters
    ----------
    path : path_like
        Written completely or not at all; the suffix names the format (``.png``, ``.pdf``, ``.svg``).
    coil : Coil, or its name or file
    size : (int, int), pixels

    Raises
    ------
    InputError
        As `efield.targeting.depth_spread.cortical_field`, or if the suffix is another or the file cannot be written.
    """
    write_page(path, lambda: coil_figure(coil, size=size))


def coil_figure(coil: CoilLike, *, size: tuple[int, int] = SIZE) -> Figure:
    """|E| at 1 A/us from above, with the windings; and along the two meridians through the pole.

    Parameters
    ----------
    coil : Coil, or its name or file
        Held centrally over a spherical head, 1 mm from the scalp; the cortex is 15 mm deep, 70 mm in radius.
    size : (int, int), pixels

    Returns
    -------
    matplotlib.figure.Figure
    """
    coil = the_coil(coil)
    field = cortical_field(coil)
    title = f"{named(coil)}, dI/dt 1 A/µs: |E| on a sphere of 70 mm, 15 mm below the scalp of a spherical head"
    page = new_page(size, title)
    limit = palette.rounded_up(float(field.magnitude.max()))
    _draw_map(page, field, coil, limit)
    add_color_bar(page, (0.436, 0.16, 0.013, 0.66), Scale("|E|", "V/m", 0.0, limit))
    _draw_profiles(page, field, limit)
    return page


def _draw_map(page: Figure, field: CorticalField, coil: Coil, limit: float) -> None:
    axes = page.add_axes((0.062, 0.11, 0.36, 0.78))
    x, y = field.points_mm[..., 0], field.points_mm[..., 1]
    axes.pcolormesh(x, y, field.magnitude, shading="gouraud", cmap=palette.field_colors(), vmin=0, vmax=limit)
    levels = [share * float(field.magnitude.max()) for share in _SHARES]
    lines = axes.contour(x, y, field.magnitude, levels=levels, colors="white", linewidths=0.7)
    axes.clabel(lines, fmt=dict(zip(levels, ("50 %", "75 %"), strict=True)), fontsize=TICK_PT)
    for winding in coil.windings:
        points = field.pose.to_head(winding)
        axes.plot(points[:, 0], points[:, 1], color=palette.COIL_COLOR, lw=0.5, alpha=0.75)
    if (direction := induced_direction(coil)) is not None:
        x, y = 22.0 * (field.pose.rotation @ np.array(direction))[:2]
        arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.4, "mutation_scale": 12}
        axes.annotate("", (x, y), (-x, -y), arrowprops=arrow)
    reach = max(72.0, *(float(np.abs(w[:, :2]).max()) + 4 for w in coil.windings)) if coil.windings else 72.0
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_title("from above; the handle points down; arrow: induced", fontsize=LABEL_PT, pad=3)
    _label(axes, "mm", "")


def _draw_profiles(page: Figure, field: CorticalField, limit: float) -> None:
    axes = page.add_axes((0.58, 0.13, 0.4, 0.72))
    quarter = (field.magnitude.shape[1] - 1) // 4
    arc = np.arccos(np.clip(field.points_mm[:, 0, 2] / 70.0, -1, 1)) * 70.0
    for name, first, color in (("across, along x", 0, palette.INK), ("along the handle, y", 1, palette.COIL_COLOR)):
        ahead, behind = field.magnitude[:, first * quarter], field.magnitude[:, (first + 2) * quarter]
        axes.plot(np.append(-arc[::-1], arc), np.append(behind[::-1], ahead), color=color, lw=1.1, label=name)
    axes.axhline(field.magnitude.max() / 2, color="#999999", lw=0.6, ls="--")
    axes.text(-108, field.magnitude.max() / 2, "half", fontsize=TICK_PT, va="bottom", color="#666666")
    axes.set(xlim=(-110, 110), ylim=(0, limit))
    axes.legend(fontsize=LABEL_PT, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    _label(axes, "distance along the cortex from below the center (mm)", "|E| (V/m)")


def _label(axes: Any, across: str, up: str) -> None:
    axes.set_xlabel(across, fontsize=LABEL_PT)
    axes.set_ylabel(up, fontsize=LABEL_PT)
    axes.tick_params(labelsize=TICK_PT, length=2, width=0.5)
    axes.title.set_fontsize(TITLE_PT)
