"""Scenes through PyVista (OpenGL): as pixels, or as a plotter that can be turned."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import MissingDependencyError
from efield.viz.page import BETWEEN
from efield.viz.probe import can_render, remedy
from efield.viz.scale import Scale
from efield.viz.shapes import Shape
from efield.viz.theme import Theme, theme_of
from efield.viz.views import View

if TYPE_CHECKING:
    from efield.viz.scene import Scene

#: Pictures are rendered this much larger and averaged: smooth edges whatever the OpenGL driver offers.
_OVERSAMPLING: Final = 2

#: Width and height of a window's panel, pixels: two fit into a notebook's cell.
PANEL: Final = (480, 480)

#: Draws in front of everything else.
_FRONT: Final = -66000.0

#: Opacity by how much a surface faces the viewer, in VTK's fragment shader, so that it is right however it is turned.
#: The normal is in view coordinates, where the viewer of a parallel projection is along z.
_GLASS: Final = """//VTK::Light::Impl
  float turnedAway = 1.0 - abs(normalize(normalVCVSOutput).z);
  float glass = mix({low:.4f}, {high:.4f}, turnedAway * turnedAway * turnedAway);
  gl_FragData[0] = vec4(gl_FragData[0].rgb, glass);
"""


def image_of(scene: "Scene", view: View, pixels: tuple[int, int], theme: str | Theme = "light") -> NDArray[np.uint8]:
    """The scene as pixels.

    Parameters
    ----------
    scene : Scene
    view : View
    pixels : (int, int)
        Width and height.
    theme : {"light", "dark"} or Theme

    Returns
    -------
    (height, width, 3) uint8

    Raises
    ------
    MissingDependencyError
        If this machine has no OpenGL, where VTK would end the process instead of failing.
    """
    return next(images_of(scene, [view], pixels, theme))


def images_of(
    scene: "Scene", views: Sequence["View"], pixels: tuple[int, int], theme: str | Theme = "light"
) -> Iterator[NDArray[np.uint8]]:
    """The scene as pixels from one view after the other; see `image_of`."""
    _require_gl()
    import pyvista

    with quiet_vtk():
        window = [max(side, 16) * _OVERSAMPLING for side in pixels]
        plotter = pyvista.Plotter(off_screen=True, window_size=window, lighting="none")
        # Four samples at each of these pixels would take twice as long without a graphics card.
        plotter.disable_anti_aliasing()
        try:
            _fill(plotter, scene, theme_of(theme))
            for view in views:
                view.aim(plotter)
                yield _averaged(np.asarray(plotter.screenshot(return_img=True)), _OVERSAMPLING)
        finally:
            plotter.close()


def plotter_of(
    panels: Sequence[tuple["Scene", "str | View"]],
    *,
    theme: str | Theme = "light",
    size: tuple[int, int] | None = None,
    off_screen: bool | None = None,
    title: str = "",
) -> Any:
    """Scenes side by side in a plotter.

    Parameters
    ----------
    panels : sequence of (Scene, str or View)
    theme : {"light", "dark"} or Theme
    size : (int, int), pixels, optional
        By default 480 by 480 for each panel.
    off_screen : bool, optional
        True draws without a window; by default where there is no display for one.
    title : str
        Line on top.

    Returns
    -------
    pyvista.Plotter
        Call its ``show()``, ``screenshot(path)`` or whatever PyVista has.

    Raises
    ------
    MissingDependencyError
        If this machine has no OpenGL, where VTK would end the process instead of failing.
    """
    _require_gl()
    import pyvista

    colors = theme_of(theme)
    width, height = size or (PANEL[0] * len(panels), PANEL[1] + 40)
    hidden = _no_display() if off_screen is None else off_screen
    with quiet_vtk():
        plotter = pyvista.Plotter(
            shape=(1, len(panels)), window_size=[width, height], off_screen=hidden, border=False, lighting="none"
        )
        plotter.enable_anti_aliasing("ssaa")
        for number, (scene, view) in enumerate(panels):
            plotter.subplot(0, number)
            _fill(plotter, scene, colors)
            scene.view(view, width / len(panels) / height).aim(plotter)
            # Room below for the bar, which would lie on the head otherwise.
            plotter.camera.parallel_scale *= 1.15 if scene.scales else 1.0
            _add_letters(plotter, colors)
            for scale in scene.scales[:1] if number == 0 else ():
                _add_bar(plotter, scale, colors)
        if title:
            plotter.subplot(0, 0)
            lines = plain_words("\n".join(title.split(BETWEEN)))
            plotter.add_text(lines, position="upper_left", font_size=8, color=colors.ink)
    return plotter


def _require_gl() -> None:
    if not can_render():
        raise MissingDependencyError(
            f"a scene needs OpenGL: {remedy()}; Scene.save draws slices instead, and pages (.html) need none"
        )


def _no_display() -> bool:
    """Whether a window cannot be opened: then VTK would try, and say so in red before it draws off screen."""
    return sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _fill(plotter: Any, scene: "Scene", theme: Theme) -> None:
    plotter.set_background(theme.paper)
    _add_lights(plotter)
    for shape in scene.shapes:
        _add(plotter, shape, theme)


def _add_lights(plotter: Any) -> None:
    """Two lamps that move with the camera, from the upper left and, weaker, from the right: folds cast shape.

    Two instead of pyvista's five, because without a graphics card each lamp costs time at every pixel.
    """
    import pyvista

    for position, intensity in (((-0.5, 0.6, 1.0), 0.85), ((0.7, -0.2, 1.0), 0.35)):
        plotter.add_light(
            pyvista.Light(light_type="camera light", position=position, intensity=intensity), only_active=True
        )


def _add(plotter: Any, shape: Shape, theme: Theme) -> None:
    import pyvista

    surface = shape.surface
    mesh = pyvista.PolyData(np.asarray(surface.points_mm), np.insert(surface.triangles, 0, 3, axis=1))
    if not shape.flat:
        mesh.point_data.active_normals = surface.normals
    style: dict[str, Any] = {"color": getattr(theme, shape.color, shape.color)}
    if shape.rgb is not None:
        mesh["colors"] = shape.rgb
        style = {"scalars": "colors", "rgb": True}
    elif shape.values is not None and shape.scale is not None:
        mesh["values"] = shape.values
        style = {
            "scalars": "values",
            "clim": (shape.scale.low, shape.scale.high),
            "cmap": shape.scale.colormap,
            "nan_color": theme.plain,
            "show_scalar_bar": False,
        }
    actor = plotter.add_mesh(
        mesh,
        **style,
        smooth_shading=not shape.flat,
        # What is closed never shows its inside; leaving it out halves the time without a graphics card.
        culling="back" if shape.closed else None,
        ambient=0.35 if shape.flat or shape.glass else 0.3,
        diffuse=0.75,
        specular=0.08,
        specular_power=12,
        lighting=shape.lit,
    )
    if shape.glass is not None:
        actor.ForceTranslucentOn()
        low, high = shape.glass
        words = _GLASS.format(low=low, high=high)
        actor.GetShaderProperty().AddFragmentShaderReplacement("//VTK::Light::Impl", True, words, False)
    if shape.on_top:
        actor.mapper.SetResolveCoincidentTopologyToPolygonOffset()
        actor.mapper.SetRelativeCoincidentTopologyPolygonOffsetParameters(0.0, _FRONT)


def _add_letters(plotter: Any, theme: Theme) -> None:
    """Right, anterior and superior in the lower left corner, on the page's color: the cortex may be behind them."""
    from matplotlib.colors import to_rgb

    actor = plotter.add_axes(xlabel="R", ylabel="A", zlabel="S", color=theme.ink, viewport=(0, 0, 0.24, 0.24))
    for caption in (actor.GetXAxisCaptionActor2D(), actor.GetYAxisCaptionActor2D(), actor.GetZAxisCaptionActor2D()):
        letters = caption.GetCaptionTextProperty()
        letters.SetBackgroundColor(*to_rgb(theme.paper))
        letters.SetBackgroundOpacity(0.75)


