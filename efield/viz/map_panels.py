"""Parts of maps of a sweep: the best value of each position, and how values, angles and gyri below them are drawn."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, RegularPolygon
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from efield.ground.card import Card, Carded, counted
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.targeting.measures import sense
from efield.targeting.tangent import medial_sign
from efield.viz import palette
from efield.viz.drawn_tissue import drawn_tissue
from efield.viz.field_shapes import outer_surface
from efield.viz.map_shapes import SHARES
from efield.viz.page import LABEL_PT, TICK_PT, halo, label_axes

#: Coordinates of a grid that a map needs.
_NEEDED: Final = ("position", "u_mm", "v_mm", "angle_deg")

#: Gyri are drawn this far around a grid and this deep below its plane, mm: the crowns and the upper walls of sulci.
_AROUND_MM: Final = 12.0
_DEEP_MM: Final = 45.0

#: Rows of a hexagonal grid are this share of the spacing apart, those of a square one a whole spacing.
_HEX_ROWS: Final = np.sqrt(0.75)


@dataclass(frozen=True, eq=False, repr=False)
class BestOfPositions(Carded):
    """The best placement at each position of a grid.

    Parameters
    ----------
    u_mm, v_mm : (k,) float, mm
        Toward medial and toward anterior, from the point over the target.
    value : (k,) float
        The best value of the measure; nan where nothing is known.
    angle_deg : (k,) float
        The angle it belongs to.
    placement : (k,) int
        Its number in the sweep; -1 where nothing is known.
    in_plane_deg : (k,) float
        The angle in the grid's plane: beyond the midline, where medial is the other way, it is minus `angle_deg`.
    least : bool
        Whether the smallest value is the best.
    """

    u_mm: NDArray[np.float64]
    v_mm: NDArray[np.float64]
    value: NDArray[np.float64]
    angle_deg: NDArray[np.float64]
    placement: NDArray[np.intp]
    in_plane_deg: NDArray[np.float64]
    least: bool = False

    @property
    def top(self) -> int:
        """Which position is the best of all."""
        return int(np.nanargmin(self.value) if self.least else np.nanargmax(self.value))

    def _card(self) -> Card:
        return Card("BestOfPositions", (("size", counted(len(self.value), "position")),))


def best_of_positions(dataset: xarray.Dataset, measure: str) -> BestOfPositions:
    """The best value over angles, tilts and distances at each position; the first of equals.

    The largest, of `angle` the smallest.

    Parameters
    ----------
    dataset : xarray.Dataset
        A sweep over a `PlacementGrid`, of one head, coil and rate.
    measure : str
        One of its variables over `placement`.

    Raises
    ------
    InputError
        If the sweep is not over a grid, or has further dimensions, or nothing in it is known.
    """
    missing = [name for name in _NEEDED if name not in dataset.coords]
    if missing:
        raise InputError(f"a map needs a sweep over a PlacementGrid; instead it has no {', '.join(missing)}")
    if dataset[measure].dims != ("placement",):
        extra = ", ".join(str(name) for name in dataset[measure].dims if name != "placement")
        raise InputError(
            f"a map shows one head, coil and rate; instead {measure} is also over {extra}: choose with isel"
        )
    values = np.asarray(dataset[measure].values, dtype=float)
    if not np.isfinite(values).any():
        raise InputError(f"a map needs values; instead no {measure} is finite: is the sweep finished?")
    position = np.asarray(dataset["position"].values)
    # Best first within each position, unknown ones last; the sort keeps the order of equals.
    way = sense(measure)
    order = np.lexsort((np.arange(len(values)), np.where(np.isnan(values), np.inf, -way * values), position))
    first = order[np.unique(position[order], return_index=True)[1]]
    u, v, angle = (np.asarray(dataset[name].values, dtype=float)[first] for name in _NEEDED[1:])
    known = np.isfinite(values[first])
    angle = np.where(known, angle, np.nan)
    in_plane = _medial_way(dataset, first) * angle
    return BestOfPositions(u, v, values[first], angle, np.where(known, first, -1), in_plane, way < 0)


def _medial_way(dataset: xarray.Dataset, placements: NDArray[np.intp]) -> NDArray[np.float64]:
    """1 for placements on the side of the midline that the grid's origin is on, -1 for those beyond."""
    if "pose" not in dataset or "plane" not in dataset:
        return np.ones(len(placements))
    poses = np.asarray(dataset["pose"].values, dtype=float)[placements]
    height = sum(
        np.asarray(dataset[name].values, dtype=float)[placements]
        for name in ("distance_mm", "lifted_mm")
        if name in dataset or name in dataset.coords
    )
    feet = poses[:, :3, 3] + np.reshape(height, (-1, 1)) * poses[:, :3, 2]
    own = medial_sign(np.asarray(dataset["plane"].values, dtype=float)[:3, 3])
    return np.array([medial_sign(foot) / own for foot in feet])


