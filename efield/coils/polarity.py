"""Which way a coil induces current: its sign differs from coil to coil and from file to file, so it is looked up.

Measured on the models themselves (-A at 20 mm for a rising current): the Magstim 70 mm figure-8 induces along +y, away
from the handle; the Magstim double cone and all MagVenture figure-8 coils along -y, toward it.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from efield.coils.model import Coil
from efield.coils.primary import unchecked_vector_potential
from efield.ground import checks

#: Directions of the coil's current. "normal" is that of the coil model and a positive dI/dt.
CURRENTS: Final = ("normal", "reverse")

#: Where the direction is taken: this far in front of the origin (mm), about where cortex is.
_DEPTH_MM: Final = 20.0

#: A coil has one direction if A there is at least this share of the largest A within 40 mm, and tangential.
_LEAST: Final = 0.3

#: A direction this near to an axis is meant to be that axis (degrees): measured models are never quite even.
_SAME_AXIS_DEG: Final = 10.0


@lru_cache(maxsize=64)
def induced_direction(coil: Coil) -> tuple[float, float, float] | None:
    """Unit vector, in the coil frame, of the E that a rising current induces 20 mm in front of the coil's origin.

    None for a coil without one direction there, such as a round coil, or whose field is not known there.

    Examples
    --------
    >>> from efield.coils.polarity import induced_direction
    >>> induced_direction(ef.load_coil("d70")), induced_direction(ef.load_coil("mc-b70"))
    ((0.0, 1.0, 0.0), (0.0, -1.0, 0.0))
    >>> induced_direction(ef.load_coil("circular-90mm")) is None
    True
    """
    x, y = np.meshgrid(np.arange(-40.0, 41.0, 10.0), np.arange(-40.0, 41.0, 10.0))
    plane = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, _DEPTH_MM)])
    induced = -unchecked_vector_potential(coil, plane, few=True)
    middle = induced[len(induced) // 2]
    tangential = float(np.linalg.norm(middle[:2]))
    if not tangential >= _LEAST * np.nanmax(np.linalg.norm(induced[:, :2], axis=1)):
        return None
    x, y, z = (round(float(part), 3) + 0.0 for part in middle / np.linalg.norm(middle))
    return x, y, z


def induced_words(coil: Coil) -> str:
    """The direction for people: ``+y, away from the handle``; empty without one."""
    direction = induced_direction(coil)
    if direction is None:
        return ""
    turn = turn_deg(coil)
    if turn % 90:
        return "({:.2f}, {:.2f}, {:.2f})".format(*direction)
    return {0: "+y, away from the handle", 90: "+x", 180: "-y, toward the handle", 270: "-x"}[round(turn) % 360]


def turn_deg(coil: Coil | None, current: str = "normal") -> float:
    """Degrees from the coil's y axis toward its x axis to the induced current; 0 for a coil without one direction."""
    checks.choice("current", current, CURRENTS)
    direction = None if coil is None else induced_direction(coil)
    if direction is None:
        return 0.0
    turn = float(np.degrees(np.arctan2(direction[0], direction[1])))
    axis = 90.0 * round(turn / 90.0)
    turn = axis if abs(turn - axis) <= _SAME_AXIS_DEG else turn
    return (turn + (180.0 if current == "reverse" else 0.0)) % 360.0


def signed(didt: float, current: str) -> float:
    """dI/dt in A/s with the sign of the current's direction.

    Raises
    ------
    InputError
        If `current` is neither "normal" nor "reverse".
    """
    checks.choice("current", current, CURRENTS)
    return -didt if current == "reverse" else didt
