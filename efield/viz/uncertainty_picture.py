"""How sure |E| is over the cortex: the mean, and how much conductivities that are believed possible move it."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError, MissingDependencyError
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.io.atomic import replacing
from efield.viz.probe import can_render, remedy
from efield.viz.report import PICTURES, PictureReport, drawn
from efield.viz.theme import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.head.mesh import HeadMesh
    from efield.planning.uncertain_measures import Uncertainty
    from efield.targeting.naming import Place
    from efield.viz.views import View

FloatArray = NDArray[np.float64]

#: What can be drawn: the words of the bar, and its unit.
SHOWN: Final = {
    "mean": ("mean of |E|", "V/m"),
    "sd": ("SD of |E|", "V/m"),
    "width": ("|E|, 5 to 95 %: width", "V/m"),
    "share": ("SD of |E|, % of its mean", "%"),
}


def on_nodes(head: "HeadMesh", sure: "Uncertainty", show: str = "width") -> FloatArray:
    """(n,) what is known of |E| at the head's nodes: that of the tetrahedra around, gray matter before white.

    Parameters
    ----------
    head : HeadMesh
    sure : Uncertainty
        Made with ``region_mm``.
    show : {"mean", "sd", "width", "share"}
        The mean, the standard deviation, the width of the interval from 5 to 95 %, or the standard deviation in percent
        of the mean.

    Returns
    -------
    (n,) float
        nan beyond the region.

    Raises
    ------
    InputError
        If there is no map.
    """
    checks.choice("show", show, SHOWN)
    if sure.map is None:
        raise InputError("a map needs region_mm, such as uncertainty(..., region_mm=40); instead it was left out")
    table = sure.map
    tets = np.asarray(table["tet"].values)
    if len(tets) and tets.max() >= len(head.tets):
        raise InputError("the uncertainty must be of this head; instead it is of a larger one")
    mean, sd = np.asarray(table["mean"].values), np.asarray(table["sd"].values)
    width = np.asarray(table["p95"].values) - np.asarray(table["p5"].values)
    share = 100 * sd / np.where(mean > 0, mean, np.inf)
    values = {"mean": mean, "sd": sd, "width": width, "share": share}[show]
    found = np.full(len(head.points), np.nan)
    for tag in (WHITE_MATTER, GRAY_MATTER):
        own = head.tissue[tets] == tag
        found = np.where(np.isnan(known := _averaged(head, tets[own], values[own])), found, known)
    return found


def _averaged(head: "HeadMesh", tets: NDArray[np.integer], values: FloatArray) -> FloatArray:
    """(n,) mean of tetrahedra (k) around each node, weighted by volume; nan where there is none."""
    corners = head.tets[tets].ravel()
    weights = np.repeat(head.volumes[tets], 4)
    total = np.bincount(corners, weights, len(head.points))
    sums = np.bincount(corners, weights * np.repeat(values, 4), len(head.points))
    return np.asarray(np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0))


def uncertainty_figure(
    head: "HeadMesh",
    sure: "Uncertainty",
    target: "Place",
    *,
    view: "str | View" = "target",
    width_mm: float = 180.0,
    dpi: float = 300.0,
    theme: "str | Theme" = "light",
    title: str = "",
) -> "Figure":
    """The mean of |E| on the cortex, and the width of its interval from 5 to 95 %.

    Parameters
    ----------
    head : HeadMesh
    sure : Uncertainty
        Made with ``region_mm``; beyond that distance the cortex stays gray.
    target : Target, str or (3,) array_like
    view, width_mm, dpi, theme, title
        As in `efield.viz.sheet.sheet_figure`.

    Raises
    ------
    InputError
        If there is no map.
    MissingDependencyError
        If this machine has no OpenGL.
    """
    from efield.viz.scene import Scene
    from efield.viz.sheet import Panel, sheet_figure

    base = Scene(head).target(target)
    panels = [Panel(base.uncertainty(sure, show), view, SHOWN[show][0]) for show in ("mean", "width")]
    return sheet_figure(panels, width_mm=width_mm, dpi=dpi, theme=theme, title=title)


def check_drawable(path: str | PathLike[str]) -> None:
    """Refuse a picture before any work.

    Raises
    ------
    InputError
        If the suffix is none of a picture.
    MissingDependencyError
        If this machine has no OpenGL.
    """
    checks.choice("the suffix of a picture", Path(path).suffix.lower(), PICTURES)
    if not can_render():
        raise MissingDependencyError(f"a map of the cortex needs OpenGL: {remedy()}")


def save_uncertainty_picture(
    path: str | PathLike[str], head: "HeadMesh", sure: "Uncertainty", target: "Place", title: str = ""
) -> PictureReport:
    """Draw `uncertainty_figure` and write it (``.png``, ``.svg`` or ``.pdf``), completely or not at all."""
    from efield.viz.sheet import write_figure

    check_drawable(path)
    with replacing(path) as temporary:
        write_figure(uncertainty_figure(head, sure, target, title=title), temporary)
    return drawn(Path(path))
