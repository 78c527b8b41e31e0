"""Where a reduced basis gives the field, in tetrahedra of the brain or at vertices of the cortex; how it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.basis.primary import Placed, at_nodes, is_summed
from efield.coils.drive import Drive
from efield.fem.answers import Places
from efield.fem.problem import FemProblem
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_name
from efield.targeting.device_primary import primary_of
from efield.targeting.measures import (
    IN_REGION,
    MIDSURFACE,
    Rows,
    TargetMeasures,
    faces_near,
    faces_of,
    midsurface_in,
)
from efield.targeting.targets import Target

AT: Final = ("tets", "surface")

#: One more than the largest tissue tag.
_TAGS: Final = 65536


@dataclass(frozen=True, eq=False, repr=False)
class Outputs(Carded):
    """What a basis gives: E at places in the brain, in ascending order, then the recovered field at pairs.

    In tetrahedra the first k rows are the field of the elements (`EField.e`). Measures are of the recovered field: its
    value at a center is the mean of those at the corners, on the side of the tetrahedron's tissue, and it is held
    at these (node, tissue) pairs, of which there are five times fewer. Second-order elements know it at the centers.
    At the vertices of a surface the field is the recovered one anyway.

    Parameters
    ----------
    at : {"tets", "surface"}
        Tetrahedra of gray and white matter, or vertices of the middle of the cortex (`mid_surface`).
    numbers : (k,) int
        Of the tetrahedra or vertices.
    points_mm : (k, 3) float
    weights : (k,) float
        Volume in mm3, or a third of the area of the triangles around the vertex in mm2.
    gray : (k,) bool
        Whether the place counts for focality.
    normals : (k, 3) float
        Outward (toward the CSF) unit normals of the surface; (0, 3) for tetrahedra.
    nodes, tags : (q,) int
        The pairs: node of the head and tag of the tissue, ascending; none on a surface.
    corners : (k, 4) int
        The four rows whose mean is the recovered field at a place.
    """

    at: str
    numbers: NDArray[np.intp]
    points_mm: FloatArray
    weights: FloatArray
    gray: NDArray[np.bool_]
    normals: FloatArray
    nodes: NDArray[np.int64]
    tags: NDArray[np.int64]
    corners: NDArray[np.intp]

    @classmethod
    def near(cls, problem: FemProblem, target: Target, radius_mm: float | None, at: str) -> "Outputs":
        """All places within a radius of a target, or in the whole brain.

        Raises
        ------
        InputError
            If an option is unknown, or the target does not lie among the places.
        """
        checks.choice("at", at, AT)
        reach = np.inf if radius_mm is None else checks.positive("region_radius_mm", radius_mm)
        outputs = _tets(problem, target, reach) if at == "tets" else _vertices(problem.head, target, reach)
        outputs.measured(problem.head, target)
        return outputs

    @property
    def rows(self) -> int:
        """Rows of E, those of the pairs included."""
        return len(self.numbers) + len(self.nodes)

    @property
    def row_weights(self) -> FloatArray:
        """Weight of each row where fields are compared; pairs repeat what the places say."""
        return np.concatenate([self.weights, np.zeros(len(self.nodes))])

    @property
    def focality(self) -> str:
        """Name of the measure of the whole region."""
        (name,) = IN_REGION
        return name if self.at == "tets" else MIDSURFACE + name

    @property
    def focality_unit(self) -> float:
        """Of that measure in the unit of the weights: mm3 to cm3, mm2 to cm2."""
        return 1e-3 if self.at == "tets" else 1e-2

    def recovered(self, e: NDArray[np.floating]) -> NDArray[np.floating]:
        """(k, 3) the recovered field at the places of all rows (r, 3)."""
        return np.asarray(e[self.corners].mean(axis=1))

    @cached_property
    def gray_rows(self) -> Rows:
        """The rows that all places of gray matter need."""
        return _needed(self.corners[self.gray], np.empty((0, 3), np.intp))

    def measured(self, head: HeadMesh, target: Target) -> tuple[TargetMeasures, Rows]:
        """How fields are measured at a target, and the rows it takes.

        Raises
        ------
        InputError
            If part of the target is not here.
        """
        if self.at == "tets":
            own = self._tets_of(head, target)
            return TargetMeasures.at(head, target), _needed(self.corners[own], self._faces_of(head, target))
        own = self._vertices_of(head, target)
        measures = TargetMeasures.on_vertices(target, self.weights[own], self.normals[own])
        return measures, _needed(self.corners[own], self.corners[own, :3])

    def _tets_of(self, head: HeadMesh, target: Target) -> NDArray[np.intp]:
        """(k,) the places that make up a target."""
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

    def _faces_of(self, head: HeadMesh, target: Target) -> NDArray[np.intp]:
        """(f, 3) the rows of the pairs at the corners of the target's faces, on the gray side."""
        surface, near = faces_of(head, target)
        if surface is None:
            return np.empty((0, 3), np.intp)
        wanted = surface.nodes[surface.triangles[near]].astype(np.int64) * _TAGS + GRAY_MATTER
        keys = self.nodes * _TAGS + self.tags
        if not np.isin(wanted, keys).all():
            raise InputError(
                "the cortex of the target must lie in the basis; instead part of it does not: enlarge region_radius_mm"
            )
        return len(self.numbers) + np.searchsorted(keys, wanted)

    def _vertices_of(self, head: HeadMesh, target: Target) -> NDArray[np.intp]:
        if GRAY_MATTER not in target.tags:
            raise InputError(
                "the target's tags must include gray matter for a basis on the cortex; instead they are "
                f'{", ".join(map(tissue_name, target.tags))}: change them, or build with at="tets"'
            )
        rows = target.among(head, self.points_mm)
        if not len(rows):
            raise InputError(
                f"the target must lie on the surface of the basis; instead {target.name} has no vertex "
                f"{target.extent}: enlarge the target or region_radius_mm"
            )
        whole = len(midsurface_in(head, lambda points: target.among(head, points))[1])
        if whole > len(rows):
            raise InputError(
                f"all of the target must lie on the surface of the basis; instead {whole - len(rows)} of its {whole} "
                "vertices do not: enlarge region_radius_mm"
            )
        return rows

    @property
    def words(self) -> str:
        """How many places they are, and of what, in words."""
        what = "vertices of the middle of the cortex" if self.at == "surface" else "tetrahedra of gray and white matter"
        return f"{len(self.numbers):,} {what}"

    def _card(self) -> Card:
        return Card("Outputs", (("size", self.words), ("unit", "V/m")))


