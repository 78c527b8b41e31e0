"""Second-order elements: quadratic potentials on the same straight tetrahedra.

Unknowns are the nodes, then the middles of the edges. The primary field is interpolated quadratically from the same
places, and every integral below is exact for that.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from efield.fem.assembly import LinearElements, nodes_around, square_matrix
from efield.ground.checks import plain
from efield.kernels.elements import quadratic as kernels
from efield.kernels.geometry import stars

EDGES = tuple(combinations(range(4), 2))

Polynomial = dict[tuple[int, ...], float]


def _times(p: Polynomial, q: Polynomial) -> Polynomial:
    out: Polynomial = {}
    for powers_p, a in p.items():
        for powers_q, b in q.items():
            powers = tuple(i + j for i, j in zip(powers_p, powers_q, strict=True))
            out[powers] = out.get(powers, 0.0) + a * b
    return out


def _mean(p: Polynomial) -> float:
    """Mean over a tetrahedron: 3! prod(a_i!) / (3 + sum a_i)! per monomial (Holand and Bell 1969)."""
    return sum(c * 6 * np.prod([factorial(k) for k in powers]) / factorial(3 + sum(powers)) for powers, c in p.items())


def _unit(*corners: int) -> tuple[int, ...]:
    return tuple(corners.count(k) for k in range(4))


def _shapes() -> list[Polynomial]:
    """Shape functions in the barycentric coordinates l: l_a (2 l_a - 1) and 4 l_a l_b."""
    corner: list[Polynomial] = [{_unit(a, a): 2.0, _unit(a): -1.0} for a in range(4)]
    return corner + [{_unit(a, b): 4.0} for a, b in EDGES]


def _slopes() -> list[list[Polynomial]]:
    """Derivative of each shape function by each barycentric coordinate."""
    none: Polynomial = {}
    out = [[({_unit(a): 4.0, _unit(): -1.0} if b == a else none) for b in range(4)] for a in range(4)]
    for a, b in EDGES:
        out.append([{_unit(b): 4.0} if c == a else {_unit(a): 4.0} if c == b else none for c in range(4)])
    return out


def _value(p: Polynomial, at: NDArray[np.float64]) -> float:
    return float(sum(c * np.prod(at ** np.array(powers)) for powers, c in p.items()))


def _stiffness_table() -> NDArray[np.float64]:
    slopes = _slopes()
    return np.array([[[[_mean(_times(p, q)) for q in sj] for p in si] for sj in slopes] for si in slopes])


def _load_table() -> NDArray[np.float64]:
    shapes = _shapes()
    return np.array([[[_mean(_times(p, shape)) for shape in shapes] for p in slope] for slope in _slopes()])


def _place(at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape functions (10,) and their slopes (10, 4) at barycentric coordinates (4,)."""
    shape = np.array([_value(p, at) for p in _shapes()])
    return shape, np.array([[_value(p, at) for p in slope] for slope in _slopes()])


@dataclass(frozen=True, eq=False)
class QuadraticElements:
    """Continuous, piecewise quadratic potentials on a tetrahedral mesh; unknown n + i sits in the middle of edge i.

    Parameters
    ----------
    linear : LinearElements
        The mesh and its conductivity.
    """

    linear: LinearElements

    @cached_property
    def dofs(self) -> NDArray[np.int32]:
        """(m, 10) unknowns of each tetrahedron."""
        return np.hstack([self.linear.tets, len(self.linear.points) + self.linear.edges_of_tets]).astype(np.int32)

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """(N, 3) places of the unknowns in m."""
        points = self.linear.points
        return np.concatenate([points, points[self.linear.edges].mean(axis=1)])

    @cached_property
    def _around(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        start, around = stars.node_stars(self.dofs, len(self.places))
        return start, around

    def stiffness(self) -> csr_matrix:
        """(N, N) matrix of the integrals of sigma grad u . grad v."""
        mesh = self.linear
        near = nodes_around(self.dofs, self._around)
        given = mesh.points, mesh.tets, self.dofs, mesh.sigma, *self._around, *near, _stiffness_table()
        return square_matrix(kernels.stiffness(*given), near)

    def from_linear(self) -> csr_matrix:
        """(N, n) interpolation of linear potentials, the way up from the linear grid."""
        n, e = len(self.linear.points), len(self.linear.edges)
        values = np.concatenate([np.ones(n), np.full(2 * e, 0.5)])
        columns = np.concatenate([np.arange(n, dtype=np.int32), self.linear.edges.ravel()])
        indptr = np.concatenate([np.arange(n + 1), n + 2 * np.arange(1, e + 1)]).astype(np.int32)
        return csr_matrix((values, columns, indptr), shape=(n + e, n))

    def load(self, dadt: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, k) right-hand sides for dA/dt (N, 3, k) in V/m at the unknowns."""
        mesh = self.linear
        return np.asarray(
            kernels.induced_load(
                mesh.points, mesh.tets, self.dofs, mesh.sigma, *self._around, _load_table(), plain(dadt)
            )
        )

    def field(
        self, phi: NDArray[np.float64], dadt: NDArray[np.float64], chosen: NDArray[np.integer] | None = None
    ) -> NDArray[np.float64]:
        """(m, 3, k) E in V/m at the centers of the tetrahedra; of chosen ones, or all."""
        found = self._field_at(np.full(4, 0.25), phi, dadt)
        return found if chosen is None else found[chosen]

    def corner_fields(self, phi: NDArray[np.float64], dadt: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, 4, 3) E in V/m at the corners of each tetrahedron, as seen from inside it; phi (N,), dadt (N, 3)."""
        corners = [self._field_at(row, phi[:, None], dadt[:, :, None])[:, :, 0] for row in np.eye(4)]
        return np.stack(corners, axis=1)

    def _field_at(
        self, weights: NDArray[np.float64], phi: NDArray[np.float64], dadt: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        mesh = self.linear
        return np.asarray(
            kernels.field_at(mesh.points, mesh.tets, self.dofs, plain(phi), plain(dadt), *_place(weights))
        )
