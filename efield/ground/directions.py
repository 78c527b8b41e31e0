"""Directions in the words of anatomy: RAS axes, x to the right, y to the front, z up."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from efield.ground import checks

_WORDS: Final = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))

#: A part of a direction that is farther than 67.5 degrees from its axis is not worth a word.
_LEAST_PART: Final = 0.3827


def in_words(direction: ArrayLike) -> str:
    """``"posterior and left"`` of (-0.6, -0.8, 0): the axes it runs along, the largest part first.

    Parameters
    ----------
    direction : (3,) array_like
        RAS, any length but zero.
    """
    part = checks.unit_vector("direction", direction)
    order = [axis for axis in np.argsort(-np.abs(part), kind="stable") if abs(part[axis]) >= _LEAST_PART]
    return " and ".join(_WORDS[axis][int(part[axis] > 0)] for axis in order)