def _needed(corners: NDArray[np.intp], faces: NDArray[np.intp]) -> Rows:
    """Rows that are needed, with the corners and faces in their own numbers."""
    numbers, found = np.unique(np.concatenate([corners.ravel(), faces.ravel()]), return_inverse=True)
    return Rows(numbers, found[: corners.size].reshape(-1, 4), found[corners.size :].reshape(-1, 3))


def _tets(problem: FemProblem, target: Target, reach: float) -> Outputs:
    head, patches = problem.head, problem.patches
    near = np.linalg.norm(head.barycenters - target.center_mm, axis=1) <= reach
    tets = np.flatnonzero(near & np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER)))
    gray = head.tissue[tets] == GRAY_MATTER
    at_corners = patches.corners(tets)
    surface, faces = faces_near(head, target.center_mm, reach)
    at_faces = np.empty(0, np.intp)
    if surface is not None:
        at_faces = patches.numbers(np.unique(surface.nodes[surface.triangles[faces]]), GRAY_MATTER)
    pairs = np.unique(np.concatenate([at_corners.ravel(), at_faces]))
    # Second-order elements are right at their centers; pairs serve the faces only.
    own = np.repeat(np.arange(len(tets))[:, None], 4, axis=1)
    corners = len(tets) + np.searchsorted(pairs, at_corners) if problem.order == 1 else own
    values = (head.barycenters[tets], head.volumes[tets], gray, np.empty((0, 3)))
    return Outputs("tets", tets, *values, patches.nodes[pairs], patches.tags[pairs].astype(np.int64), corners)


def _vertices(head: HeadMesh, target: Target, reach: float) -> Outputs:
    near = lambda points: np.flatnonzero(np.linalg.norm(points - target.center_mm, axis=1) <= reach)  # noqa: E731
    surface, chosen, share = midsurface_in(head, near)
    points, normals = surface.points_mm[chosen], surface.normals[chosen]
    own = np.repeat(np.arange(len(chosen))[:, None], 4, axis=1)
    none = np.empty(0, np.int64)
    gray = np.ones(len(chosen), np.bool_)
    return Outputs("surface", chosen, points, share[chosen], gray, normals, none, none, own)


class Reader:
    """Takes primary fields or potentials of a problem to the field at the rows of some outputs."""

    def __init__(self, problem: FemProblem, outputs: Outputs) -> None:
        self._problem, self._outputs = problem, outputs
        self._places = Places(problem.patches.numbers(outputs.nodes, outputs.tags), outputs.numbers)

    def solved(self, placements: Sequence[Placed], didt: float, cache: Path | None) -> FloatArray:
        """(r, 3, b) E in V/m of placements, each solved."""
        problem, nodes = self._problem, self._problem.nodes_mm
        fields = partial(at_nodes, placements, nodes, didt, cache)
        if self._outputs.at == "surface":
            return self(problem.solve(primary := fields()).phi, primary)
        driven = [(Drive(coil, pose, didt),) for coil, pose in placements]
        e = problem.rows_at(primary_of(problem, driven, is_summed, fields, cache), len(driven), self._places)
        pairs = len(self._places.pairs)
        return np.moveaxis(np.concatenate([e[:, pairs:], e[:, :pairs]], axis=1), 0, 2)

    def __call__(self, phi: FloatArray, dadt: FloatArray) -> FloatArray:
        """(r, 3, b) E in V/m of potentials (n, b) and their dA/dt (n, 3, b)."""
        problem, outputs = self._problem, self._outputs
        if outputs.at == "surface":
            fields = [problem.recovered_field(phi[:, k], dadt[..., k]) for k in range(phi.shape[1])]
            return np.stack([field.at(outputs.points_mm) for field in fields], axis=2)
        at_pairs, in_tets = problem.field_at(phi, dadt, self._places)
        return np.concatenate([in_tets, at_pairs])
