"""A scene as a file: a picture, a film of a turn, or a page for browsers."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from efield.ground import checks
from efield.ground.errors import MissingDependencyError
from efield.io.atomic import replacing
from efield.io.volumes.image import HeadImage
from efield.viz.films import save_turn
from efield.viz.planes import image_over
from efield.viz.probe import can_render, remedy
from efield.viz.report import PICTURES, PictureReport, drawn
from efield.viz.sheet import Panel, sheet_figure, write_figure
from efield.viz.slices import slice_figure
from efield.viz.theme import Theme
from efield.viz.views import View
from efield.viz.web import page_text, voxels_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.viz.scene import Scene

_FILMS: Final = (".gif", ".mp4")
_PAGES: Final = (".html",)

#: Columns of journals: one for a single view, the whole page for several.
_ONE_MM, _SEVERAL_MM = 85.0, 180.0


def save_scene(
    path: str | PathLike[str],
    scene: "Scene",
    view: str | View | Sequence[str | View] = "head",
    *,
    width_mm: float | None = None,
    dpi: float = 300.0,
    theme: str | Theme = "light",
    title: str = "",
    slices: bool = True,
    image: HeadImage | str | PathLike[str] | None = None,
) -> PictureReport:
    """Draw a scene and write it, completely or not at all.

    Parameters
    ----------
    path : path_like
        ``.png``, ``.svg`` or ``.pdf`` (words and lines are vectors there, rendered panels are pixels); ``.html``, a
        page to turn it in that needs neither network nor OpenGL here; ``.gif`` or ``.mp4``, a turn around the head.
    scene : Scene
    view : str, View, or sequence of them
        From where it is seen, see `efield.viz.cameras.camera`; several are panels of one picture. The first one is
        where a page or a film starts.
    width_mm : float, mm, optional
        How wide a picture is printed; 85 by default, and 180 for several views.
    dpi : float
        Dots per inch at that width; films have 100.
    theme : {"light", "dark"} or Theme
    title : str
        Line on top.
    slices : bool
        Of a page whose colors are |E|: with slices of the whole head, which take some megabytes.
    image : HeadImage or file, optional
        A T1 in the head's coordinates, shown in slices in the place of tissues.

    Returns
    -------
    PictureReport

    Raises
    ------
    InputError
        If the name ends otherwise, the folder cannot be written, or an option is out of range.
    MissingDependencyError
        If this machine has no OpenGL and the scene no field that slices could show; or no ffmpeg for ``.mp4``.
    """
    where = Path(path)
    suffix = checks.choice("the suffix of a scene", where.suffix.lower(), (*PICTURES, *_PAGES, *_FILMS))
    views = [view] if isinstance(view, (str, View)) else list(view)
    width = width_mm if width_mm is not None else _ONE_MM if len(views) == 1 else _SEVERAL_MM
    if suffix in _FILMS:
        return save_turn(where, scene, views[0], width_mm=width, theme=theme, title=title)
    below = None if image is None else image_over(scene.head, image)
    with replacing(where) as temporary:
        if suffix in _PAGES:
            voxels = voxels_of(scene, below) if slices else None
            temporary.write_text(page_text(scene, views[0], theme=theme, title=title, voxels=voxels), encoding="utf-8")
            return PictureReport(where, "page")
        write_figure(picture_of(scene, views, width, dpi, theme, title, below), temporary)
    return drawn(where)


def picture_of(
    scene: "Scene",
    views: Sequence["str | View"],
    width: float,
    dpi: float,
    theme: str | Theme,
    title: str,
    image: HeadImage | None = None,
) -> "Figure":
    """The figure of `save_scene`: a sheet, or slices without OpenGL; `width` in mm."""
    if can_render():
        panels = [Panel(scene, view, view if isinstance(view, str) and len(views) > 1 else "") for view in views]
        return sheet_figure(panels, width_mm=width, dpi=dpi, theme=theme, title=title)
    if scene.field is None:
        raise MissingDependencyError(f"a scene without a field cannot be shown as slices; {remedy()}")
    coil, pose = scene.coils[0] if scene.coils else (None, None)
    options: dict[str, Any] = {"width_mm": width, "dpi": dpi, "image": image}
    return slice_figure(scene.field, scene.place, coil, pose, theme=theme, title=title or None, **options)
