"""The numerical error of each measure: how far a second opinion on the field is from what is reported.

The opinion is the field of quadratic potentials on the same mesh (`FemProblem.second_opinion`), and each measure is taken of
it by the same formula, with the field's course inside the elements. What the mesh's surfaces miss of the anatomy is not in
the error, nor are conductivities and the coil's place.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.head.tissue import GRAY_MATTER
from efield.targeting.measures import IN_HEAD, Rows, TargetMeasures, faces_near, in_gray_matter
from efield.targeting.targets import Target

if TYPE_CHECKING:
    from efield.fem.enrichment import SecondOpinion
    from efield.head.surface import Surface
    from efield.targeting.field import EField

FloatArray = NDArray[np.float64]
Value = float | tuple[float, ...] | None

#: Four places of a tetrahedron at which a rule with equal weights is exact for quadratics (Keast 1986), and three of a
#: triangle (Strang and Fix 1973).
_IN_TET: Final = (5.0 - np.sqrt(5.0)) / 20.0 + np.sqrt(5.0) / 5.0 * np.eye(4)
_IN_TRIANGLE: Final = np.full((3, 3), 1.0 / 6.0) + 0.5 * np.eye(3)


def estimated_errors(field: "EField", target: Target, values: Mapping[str, Value]) -> dict[str, float]:
    """Estimates of the errors of a summary's measures, in their own units.

    Parameters
    ----------
    field : EField
    target : Target
    values : mapping
        The measures by name, as they are reported.

    Returns
    -------
    dict of str to float
        Those that depend on the field; empty if the field has no second opinion.
    """
    opinion = field.opinion
    if opinion is None:
        return {}
    other = _at_target(field, target, opinion) | _in_head(field, opinion)
    return {name: _difference(values[name], other[name]) for name in other if values.get(name) is not None}


def _difference(one: Value, two: Value) -> float:
    return float(np.linalg.norm(np.subtract(one, two)))


def _at_target(field: "EField", target: Target, opinion: "SecondOpinion") -> dict[str, Value]:
    tets = target.tets(field.head)
    e = opinion.at(np.repeat(tets, len(_IN_TET)), np.tile(_IN_TET, (len(tets), 1)))
    given = TargetMeasures.at(field.head, target)
    surface, near = faces_near(field.head, target.center_mm, target.radius_mm)
    rows = [e] if surface is None else [e, _on_faces(field, surface, near, opinion)]
    numbers = np.arange(sum(map(len, rows)))
    each = Rows(
        numbers, np.repeat(numbers[: len(e), None], 4, axis=1), np.repeat(numbers[len(e) :, None], 3, axis=1)
    )
    finer = TargetMeasures(
        given.names,
        np.repeat(given.weights / len(_IN_TET), len(_IN_TET)),
        np.repeat(given.normals, len(_IN_TRIANGLE), axis=0),
        np.repeat(given.areas / len(_IN_TRIANGLE), len(_IN_TRIANGLE)),
        given.direction,
    )
    return dict(zip(finer.names, map(float, finer.of_rows(np.concatenate(rows)[None], each)[0]), strict=True))


def _on_faces(field: "EField", surface: "Surface", near: NDArray[np.intp], opinion: "SecondOpinion") -> FloatArray:
    """(3 f, 3) E at three places of each of the triangles (f,), on the inner side."""
    owners = surface.owners[near]
    corner_of = surface.nodes[surface.triangles[near]][:, :, None] == field.head.tets[owners][:, None, :]
    weights = np.einsum("pc,fck->fpk", _IN_TRIANGLE, corner_of.astype(np.float64))
    return opinion.at(np.repeat(owners, len(_IN_TRIANGLE)), weights.reshape(-1, 4))


def _in_head(field: "EField", opinion: "SecondOpinion") -> dict[str, Value]:
    gray = np.flatnonzero(field.head.tissue == GRAY_MATTER)
    return in_gray_matter(field.head, opinion.at(gray, np.full((len(gray), 4), 0.25)))