def _cells(best: BestOfPositions) -> list[Any]:
    """A patch around each position that touches its neighbors'."""
    places = np.column_stack([best.u_mm, best.v_mm])
    spacing = _spacing(places)
    rows = np.unique(np.round(best.v_mm, 6))
    if len(rows) > 1 and np.isclose(np.diff(rows).min(), _HEX_ROWS * spacing, rtol=1e-3):
        return [RegularPolygon(tuple(place), 6, radius=spacing / np.sqrt(3)) for place in places]
    return [Rectangle(tuple(place - spacing / 2), spacing, spacing) for place in places]


def _spacing(places: NDArray[np.float64]) -> float:
    """Distance of nearest neighbors, mm; 1 for a single position."""
    return float(cKDTree(places).query(places, k=2)[0][:, 1].min()) if len(places) > 1 else 1.0


def draw_values(page: Figure, axes: Any, best: BestOfPositions, units: str) -> None:
    """Cells in the color of their value, with a bar, lines at shares of the best, and the best."""
    cells = draw_cells(axes, best, ends_of(best.value))
    draw_bar(page, cells, (0.462, 0.14, 0.013, 0.66), units)
    _draw_shares(axes, best)
    mark(axes, best)
    say_best(axes, best)


def draw_cells(axes: Any, best: BestOfPositions, ends: tuple[float, float], alpha: float = 1.0) -> Any:
    """A cell at each position in the color of its value; the collection, for a bar."""
    known = np.isfinite(best.value)
    cells = PatchCollection(
        [cell for cell, good in zip(_cells(best), known, strict=True) if good],
        cmap=palette.field_colors(),
        edgecolor="face" if alpha == 1.0 else "none",
        linewidth=0.3,
        alpha=alpha,
    )
    cells.set_array(best.value[known])
    cells.set_clim(*ends)
    axes.add_collection(cells)
    return cells


def draw_bar(page: Figure, cells: Any, place: tuple[float, float, float, float], units: str) -> None:
    """The bar of some cells' colors, at a place of the page in shares of it."""
    bar = page.colorbar(cells, cax=page.add_axes(place))
    bar.ax.set_title(units, fontsize=LABEL_PT, color=palette.INK, pad=4)
    bar.ax.tick_params(labelsize=LABEL_PT, length=2, width=0.5)
    bar.outline.set_linewidth(0.5)
    if bar.solids is not None:
        bar.solids.set(alpha=1.0)


def say_best(axes: Any, best: BestOfPositions) -> None:
    """The best value and its angle, in words beside it, away from the mark over the target."""
    top = best.top
    above = best.v_mm[top] >= 0
    axes.annotate(
        f"{best.value[top]:.3g} at {best.angle_deg[top]:g}°",
        (best.u_mm[top], best.v_mm[top]),
        xytext=(0, 9 if above else -9),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=LABEL_PT,
        color=palette.INK,
        path_effects=halo(),
        zorder=6,
    )


