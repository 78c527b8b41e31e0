"""From tetrahedra to the linear system of the potential; meters and S/m."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.kernels import tets as kernels


@dataclass(frozen=True, eq=False)
class LinearElements:
    """Continuous, piecewise linear potentials on a tetrahedral mesh.

    Parameters
    ----------
    points : (n, 3) ndarray, m
        Nodes.
    tets : (m, 4) ndarray of int32
        Corners, positive volume.
    sigma : (m,) ndarray, S/m
        Conductivity.
    """

    points: NDArray[np.float64]
    tets: NDArray[np.int32]
    sigma: NDArray[np.float64]

    @cached_property
    def around(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Row starts (n + 1,) and numbers (4 m,) of the tetrahedra around each node."""
        start, around = kernels.node_tets(self.tets, len(self.points))
        return start, around

    def stiffness(self) -> csr_matrix:
        """(n, n) matrix of the integrals of sigma grad u . grad v; rows of unused nodes are empty."""
        lengths = kernels.row_lengths(self.tets, *self.around)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        columns, values = kernels.stiffness(self.points, self.tets, self.sigma, *self.around, indptr)
        # 32-bit row starts as long as they fit: half the index traffic in every product.
        small = indptr.astype(np.int32) if indptr[-1] < 2**31 else indptr
        return csr_matrix((values, columns, small), shape=(len(self.points),) * 2)

    def load(self, dadt: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, k) right-hand sides for dA/dt (n, 3, k) in V/m at the nodes."""
        return np.asarray(kernels.induced_load(self.points, self.tets, self.sigma, *self.around, dadt))

    def field(self, phi: NDArray[np.float64], dadt: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, 3, k) E in V/m for potentials (n, k) in V and dA/dt (n, 3, k) in V/m."""
        return np.asarray(kernels.element_field(self.points, self.tets, phi, dadt))
