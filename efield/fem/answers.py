"""What a primary field sets up in a head, as the numbers of one placement."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Answer(NamedTuple):
    """The solution for one primary field.

    Parameters
    ----------
    phi : (n,) ndarray, V
        Potential at the nodes.
    dadt : (n, 3) ndarray, V/m
        The primary field that was solved for.
    e : (m, 3) ndarray, V/m
        E in each tetrahedron.
    iterations : int
        Most that the solver took for it and those solved beside it.
    """

    phi: NDArray[np.float64]
    dadt: NDArray[np.float64]
    e: NDArray[np.float64]
    iterations: int
