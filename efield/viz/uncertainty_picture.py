"""How sure |E| is over the cortex: the mean, and how much conductivities that are believed possible move it."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from efield.ground import checks
from efield.ground.errors import MissingDependencyError
from efield.head.mesh import HeadMesh
from efield.planning.uncertain_measures import Uncertainty
from efield.targeting.naming import Place
from efield.viz.probe import can_render, remedy
from efield.viz.report import PICTURES, PictureReport, drawn, write_page
from efield.viz.scene import Scene
from efield.viz.sheet import PageOptions, Panel, sheet_figure
from efield.viz.uncertainty_map import SHOWN
from efield.viz.views import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def uncertainty_figure(
    head: HeadMesh,
    sure: Uncertainty,
    target: Place,
    *,
    view: str | View = "target",
    **page: Unpack[PageOptions],
) -> "Figure":
    """The mean of |E| on the cortex, and the width of its interval from 5 to 95 %.

    Parameters
    ----------
    head : HeadMesh
    sure : Uncertainty
        Made with ``region_mm``; beyond that distance the cortex stays gray.
    target : Target, str or (3,) array_like
    view : str or View
    **page
        ``width_mm``, ``dpi``, ``theme`` and ``title``, as in `efield.viz.sheet.sheet_figure`.

    Raises
    ------
    InputError
        If there is no map.
    MissingDependencyError
        If this machine has no OpenGL.
    """
    base = Scene(head).target(target)
    panels = [Panel(base.uncertainty(sure, show), view, SHOWN[show][0]) for show in ("mean", "width")]
    return sheet_figure(panels, **page)


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
    path: str | PathLike[str], head: HeadMesh, sure: Uncertainty, target: Place, title: str = ""
) -> PictureReport:
    """Draw `uncertainty_figure` and write it (``.png``, ``.svg`` or ``.pdf``), completely or not at all."""
    check_drawable(path)
    write_page(path, lambda: uncertainty_figure(head, sure, target, title=title))
    return drawn(path)