def ends_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the colors: zero and the largest value; the least and the largest where some are negative."""
    values = values[np.isfinite(values)]
    low, high = min(0.0, float(values.min())), float(values.max())
    return (low, palette.rounded_up(high)) if high > low else (low, low + 1.0)


def _draw_shares(axes: Any, best: BestOfPositions) -> None:
    """Lines at shares of the best value, where there is a surface to draw them on."""
    known = np.isfinite(best.value)
    top = float(best.value[known].max())
    places = np.column_stack([best.u_mm, best.v_mm])[known]
    flat = known.sum() < 4 or np.linalg.matrix_rank(places - places.mean(axis=0), tol=1e-6) < 2
    levels = [share * top for share in sorted(SHARES) if best.value[known].min() < share * top]
    if flat or top <= 0 or not levels or best.least:
        return
    lines = axes.tricontour(*places.T, best.value[known], levels=levels, colors="white", linewidths=0.8)
    axes.clabel(lines, fmt={level: f"{100 * level / top:.0f} %" for level in levels}, fontsize=TICK_PT)


def draw_gyri(axes: Any, head: HeadMesh, dataset: xarray.Dataset) -> None:
    """The cortex below a grid in light gray, seen along the grid's normal; crowns are light, walls and sulci dark.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        In millimeters of the grid's plane.
    head : HeadMesh
    dataset : xarray.Dataset
        A sweep over a grid in that head.
    """
    if "plane" not in dataset:
        raise InputError("gyri are drawn below a sweep over one grid; instead the dataset has no plane")
    plane = np.asarray(dataset["plane"].values, dtype=float)
    surface = outer_surface(head, drawn_tissue(head))
    placed = (surface.points_mm - plane[:3, 3]) @ plane[:3, :3]
    reach = 1.5 * float(np.hypot(dataset["u_mm"].values, dataset["v_mm"].values).max()) + _AROUND_MM
    facing = surface.triangle_normals @ plane[:3, 2]
    middle = placed[surface.triangles].mean(axis=1)
    shown = np.flatnonzero((facing > 0) & (np.hypot(middle[:, 0], middle[:, 1]) < reach) & (middle[:, 2] > -_DEEP_MM))
    # From the deepest to the outermost: what is in front is painted last.
    shown = shown[np.argsort(middle[shown, 2])]
    top = middle[shown, 2].max(initial=-_DEEP_MM)
    depth = np.clip(1.0 + (placed[:, 2] - top) / _DEEP_MM, 0.0, 1.0)
    shade = 0.5 + 0.48 * np.clip(surface.normals @ plane[:3, 2], 0.0, 1.0) * depth
    gray = {"cmap": "gray", "vmin": 0, "vmax": 1, "shading": "gouraud", "zorder": 0, "rasterized": True}
    axes.tripcolor(placed[:, 0], placed[:, 1], surface.triangles[shown], shade, **gray)


def draw_angles(axes: Any, best: BestOfPositions, *, signed: bool) -> None:
    """Arrows, or lines where both directions of current count the same, as long as the value is large.

    Where the smallest value is the best all are of one length.
    """
    known = np.isfinite(best.value)
    angle = np.radians(best.in_plane_deg[known])
    size = np.ones(known.sum()) if best.least else np.abs(best.value[known])
    length = 0.85 * _spacing(np.column_stack([best.u_mm, best.v_mm])) * size / (size.max() or 1.0)
    heads = {} if signed else {"headlength": 0, "headaxislength": 0, "headwidth": 1}
    axes.quiver(
        best.u_mm[known],
        best.v_mm[known],
        length * np.sin(angle),
        length * np.cos(angle),
        angles="xy",
        scale_units="xy",
        scale=1,
        pivot="mid",
        width=0.0045,
        color=palette.INK,
        **heads,
    )
    mark(axes, best)


def mark(axes: Any, best: BestOfPositions) -> None:
    """The point over the target, and the best position."""
    top = best.top
    axes.plot(0, 0, "+", color=palette.TARGET_COLOR, ms=9, mew=1.4, path_effects=halo(), zorder=5, label="over target")
    axes.plot(
        best.u_mm[top],
        best.v_mm[top],
        "o",
        mfc="none",
        mec=palette.COIL_COLOR,
        ms=8,
        mew=1.4,
        path_effects=halo(),
        zorder=5,
        label="best",
    )


def frame(axes: Any, best: BestOfPositions, medial_right: bool) -> None:
    """Limits, names of the axes and a legend."""
    limit(axes, best, medial_right)
    label_axes(axes, "toward medial (mm)", "toward anterior (mm)")
    axes.legend(fontsize=TICK_PT, framealpha=0.8, edgecolor="none", loc="lower left", handletextpad=0.3, borderpad=0.1)


def limit(axes: Any, best: BestOfPositions, medial_right: bool) -> None:
    """Show the positions and a rim of one spacing, a millimeter as long one way as the other."""
    reach = 1.08 * float(np.hypot(best.u_mm, best.v_mm).max()) + _spacing(np.column_stack([best.u_mm, best.v_mm]))
    axes.set(xlim=(-reach, reach) if medial_right else (reach, -reach), ylim=(-reach, reach), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        # With decimals at its ticks the words beside an axis leave the page.
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
