"""From tetrahedra to the linear system of the potential; meters and S/m."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from efield.ground.checks import as_float_array, plain
from efield.ground.errors import InputError
from efield.kernels.elements import bubbles
from efield.kernels.elements import tets as kernels
from efield.kernels.elements.tensors import first_not_positive
from efield.kernels.geometry import stars

Lists = tuple[NDArray[np.int64], NDArray[np.int32]]

#: Nodes are shared out in so many parts.
_PARTS = 16


def lists_of_neighbors(
    kernel: Callable[..., None], mesh: tuple[NDArray[Any], ...], start: NDArray[np.int64], rows: int, width: int = 4
) -> Lists:
    """Row starts (rows + 1,) and the lists one behind the other, written once, by parts of the nodes.

    Parameters
    ----------
    kernel : callable
        Writes the lists of some parts; takes the mesh and then (bounds, begins, room, sizes, filled), as
        `efield.kernels.geometry.stars.neighbors` does.
    mesh : tuple of ndarray
    start : (n + 1,) ndarray
        Row starts of the cells around each node.
    rows : int
        How many lists there are.
    width : int
        How many places the lists need for each cell around a node.
    """
    bounds = np.arange(_PARTS + 1) * (len(start) - 1) // _PARTS
    begins = width * start[bounds]
    # Of this much room only what is filled takes memory.
    room = np.empty(begins[-1], np.int32)
    sizes, filled = np.empty(rows, np.int64), np.empty(_PARTS, np.int64)
    kernel(_PARTS, *mesh, bounds, begins, room, sizes, filled)
    parts = [room[begin : begin + size] for begin, size in zip(begins, filled, strict=False)]
    return np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(parts)


def nodes_around(cells: NDArray[np.int32], around: Lists) -> Lists:
    """Row starts (n + 1,) and nodes: all that share a cell (m, c) with each node, itself included, ascending.

    They are where a stiffness matrix has entries.
    """
    start = around[0]
    row, nodes = lists_of_neighbors(stars.neighbors, (cells, *around), start, len(start) - 1, cells.shape[1])
    if row[-1] >= 2**31:
        raise InputError(
            f"the mesh must give fewer than 2^31 matrix entries; instead it gives {row[-1]}: "
            "use a coarser mesh or order=1"
        )
    return row, nodes


def square_matrix(values: NDArray[np.float64], lists: Lists) -> csr_matrix:
    """The matrix whose row i has its values at the columns of list i."""
    row, columns = lists
    return csr_matrix((values, columns.copy(), row.astype(np.int32)), shape=(len(row) - 1,) * 2)


@dataclass(frozen=True, eq=False)
class LinearElements:
    """Continuous, piecewise linear potentials on a tetrahedral mesh.

    Parameters
    ----------
    points : (n, 3) ndarray, m
        Nodes.
    tets : (m, 4) ndarray of int32
        Corners, positive volume.
    sigma : (m,) or (m, 3, 3) ndarray, S/m
        Conductivity: numbers, kept as (m, 1, 1), or symmetric positive definite tensors.
    """

    points: NDArray[np.float64]
    tets: NDArray[np.int32]
    sigma: NDArray[np.float64]

    def __post_init__(self) -> None:
        sigma = self.sigma.reshape(len(self.sigma), *(self.sigma.shape[1:] or (1, 1)))
        for name, array in (("points", self.points), ("tets", self.tets), ("sigma", sigma)):
            object.__setattr__(self, name, plain(array))

    @cached_property
    def around(self) -> Lists:
        """Row starts (n + 1,) and numbers (4 m,) of the tetrahedra around each node."""
        start, around = stars.node_stars(self.tets, len(self.points))
        return start, around

    def with_sigma(self, sigma: NDArray[np.float64]) -> "LinearElements":
        """The same elements with other conductivities; who touches whom is not looked for again."""
        other = LinearElements(self.points, self.tets, sigma)
        vars(other)["around"] = self.around
        return other

    @cached_property
    def _near(self) -> Lists:
        """The nodes around each node, itself included."""
        return nodes_around(self.tets, self.around)

    @cached_property
    def _higher(self) -> Lists:
        """Row starts (n + 1,) and nodes (e,): for each node those of higher number at the other end of an edge."""
        row, near = self._near
        higher = near > np.repeat(np.arange(len(self.points), dtype=np.int32), np.diff(row))
        return np.concatenate([[0], np.cumsum(higher)])[row], near[higher]

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self._higher[1])

    @cached_property
    def edges(self) -> NDArray[np.int32]:
        """(e, 2) node numbers of the edges, ascending."""
        row, high = self._higher
        low = np.repeat(np.arange(len(self.points), dtype=np.int32), np.diff(row))
        return np.column_stack([low, high])

    @cached_property
    def edges_of_tets(self) -> NDArray[np.int32]:
        """(m, 6) numbers of the edges 01, 02, 03, 12, 13, 23 of each tetrahedron."""
        return np.asarray(bubbles.edges_of_tets(self.tets, *self.around, *self._higher))

    def stiffness(self) -> csr_matrix:
        """(n, n) matrix of the integrals of sigma grad u . grad v; rows of unused nodes are empty."""
        return square_matrix(
            kernels.stiffness(self.points, self.tets, self.sigma, *self.around, *self._near), self._near
        )

    def load(self, dadt: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, k) right-hand sides for dA/dt (n, 3, k) in V/m at the nodes."""
        return np.asarray(kernels.induced_load(self.points, self.tets, self.sigma, *self.around, plain(dadt)))

    def field(
        self, phi: NDArray[np.float64], dadt: NDArray[np.float64], chosen: NDArray[np.integer] | None = None
    ) -> NDArray[np.float64]:
        """(m, 3, k) E in V/m for potentials (n, k) in V and dA/dt (n, 3, k) in V/m; of chosen tetrahedra, or all."""
        tets = self.tets if chosen is None else plain(self.tets[chosen])
        return np.asarray(kernels.element_field(self.points, tets, plain(phi), plain(dadt)))


def checked_sigma(sigma: ArrayLike, n_tets: int) -> NDArray[np.float64]:
    """Conductivities (m,) or tensors (m, 3, 3) in S/m, or an error that says what is wrong with them."""
    values = as_float_array("sigma", sigma)
    if values.shape == (n_tets, 3, 3):
        _check_tensors(values)
        return values
    if values.shape != (n_tets,):
        raise InputError(
            f"sigma must have one conductivity per tetrahedron, shape ({n_tets},), or one tensor, shape "
            f"({n_tets}, 3, 3); instead received {values.shape}"
        )
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise InputError(
            f"sigma must be > 0 S/m everywhere; instead {len(bad)} tetrahedra have none (first: {bad[0]}): "
            "give their tissue a conductivity, or leave air out of the mesh"
        )
    return values


def _check_tensors(tensors: NDArray[np.float64]) -> None:
    skew, bad = first_not_positive(tensors)
    if skew >= 0:
        raise InputError(
            f"sigma must be symmetric tensors; instead that of tetrahedron {skew} is {tensors[skew].tolist()}: "
            "give the mean of each tensor and its transpose, if they differ by noise only"
        )
    if bad >= 0:
        eigenvalues = ", ".join(f"{value:.4g}" for value in np.linalg.eigvalsh(tensors[bad]))
        raise InputError(
            f"sigma must be positive definite tensors; instead that of tetrahedron {bad} has the eigenvalues "
            f"{eigenvalues} S/m: raise those that are zero or negative"
        )
