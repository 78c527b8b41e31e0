"""Items given numbers of their own."""

import numpy as np
from numpy.typing import NDArray


def renumbered(numbers: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The numbers that occur, ascending, and each one's place among them, in the given shape.

    As `numpy.unique`, for numbers from 0 on that are about as many as what they count (nodes, pairs): without a sort or
    a hash that takes a tenth of the time.
    """
    there = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=bool)
    there[numbers] = True
    place = np.cumsum(there, dtype=np.int32)
    place -= 1
    return np.flatnonzero(there), place[numbers]
