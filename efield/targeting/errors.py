"""The numerical error of each measure: how far a second opinion on the field is from what is reported.

The opinion is the field of quadratic potentials on the same mesh (`FemProblem.second_opinion`), and each measure is
taken of it by the same formula, with the field's course inside the elements. Where a mesh is far too coarse the opinion
is wrong, too, and may agree by chance with a mean; the error is therefore never below the square of the relative
difference at single places. At the edges of jagged surfaces fields grow without limit, and quadratic potentials make up
about half of what is missing: there the error is a multiple of the distance. A maximum is compared with the opinion at
its own place. What the mesh's surfaces miss of the anatomy is not in the error, nor are conductivities and the coil's
place.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.locate import locator_of
from efield.head.mesh import HeadMesh
from efield.head.surface import Surface, cortex
from efield.head.tissue import GRAY_MATTER
from efield.targeting.measures import (
    AT_TARGET,
    IN_HEAD,
    MEASURES,
    MIDSURFACE,
    Rows,
    TargetMeasures,
    faces_near,
    faces_of,
    in_gray_matter,
    middle_of,
)
from efield.targeting.targets import Target

if TYPE_CHECKING:
    from efield.fem.enrichment import SecondOpinion
    from efield.targeting.field import EField

FloatArray = NDArray[np.float64]
Value = float | tuple[float, ...] | None

#: Four places of a tetrahedron at which a rule with equal weights is exact for quadratics (Keast 1986), and three of a
#: triangle (Strang and Fix 1973).
_IN_TET: Final = (5.0 - np.sqrt(5.0)) / 20.0 + np.sqrt(5.0) / 5.0 * np.eye(4)
_IN_TRIANGLE: Final = np.full((3, 3), 1.0 / 6.0) + 0.5 * np.eye(3)


def _halved(corners: int, parts: str) -> FloatArray:
    """(p, k, k) corners of the parts of an element, as weights of its own: middles of the edges between two, or one."""
    numbers = [[list(map(int, pair)) for pair in part.split()] for part in parts.split(",")]
    return np.asarray(np.eye(corners)[np.array(numbers)].mean(axis=2))


#: The parts of equal size of a tetrahedron and a triangle whose edges are halved.
_PARTS_OF_TET: Final = _halved(
    4,
    "00 01 02 03, 11 01 12 13, 22 02 12 23, 33 03 13 23, 01 23 02 12, 01 23 12 13, 01 23 13 03, 01 23 03 02",
)
_PARTS_OF_TRIANGLE: Final = _halved(3, "00 01 02, 11 01 12, 22 02 12, 01 12 02")

#: Errors exceed the distance of the two fields by the jaggedness of the cortex times this: on Delaunay meshes of random
#: points (others than those of docs/accuracy.md) jaggedness is 0.4, and the truth was off by twice the distance.
_JAGGED: Final = 3.0

#: As far as this beyond a target (mm) the cortex counts.
_AROUND_MM: Final = 10.0

#: The two tails of one distribution: what is found for the worse of them is said of both.
_TAILS: Final = ("normal_in_p99", "normal_out_p99")

#: A percentile needs as many places as this; where a target has few elements there are more in each.
_PLACES: Final = 20_000


def estimated_errors(
    field: "EField", target: Target, values: Mapping[str, Value], in_gray: FloatArray | None = None
) -> dict[str, float]:
    """Estimates of the errors of measures, in their own units.

    Parameters
    ----------
    field : EField
    target : Target
    values : mapping
        The measures by name, as they are reported. Only what these need is computed.
    in_gray : (g, 3) float, V/m, optional
        The field at the centers of all gray matter, where it is known.

    Returns
    -------
    dict of str to float
        Those that depend on the field; empty if the field has no second opinion.
    """
    opinion, head = field.opinion, field.head
    if opinion is None:
        return {}
    errors: dict[str, float] = {}
    if not values.keys().isdisjoint(AT_TARGET):
        other, tets = at_target(opinion, head, target), target.tets(head)
        mine, e = field.in_tets(tets), at_centers(opinion, tets)
        other["max_magnitude"] = _where_largest(mine, e)
        if drive := abs(field.didt) / AMPERE_PER_MICROSECOND:
            other["mean_magnitude_per_drive"] = other["mean_magnitude"] / drive
        errors |= _errors(values, other, disagreement(mine, e, head.volumes[tets]), unseen(head, target))
    if not values.keys().isdisjoint(IN_HEAD):
        gray = np.flatnonzero(head.tissue == GRAY_MATTER)
        e = at_centers(opinion, gray)
        d = disagreement(field.in_tets(gray) if in_gray is None else in_gray, e, head.volumes[gray])
        errors |= _errors(values, in_gray_matter(head, e), d, unseen(head))
    if any(name.startswith(MIDSURFACE) for name in values):
        measures, places = middle_of(head, target)
        mine, e = field.at(places), opinion.at(*locator_of(head).find(places))
        other = measures.of_vertices(e) | {f"{MIDSURFACE}max_magnitude": _where_largest(mine, e)}
        errors |= _errors(values, other, disagreement(mine, e, measures.weights), 1.0)
    return errors


def _where_largest(mine: FloatArray, other: FloatArray) -> float:
    """Size of the other field (k, 3) where one (k, 3) is largest."""
    return float(np.linalg.norm(other[np.argmax(np.linalg.norm(mine, axis=1))]))


def unseen(head: HeadMesh, target: Target | None = None) -> float:
    """How many times the distance of the two fields an error is: by the cortex around a target, or by all of it."""
    if GRAY_MATTER not in head.tags:
        return 1.0
    surface, near = cortex(head), np.empty(0, np.intp)
    if target is not None:
        near = faces_near(head, target.center_mm, target.radius_mm + _AROUND_MM)[1]
    return 1.0 + _JAGGED * surface.jaggedness(near if len(near) else np.arange(len(surface.triangles)))


def _errors(
    values: Mapping[str, Value], other: Mapping[str, Any], disagreement: float, unseen: float
) -> dict[str, float]:
    """Distances of values from those of the other field, no less than the square of the fields' disagreement."""
    distance = {
        name: float(np.linalg.norm(np.subtract(other[name], value)))
        for name, value in values.items()
        if name in other and value is not None
    }
    for where in ("", MIDSURFACE):
        tails = [where + name for name in _TAILS if where + name in distance]
        distance |= dict.fromkeys(tails, max((distance[name] for name in tails), default=0.0))
    return {
        name: unseen * float(np.hypot(apart, disagreement**2 * _size(name, values))) for name, apart in distance.items()
    }


