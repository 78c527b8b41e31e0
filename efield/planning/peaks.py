"""The highest places of a goal: which are distinct, and how to climb to one."""

from collections.abc import Callable
from typing import Final

import numpy as np

from efield.ground.arrays import FloatArray

#: Optima closer than this are one.
_APART_MM: Final = 6.0
_APART_DEG: Final = 25.0

#: Steps with which a climb begins, along each axis of the search (mm, degrees), and the share of them it ends with.
FIRST_STEPS: Final = np.array([2.0, 2.0, 5.0, 4.0, 4.0])
_LAST_SHARE: Final = 0.1

#: One step along each axis, to either side.
MOVES: Final = np.concatenate([np.eye(5), -np.eye(5)])


def climbed(start: FloatArray, goal: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """From a place (5,) to the nearest maximum, by steps along the axes that shrink.

    Parameters
    ----------
    start : (5,) float
    goal : callable
        (k,) of places (k, 5); -inf where no coil may be.
    """
    here, best = start.copy(), goal(start[None])[0]
    steps = FIRST_STEPS.copy()
    while (steps >= _LAST_SHARE * FIRST_STEPS).all():
        tried = here + MOVES * steps
        values = goal(tried)
        top = int(np.argmax(values))
        if values[top] > best:
            here, best = tried[top], values[top]
        else:
            steps = steps / 2
    return here


def distinct(places: FloatArray, values: FloatArray, most: int) -> list[int]:
    """Numbers of the best places (k, 5), none near a better one, in descending order."""
    chosen: list[int] = []
    for number in np.argsort(values)[::-1].tolist():
        if not np.isfinite(values[number]) or len(chosen) == most:
            break
        if all(_apart(places[number], places[other]) for other in chosen):
            chosen.append(number)
    return chosen


def _apart(one: FloatArray, other: FloatArray) -> bool:
    turn = abs((one[2] - other[2] + 180) % 360 - 180)
    return bool(np.hypot(*(one[:2] - other[:2])) > _APART_MM or turn > _APART_DEG)
