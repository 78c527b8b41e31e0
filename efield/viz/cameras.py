"""Cameras with names: from where a scene is seen, fitted to what is in it."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.targeting.naming import target_of
from efield.viz.views import View, close_view, fitted_view, oblique, outward_at

if TYPE_CHECKING:
    from efield.viz.scene import Scene

#: Toward the viewer, and up in the picture, of the six views along an axis.
_ALONG: Final = {
    "left": ((-1, 0, 0), (0, 0, 1)),
    "right": ((1, 0, 0), (0, 0, 1)),
    "front": ((0, 1, 0), (0, 0, 1)),
    "back": ((0, -1, 0), (0, 0, 1)),
    "top": ((0, 0, 1), (0, 1, 0)),
    "bottom": ((0, 0, -1), (0, 1, 0)),
}

#: Whole scenes, then close ones; a target's name (``m1-hand-left``, ``C3``) is a close view, too.
NAMES: Final = ("head", "coil", *_ALONG, "target")

#: Short for the hand area, the motor cortex that people mean when they say no more.
_SHORT: Final = {"m1-left": "m1-hand-left", "m1-right": "m1-hand-right"}


def camera(scene: "Scene", view: "str | View", aspect: float) -> View:
    """The view that a name means.

    Parameters
    ----------
    scene : Scene
    view : str or View
        ``head`` (obliquely from the front of the stimulated side and from above), ``coil`` (the whole along the
        coil's axis, its handle down), ``left``, ``right``, ``front``, ``back``, ``top``, ``bottom``; ``target`` (the
        cortex around it, from the coil's side); a target's name, such as ``m1-left``, ``m1-hand-left`` or ``C3``.
    aspect : float
        Width of the picture over its height.

    Raises
    ------
    InputError
        If it is no such name, or the scene has no coil for ``coil``.
    """
    if isinstance(view, View):
        return view
    if view == "target":
        return close_view(scene.center_mm, scene.outward)
    if view in _ALONG:
        toward, up = _ALONG[view]
        return fitted_view(_shown(scene), np.array(toward, float), np.array(up, float), aspect)
    if view == "head":
        return fitted_view(_shown(scene), oblique(scene.outward), np.array([0.0, 0.0, 1.0]), aspect)
    if view == "coil":
        if not scene.coils:
            raise InputError(
                "the view along the coil's axis needs a coil; instead the scene has none: coil(coil, pose)"
            )
        pose = scene.coils[0][1]
        return fitted_view(_shown(scene), -pose.z, pose.y, aspect)
    return _over_place(scene, view)


def _over_place(scene: "Scene", name: str) -> View:
    try:
        place = target_of(scene.head, _SHORT.get(name, name), "view").center_mm
    except InputError as error:
        raise InputError(f"view must be one of {', '.join(NAMES)}, or a target's name; {error}") from None
    return close_view(place, outward_at(scene.head, place, None))


def _shown(scene: "Scene") -> NDArray[np.float64]:
    """(n, 3) what must be in the picture: all there is, but of hidden layers only the outermost."""
    return np.concatenate([scene.head.points[:1], *(shape.surface.points_mm for shape in scene.shapes)])
