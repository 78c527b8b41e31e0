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


def current_at(field: "EField", tag: int, center_mm: ArrayLike) -> NDArray[np.float64]:
    """(3,) unit vector along the recovered field of one tissue, its mean around a point or that of the nearest node.

    Zero where there is no field.
    """
    e = field.recovered.at_nodes(tag)
    own = np.flatnonzero(np.isfinite(e[:, 0]))
    distance = np.linalg.norm(field.head.points[own] - checks.vector("center_mm", center_mm), axis=1)
    near = own[distance <= max(_ARROW_RADIUS_MM, float(distance.min()))]
    direction = np.asarray(e[near].mean(axis=0))
    length = float(np.linalg.norm(direction))
    return direction / (length if length > 0 else 1.0)


def strongest_point(field: "EField", tag: int) -> NDArray[np.float64]:
    """(3,) node of one tissue with the strongest recovered field, mm."""
    return np.asarray(field.head.points[np.nanargmax(np.linalg.norm(field.recovered.at_nodes(tag), axis=1))])
