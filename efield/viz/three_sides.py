"""A placement from three sides: the head from the side and from above, and the cortex along the coil's axis."""

from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from efield.coils.model import Coil
from efield.ground.pose import Pose
from efield.targeting.field import EField
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.targets import Target
from efield.viz.overview import field_scene
from efield.viz.probe import can_render
from efield.viz.report import PictureReport, drawn, write_page
from efield.viz.sheet import Panel, sheet_figure
from efield.viz.slices import slice_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Dots per inch where the page is printed, 190 mm wide.
_DPI: Final = 220.0


def save_three_sides(
    path: str | PathLike[str], field: EField, target: Place, coil: CoilLike, pose: Pose
) -> PictureReport:
    """Draw a placement from three sides, or slices where nothing can be rendered.

    Parameters
    ----------
    path : path_like
        File to write, ``.png``, ``.svg`` or ``.pdf``; it appears complete or not at all.
    field : EField
    target : Target, str or (3,) array_like
        As in `efield.targeting.naming.target_of`.
    coil : Coil, or its name or file
    pose : Pose

    Returns
    -------
    PictureReport

    Raises
    ------
    InputError
        If the name ends otherwise or the folder cannot be written.
    """
    page: dict[str, Any] = {"width_mm": 190.0, "dpi": _DPI, "title": ""}
    draw = _sides if can_render() else slice_figure
    write_page(path, lambda: draw(field, target_of(field.head, target), the_coil(coil), pose, **page))
    return drawn(path)


def _sides(field: EField, target: Target, coil: Coil, pose: Pose, **page: Any) -> "Figure":
    whole, close = field_scene(field, target, coil, pose)
    side = "right" if target.center_mm[0] > 0 else "left"
    panels = [
        Panel(whole, side, f"From the {side}"),
        Panel(whole, "top", "From above"),
        Panel(close, "target", "Along the coil's axis"),
    ]
    return sheet_figure(panels, **page)