def _size(name: str, values: Mapping[str, Value]) -> float:
    """What a relative error of the field is relative to, in the unit of a measure; places have no such size."""
    value, unit = values[name], MEASURES[name].unit
    if unit == "deg":
        return float(np.degrees(1.0))
    if not isinstance(value, float):
        return 0.0
    # A component of E is as uncertain as E is, however small it is itself.
    mean = values.get(f"{MIDSURFACE if name.startswith(MIDSURFACE) else ''}mean_magnitude")
    return max(abs(value), mean) if unit == "V/m" and isinstance(mean, float) else abs(value)


def disagreement(a: FloatArray, b: FloatArray, weights: FloatArray) -> float:
    """Relative difference of two fields (k, 3) at places of given weights: a root of mean squares."""
    size = float(weights @ np.einsum("ij,ij->i", a, a))
    return float(np.sqrt(weights @ np.einsum("ij,ij->i", a - b, a - b) / size)) if size else 0.0


def at_centers(opinion: "SecondOpinion", tets: NDArray[np.integer]) -> FloatArray:
    """(k, 3) E of a second opinion at the centers of tetrahedra (k,), V/m."""
    return opinion.at(tets, np.full((len(tets), 4), 0.25))


def measures_of(opinion: "SecondOpinion", head: HeadMesh, target: Target) -> dict[str, Any]:
    """The measures at a target and in all gray matter of a field that is known inside the elements."""
    gray = np.flatnonzero(head.tissue == GRAY_MATTER)
    return at_target(opinion, head, target) | in_gray_matter(head, at_centers(opinion, gray))


def at_target(opinion: "SecondOpinion", head: HeadMesh, target: Target) -> dict[str, float]:
    """The measures at a target of a field that is known inside the elements."""
    tets = target.tets(head)
    surface, near = faces_of(head, target)
    in_tet, in_triangle = (
        _places(_IN_TET, _PARTS_OF_TET, len(tets)),
        _places(_IN_TRIANGLE, _PARTS_OF_TRIANGLE, len(near)),
    )
    e = opinion.at(np.repeat(tets, len(in_tet)), np.tile(in_tet, (len(tets), 1)))
    given = TargetMeasures.at(head, target)
    parts = [e] if surface is None else [e, _on_faces(opinion, head, surface, near, in_triangle)]
    numbers = np.arange(sum(map(len, parts)))
    corners, faces = np.repeat(numbers[: len(e), None], 4, axis=1), np.repeat(numbers[len(e) :, None], 3, axis=1)
    finer = TargetMeasures(
        given.names,
        np.repeat(given.weights / len(in_tet), len(in_tet)),
        np.repeat(given.normals, len(in_triangle), axis=0),
        np.repeat(given.areas / len(in_triangle), len(in_triangle)),
        given.direction,
    )
    table = finer.of_rows(np.concatenate(parts)[None], Rows(numbers, corners, faces))[0]
    return dict(zip(finer.names, map(float, table), strict=True))


def _places(rule: FloatArray, parts_of: FloatArray, n: int) -> FloatArray:
    """A rule's places in an element (q, k), repeated in its parts until n elements have enough of them."""
    while 0 < n * len(rule) < _PLACES:
        rule = np.concatenate([rule @ part for part in parts_of])
    return rule


def _on_faces(
    opinion: "SecondOpinion", head: HeadMesh, surface: Surface, near: NDArray[np.intp], places: FloatArray
) -> FloatArray:
    """(q f, 3) E at places (q, 3) of each of the triangles (f,), on the inner side."""
    owners = surface.owners[near]
    corner_of = surface.nodes[surface.triangles[near]][:, :, None] == head.tets[owners][:, None, :]
    weights = np.einsum("pc,fck->fpk", places, corner_of.astype(np.float64))
    return opinion.at(np.repeat(owners, len(places)), weights.reshape(-1, 4))
