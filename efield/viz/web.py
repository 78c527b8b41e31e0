"""A scene as one page for browsers: turns without network, server or OpenGL here, with numbers and letters.

Own code, because what PyVista writes through trame and vtk.js needs three more packages, is 8.4 MB for the cortex of
the default head alone, and loses color bar, numbers, letters and views.
"""

import json
import re
import zlib
from base64 import b64encode
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.ground.errors import InputError
from efield.head.tissue import GRAY_MATTER
from efield.io.volumes.image import HeadImage
from efield.viz.nodal import magnitudes
from efield.viz.packing import append
from efield.viz.scale import Scale
from efield.viz.shapes import Shape
from efield.viz.theme import Theme, theme_of
from efield.viz.views import View
from efield.viz.voxels import Voxels

if TYPE_CHECKING:
    from efield.viz.scene import Scene

#: Places are kept in so many steps of each shape's box: 4 micrometers on a head. Values have one step less, for nan.
_STEPS: Final = 65535
_UNKNOWN: Final = 65535

#: Views of every page, besides the one it starts with; ``coil`` where there is one.
_VIEWS: Final = ("head", "target", "coil", "top", "left", "right", "front", "back")


def page_text(
    scene: "Scene",
    view: str | View = "head",
    *,
    theme: str | Theme = "light",
    title: str = "",
    numbers: list[tuple[str, str, str]] | None = None,
    voxels: Voxels | None = None,
) -> str:
    """The page, ready to be written as ``.html``; it can be opened from a disk, and holds all it needs.

    Parameters
    ----------
    scene : Scene
    view : str or View
        From where it is seen at first.
    theme : {"light", "dark"} or Theme
    title : str
    numbers : list of (str, str, str), optional
        Name, text and meaning of numbers to be read beside it; those of the scene's field unless given.
    voxels : Voxels, optional
        What slices show, on a scale of the scene, such as `voxels_of` it; no slices without.

    Raises
    ------
    InputError
        If there is nothing to see, or `view` is no view.
    """
    if not scene.shapes:
        raise InputError("a page needs something to see; instead the scene is empty: add cortex(field) or scalp()")
    colors = theme_of(theme)
    shapes, blob = packed(scene, colors)
    told = {
        "title": title,
        "theme": {"paper": colors.paper, "ink": colors.ink},
        "shapes": shapes,
        "scales": [scale_told(scale) for scale in scene.scales],
        "views": views_told(scene, view),
        "numbers": _numbers(scene) if numbers is None else numbers,
        "cuts": None,
    }
    if voxels is not None:
        own = {"scale": scene.scales.index(voxels.scale), "at_mm": scene.center_mm.tolist()}
        told["cuts"] = voxels.told(blob) | own
    return filled(_text("page.html"), told, blob, title)


def voxels_of(scene: "Scene", image: HeadImage | None = None) -> Voxels | None:
    """The field of a scene in all of the head, with the scene's own colors; None where these are not of |E|."""
    scale = next((scale for scale in scene.scales if scale.label == "|E|"), None)
    if scene.field is None or scale is None:
        return None
    return Voxels.of(scene.head, magnitudes(scene.field), scale, image)


def filled(template: str, told: dict[str, Any], blob: bytearray, title: str, packing: int = 7) -> str:
    """A page of a template with the shared style and script, what the page must know, and its arrays.

    `packing` is zlib's: the default head with slices takes 1.3 s and 3.27 MB at 7, 8.7 s and 3.17 MB at 9.
    """
    parts = {
        "STYLE": _text("page.css"),
        "SCRIPT": "".join(map(_text, ("layers.js", "scene.js", "panels.js", "cuts.js", "voxels.js"))),
        # An end of script inside a name would end the data; as JSON the escaped slash is the same text.
        "SCENE": json.dumps(told, ensure_ascii=False).replace("</", "<\\/"),
        "DATA": b64encode(zlib.compress(blob, packing)).decode("ascii"),
    }
    return written(template, title, parts)


