"""The numerical error of each measure: how far a second opinion on the field is from what is reported.

The opinion is the field of quadratic potentials on the same mesh (`FemProblem.second_opinion`), and each measure is
taken of it by the same formula, with the field's course inside the elements. What the mesh's surfaces miss of the
anatomy is not in the error, nor are conductivities and the coil's place.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.mesh import HeadMesh
from efield.head.surface import Surface
from efield.head.tissue import GRAY_MATTER
from efield.targeting.measures import Rows, TargetMeasures, faces_of, in_gray_matter
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
    if field.opinion is None:
        return {}
    other = measures_of(field.opinion, field.head, target)
    if drive := abs(field.didt) / AMPERE_PER_MICROSECOND:
        other["mean_magnitude_per_drive"] = other["mean_magnitude"] / drive
    return {
        name: float(np.linalg.norm(np.subtract(other[name], value)))
        for name, value in values.items()
        if name in other and value is not None
    }


def measures_of(opinion: "SecondOpinion", head: HeadMesh, target: Target) -> dict[str, Any]:
    """The measures at a target and in all gray matter of a field that is known inside the elements."""
    tets = target.tets(head)
    e = opinion.at(np.repeat(tets, len(_IN_TET)), np.tile(_IN_TET, (len(tets), 1)))
    given = TargetMeasures.at(head, target)
    surface, near = faces_of(head, target)
    parts = [e] if surface is None else [e, _on_faces(opinion, head, surface, near)]
    numbers = np.arange(sum(map(len, parts)))
    corners, faces = np.repeat(numbers[: len(e), None], 4, axis=1), np.repeat(numbers[len(e) :, None], 3, axis=1)
    finer = TargetMeasures(
        given.names,
        np.repeat(given.weights / len(_IN_TET), len(_IN_TET)),
        np.repeat(given.normals, len(_IN_TRIANGLE), axis=0),
        np.repeat(given.areas / len(_IN_TRIANGLE), len(_IN_TRIANGLE)),
        given.direction,
    )
    table = finer.of_rows(np.concatenate(parts)[None], Rows(numbers, corners, faces))[0]
    gray = np.flatnonzero(head.tissue == GRAY_MATTER)
    centers = opinion.at(gray, np.full((len(gray), 4), 0.25))
    return dict(zip(finer.names, map(float, table), strict=True)) | in_gray_matter(head, centers)


def _on_faces(opinion: "SecondOpinion", head: HeadMesh, surface: Surface, near: NDArray[np.intp]) -> FloatArray:
    """(3 f, 3) E at three places of each of the triangles (f,), on the inner side."""
    owners = surface.owners[near]
    corner_of = surface.nodes[surface.triangles[near]][:, :, None] == head.tets[owners][:, None, :]
    weights = np.einsum("pc,fck->fpk", _IN_TRIANGLE, corner_of.astype(np.float64))
    return opinion.at(np.repeat(owners, len(_IN_TRIANGLE)), weights.reshape(-1, 4))
