"""What a primary field sets up in a head, as the numbers of one placement, or at chosen places of many."""

from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Places:
    """Where E is wanted of many placements.

    Parameters
    ----------
    pairs : (q,) int
        (node, tissue) pairs of `FemProblem.patches`, at which it is the recovered field.
    tets : (k,) int
        Tetrahedra, in which it is that of the elements.
    """

    pairs: NDArray[np.intp]
    tets: NDArray[np.intp]
