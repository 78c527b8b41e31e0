"""A smooth electric field within each tissue, recovered from the nodal potential.

The piecewise constant field of linear elements is first order; the potential itself is second order at the nodes.
Within a tissue of one conductivity phi solves lap(phi) = -div(dA/dt), so around each node, and on one side of an
interface at a time, it is fitted by a quadratic with that Laplacian. Where the head is smooth this gains an order.
With tensors the equation is sigma : grad(grad phi + dA/dt) = 0, with the mean sigma of the tissue's tetrahedra around
the node and without the divergence of sigma, so that tensors that turn within few elements spoil the gain
(docs/conductivity.md has figures). Coordinates are stretched so that the equation is a Laplacian again.

References
----------
Zhang Z, Naga A. A new finite element gradient recovery method: superconvergence property. SIAM J Sci Comput
2005;26:1192-1213 (fitting nodal values; here with the Laplacian given).
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.fem.assembly import LinearElements, lists_of_neighbors
from efield.ground import checks
from efield.ground.card import Card, Carded, counted
from efield.ground.checks import plain
from efield.ground.errors import InputError
from efield.ground.turns import in_turn
from efield.ground.units import mm_to_m
from efield.head.locate import Locator, locator_of
from efield.head.mesh import HeadMesh
from efield.kernels.elements import patches
from efield.kernels.elements import recovery as kernels

#: One more than the largest tissue tag.
_TAGS = 65536


class Patches:
    """The (node, tissue) pairs of a head: every node once for each tissue it touches, ascending.

    Parameters
    ----------
    head : HeadMesh
        The mesh.
    elements : LinearElements
        The same mesh in meters.
    """

    def __init__(self, head: HeadMesh, elements: LinearElements) -> None:
        self.head = head
        self.elements = elements
        tissue = np.ascontiguousarray(head.tissue)
        self.row, self.tags = patches.tissues_of_nodes(tissue, *elements.around)
        self.tissue = tissue

    @cached_property
    def locator(self) -> Locator:
        """Finds the tetrahedron of a point."""
        return locator_of(self.head)

    @cached_property
    def nodes(self) -> NDArray[np.int64]:
        """(p,) node of each pair."""
        return np.repeat(np.arange(len(self.row) - 1), np.diff(self.row))

    @cached_property
    def _beside(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Row starts (p + 1,) and pairs (s,): for each pair those that share a tetrahedron of its tissue with it."""
        mesh = (self.elements.tets, self.tissue, *self.elements.around, self.row, self.tags)
        return lists_of_neighbors(patches.neighbors, mesh, self.elements.around[0], len(self.tags))

    def for_kernels(self, pairs: NDArray[np.integer]) -> tuple[Any, ...]:
        """What the kernels take: points, all pairs, those that are asked for, and the frames of these."""
        e, chosen = self.elements, plain(np.asarray(pairs, np.int64))
        frames = patches.frames(e.points, e.tets, self.tissue, e.sigma, *e.around, self.nodes, self.tags, chosen)
        return e.points, (self.nodes, *self._beside), chosen, frames

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return np.asarray(self.nodes * _TAGS + self.tags, dtype=np.int64)

    def numbers(self, nodes: NDArray[np.integer], tags: NDArray[np.integer] | int) -> NDArray[np.intp]:
        """Numbers of the pairs of nodes and the tags of tissues that they touch; the two are broadcast."""
        keys = nodes.astype(np.int64) * _TAGS + tags
        return np.asarray(np.searchsorted(self._keys, keys), dtype=np.intp)

    def corners(self, tets: NDArray[np.integer]) -> NDArray[np.intp]:
        """(k, 4) pairs at the corners of tetrahedra (k,), on the side of their own tissue."""
        chosen = plain(np.asarray(tets, np.int64))
        return np.asarray(patches.corners(self.elements.tets, self.tissue, self.row, self.tags, chosen))

    def recover(
        self,
        phi: NDArray[np.float64],
        dadt_nodes: NDArray[np.float64],
        pairs: NDArray[np.integer],
        gradient: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """(q, 3, b) recovered E in V/m at pairs (q,), for potentials (n, b) in V and primary fields (n, 3, b) in V/m.

        Parameters
        ----------
        gradient : (q, 3, 3, b) float, optional
            Becomes dE_c/dx_d at [:, d, c] in V/m^2.
        """
        wanted = np.empty((0, 3, 3, 1)) if gradient is None else gradient
        given = *self.for_kernels(pairs), plain(phi), plain(dadt_nodes), wanted
        return np.asarray(kernels.recover(*given))

    def recovered(self, phi: NDArray[np.float64], dadt_nodes: NDArray[np.float64]) -> "RecoveredField":
        """The recovered field of one nodal potential (n,) in V and its primary field (n, 3) in V/m."""
        return RecoveredField(self, partial(self._with_gradient, phi, dadt_nodes))

    def _with_gradient(
        self, phi: NDArray[np.float64], dadt_nodes: NDArray[np.float64], pairs: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        gradient = np.empty((len(pairs), 3, 3, 1))
        field = self.recover(phi[:, None], dadt_nodes[..., None], pairs, gradient)
        return field[..., 0], gradient[..., 0]

    def average(self, corners: NDArray[np.float64], centers: NDArray[np.float64]) -> "RecoveredField":
        """The field from its values at the corners (m, 4, 3) and centers (m, 3) of second-order elements, in V/m.

        At each (node, tissue) pair the tetrahedra are averaged by volume. The centers are superconvergent: the average
        is moved in each tetrahedron so that it is right there.
        """
        tets, points = self.elements.tets, self.elements.points
        span = np.stack([points[tets[:, k]] - points[tets[:, 0]] for k in (1, 2, 3)], axis=1)
        weight = np.abs(np.linalg.det(span))
        slope = np.linalg.solve(span, corners[:, 1:] - corners[:, :1]).reshape(-1, 1, 9)
        values = np.concatenate([corners, np.broadcast_to(slope, (len(tets), 4, 9))], axis=2).reshape(-1, 12)
        pair = self.corners(np.arange(len(tets))).ravel()
        weights = np.repeat(weight, 4)
        total = np.bincount(pair, weights)
        mean = np.stack([np.bincount(pair, weights * column) for column in values.T], axis=1) / total[:, None]
        field, gradient = mean[:, :3].copy(), mean[:, 3:].reshape(-1, 3, 3).copy()
        return RecoveredField(self, partial(_rows, field, gradient), checks.read_only(centers))


def _rows(
    field: NDArray[np.float64], gradient: NDArray[np.float64], pairs: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return field[pairs], gradient[pairs]


class RecoveredField(Carded):
    """The electric field as a smooth function within each tissue, free to jump between tissues.

    It is recovered where it is asked for, and kept: a target costs milliseconds, the whole head seconds.

    Parameters
    ----------
    patches : Patches
        The (node, tissue) pairs of the head.
    recover : callable
        Takes pairs (q,) to E (q, 3) in V/m and its gradient (q, 3, 3) in V/m^2, with dE_c/dx_d at [:, d, c].
    centers : (m, 3) ndarray, optional, V/m
        E at the centers of the tetrahedra, where it is known better than by averaging: of second-order elements.
    """

    def __init__(
        self,
        patches: Patches,
        recover: Callable[[NDArray[np.intp]], tuple[NDArray[np.float64], NDArray[np.float64]]],
        centers: NDArray[np.float64] | None = None,
    ) -> None:
        self.patches, self.centers = patches, centers
        self._recover = recover
        self._known = np.zeros(len(patches.tags), np.bool_)
        self._field, self._gradient = np.empty((len(patches.tags), 3)), np.empty((len(patches.tags), 3, 3))

    def _learn(self, pairs: NDArray[np.intp]) -> None:
        """Recover the field at those of the pairs where it is not known yet."""
        if not self._known[pairs].all():  # else nobody need wait
            self._learn_more(pairs)

    @in_turn
    def _learn_more(self, pairs: NDArray[np.intp]) -> None:
        asked = np.zeros(len(self._known), np.bool_)
        asked[pairs] = True
        new = np.flatnonzero(asked & ~self._known)
        if len(new) == len(self._known):  # nothing is copied
            self._field, self._gradient = self._recover(new)
        elif len(new):
            self._field[new], self._gradient[new] = self._recover(new)
        self._known[new] = True

    @property
    def field(self) -> NDArray[np.float64]:
        """(p, 3) E at every pair, V/m."""
        self._learn(np.arange(len(self._known)))
        return checks.read_only(self._field)

    @property
    def gradient(self) -> NDArray[np.float64]:
        """(p, 3, 3) dE_c/dx_d at every pair, at [:, d, c], V/m^2."""
        self._learn(np.arange(len(self._known)))
        return checks.read_only(self._gradient)

    def scaled(self, factor: float) -> "RecoveredField":
        """A multiple of the field; what is known of this one is not recovered again."""
        known = partial(self._known_times, factor)
        return RecoveredField(self.patches, known, None if self.centers is None else factor * self.centers)

    def _known_times(self, factor: float, pairs: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        self._learn(pairs)
        return factor * self._field[pairs], factor * self._gradient[pairs]

    def at(self, points_mm: ArrayLike, locator: Locator | None = None) -> NDArray[np.float64]:
        """E at any points.

        Parameters
        ----------
        points_mm : (n, 3) array_like, mm
            Points. One on an interface gets the field of the tetrahedron with the lowest number that touches it.
        locator : Locator, optional
            A locator of the same head, to share its tables.

        Returns
        -------
        (n, 3) ndarray, V/m
            nan outside the head.
        """
        targets = checks.vectors("points_mm", points_mm)
        tet, weights = (locator or self.patches.locator).find(targets)
        e = self._blended(tet, weights, mm_to_m(targets))
        if self.centers is not None:
            inside = np.flatnonzero(tet >= 0)
            e[inside] += self._off_center(tet[inside])
        return e

    def averaged(self, tets: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(q, 3) E in V/m from its expansions at the corners alone, at barycentric coordinates (q, 4) in tets (q,)."""
        e = self.patches.elements
        places = np.einsum("qk,qkd->qd", weights, e.points[e.tets[tets]])
        return self._blended(tets, np.ascontiguousarray(weights), places)

    def _blended(
        self, tet: NDArray[np.integer], weights: NDArray[np.float64], points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """E from the expansions at the corners of the tetrahedra that hold the points (in m)."""
        p, e = self.patches, self.patches.elements
        self._learn(p.corners(tet[tet >= 0]).ravel())
        corners = (e.points, e.tets, p.tissue, p.row, p.tags, self._field, self._gradient)
        return np.asarray(kernels.evaluate(*corners, np.asarray(tet, np.int64), weights, points))

    def _off_center(self, tets: NDArray[np.integer]) -> NDArray[np.float64]:
        """(k, 3) what the blended field lacks at the centers of tetrahedra."""
        assert self.centers is not None  # noqa: S101 - asked by those who have looked
        points = self.patches.elements.points[self.patches.elements.tets[tets]].mean(axis=1)
        return np.asarray(self.centers[tets] - self._blended(tets, np.full((len(tets), 4), 0.25), points))

    def in_tets(self, tets: NDArray[np.integer]) -> NDArray[np.float64]:
        """(k, 3) E at the centers of the tetrahedra with the given numbers (k,), in V/m."""
        if self.centers is not None:
            return np.asarray(self.centers[tets])
        corners = self.patches.corners(tets)
        self._learn(corners.ravel())
        return np.asarray(kernels.centers(self._field[..., None], corners)[..., 0])

    def at_nodes(self, tag: int) -> NDArray[np.float64]:
        """E at every node of the head, as seen from one tissue.

        Parameters
        ----------
        tag : int
            Tissue tag; at an interface node this chooses the side.

        Returns
        -------
        (n, 3) ndarray, V/m
            nan at nodes that the tissue does not touch.

        Raises
        ------
        InputError
            If the head has no such tissue.
        """
        self._check_tag(tag)
        out = np.full((len(self.patches.head.points), 3), np.nan)
        chosen = np.flatnonzero(self.patches.tags == tag)
        self._learn(chosen)
        out[self.patches.nodes[chosen]] = self._field[chosen]
        return out

    def on_nodes(self, nodes: NDArray[np.integer], tag: int) -> NDArray[np.float64]:
        """(k, 3) E in V/m at nodes (k,), on the side of a tissue; nan at nodes that it does not touch.

        Raises
        ------
        InputError
            If the head has no such tissue.
        """
        self._check_tag(tag)
        pairs = np.minimum(self.patches.numbers(nodes, tag), len(self._known) - 1)
        touched = (self.patches.nodes[pairs] == nodes) & (self.patches.tags[pairs] == tag)
        self._learn(pairs[touched])
        out = np.full((len(nodes), 3), np.nan)
        out[touched] = self._field[pairs[touched]]
        return out

    def _check_tag(self, tag: int) -> None:
        if tag not in self.patches.head.tags:
            raise InputError(
                f"tag must be a tissue of this head ({', '.join(map(str, self.patches.head.tags))}); "
                f"instead received {tag!r}"
            )

    def _card(self) -> Card:
        known, pairs = int(self._known.sum()), counted(len(self._known), "pair")
        rows = (("size", f"{pairs} of node and tissue, {known} of them known so far"),)
        return Card("RecoveredField", (*rows, ("unit", "V/m, smooth within each tissue")))
