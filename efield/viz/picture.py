"""The picture of one simulation, with OpenGL where the machine has it and without where not."""

from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from efield.ground import checks
from efield.io.atomic import replacing
from efield.viz.probe import can_render, remedy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.targeting.field import EField
    from efield.targeting.targets import Target
    from efield.viz.theme import Theme

#: Formats of pictures; in ``.svg`` and ``.pdf`` words and lines are vectors, and rendered panels are pixels.
PICTURES: Final = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class PictureReport:
    """What was written.

    Parameters
    ----------
    path : Path
    kind : {"scene", "slices", "page", "film"}
        Three-dimensional scene, or slices because there is no OpenGL; a page for browsers, or a film of a turn.
    advice : str or None
        One line on how to get the scene, where it is missing.
    """

    path: Path
    kind: Literal["scene", "slices", "page", "film"]
    advice: str | None = None


def load_libraries() -> None:
    """Load what `save_picture` will need, and find out what can be rendered: for a thread beside other work."""
    drawing = ("pyvista.plotting", "efield.viz.sheet", "efield.viz.scene") if can_render() else ("efield.viz.slices",)
    for name in (*drawing, "matplotlib.figure", "matplotlib.backends.backend_agg"):
        import_module(name)


def save_picture(
    path: str | PathLike[str],
    field: "EField",
    target: "Target | None" = None,
    coil: "Coil | None" = None,
    pose: "Pose | None" = None,
    *,
    width_mm: float = 180.0,
    dpi: float = 300.0,
    theme: "str | Theme" = "light",
    title: str | None = None,
) -> PictureReport:
    """Draw the field on the cortex with the coil over it, or slices where nothing can be rendered.

    Parameters
    ----------
    path : path_like
        File to write, ``.png``, ``.svg`` or ``.pdf``; it appears complete or not at all.
    field : EField
    target : Target, optional
    coil : Coil, optional
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
    PictureReport

    Raises
    ------
    InputError
        If the name ends otherwise, the folder cannot be written, or the width or dpi is out of range.
    OutsideHeadError
        If the target's region holds no tissue.
    """
    where = Path(path)
    checks.choice("the suffix of a picture", where.suffix.lower(), PICTURES)
    with replacing(where) as temporary:
        from efield.viz.caption import caption
        from efield.viz.sheet import write_figure

        words = caption(field, target, coil) if title is None else title
        draw = _scene_figure if can_render() else _slice_figure
        write_figure(draw(field, target, coil, pose, width_mm, dpi, theme, words), temporary)
    return drawn(where)


def drawn(path: Path) -> PictureReport:
    """The report of a picture: what this machine could draw."""
    return PictureReport(path, "scene") if can_render() else PictureReport(path, "slices", remedy())


def _scene_figure(
    field: "EField",
    target: "Target | None",
    coil: "Coil | None",
    pose: "Pose | None",
    width_mm: float,
    dpi: float,
    theme: "str | Theme",
    title: str,
) -> "Figure":
    from efield.viz.scene import field_scene
    from efield.viz.sheet import Panel, sheet

    whole, close = field_scene(field, target, coil, pose)
    first = "Coil on the head; arrow: induced current" if whole.coils else "Whole head"
    place = "Seen from outside" if pose is None else "Seen along the coil's axis"
    second = f"{place}; arrows: E (pink: at the target)"
    panels = [Panel(whole, "head", first), Panel(close, "target", second)]
    return sheet(panels, width_mm=width_mm, dpi=dpi, theme=theme, title=title)


def _slice_figure(
    field: "EField",
    target: "Target | None",
    coil: "Coil | None",
    pose: "Pose | None",
    width_mm: float,
    dpi: float,
    theme: "str | Theme",
    title: str,
) -> "Figure":
    from efield.viz.slices import slice_figure

    return slice_figure(field, target, coil, pose, width_mm=width_mm, dpi=dpi, theme=theme, title=title)
