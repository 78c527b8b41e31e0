"""A lattice on its way to a mesh, and how one level set becomes faces of it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.checks import plain
from efield.kernels.geometry import stars
from efield.kernels.meshing import cutting

#: A node moves onto a level set that crosses one of its edges within this fraction of the edge.
_SNAP_REACH: Final = 0.35

#: A snap must leave every tetrahedron around the node better than this.
_SNAP_QUALITY: Final = 0.2


@dataclass(frozen=True, eq=False)
class Pieces:
    """Nodes and tetrahedra, and what is known of them.

    Attributes
    ----------
    points : (n, 3) array of float, grid mm
    node_bits : (n,) array of uint32
        A bit for each level set that a node lies on.
    tets : (m, 4) array of int32
    tet_bits : (m,) array of uint32
        A bit for each level set on whose positive side a tetrahedron is.
    """

    points: NDArray[np.float64]
    node_bits: NDArray[np.uint32]
    tets: NDArray[np.int32]
    tet_bits: NDArray[np.uint32]

    @classmethod
    def of_lattice(cls, points: NDArray[np.float64], tets: NDArray[np.int32]) -> "Pieces":
        """Nothing is known yet."""
        return cls(points, np.zeros(len(points), dtype=np.uint32), tets, np.zeros(len(tets), dtype=np.uint32))

    def cut(
        self, field: NDArray[np.float32], inverse_spacing: NDArray[np.float64], values: NDArray[np.float64], k: int
    ) -> "Pieces":
        """The pieces with nodes snapped onto the zero set of `field`, and cut by it.

        Parameters
        ----------
        field : (nx, ny, nz) array, mm
        inverse_spacing : (3,) array
        values : (n,) array
            The field at the nodes; edges to nodes where it is 0 are not cut.
        k : int
            Number of the level set.
        """
        bit = np.uint32(1 << k)
        points, values, node_bits = self.points.copy(), values.copy(), self.node_bits.copy()
        pointers, star = stars.node_stars(plain(self.tets), len(points))
        reach, least = _SNAP_REACH, _SNAP_QUALITY
        cutting.snap(points, self.tets, pointers, star, field, inverse_spacing, values, node_bits, bit, reach, least)
        points, tets, node_bits, tet_bits = cutting.cut(
            points, self.tets, field, inverse_spacing, values, node_bits, self.tet_bits, bit
        )
        return Pieces(points, node_bits, tets, tet_bits)
