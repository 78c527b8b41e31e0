"""Arguments of bases and of reciprocity: what was given in the place of a simulator, a coil or placements."""

from collections.abc import Iterable
from operator import index
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.targeting.simulate import Simulator

#: What `Pose` takes for rounding, too.
_RIGID: Final = 1e-3


def simulator(value: Any) -> Simulator:
    """The simulator, or an error that names the call that makes one."""
    if not isinstance(value, Simulator):
        raise InputError(f"sim must be a Simulator, such as Simulator(head); instead received {checks.kind(value)}")
    return value


def coil_or_any(value: Any) -> Coil | None:
    """The coil; None for the word "any"."""
    if isinstance(value, str) and value == "any":
        return None
    if not isinstance(value, Coil):
        raise InputError(
            f"coil must be a Coil, such as load_coil('magstim-70mm-figure8'), or \"any\"; instead received "
            f"{checks.kind(value)}"
        )
    return value


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number of at least `low` and at most `high`."""
    limits = f"of at least {low}" if high is None else f"between {low} and {high}"
    try:
        number = index(value)
    except TypeError as error:
        raise InputError(f"{name} must be a whole number {limits}; instead received {value!r}") from error
    if number < low or (high is not None and number > high):
        raise InputError(f"{name} must be a whole number {limits}; instead received {value!r}")
    return number


def poses(value: Any) -> list[Pose]:
    """The poses of an iterable; one alone, a matrix or a text is refused."""
    if isinstance(value, (Pose, str)) or not isinstance(value, Iterable):
        raise InputError(f"poses must be a list of Pose, such as [pose]; instead received {checks.kind(value)}")
    found = list(value)
    for number, entry in enumerate(found):
        if not isinstance(entry, Pose):
            raise InputError(
                f"poses must hold Pose objects: Pose(matrix), or place_coil(...); instead number {number} is "
                f"{checks.kind(entry)}"
            )
    return found


def matrices(value: Any) -> NDArray[np.float64]:
    """(p, 4, 4) float64 matrices of poses, in an array of the caller's own: of a list of them, or of a stack.

    A stack is checked all at once for what `Pose` checks; axes within its rounding are taken as they are.
    """
    if not isinstance(value, np.ndarray):
        return np.array([one.matrix for one in poses(value)], dtype=np.float64).reshape(-1, 4, 4)
    stack = checks.as_float_array("poses", value.reshape(-1, 4, 4) if value.size == 0 else value)
    stack = stack[None] if stack.shape == (4, 4) else stack
    if stack.ndim != 3 or stack.shape[1:] != (4, 4):
        raise InputError(f"poses must be a list of Pose, or have shape (p, 4, 4); instead received shape {value.shape}")
    axes = stack[:, :3, :3]
    defect = np.abs(np.einsum("pij,pik->pjk", axes, axes) - np.eye(3)).max(axis=(1, 2))
    last = np.abs(stack[:, 3] - (0.0, 0.0, 0.0, 1.0)).max(axis=1)
    bad = np.flatnonzero((defect > _RIGID) | (last > 1e-9) | (np.linalg.det(axes) < 0))
    if len(bad):
        # Says what is wrong with the first.
        Pose(stack[bad[0]])
    return stack.copy()
