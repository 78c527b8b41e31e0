"""The page: the scene with what can move in it apart, the controls, and the script that talks to the server."""

from importlib.resources import files
from typing import Any, Final

import numpy as np

from efield.explorer.engine import ExplorerEngine
from efield.ground.pose import Pose
from efield.targeting.targets import Target
from efield.viz import palette
from efield.viz.coil_shapes import coil_shapes
from efield.viz.field_shapes import above_cortex
from efield.viz.packing import append
from efield.viz.scale import Scale
from efield.viz.scene import Scene
from efield.viz.shapes import Shape, ball
from efield.viz.theme import THEMES
from efield.viz.views import View, close_view, outward_at
from efield.viz.web import color_of, filled, packed, scale_told, view_told, views_told, written

#: Until the first answer the colors end here, V/m.
_FIRST: Final = 1.0

_MARK_MM: Final = 1.8

_COIL_PARTS: Final = ("windings", "casing", "handle", "induced current")


def page_of(engine: ExplorerEngine, pose: Pose, title: str) -> str:
    """The page of an engine, with the views fitted to a coil at a pose."""
    head, surface = engine.sim.head, engine.canvas.surface
    scale = Scale("|E|", "V/m", 0.0, _FIRST)
    unknown = np.full(len(surface.points_mm), np.nan)
    live = Shape("cortex", surface, "plain", values=unknown, scale=scale, closed=True)
    bare = Scene(head, place=engine.target, parts=(lambda scene: [live],)).scalp()
    reverse = engine.didt < 0
    drawn = {"handle": True, "current": True, "reverse": reverse, "fine": False}
    coil = tuple(coil_shapes(engine.coil, Pose(np.eye(4)), **drawn))
    mark = Shape("target", ball((0.0, 0.0, 0.0), _MARK_MM), palette.TARGET_COLOR, closed=True, on_top=True)
    movable = Scene(head, parts=(*bare.parts, lambda scene: [*coil, mark]))
    shapes, blob = packed(movable, THEMES["light"])
    live_rows = engine.canvas.live
    told = {
        "title": title,
        "theme": _dress(movable, "light"),
        "themes": {name: _dress(movable, name) for name in THEMES},
        "shapes": shapes,
        "scales": [scale_told(scale)],
        "views": views_told(bare.coil(engine.coil, pose), "head"),
        "live": {"start": append(blob, live_rows.astype(np.int32)[:, None]), "count": len(live_rows)},
        "coil": [number for number, shape in enumerate(movable.shapes) if shape.name in _COIL_PARTS],
    }
    template = _text("explorer.html").replace("@OWN@", _text("explorer.js"), 1)
    return filled(template, told, blob, title, packing=1)


def waiting_page(title: str) -> str:
    """The page that is there before there is an engine; it asks for ``progress``."""
    return written(_text("waiting.html"), title, {})


def _text(name: str) -> str:
    return files("efield.explorer").joinpath(name).read_text(encoding="utf-8")


def _dress(scene: Scene, name: str) -> dict[str, Any]:
    theme = THEMES[name]
    return {"paper": theme.paper, "ink": theme.ink, "colors": [color_of(shape, theme) for shape in scene.shapes]}


def target_told(engine: ExplorerEngine) -> dict[str, Any]:
    """What the page must know of the target: where its mark is, and how it is seen."""
    target: Target = engine.target
    outward = outward_at(engine.sim.head, np.asarray(target.center_mm), None)
    view: View = close_view(np.asarray(target.center_mm), engine.ground.plane[:3, 2])
    return {
        "name": target.name,
        "center_mm": np.asarray(target.center_mm).tolist(),
        "mark_mm": above_cortex(engine.canvas.surface, np.asarray(target.center_mm), outward).tolist(),
        "view": view_told("target", view),
    }
