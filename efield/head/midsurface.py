"""The middle of the cortex, for heads without a central surface of their own."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.closest import signed_distance
from efield.head.mesh import HeadMesh, given_head, once_per_head
from efield.head.surface import TriangleSurface, boundary, cortex
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER

#: Human cortex is 1 to 4.5 mm thick (Fischl and Dale 2000, PNAS 97:11050). Gray matter farther from white is a nucleus,
#: the cerebellum, or a gyrus whose white core the labels lack (mm).
THICKEST_MM: Final = 6.0

#: Half of the cortex' mean thickness, 2.5 mm (Fischl and Dale 2000): how deep the middle is taken to be there.
ASSUMED_DEPTH_MM: Final = 1.25


@once_per_head
def mid_surface(head: HeadMesh) -> TriangleSurface:
    """The surface halfway between the pial surface and the gray/white interface.

    Every vertex of the pial surface goes half of its way to the nearest place on the interface. Where the surfaces are
    smooth no two ways meet, because each ends at the interface's nearest place from any point on it; so the result has
    the triangles of the pial surface and does not cross itself. Where the way is longer than 6 mm, or leads outward
    across CSF, there is no cortex of two sides, and the vertex goes 1.25 mm inward along the normal.

    Parameters
    ----------
    head : HeadMesh
        With white and gray matter (tags 1 and 2).

    Returns
    -------
    TriangleSurface
        Vertices and triangles in the order of `cortex`; normals point outward, to the CSF.

    Raises
    ------
    InputError
        If the head has no white or gray matter.
    """
    pial, places, thickness = _cortical_ways(head)
    way = places - pial.points_mm
    two_sided = (thickness <= THICKEST_MM) & (np.einsum("ij,ij->i", way, pial.normals) <= 0)
    step = np.where(two_sided[:, None], way / 2.0, -ASSUMED_DEPTH_MM * pial.normals)
    return TriangleSurface(checks.read_only(pial.points_mm + step), pial.triangles)


def cortical_thickness(head: HeadMesh) -> NDArray[np.float64]:
    """(p,) distance of each vertex of `cortex` to the gray/white interface, mm.

    Raises
    ------
    InputError
        If the head has no white or gray matter.
    """
    return _cortical_ways(head)[2]


def _cortical_ways(head: HeadMesh) -> tuple[TriangleSurface, NDArray[np.float64], NDArray[np.float64]]:
    """The pial surface, the nearest place on the gray/white interface to each of its vertices, and the distance."""
    given_head(head)
    missing = [tag for tag in (WHITE_MATTER, GRAY_MATTER) if tag not in head.tags]
    if missing:
        raise InputError(
            f"a mid-surface needs white and gray matter (tags 1 and 2); instead the head's tags are {head.tags}: "
            "give a surface"
        )
    pial = cortex(head)
    places, distance = signed_distance(_interface(head)).find(pial.points_mm)
    return pial, places, distance


def _interface(head: HeadMesh) -> TriangleSurface:
    """The faces between gray and white matter: those of white matter that are not also faces of the brain."""
    white = boundary(head, (WHITE_MATTER,))
    corners = np.sort(white.nodes[white.triangles], axis=1)
    brain = boundary(head, (WHITE_MATTER, GRAY_MATTER))
    outer = np.sort(brain.nodes[brain.triangles[head.tissue[brain.owners] == WHITE_MATTER]], axis=1)
    base = np.int64(len(head.points))
    key = (corners[:, 0] * base + corners[:, 1]) * base + corners[:, 2]
    outer_key = (outer[:, 0] * base + outer[:, 1]) * base + outer[:, 2]
    return TriangleSurface(white.points_mm, white.triangles[~np.isin(key, outer_key)])
