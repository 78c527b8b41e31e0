"""The picture of one simulation as a PNG file, with OpenGL where the machine has it and without where not."""

from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from efield.ground.errors import InputError
from efield.io.atomic import replacing
from efield.viz.probe import can_render, remedy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.targeting.field import EField
    from efield.targeting.targets import Target

#: zlib level; a page of the default head took 1.94 MB and 0.2 s, against 1.62 MB and 3.8 s at level 9.
_COMPRESSION: Final = 3


@dataclass(frozen=True)
class PictureReport:
    """What `save_picture` wrote.

    Parameters
    ----------
    path : Path
    kind : {"scene", "slices"}
        Three-dimensional scene, or slices because there is no OpenGL.
    advice : str or None
        One line on how to get the scene, where it is missing.
    """

    path: Path
    kind: Literal["scene", "slices"]
    advice: str | None = None


def load_libraries() -> None:
    """Load what `save_picture` will need, and find out what can be rendered: for a thread beside other work."""
    drawing = ("pyvista.plotting", "efield.viz.figure") if can_render() else ("efield.viz.slices",)
    for name in (*drawing, "matplotlib.figure", "matplotlib.backends.backend_agg"):
        import_module(name)


def save_picture(
    path: str | PathLike[str],
    field: "EField",
    target: "Target | None" = None,
    coil: "Coil | None" = None,
    pose: "Pose | None" = None,
    *,
    size: tuple[int, int] | None = None,
    title: str | None = None,
) -> PictureReport:
    """Draw the field on the cortex with the coil over it, or slices where nothing can be rendered.

    Parameters
    ----------
    path : path_like
        File to write, ``.png``; it appears complete or not at all.
    field : EField
    target : Target, optional
    coil : Coil, optional
        Drawn where `pose` says it is.
    pose : Pose, optional
    size : (int, int), pixels, optional
        Width and height; by default 2160 wide, 300 dots per inch on a printed page.
    title : str, optional
        Line above the picture; what was computed, by default.

    Returns
    -------
    PictureReport

    Raises
    ------
    InputError
        If the name does not end in ``.png``, the folder cannot be written, or the size is out of range.
    OutsideHeadError
        If the target's region holds no tissue.
    """
    where = Path(path)
    if where.suffix.lower() != ".png":
        raise InputError(f"a picture's name must end in .png; instead received {where.name!r}")
    rendered = can_render()
    with replacing(where) as temporary:
        figure = _figure(rendered, field, target, coil, pose, size, title)
        figure.savefig(temporary, pil_kwargs={"compress_level": _COMPRESSION})
    return PictureReport(where, "scene") if rendered else PictureReport(where, "slices", remedy())


def _figure(
    rendered: bool,
    field: "EField",
    target: "Target | None",
    coil: "Coil | None",
    pose: "Pose | None",
    size: tuple[int, int] | None,
    title: str | None,
) -> "Figure":
    if rendered:
        from efield.viz.figure import SIZE, scene_figure

        return scene_figure(field, target, coil, pose, size=size or SIZE, title=title)
    from efield.viz import slices

    return slices.slice_figure(field, target, coil, pose, size=size or slices.SIZE, title=title)