def written(template: str, title: str, parts: dict[str, str]) -> str:
    """A template with its parts, the title, and what is the same in every page of ours, or every one with a scene."""
    every = parts | {"TITLE": escape(title or "efield")}
    for shared in ("head", "stage"):
        template = template.replace(f"@{shared.upper()}@", _text(f"{shared}.html"), 1)
    # At once, so that nothing in a part is taken for the place of another.
    return re.sub(r"@([A-Z]+)@", lambda found: every[found[1]], template)


def _text(name: str) -> str:
    return files("efield.viz").joinpath(name).read_text(encoding="utf-8")


def packed(scene: "Scene", theme: Theme) -> tuple[list[dict[str, Any]], bytearray]:
    """What a page must know of each shape of a scene, and their arrays."""
    blob = bytearray()
    return [_packed(shape, scene, theme, blob) for shape in scene.shapes], blob


def _packed(shape: Shape, scene: "Scene", theme: Theme, blob: bytearray) -> dict[str, Any]:
    """What the page must know of a shape; its arrays are added to `blob`."""
    surface = shape.surface
    low = surface.points_mm.min(axis=0)
    span = np.maximum(surface.points_mm.max(axis=0) - low, 1e-6)
    places = np.round((surface.points_mm - low) / span * _STEPS).astype(np.int32)
    told: dict[str, Any] = {
        **{name: getattr(shape, name) for name in ("name", "glass", "closed", "flat", "on_top", "lit")},
        "color": color_of(shape, theme),
        "count": len(places),
        "faces": len(surface.triangles),
        "low": low.tolist(),
        "span": span.tolist(),
        "places": append(blob, places),
        "normals": append(blob, np.round(surface.normals * 127).astype(np.int8)),
        "triangles": append(blob, surface.triangles.astype(np.int32)),
        "scale": None,
        "painted": None if shape.rgb is None else append(blob, shape.rgb.astype(np.int16)),
    }
    if shape.values is not None and shape.scale is not None:
        known = np.isfinite(shape.values)
        bottom, top = (
            (float(shape.values[known].min()), float(shape.values[known].max())) if known.any() else (0.0, 1.0)
        )
        top = top if top > bottom else bottom + 1.0
        steps = np.round((np.where(known, shape.values, bottom) - bottom) / (top - bottom) * (_STEPS - 1))
        told["values"] = append(blob, np.where(known, steps, _UNKNOWN).astype(np.int32)[:, None])
        told |= {"scale": scene.scales.index(shape.scale), "range": [bottom, top]}
    return told


def color_of(shape: Shape, theme: Theme) -> str:
    """Of what has no value, as browsers take it."""
    from matplotlib.colors import to_hex

    return str(to_hex(getattr(theme, shape.color, shape.color)))


def scale_told(scale: Scale) -> dict[str, Any]:
    """What a page must know of a scale."""
    from matplotlib.colors import to_hex

    colors = [to_hex(color) for color in scale.colormap(np.linspace(0.0, 1.0, 256))]
    return {**vars(scale), "words": scale.words, "colors": colors}


def views_told(scene: "Scene", first: str | View) -> list[dict[str, Any]]:
    """The views of a page, the one that it starts with first."""
    names = [first, *(name for name in _VIEWS if name != first and (name != "coil" or scene.coils))]
    views = [(name if isinstance(name, str) else "start", scene.view(name, 1.2)) for name in names]
    return [view_told(name, view) for name, view in views]


def view_told(name: str, view: View) -> dict[str, Any]:
    """What a page must know of a view."""
    return {
        "name": name,
        "focus": view.focus_mm.tolist(),
        "toward": view.toward.tolist(),
        "up": view.up.tolist(),
        "half_height": view.half_height_mm,
    }


def _numbers(scene: "Scene") -> list[tuple[str, str, str]]:
    """Name, value with unit, and meaning of what the field does at the target."""
    from efield.targeting.measures import MEASURES

    if scene.field is None or scene.place is None or scene.tag != GRAY_MATTER:
        return []
    summary = scene.field.summary(scene.place)
    return [(name, summary.text(name), MEASURES[name].meaning) for name in summary]
