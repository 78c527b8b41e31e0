"""|E| at the nodes of a head by tissue, which slices interpolate: one value for each tissue that meets at a node."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.viz.drawn_tissue import drawn_tissue

if TYPE_CHECKING:
    from efield.head.mesh import HeadMesh
    from efield.targeting.field import EField


#: (n,) |E| in V/m at the nodes of a head, by tag; nan where a tissue does not reach.
Nodal = dict[int, FloatArray]


def shown_tissues(head: "HeadMesh") -> tuple[int, ...]:
    """Tags of the tissues whose field slices show: gray and white matter, or what a head has instead."""
    return tuple(sorted({drawn_tissue(head)} | ({GRAY_MATTER, WHITE_MATTER} & set(head.tags))))


def magnitudes(field: "EField") -> Nodal:
    """Recovered |E| of the tissues that slices show."""
    return {tag: np.linalg.norm(field.recovered.at_nodes(tag), axis=1) for tag in shown_tissues(field.head)}


def averaged(head: "HeadMesh", tets: NDArray[np.integer], values: FloatArray) -> FloatArray:
    """(n,) mean of tetrahedra (k) around each node, weighted by volume; nan where there is none."""
    corners = head.tets[tets].ravel()
    weights = np.repeat(head.volumes[tets], 4)
    total = np.bincount(corners, weights, len(head.points))
    sums = np.bincount(corners, weights * np.repeat(values, 4), len(head.points))
    return np.asarray(np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0))
