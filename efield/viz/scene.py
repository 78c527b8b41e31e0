"""The cortex with the field on it, the head as glass around it, and the coil over it (OpenGL)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import MissingDependencyError
from efield.head.surface import Surface, boundary, brain, scalp
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.viz import actors as parts
from efield.viz import palette
from efield.viz.caption import caption
from efield.viz.drawn_tissue import drawn_tissue, field_around, strongest_point
from efield.viz.probe import can_render, remedy
from efield.viz.views import View, close_view, outward_at, whole_view

if TYPE_CHECKING:
    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.targeting.field import EField
    from efield.targeting.targets import Target

#: Length of the arrow of current at the target, mm.
_ARROW_MM: Final = 14.0

#: The target's mark: its radius, and how far around it the cortex must not hide it (mm).
_MARK_RADIUS_MM: Final = 1.4
_MARK_CLEARS_MM: Final = 5.0

#: Farther toward the viewer than any coil reaches, mm.
_IN_FRONT_MM: Final = 300.0


@dataclass(frozen=True, eq=False)
class Stage:
    """What both panels of a scene are made of.

    Parameters
    ----------
    surface : Surface
        The surface that carries the field.
    e : (p, 3) float, V/m
        Field at its vertices.
    skin : Surface
        Outer surface of the head.
    center_mm : (3,) float
        The target, or the strongest field where there is none.
    crown_mm : (3,) float
        The point above the target that clears the cortex around it, where its mark can be seen.
    along : (3,) float
        Direction of the current there, unit vector; zero where there is no field.
    limit : float, V/m
        Upper end of the colors.
    outward : (3,) float
        Out of the head at the target.
    """

    surface: Surface
    e: NDArray[np.float64]
    skin: Surface
    center_mm: NDArray[np.float64]
    crown_mm: NDArray[np.float64]
    along: NDArray[np.float64]
    limit: float
    outward: NDArray[np.float64]

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """(p,) |E| at the vertices, V/m."""
        return np.asarray(np.linalg.norm(self.e, axis=1))


def set_stage(field: "EField", target: "Target | None", pose: "Pose | None", tissue: int | None = None) -> Stage:
    """Surfaces, values, directions and limits for a scene.

    Parameters
    ----------
    field : EField
    target : Target, optional
    pose : Pose, optional
    tissue : int, optional
        Tissue whose outer surface is shown; gray matter where the head has it.

    Raises
    ------
    InputError
        If the head has no such tissue.
    """
    head = field.head
    tag = drawn_tissue(head) if tissue is None else tissue
    surface, e = _field_surface(field, tag)
    center = strongest_point(field, tag) if target is None else target.center_mm
    outward = outward_at(head, np.asarray(center), pose)
    direction = field_around(field, tag, center)
    length = float(np.linalg.norm(direction))
    return Stage(
        surface=surface,
        e=e,
        skin=scalp(head),
        center_mm=np.asarray(center),
        crown_mm=_above(surface, np.asarray(center), outward),
        along=direction / (length if length > 0 else 1.0),
        limit=palette.upper_limit(np.linalg.norm(e, axis=1), surface.points_mm, center),
        outward=outward,
    )


def _field_surface(field: "EField", tag: int) -> tuple[Surface, NDArray[np.float64]]:
    """The surface to color and (p, 3) the field on it.

    Gray matter is shown with the white matter inside it: where the gray sheet has a gap (brain stem, thin spots of
    a mesh) the white surface closes it, with its own field.
    """
    head = field.head
    if tag != GRAY_MATTER or WHITE_MATTER not in head.tags:
        surface = boundary(head, (tag,))
        return surface, field.on_vertices(surface, tag)
    surface = brain(head)
    e = field.on_vertices(surface, GRAY_MATTER)
    return surface, np.where(np.isnan(e), field.on_vertices(surface, WHITE_MATTER), e)


def _above(surface: Surface, center: NDArray[np.float64], outward: NDArray[np.float64]) -> NDArray[np.float64]:
    offset = surface.points_mm - center
    height = offset @ outward
    beside = np.linalg.norm(offset - height[:, None] * outward, axis=1) < _MARK_CLEARS_MM
    tallest = float(height[beside].max()) if beside.any() else 0.0
    return np.asarray(center + (max(tallest, 0.0) + _MARK_RADIUS_MM) * outward)


def show_whole(
    plotter: Any,
    stage: Stage,
    coil: "Coil | None",
    pose: "Pose | None",
    aspect: float,
    *,
    bar: bool = False,
    mark_on_top: bool = False,
) -> View:
    """Fill the active panel with the whole head and the coil; returns how it is seen.

    Parameters
    ----------
    plotter : pyvista.Plotter
    stage : Stage
    coil : Coil, optional
    pose : Pose, optional
    aspect : float
        Width of the panel over its height.
    bar : bool
        With VTK's own color bar.
    mark_on_top : bool
        Draw the target's mark in front of the coil; right only as long as nobody turns the scene.
    """
    shown = [stage.skin.points_mm]
    if coil is not None and pose is not None:
        shown += [pose.to_head(line) for line in (*coil.windings, *parts.casing_outline(coil))]
    view = whole_view(np.concatenate(shown), stage.outward, aspect)
    parts.add_cortex(plotter, stage.surface, stage.magnitude, stage.limit, bar=bar)
    parts.add_scalp(plotter, stage.skin, view)
    if coil is not None and pose is not None:
        parts.add_coil(plotter, coil, pose, view)
    lift = _IN_FRONT_MM * view.toward if mark_on_top else np.zeros(3)
    _add_mark(plotter, stage, stage.crown_mm + lift, scale=2.0)
    view.aim(plotter)
    return view


def show_close(plotter: Any, stage: Stage, aspect: float) -> View:
    """Fill the active panel with the cortex around the target, seen from the coil; returns how it is seen."""
    view = close_view(stage.center_mm, stage.outward)
    parts.add_cortex(plotter, stage.surface, stage.magnitude, stage.limit, bar=False)
    parts.add_field_arrows(plotter, stage.surface, stage.e, stage.limit, view, aspect)
    _add_mark(plotter, stage, stage.crown_mm, scale=1.0)
    view.aim(plotter)
    return view


def _add_mark(plotter: Any, stage: Stage, place_mm: NDArray[np.float64], scale: float) -> None:
    parts.add_target(plotter, place_mm, scale * _MARK_RADIUS_MM)
    if stage.along.any():  # no field, no direction
        parts.add_arrow(plotter, place_mm, scale * _ARROW_MM * stage.along, palette.TARGET_COLOR)


def field_scene(
    field: "EField",
    target: "Target | None" = None,
    coil: "Coil | None" = None,
    pose: "Pose | None" = None,
    *,
    tissue: int | None = None,
    size: tuple[int, int] = (1600, 800),
    off_screen: bool | None = None,
    title: str | None = None,
) -> Any:
    """The field on the cortex: left the whole head with the coil, right the cortex below the coil.

    Parameters
    ----------
    field : EField
    target : Target, optional
        Marked with a ball and an arrow along the field there; the strongest field otherwise.
    coil : Coil, optional
        Drawn where `pose` says it is.
    pose : Pose, optional
        Also decides from where the close-up is seen.
    tissue : int, optional
        Tissue whose surface is shown, gray matter by default.
    size : (int, int), pixels
        Width and height of the window.
    off_screen : bool, optional
        True draws without a window; by default as pyvista is configured.
    title : str, optional
        Line above the picture; what was computed, by default.

    Returns
    -------
    pyvista.Plotter
        With two panels; call its ``show()`` or ``screenshot(path)``.

    Raises
    ------
    MissingDependencyError
        If this machine has no OpenGL, where VTK would end the process instead of failing;
        `efield.viz.picture.save_picture` draws slices there.
    """
    if not can_render():
        raise MissingDependencyError(f"a scene needs OpenGL; instead: {remedy()}")
    import pyvista

    stage = set_stage(field, target, pose, tissue)
    plotter = pyvista.Plotter(
        shape=(1, 2), window_size=list(size), off_screen=off_screen, border=False, lighting="none"
    )
    plotter.set_background("white")
    plotter.enable_anti_aliasing("ssaa")
    aspect = size[0] / 2 / size[1]
    plotter.subplot(0, 0)
    parts.add_lights(plotter)
    show_whole(plotter, stage, coil, pose, aspect, bar=True)
    words = parts.vtk_text(title or caption(field, target, coil, between="\n"))
    plotter.add_text(words, position="upper_left", font_size=max(6, round(size[0] / 180)), color=palette.INK)
    plotter.subplot(0, 1)
    parts.add_lights(plotter)
    show_close(plotter, stage, aspect)
    plotter.add_axes(xlabel="R", ylabel="A", zlabel="S")
    return plotter
