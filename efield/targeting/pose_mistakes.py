"""Mistakes about poses that can be tried: frames, axes and units that were taken for others."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from numpy.typing import ArrayLike

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.io.poses.axes import FRAMES, from_theirs, to_theirs

#: Programs whose coil has its z axis elsewhere: only those can be told from each other by where a scalp is.
_WHOSE: Final = {
    "simnibs": "SimNIBS'",
    "brainsight": "Brainsight's",
    "localite": "Localite's",
    "invesalius": "InVesalius'",
}
_TURNED: Final = {"simnibs": "read with --axes handle", "handle": "read with --axes simnibs"}


class Trial(NamedTuple):
    """A mistake that can be tried: how many things went wrong in it, and what undoes it."""

    mistake: str
    remedy: str
    wrong: float
    undo: Callable[[FloatArray], FloatArray]


def trials(axes: str, frame: str, image_affine: ArrayLike | None) -> list[Trial]:
    """What may have been taken for what, the remedy, and what undoes it; the simplest first."""
    found: list[Trial] = []
    for other_axes in (axes, *(name for name in _WHOSE if name != axes)):
        for other_frame in (frame, *(name for name in FRAMES if name != frame)):
            if (other_axes, other_frame) != (axes, frame):
                given, other = (axes, frame), (other_axes, other_frame)
                wrong = (other_axes != axes) + (other_frame != frame)
                found.append(Trial(*_wrong(given, other), wrong, partial(_read_as, given=given, other=other)))
    turned = _TURNED.get(axes, "look how the coil was calibrated in the navigator")
    along = "y runs along the handle: the coil is turned by 180 degrees"
    found.append(Trial(along, turned, 0, partial(from_theirs, axes="handle")))
    for unit, factor in (("meters", 1000.0), ("centimeters", 10.0)):
        taken = f"{unit} were taken for millimeters"
        found.append(Trial(taken, f"multiply the centers by {factor:g}", 1, partial(_scaled, factor=factor)))
    if image_affine is not None:
        affine = checks.affine("image_affine", image_affine)
        voxels = "voxels of the image were taken for mm"
        remedy = "multiply the centers by the image's affine"
        found.append(Trial(voxels, remedy, 1, partial(_from_voxels, affine=affine)))
    return found


def _wrong(given: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """Mistake and remedy, if poses were read with one pair of axes and frame and are of another."""
    wrong, options = [], []
    if other[1] != given[1]:
        wrong.append(f"coordinates in {other[1]} were taken for {given[1]}")
        options.append(f"--frame {other[1]}")
    if other[0] != given[0]:
        wrong.append(f"the coil's axes are {_WHOSE[other[0]]} and were taken for {_WHOSE.get(given[0], given[0])}")
        options.append(f"--axes {other[0]}")
    return " and ".join(wrong), f"read with {' '.join(options)}"


def _read_as(matrices: FloatArray, given: tuple[str, str], other: tuple[str, str]) -> FloatArray:
    return from_theirs(to_theirs(matrices, *given), *other)


def _scaled(matrices: FloatArray, factor: float) -> FloatArray:
    found = matrices.copy()
    found[:, :3, 3] *= factor
    return found


def _from_voxels(matrices: FloatArray, affine: FloatArray) -> FloatArray:
    found = matrices.copy()
    found[:, :3, 3] = matrices[:, :3, 3] @ affine[:3, :3].T + affine[:3, 3]
    return found
