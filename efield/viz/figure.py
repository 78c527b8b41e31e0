"""A page around rendered panels: title, letters, compass, scale bars and color bar, set by matplotlib."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.viz import actors as parts
from efield.viz import palette, scene
from efield.viz.caption import caption
from efield.viz.page import LABEL_PT, add_color_bar, halo, new_page
from efield.viz.views import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.targeting.field import EField
    from efield.targeting.targets import Target

#: Default width and height, pixels: 300 dots per inch on a printed page.
SIZE: Final = (2160, 1200)

#: Panels on the page, as left, bottom, width, height in fractions of it; the color bar is to their right.
_WHOLE_BOX: Final = (0.01, 0.03, 0.435, 0.84)
_CLOSE_BOX: Final = (0.455, 0.03, 0.435, 0.84)
_BAR_BOX: Final = (0.908, 0.2, 0.016, 0.5)


#: Panels are rendered this much larger and averaged: smooth edges whatever the OpenGL driver offers.
_OVERSAMPLING: Final = 2


@dataclass(frozen=True, eq=False)
class _Panel:
    """A rendered picture, how it was seen, and its letter, words and scale bar (mm)."""

    image: NDArray[np.uint8]
    view: View
    box: tuple[float, float, float, float]
    letter: str
    words: str
    bar_mm: float


def scene_figure(
    field: "EField",
    target: "Target | None" = None,
    coil: "Coil | None" = None,
    pose: "Pose | None" = None,
    *,
    size: tuple[int, int] = SIZE,
    title: str | None = None,
) -> "Figure":
    """The two panels of `efield.viz.scene.field_scene`, set for print.

    Parameters
    ----------
    field : EField
    target : Target, optional
    coil : Coil, optional
    pose : Pose, optional
    size : (int, int), pixels
        Width and height of the page.
    title : str, optional
        Line above the panels; what was computed, by default.

    Returns
    -------
    matplotlib.figure.Figure
        Not tied to any window or to pyplot. Rendering the panels needs OpenGL.
    """
    page = new_page(size, title or caption(field, target, coil))
    stage = scene.set_stage(field, target, pose)
    for panel in (_whole_panel(stage, coil, pose, size), _close_panel(stage, pose, size)):
        _set_panel(page, panel)
    add_color_bar(page, _BAR_BOX, stage.limit)
    return page


def _pixels(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int]:
    return max(round(box[2] * size[0]), 16), max(round(box[3] * size[1]), 16)


def _rendered(pixels: tuple[int, int], fill: Callable[[Any], View]) -> tuple[NDArray[np.uint8], View]:
    """The picture that `fill`, given a plotter, draws and the view it returns."""
    import pyvista

    with _without_vtk_warnings():
        window = [side * _OVERSAMPLING for side in pixels]
        plotter = pyvista.Plotter(off_screen=True, window_size=window, lighting="none")
        try:
            plotter.set_background("white")
            parts.add_lights(plotter)
            view = fill(plotter)
            return _averaged(np.asarray(plotter.screenshot(return_img=True)), _OVERSAMPLING), view
        finally:
            plotter.close()


def _averaged(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The image made smaller by a whole factor, each pixel the mean of a square."""
    # Shifted copies are added as whole numbers: a mean over the axes of squares takes four times as long.
    total = sum(image[row::factor, column::factor].astype(np.uint16) for row, column in np.ndindex(factor, factor))
    return np.asarray(np.round(total / np.float32(factor**2)).astype(np.uint8))


@contextmanager
def _without_vtk_warnings() -> Iterator[None]:
    """VTK tries a display first and warns on the terminal that there is none; off screen that is no news."""
    from vtkmodules.vtkCommonCore import vtkLogger

    before = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
    try:
        yield
    finally:
        vtkLogger.SetStderrVerbosity(before)


def _whole_panel(stage: scene.Stage, coil: "Coil | None", pose: "Pose | None", size: tuple[int, int]) -> _Panel:
    pixels = _pixels(_WHOLE_BOX, size)
    aspect = pixels[0] / pixels[1]
    image, view = _rendered(
        pixels, lambda plotter: scene.show_whole(plotter, stage, coil, pose, aspect, mark_on_top=True)
    )
    words = "Whole head" if coil is None or pose is None else "Coil on the head"
    return _Panel(image, view, _WHOLE_BOX, "a", words, 50.0)


def _close_panel(stage: scene.Stage, pose: "Pose | None", size: tuple[int, int]) -> _Panel:
    pixels = _pixels(_CLOSE_BOX, size)
    aspect = pixels[0] / pixels[1]
    image, view = _rendered(pixels, lambda plotter: scene.show_close(plotter, stage, aspect))
    words = "Seen from outside" if pose is None else "Seen along the coil's axis"
    return _Panel(image, view, _CLOSE_BOX, "b", f"{words}; arrows: E (pink: at the target)", 10.0)


def _set_panel(figure: "Figure", panel: _Panel) -> None:
    axes = figure.add_axes(panel.box)
    rows, columns = panel.image.shape[:2]
    half = panel.view.half_height_mm
    across = half * columns / rows
    # In millimeters of the picture, so that the scale bar is true by construction.
    axes.imshow(panel.image, extent=(-across, across, -half, half), interpolation="none")
    axes.set_axis_off()
    style: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom", "color": palette.INK}
    axes.text(0.0, 1.015, panel.letter, fontsize=10, fontweight="bold", **style)
    axes.text(0.05, 1.018, panel.words, fontsize=LABEL_PT, **style)
    _add_compass(axes, panel.view, across)
    _add_scale_bar(axes, panel.bar_mm, across, half)


def _add_scale_bar(axes: Any, length_mm: float, across: float, half: float) -> None:
    right, bottom = across - 0.06 * half, -0.94 * half
    style: dict[str, Any] = {"color": palette.INK, "path_effects": halo()}
    axes.plot([right - length_mm, right], [bottom, bottom], lw=2.0, solid_capstyle="butt", **style)
    middle = right - length_mm / 2
    axes.text(middle, bottom + 0.025 * half, f"{length_mm:g} mm", ha="center", va="bottom", fontsize=LABEL_PT, **style)


def _add_compass(axes: Any, view: View, across: float) -> None:
    half = view.half_height_mm
    size = 0.13 * half
    origin = np.array([-across + 0.16 * half, -half + 0.14 * half])
    style: dict[str, Any] = {"color": palette.INK, "path_effects": halo()}
    for letter, along in view.compass().items():
        arrow = {"arrowstyle": "-", "lw": 1.0, "shrinkA": 0, "shrinkB": 0, **style}
        axes.annotate("", xy=origin + size * along, xytext=origin, arrowprops=arrow)
        place = origin + 1.4 * size * along
        axes.text(*place, letter, ha="center", va="center", fontsize=LABEL_PT, **style)
