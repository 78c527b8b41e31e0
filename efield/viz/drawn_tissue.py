"""Which tissue a picture shows, and the field's direction at a target."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER

if TYPE_CHECKING:
    from efield.head.mesh import HeadMesh
    from efield.targeting.field import EField

#: Nodes this near to the target are averaged into the arrow drawn there (mm): about half a gyrus wide.
_ARROW_RADIUS_MM = 5.0


def drawn_tissue(head: "HeadMesh") -> int:
    """The tissue whose field a picture shows: gray matter, else white, else the innermost one there is."""
    return next((tag for tag in (GRAY_MATTER, WHITE_MATTER) if tag in head.tags), head.tags[0])


def field_around(field: "EField", tag: int, center_mm: ArrayLike) -> NDArray[np.float64]:
    """(3,) mean recovered field of one tissue around a point, V/m; that of its nearest node if none is near."""
    e = field.recovered.at_nodes(tag)
    own = np.flatnonzero(np.isfinite(e[:, 0]))
    distance = np.linalg.norm(field.head.points[own] - checks.vector("center_mm", center_mm), axis=1)
    near = own[distance <= max(_ARROW_RADIUS_MM, float(distance.min()))]
    return np.asarray(e[near].mean(axis=0))


def strongest_point(field: "EField", tag: int) -> NDArray[np.float64]:
    """(3,) node of one tissue with the strongest recovered field, mm."""
    return np.asarray(field.head.points[np.nanargmax(np.linalg.norm(field.recovered.at_nodes(tag), axis=1))])
