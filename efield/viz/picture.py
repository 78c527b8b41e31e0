"""The picture of one simulation, with OpenGL where the machine has it and without where not."""

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack

from efield.coils.model import Coil
from efield.ground.pose import Pose
from efield.targeting.field import EField
from efield.targeting.named import CoilLike, coil_if_any
from efield.targeting.naming import Place, target_if_any
from efield.targeting.targets import Target
from efield.viz.caption import caption
from efield.viz.overview import field_scene
from efield.viz.probe import can_render
from efield.viz.report import PictureReport, drawn, write_page
from efield.viz.sheet import PageOptions, Panel, sheet_figure
from efield.viz.slices import slice_figure
from efield.viz.theme import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def load_libraries() -> None:
    """Load what `save_picture` will need, and find out what can be rendered: for a thread beside other work."""
    drawing = ("pyvista.plotting",) if can_render() else ()
    for name in (*drawing, "matplotlib.figure", "matplotlib.backends.backend_agg"):
        import_module(name)


def field_figure(
    field: EField,
    target: Place | None = None,
    coil: CoilLike | None = None,
    pose: Pose | None = None,
    *,
    width_mm: float = 180.0,
    dpi: float = 300.0,
    theme: str | Theme = "light",
    title: str | None = None,
) -> "Figure":
    """The field on the cortex with the coil over it, or slices where nothing can be rendered.

    Parameters
    ----------
    field : EField
    target : Target, str or (3,) array_like, optional
        As in `efield.targeting.naming.target_of`.
    coil : Coil, or its name or file, optional
        Drawn where `pose` says it is.
    pose : Pose, optional
    width_mm : float, mm
        How wide it is printed: type keeps its size, and below 120 mm panels are below each other.
    dpi : float
        Dots per inch at that width.
    theme : {"light", "dark"} or Theme
    title : str, optional
        Line above the picture; what was computed, by default.

    Returns
    -------
    matplotlib.figure.Figure
        Not tied to any window or to pyplot.

    Raises
    ------
    InputError
        If the width or dpi is out of range.
    OutsideHeadError
        If the target's region holds no tissue.
    """
    target, coil = target_if_any(field.head, target), coil_if_any(coil)
    words = caption(field, target, coil) if title is None else title
    draw = _scene_figure if can_render() else slice_figure
    return draw(field, target, coil, pose, width_mm=width_mm, dpi=dpi, theme=theme, title=words)


def save_picture(
    path: str | PathLike[str],
    field: EField,
    target: Place | None = None,
    coil: CoilLike | None = None,
    pose: Pose | None = None,
    **page: Unpack[PageOptions],
) -> PictureReport:
    """Write `field_figure` to a file.

    Parameters
    ----------
    path : path_like
        File to write, ``.png``, ``.svg`` or ``.pdf``; it appears complete or not at all.
    field, target, coil, pose, **page
        As in `field_figure`.

    Returns
    -------
    PictureReport

    Raises
    ------
    InputError
        If the name ends otherwise, the folder cannot be written, or the width or dpi is out of range.
    OutsideHeadError
        If the target's region holds no tissue.
    """
    write_page(path, lambda: field_figure(field, target, coil, pose, **page))
    return drawn(path)


def _scene_figure(field: EField, target: Target | None, coil: Coil | None, pose: Pose | None, **page: Any) -> "Figure":
    whole, close = field_scene(field, target, coil, pose)
    first = "Coil on the head; arrow: induced current" if whole.coils else "Whole head"
    place = "Seen from outside" if pose is None else "Seen along the coil's axis"
    second = f"{place}; arrows: E (pink: at the target)"
    return sheet_figure([Panel(whole, "head", first), Panel(close, "target", second)], **page)
