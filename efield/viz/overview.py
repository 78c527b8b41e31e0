"""What says most of a field: the whole head with the coil over it, and the cortex under the coil."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from efield.ground.pose import Pose
from efield.targeting.named import CoilLike, coil_if_any
from efield.targeting.naming import Place, target_if_any
from efield.viz.caption import caption
from efield.viz.render import plotter_of
from efield.viz.scene import Scene

if TYPE_CHECKING:
    from efield.targeting.field import EField


def field_scene(
    field: "EField", target: Place | None = None, coil: CoilLike | None = None, pose: Pose | None = None
) -> tuple[Scene, Scene]:
    """The two scenes that say most of a field: the whole head with the coil over it, and the cortex under the coil.

    Parameters
    ----------
    field : EField
    target : Target, str or (3,) array_like, optional
        As in `efield.targeting.naming.target_of`. Marked; the strongest field otherwise.
    coil : Coil, or its name or file, optional
        Drawn where `pose` says it is.
    pose : Pose, optional
        Also decides from where the cortex is seen.
    """
    coil = coil_if_any(coil)
    base = Scene(field.head, field=field, place=target_if_any(field.head, target)).cortex(field)
    whole, close = base.scalp().target(size=2.0), base.arrows()
    if pose is not None:
        whole = whole if coil is None else whole.coil(coil, pose)
        close = close if coil is None else replace(close, coils=((coil, pose),))
    return whole, close.target(arrow=True)


def field_plotter(
    field: "EField",
    target: Place | None = None,
    coil: CoilLike | None = None,
    pose: Pose | None = None,
    **options: Any,
) -> Any:
    """`field_scene`'s two scenes in a `pyvista.Plotter`; options as in `efield.viz.render.plotter_of`."""
    target, coil = target_if_any(field.head, target), coil_if_any(coil)
    whole, close = field_scene(field, target, coil, pose)
    words = options.pop("title", None) or caption(field, target, coil)
    return plotter_of([(whole, "head"), (close, "target")], title=words, **options)
