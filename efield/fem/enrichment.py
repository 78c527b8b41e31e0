"""A second opinion on a field of first order: what quadratic potentials on the same tetrahedra would change.

To the linear potential a quadratic bubble is added on every edge, from a few steps of conjugate gradients with the
bubbles alone (their matrix is as well conditioned on fine meshes as on coarse ones), and then the linear potential that
answers to them: one sweep over the two parts of second order. On a sphere that comes as near to the truth as second
order itself, for less than the price of one more solve. Its difference from a measured field estimates that field's
error wherever it comes from: the elements at the target, interfaces, or coarse elements far away.

References
----------
Bank RE, Smith RK. A posteriori error estimates based on hierarchical bases. SIAM J Numer Anal 1993;30:921-935.
"""

from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from efield.fem.assembly import LinearElements
from efield.fem.recovery import RecoveredField
from efield.ground.checks import plain
from efield.kernels.elements import bubbles as kernels

#: Steps of conjugate gradients for the bubbles: 1, 3 and 8 left 0.65, 0.43 and 0.35 % of error in E on a sphere of 8 mm
#: edges, where the field of the elements has 3.5 % and the recovered one 1.0 %. With 2 the estimates of errors are
#: as good for means, and worse for peak and focality on folded heads (docs/accuracy.md).
_STEPS: Final = 3


class SecondOpinion(Protocol):
    """A field that is compared with another one."""

    def at(self, tets: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(q, 3) E in V/m at barycentric coordinates (q, 4) in the tetrahedra with the given numbers (q,)."""
        ...

    def scaled(self, factor: float) -> "SecondOpinion":
        """A multiple of it."""
        ...


@dataclass(frozen=True, eq=False)
class AveragedField:
    """The average of second-order elements over patches, which is not moved to their field at the centers."""

    recovered: RecoveredField

    def at(self, tets: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `SecondOpinion.at`."""
        return self.recovered.averaged(tets, weights)

    def scaled(self, factor: float) -> "AveragedField":
        """A multiple of it."""
        return AveragedField(self.recovered.scaled(factor))


@dataclass(frozen=True, eq=False)
class EnrichedField:
    """E of a potential that is quadratic in each tetrahedron.

    Parameters
    ----------
    linear : LinearElements
    phi : (n,) float, V
        At the nodes.
    dadt : (n, 3) float, V/m
        At the nodes.
    bubbles : (e,) float, V
        What the potential has in the middle of each edge of `linear` beyond the mean of the edge's ends.
    """

    linear: LinearElements
    phi: NDArray[np.float64]
    dadt: NDArray[np.float64]
    bubbles: NDArray[np.float64]

    def at(self, tets: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `SecondOpinion.at`."""
        mesh, given = self.linear, (self.phi, self.dadt, self.bubbles)
        chosen = plain(np.asarray(tets, np.int64))
        return np.asarray(kernels.field_at(mesh.points, mesh.tets, mesh.edges_of_tets, *given, chosen, plain(weights)))

    def scaled(self, factor: float) -> "EnrichedField":
        """A multiple of it."""
        given = {name: factor * getattr(self, name) for name in ("phi", "dadt", "bubbles")}
        return replace(self, **given)


class Bubbles:
    """The equations of the bubbles on all edges of a mesh, for one linear potential.

    Parameters
    ----------
    linear : LinearElements
    phi : (n,) float, V
        At the nodes.
    dadt : (n, 3) float, V/m
        At the nodes.
    """

    def __init__(self, linear: LinearElements, phi: NDArray[np.float64], dadt: NDArray[np.float64]) -> None:
        self._tets, self._edges, self._nodes = linear.tets, linear.edges_of_tets, len(linear.points)
        self._parts = np.empty((kernels.PARTS, linear.n_edges))
        diagonal = np.empty_like(self._parts)
        mesh = (linear.points, linear.tets, linear.sigma, self._edges)
        self._stiffness = kernels.balance(*mesh, plain(phi), plain(dadt), self._parts, diagonal)
        #: (e,) what the potential leaves to them, and the diagonal of their matrix.
        self.residual, self.diagonal = self._parts.sum(axis=0), diagonal.sum(axis=0)

    def times(self, x: NDArray[np.float64], out: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(e,) their stiffness matrix times x (e,)."""
        kernels.apply(kernels.PARTS, self._stiffness, self._edges, x, self._parts)
        return np.asarray(self._parts.sum(axis=0, out=out))

    def heights(self) -> NDArray[np.float64]:
        """(e,) heights in V that nearly balance what the potential leaves (see `EnrichedField`)."""
        remainder, heights, direction = self.residual.copy(), np.zeros_like(self.residual), np.zeros_like(self.residual)
        scaled, image, before = np.empty_like(remainder), np.empty_like(remainder), np.inf
        for step in range(_STEPS):
            np.divide(remainder, self.diagonal, out=scaled)
            now = _inner(remainder, scaled)
            if now == 0:
                break
            direction *= now / before
            direction += scaled
            self.times(direction, image)
            length = now / _inner(direction, image)
            heights += np.multiply(direction, length, out=scaled)
            if step + 1 < _STEPS:
                remainder -= np.multiply(image, length, out=image)
            before = now
        return np.asarray(heights)

    def load(self, heights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 1) right-hand side of the linear potential that answers to bubbles of given heights (e,)."""
        parts = np.empty((kernels.PARTS, self._nodes))
        kernels.load(kernels.PARTS, self._stiffness, self._tets, self._edges, heights, parts)
        return np.asarray(-parts.sum(axis=0)[:, None])


def _inner(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Sum of products in one order, whatever the number of threads, without an array of the products."""
    return float(np.einsum("i,i->", a, b))
