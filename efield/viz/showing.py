"""A scene where one looks at it: a picture or a page in a notebook, a window elsewhere."""

from html import escape
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from efield.ground.progress import in_notebook
from efield.viz.saving import picture_of
from efield.viz.sheet import write_figure
from efield.viz.theme import Theme
from efield.viz.views import View
from efield.viz.web import page_text, voxels_of

if TYPE_CHECKING:
    from efield.viz.scene import Scene

#: Dots per inch in a notebook: 180 mm are 850 pixels, which a cell shows whole.
_DPI = 120.0


def show_scene(
    scene: "Scene",
    view: str | View = "head",
    *,
    turnable: bool = False,
    width_mm: float = 120.0,
    theme: str | Theme = "light",
    title: str = "",
    slices: bool = False,
) -> Any:
    """Show a scene.

    Parameters
    ----------
    scene : Scene
    view : str or View
    turnable : bool
        In a notebook, a page to turn it in (some megabytes in the notebook's file) instead of a picture.
    slices : bool
        With slices on the page, see `efield.viz.saving.save_scene`.
    width_mm, theme, title
        As in `efield.viz.sheet.sheet_figure`.

    Returns
    -------
    object
        What IPython displays; in a plain program a window is shown instead, and PyVista's answer returned.
    """
    if not in_notebook():
        return scene.plotter(view, theme=theme, title=title).show()
    display: Any = import_module("IPython.display")
    if turnable:
        voxels = voxels_of(scene) if slices else None
        page = escape(page_text(scene, view, theme=theme, title=title, voxels=voxels), quote=True)
        frame = f'<iframe srcdoc="{page}" style="width:100%;height:560px;border:0" allowfullscreen></iframe>'
        return display.HTML(frame)
    with BytesIO() as file:
        write_figure(picture_of(scene, [view], width_mm, _DPI, theme, title), file)
        return display.Image(file.getvalue())
