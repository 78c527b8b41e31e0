"""Sobol' shares: how much of a measure's variance comes from one cause, alone and together with others.

References
----------
Saltelli A, Annoni P, Azzini I, Campolongo F, Ratto M, Tarantola S. Variance based sensitivity analysis of model output.
Comput Phys Commun 2010;181:259-270.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from efield.ground.arrays import FloatArray


class Share(NamedTuple):
    """Sobol' shares of a measure's variance that come from one tissue's conductivity.

    Parameters
    ----------
    first : float
        From it alone.
    total : float
        With all that it does together with others.
    """

    first: float
    total: float


@dataclass(frozen=True, eq=False)
class Design:
    """Where a function of T causes is asked: two independent designs, and the first with one column of the second.

    Parameters
    ----------
    first, second : (n, T) float
    """

    first: FloatArray
    second: FloatArray

    @classmethod
    def of(cls, causes: int, n: int) -> "Design":
        """Quantiles, of a Sobol' sequence whose first n points are left out; n is a power of two."""
        from scipy.stats import qmc  # half a second to import

        both = qmc.Sobol(2 * causes, scramble=False).random(2 * n)[n:]
        return cls(*np.split(both, 2, axis=1))

    def at(self, values: Callable[[FloatArray], FloatArray]) -> "Design":
        """What the quantiles of each cause stand for, column by column."""
        return Design(values(self.first), values(self.second))

    @property
    def mixed(self) -> FloatArray:
        """(T, n, T) the first design with one column of the second in each."""
        mixed = np.repeat(self.first[None], self.first.shape[1], axis=0)
        for column in range(len(mixed)):
            mixed[column, :, column] = self.second[:, column]
        return mixed


def shares(
    at_first: FloatArray, at_second: FloatArray, at_mixed: FloatArray, causes: Sequence[str]
) -> list[dict[str, Share]]:
    """Shares of each of m measures, by cause.

    Parameters
    ----------
    at_first, at_second : (n, m) float
        The measures at a design's quantiles.
    at_mixed : (T, n, m) float
    causes : sequence of str
        T names.
    """
    from scipy.stats import sobol_indices

    none = dict.fromkeys(causes, Share(0.0, 0.0))
    varying = np.ptp(at_first, axis=0) > 0
    if not varying.any():
        return [none for _ in varying]
    given = {"f_A": at_first.T[varying], "f_B": at_second.T[varying], "f_AB": at_mixed.transpose(0, 2, 1)[:, varying]}
    found = sobol_indices(func=given, n=len(at_first))
    first, total = (np.reshape(each, (-1, len(causes))) for each in (found.first_order, found.total_order))
    rows = (map(Share, *pair) for pair in zip(first.tolist(), total.tolist(), strict=True))
    return [dict(zip(causes, next(rows), strict=True)) if moves else none for moves in varying]