def plain_words(words: str) -> str:
    """Words as VTK can print them: it takes bars for columns."""
    return words.replace("|E|", "field strength").replace("|", "/")


def _add_bar(plotter: Any, scale: Scale, theme: Theme) -> None:
    """A lying bar below the head; its words are a text of their own, because VTK sets a title over the numbers."""
    bar = plotter.add_scalar_bar(
        title="",
        mapper=next(a.mapper for a in plotter.actors.values() if getattr(a.mapper, "scalar_visibility", False)),
        color=theme.ink,
        n_labels=5,
        fmt="%g",
        vertical=False,
        position_x=0.26,
        position_y=0.01,
        width=0.66,
        height=0.07,
        label_font_size=13,
    )
    bar.SetUnconstrainedFontSize(True)
    plotter.add_text(plain_words(scale.words), position=(0.26, 0.09), font_size=8, color=theme.ink, viewport=True)


def _averaged(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The image made smaller by a whole factor, each pixel the mean of a square."""
    # Shifted copies are added as whole numbers: a mean over the axes of squares takes four times as long.
    total = sum(image[row::factor, column::factor].astype(np.uint16) for row, column in np.ndindex(factor, factor))
    return np.asarray(np.round(total / np.float32(factor**2)).astype(np.uint8))


@contextmanager
def quiet_vtk() -> Iterator[None]:
    """VTK tries a display first and warns on the terminal that there is none; off screen that is no news."""
    from vtkmodules.vtkCommonCore import vtkLogger

    before = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
    try:
        yield
    finally:
        vtkLogger.SetStderrVerbosity(before)
