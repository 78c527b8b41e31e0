"""Where a reduced basis gives the field, in tetrahedra of the brain or at vertices of the cortex; how it is read."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.fem.assembly import LinearElements
from efield.fem.problem import FemProblem
from efield.fem.recovery import Patches
from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.surface import TriangleSurface
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_name
from efield.kernels.elements import tets as kernels
from efield.targeting.placement_measures import Measures
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]

AT: Final = ("tets", "surface")
FIELDS: Final = ("element", "recovered")

#: One more than the largest tissue tag.
_TAGS: Final = 65536


@dataclass(frozen=True, eq=False, repr=False)
class Places(Carded):
    """Places in the brain, in ascending order of their numbers.

    Parameters
    ----------
    at : {"tets", "surface"}
        Centers of tetrahedra of gray and white matter, or vertices of the middle of the cortex (`mid_surface`).
    field : {"element", "recovered"}
        The field of the finite elements, or the one recovered within each tissue, which surfaces always have.
    numbers : (k,) int
        Of the tetrahedra or vertices.
    points_mm : (k, 3) float
    weights : (k,) float
        Volume in mm3, or a third of the area of the triangles around the vertex in mm2.
    gray : (k,) bool
        Whether the place counts for focality.
    normals : (k, 3) float
        Outward (toward the CSF) unit normals of the surface; (0, 3) for tetrahedra.
    """

    at: str
    field: str
    numbers: NDArray[np.intp]
    points_mm: FloatArray
    weights: FloatArray
    gray: NDArray[np.bool_]
    normals: FloatArray

    @classmethod
    def near(cls, head: HeadMesh, target: Target, radius_mm: float | None, at: str, field: str | None) -> "Places":
        """All places within a radius of a target, or in the whole brain.

        Raises
        ------
        InputError
            If an option is unknown, or the target does not lie among the places.
        """
        checks.choice("at", at, AT)
        wanted = checks.choice("field", field or ("element" if at == "tets" else "recovered"), FIELDS)
        reach = np.inf if radius_mm is None else checks.positive("region_radius_mm", radius_mm)
        if at == "surface" and wanted == "element":
            raise InputError('field must be "recovered" on a surface; the field per tetrahedron has no value there')
        places = (_tets if at == "tets" else _vertices)(head, target, reach, wanted)
        places.rows(head, target)
        return places

    def rows(self, head: HeadMesh, target: Target) -> NDArray[np.intp]:
        """Which of the places make up a target.

        Raises
        ------
        InputError
            If part of the target is not here.
        """
        if self.at == "surface":
            return self._vertices_of(head, target)
        wanted = target.tets(head)
        others = sorted(set(head.tissue[wanted].tolist()) - {WHITE_MATTER, GRAY_MATTER})
        if others:
            raise InputError(
                "the target's tissue must be gray or white matter, where a basis gives the field; instead it has "
                f"{', '.join(map(tissue_name, others))}: change the target's tags, or use full solves"
            )
        missing = int((~np.isin(wanted, self.numbers)).sum())
        if missing:
            raise InputError(
                "the target's tissue must lie in the gray and white matter of the basis; instead "
                f"{missing} of its {len(wanted)} tetrahedra do not: enlarge region_radius_mm"
            )
        return np.searchsorted(self.numbers, wanted)

    def _vertices_of(self, head: HeadMesh, target: Target) -> NDArray[np.intp]:
        if GRAY_MATTER not in target.tags:
            raise InputError(
                "the target's tags must include gray matter for a basis on the cortex; instead they are "
                f'{", ".join(map(tissue_name, target.tags))}: change them, or build with at="tets"'
            )
        rows = np.flatnonzero(np.linalg.norm(self.points_mm - target.center_mm, axis=1) <= target.radius_mm)
        if not len(rows):
            raise InputError(
                f"the target must lie on the surface of the basis; instead {target.name} has no vertex within "
                f"{target.radius_mm:g} mm: enlarge the target or region_radius_mm"
            )
        whole = len(_surface_at(head, target.center_mm, target.radius_mm)[1])
        if whole > len(rows):
            raise InputError(
                f"all of the target must lie on the surface of the basis; instead {whole - len(rows)} of its {whole} "
                "vertices do not: enlarge region_radius_mm"
            )
        return rows

    def measures(self, head: HeadMesh, target: Target) -> tuple[Measures, NDArray[np.intp]]:
        """How fields are measured at a target, and the rows (k,) of its places."""
        rows = self.rows(head, target)
        if self.at == "tets":
            return Measures.at(head, target), rows
        faces = (np.arange(len(rows)), self.normals[rows], self.weights[rows])
        return Measures(self.weights[rows], target.direction, faces), rows

    @property
    def words(self) -> str:
        """How many they are, and of what, in words."""
        what = "vertices of the middle of the cortex" if self.at == "surface" else "tetrahedra of gray and white matter"
        return f"{len(self.numbers):,} {what}"

    def _card(self) -> Card:
        return Card("Places", (("size", self.words), ("field", f"{self.field}, V/m")))


def _tets(head: HeadMesh, target: Target, reach: float, field: str) -> Places:
    near = np.linalg.norm(head.barycenters - target.center_mm, axis=1) <= reach
    tets = np.flatnonzero(near & np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER)))
    gray = head.tissue[tets] == GRAY_MATTER
    return Places("tets", field, tets, head.barycenters[tets], head.volumes[tets], gray, np.empty((0, 3)))


def _surface_at(
    head: HeadMesh, center_mm: FloatArray, reach: float
) -> tuple[TriangleSurface, NDArray[np.intp], FloatArray]:
    """The middle of the cortex, its vertices within a reach that are in the head, and the share of area of all."""
    surface = mid_surface(head)
    thirds = np.repeat(surface.areas / 3.0, 3)
    share = np.bincount(surface.triangles.ravel(), thirds, len(surface.points_mm)).astype(np.float64)
    near = np.linalg.norm(surface.points_mm - center_mm, axis=1) <= reach
    chosen = np.flatnonzero(near & (share > 0))
    tet, _ = Locator(head).find(surface.points_mm[chosen])
    return surface, chosen[tet >= 0], share


def _vertices(head: HeadMesh, target: Target, reach: float, field: str) -> Places:
    surface, chosen, share = _surface_at(head, target.center_mm, reach)
    points, normals = surface.points_mm[chosen], surface.normals[chosen]
    return Places("surface", field, chosen, points, share[chosen], np.ones(len(chosen), np.bool_), normals)


class Reader:
    """Takes potentials of a problem to the field at some places.

    Parameters
    ----------
    problem : FemProblem
    places : Places
    """

    def __init__(self, problem: FemProblem, places: Places) -> None:
        self._problem, self._places, head = problem, places, problem.head
        self._tets = Locator(head).find(places.points_mm)[0] if places.at == "surface" else places.numbers
        self._corners = np.ascontiguousarray(head.tets[self._tets])
        recovers = places.field == "recovered" and problem.order == 1
        self._part = _Part.around(problem.linear, head, self._tets) if recovers else None

    def __call__(self, phi: FloatArray, dadt: FloatArray) -> FloatArray:
        """(k, 3, b) E in V/m of potentials (n, b) and their dA/dt (n, 3, b)."""
        if self._places.field == "recovered":
            return np.stack([self._recovered(phi[:, k], dadt[..., k]) for k in range(phi.shape[1])], axis=2)
        if self._problem.order == 2:
            return self._problem.element_field(phi, dadt)[self._tets]
        return np.asarray(kernels.element_field(self._problem.linear.points, self._corners, phi, dadt))

    def _recovered(self, phi: FloatArray, dadt: FloatArray) -> FloatArray:
        if self._part is None:
            head, tets = self._problem.head, self._tets
            field = self._problem.recovered_field(np.ascontiguousarray(phi), np.ascontiguousarray(dadt))
        else:
            head, tets = self._part.patches.head, self._part.tets
            field = self._part.patches.recover(phi[self._part.nodes], dadt[self._part.nodes])
        if self._places.at == "surface":
            return field.at(self._places.points_mm)
        # Values at the corners, as seen from the tetrahedron's tissue.
        e, tissue = np.empty((len(tets), 3)), head.tissue[tets]
        for tag in np.unique(tissue):
            of_tag = tissue == tag
            e[of_tag] = field.at_nodes(int(tag))[head.tets[tets[of_tag]]].mean(axis=1)
        return e


@dataclass(frozen=True, eq=False)
class _Part:
    """The part of a head that the recovered field in some tetrahedra depends on.

    Parameters
    ----------
    nodes : (n',) int
        Its nodes, ascending.
    tets : (k,) int
        The tetrahedra, in the part's numbers.
    patches : Patches
        Of the part, at the corners of the tetrahedra and on the side of their tissue only.
    """

    nodes: NDArray[np.intp]
    tets: NDArray[np.intp]
    patches: Patches

    @classmethod
    def around(cls, elements: LinearElements, head: HeadMesh, tets: NDArray[np.intp]) -> "_Part":
        """Of the tetrahedra with the given numbers: patches reach two rings of neighbors far."""
        near = np.zeros(len(head.points), np.bool_)
        near[head.tets[tets]] = True
        near[head.tets[near[head.tets].any(axis=1)]] = True
        kept = np.flatnonzero(near[head.tets].any(axis=1))
        found, corners = np.unique(head.tets[kept], return_inverse=True)
        nodes = found.astype(np.intp)
        small = corners.reshape(-1, 4).astype(np.int32)
        # Numbers ascend as in the head, so sums run in the same order and give the same bits.
        part = HeadMesh(points=head.points[nodes], tets=small, tissue=head.tissue[kept])
        patches = Patches(part, LinearElements(elements.points[nodes], small, elements.sigma[kept]))
        own = np.searchsorted(kept, tets)
        wanted = small[own].astype(np.int64) * _TAGS + part.tissue[own][:, None].astype(np.int64)
        chosen = np.isin(patches.nodes * _TAGS + patches.tags, wanted)
        counts = np.bincount(patches.nodes[chosen], minlength=len(nodes))
        del patches.nodes
        patches.row, patches.tags = np.concatenate([[0], np.cumsum(counts)]), patches.tags[chosen]
        return cls(nodes, own, patches)
