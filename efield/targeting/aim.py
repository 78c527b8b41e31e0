"""Where a target wants a coil to be turned: the angle in the scalp's plane, and how far off a pose is."""

from typing import Any, Final

import numpy as np

from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.targeting.tangent import tangent_direction
from efield.targeting.target import Target

#: In place of an angle: that of the target's preferred direction.
BEST: Final = "best"

#: The angle where a target prefers none (degrees).
PLAIN_DEG: Final = 45.0

#: A direction of which less than this lies in the scalp's plane is not to be reached by turning a coil there.
_LEAST_TANGENTIAL: Final = 0.2


def checked_angle(name: str, value: Any) -> float | str:
    """An angle in degrees, or `BEST`.

    Raises
    ------
    InputError
        If it is neither.
    """
    if isinstance(value, str):
        if value.strip().lower() == BEST:
            return BEST
        try:
            value = float(value)
        except ValueError:
            raise InputError(f"{name} must be degrees or {BEST}; instead received {value!r}") from None
    return checks.degrees(name, value)


def usual_angle(target: Target) -> float | str:
    """What is meant where no angle is given: `BEST` if the target has a direction, else 45 degrees."""
    return PLAIN_DEG if target.direction is None else BEST


def best_angle_deg(target: Target, outward: FloatArray, medial: float) -> float:
    """The angle of a target's preferred direction in a plane tangential to the scalp.

    Parameters
    ----------
    target : Target
    outward : (3,) float
        Unit normal of the plane.
    medial : float
        As in `tangent_direction`.

    Returns
    -------
    float
        Degrees from anterior toward medial, above -180 and up to 180.

    Raises
    ------
    InputError
        If the target has no direction, or hardly any of it lies in the plane.
    """
    if target.direction is None:
        raise InputError(
            f"angle_deg = {BEST!r} needs a target with a preferred direction; instead {target.name} has none: give the "
            "angle in degrees, or a target with direction="
        )
    zero, right = (float(target.direction @ tangent_direction(outward, angle, medial)) for angle in (0.0, 90.0))
    if np.hypot(zero, right) < _LEAST_TANGENTIAL:
        raise InputError(
            f"angle_deg = {BEST!r} needs a direction along the scalp; instead that of {target.name} points into the "
            "head there: give the angle in degrees"
        )
    return float(np.degrees(np.arctan2(right, zero)))


def degrees_off(coil: Coil, pose: Pose, target: Target, didt: float) -> float | None:
    """Angle from what a coil induces under its center to the target's preferred direction, seen along the coil's axis.

    None where either has no direction. What a turn of the coil about its axis would put right.
    """
    induced = induced_direction(coil)
    if induced is None or target.direction is None:
        return None
    own = pose.matrix[:3, :3].T @ target.direction
    x, y = np.sign(didt) * np.array(induced[:2])
    turn = np.arctan2(x, y) - np.arctan2(own[0], own[1])
    return float(abs(np.degrees(np.arctan2(np.sin(turn), np.cos(turn)))))
