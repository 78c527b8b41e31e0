"""The recovered field as sums of nodal values, for those who want it at the same places of many solutions."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.recovery import Patches
from efield.ground.turns import side_by_side
from efield.kernels.elements import stencils as kernels

#: Pairs that one thread takes at a time.
_PART: Final = 2048


@dataclass(frozen=True, eq=False)
class Stencils:
    """What `Patches.recover` does at some pairs, as sums (`efield.kernels.elements.stencils`). SI units.

    Parameters
    ----------
    nodes : (q,) int
        Of the pairs.
    row, members, slopes : (q + 1,), (s,), (s, 3) ndarray
        Of the potential.
    ring_row, ring, bends : (q + 1,), (r,), (r, 3) ndarray
        Of the primary field's divergence.
    shares : (q, 3) ndarray
        Of that divergence in E.
    """

    nodes: NDArray[np.int64]
    row: NDArray[np.int64]
    members: NDArray[np.int32]
    slopes: NDArray[np.float64]
    ring_row: NDArray[np.int64]
    ring: NDArray[np.int32]
    bends: NDArray[np.float64]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, patches: Patches, pairs: NDArray[np.integer]) -> "Stencils":
        """Those of pairs (q,)."""
        points, lists, chosen, frames = patches.for_kernels(pairs)
        cut = [slice(first, first + _PART) for first in range(0, max(1, len(chosen)), _PART)]
        parts = side_by_side(lambda some: kernels.stencils(points, lists, chosen[some], frames[some]), cut)
        lengths, members, slopes, ring, bends, shares = (np.concatenate(each) for each in zip(*parts, strict=True))
        row, ring_row = (np.concatenate([[0], np.cumsum(column)]) for column in lengths.T)
        return cls(lists[0][chosen], row, members, slopes, ring_row, ring, bends, shares)

    def functional(self, weights: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What sums of weights (q, 3, b) . E over the pairs mean for the potential (n, b) and dA/dt (n, 3, b)."""

        def spread(values: NDArray[np.float64], columns: NDArray[np.int32], row: NDArray[np.int64]) -> csr_matrix:
            return csr_matrix((values, columns, row), shape=(len(self.nodes), n)).T

        on_phi = sum(spread(self.slopes[:, d], self.members, self.row) @ weights[:, d] for d in range(3))
        divergence = np.einsum("qd,qdb->qb", self.shares, weights)
        on_dadt = np.stack([spread(self.bends[:, c], self.ring, self.ring_row) @ divergence for c in range(3)], axis=1)
        np.subtract.at(on_dadt, self.nodes, weights)
        return np.asarray(on_phi), on_dadt
