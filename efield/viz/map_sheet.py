"""Maps of several sweeps side by side, the gyri below each: a row per head and target, a column per coil."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray
from matplotlib.figure import Figure

from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.targeting.measures import turns
from efield.viz import map_panels
from efield.viz.maps import medial_is_right, short_name
from efield.viz.page import LABEL_PT, TICK_PT, WIDTH_IN, new_page, type_in
from efield.viz.report import write_page

#: More maps than this are too small to read.
_MOST: Final = (6, 6)

#: Pixels of a map, within these dots per inch: one alone is not blown up, many stay small enough.
_PANEL: Final = 620
_DPI: Final = (150.0, 600.0)

#: Margins, inches, as type has its size in points however many maps there are: left of all, between two, on the right
#: for a bar; above and below.
_MARGINS: Final = {"left": 0.85, "between": 0.24, "right": 0.7, "top": 0.48, "bottom": 0.55}

#: A bar's distance from the last map of a row, and its width, inches.
_BAR_IN: Final = (0.1, 0.09)

#: Cells let the gyri through.
_ALPHA: Final = 0.55


@dataclass(frozen=True, eq=False)
class MapPanel:
    """One map of a sheet.

    Parameters
    ----------
    row, column : str
        What it is of: head and target, and coil.
    dataset : xarray.Dataset
        A sweep over a `PlacementGrid`, of one head, coil and rate.
    measure : str
        The same in all of a row.
    head : HeadMesh, optional
        Its gyri are drawn below the map.
    """

    row: str
    column: str
    dataset: xarray.Dataset
    measure: str
    head: HeadMesh | None = None


def save_map_sheet(path: str | os.PathLike[str], panels: Sequence[MapPanel], title: str = "") -> None:
    """Draw a sheet of maps and write it completely or not at all; arguments as in `map_sheet`.

    Raises
    ------
    InputError
        As `map_sheet`, or if the suffix is not ``.png``, ``.pdf`` or ``.svg``, or the file cannot be written.
    """
    write_page(path, lambda: map_sheet(panels, title), "map")


def map_sheet(panels: Sequence[MapPanel], title: str = "") -> Figure:
    """The best value at each position of several sweeps, with the angle that gives it, over the gyri.

    Maps of a row have the same colors, so that coils can be compared; arrows are along the induced current, lines where
    a measure has no sign.

    Raises
    ------
    InputError
        If a sweep cannot be drawn, or there are more than six rows or columns.
    """
    rows, columns = (list(dict.fromkeys(getattr(panel, name) for panel in panels)) for name in ("row", "column"))
    if not panels or len(rows) > _MOST[0] or len(columns) > _MOST[1]:
        raise InputError(
            f"a sheet has 1 to {_MOST[0]} rows (head and target) and 1 to {_MOST[1]} columns (coils); instead received "
            f"{len(rows)} and {len(columns)}: choose some with --head, --target and --coil"
        )
    page, place = _page(len(rows), len(columns), title)
    for number, row in enumerate(rows):
        mine = [panel for panel in panels if panel.row == row]
        bests = [map_panels.best_of_positions(panel.dataset, panel.measure) for panel in mine]
        ends = map_panels.ends_of(np.concatenate([best.value for best in bests]))
        for panel, best in zip(mine, bests, strict=True):
            axes = page.add_axes(place(number, columns.index(panel.column)))
            cells = _draw(axes, panel, best, ends)
            if number == 0:
                room = WIDTH_IN * place(number, 0)[2]
                axes.set_title(panel.column, fontsize=type_in(room, len(panel.column), LABEL_PT), pad=4)
            # Maps of a row share their vertical axis.
            axes.tick_params(labelleft=panel is mine[0])
            if panel is mine[0]:
                lines = row, short_name(panel.measure)
                room = page.get_size_inches()[1] * place(number, 0)[3] + _MARGINS["between"]
                axes.set_ylabel("\n".join(lines), fontsize=type_in(room, max(map(len, lines)), LABEL_PT))
        x, y, width, height = place(number, len(columns) - 1)
        away, wide = (inches / WIDTH_IN for inches in _BAR_IN)
        map_panels.draw_bar(page, cells, (x + width + away, y + 0.06 * height, wide, 0.8 * height), _units(mine[0]))
    return page


def _draw(axes: Any, panel: MapPanel, best: Any, ends: tuple[float, float]) -> Any:
    if panel.head is not None:
        map_panels.draw_gyri(axes, panel.head, panel.dataset)
    cells = map_panels.draw_cells(axes, best, ends, _ALPHA if panel.head is not None else 1.0)
    map_panels.draw_angles(axes, best, signed=turns(panel.measure))
    map_panels.mark(axes, best)
    map_panels.say_best(axes, best)
    map_panels.limit(axes, best, medial_is_right(panel.dataset))
    axes.tick_params(labelsize=TICK_PT, length=2, width=0.5)
    return cells


def _units(panel: MapPanel) -> str:
    return str(panel.dataset[panel.measure].attrs.get("units", "V/m"))


def _page(rows: int, columns: int, title: str) -> tuple["Figure", Any]:
    """A page for so many maps, and where each goes, in shares of the page from its lower left corner."""
    m = _MARGINS
    side = (WIDTH_IN - m["left"] - m["right"] - (columns - 1) * m["between"]) / columns
    step = side + m["between"]
    high = m["top"] + rows * step - m["between"] + m["bottom"]
    dpi = float(np.clip(_PANEL / side, *_DPI))
    page = new_page((round(WIDTH_IN * dpi), round(high * dpi)), title)
    page.text(
        (m["left"] + 0.5 * (columns * step - m["between"])) / WIDTH_IN,
        0.12 / high,
        "mm toward medial and anterior, from the point over the target (+); the circle is the best",
        fontsize=TICK_PT,
        ha="center",
    )

    def place(row: int, column: int) -> tuple[float, float, float, float]:
        x, y = m["left"] + column * step, m["bottom"] + (rows - 1 - row) * step
        return x / WIDTH_IN, y / high, side / WIDTH_IN, side / high

    return page, place
