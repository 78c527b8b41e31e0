"""A field, and the head it is in, as shapes: cortex, layers, slices, arrows, the target's mark."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.numbering import renumbered
from efield.ground.rows import distinct_rows
from efield.head.mesh import HeadMesh
from efield.head.surface import Surface, TriangleSurface, boundary, brain
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.viz import palette
from efield.viz.nodal import Nodal
from efield.viz.scale import Scale
from efield.viz.section import cut
from efield.viz.shapes import Shape, arrow, arrows, ball

if TYPE_CHECKING:
    from efield.targeting.field import EField


#: The target's mark: its radius, the length of its arrow, and how far around it the cortex must not hide it (mm).
_MARK_RADIUS_MM: Final = 1.6
_MARK_ARROW_MM: Final = 14.0
_MARK_CLEARS_MM: Final = 5.0

#: One field arrow per cell of this size, the length of the longest, how far above the crown, and how far around (mm).
_SPACING_MM: Final = 3.6
_LONGEST_MM: Final = 3.4
_LIFT_MM: Final = 2.0
_REACH_MM: Final = 45.0

#: Arrows are drawn where the cortex faces outward at least this much (cosine): on crowns, not in sulci.
_FACING: Final = 0.55


def cortex_with_field(field: "EField", tag: int) -> tuple[Surface, FloatArray]:
    """The surface to color and (p, 3) the field on it.

    Gray matter is shown with the white matter inside it: where the gray sheet has a gap (brain stem, thin spots of
    a mesh) the white surface closes it, with its own field.
    """
    surface = outer_surface(field.head, tag)
    if tag != GRAY_MATTER or WHITE_MATTER not in field.head.tags:
        return surface, field.on_vertices(surface, tag)
    e = field.on_vertices(surface, GRAY_MATTER)
    return surface, np.where(np.isnan(e), field.on_vertices(surface, WHITE_MATTER), e)


def outer_surface(head: HeadMesh, tag: int) -> Surface:
    """The outer surface of a tissue and of what it encloses of the brain."""
    if tag == GRAY_MATTER and WHITE_MATTER in head.tags:
        return brain(head)
    return boundary(head, (tag,))


def field_arrows(
    surface: Surface, e: FloatArray, limit: float, center_mm: FloatArray, outward: FloatArray
) -> Shape | None:
    """Arrows of E (p, 3) on the crowns of the gyri around a place, as long as |E| over `limit`; None if there is none.

    Parameters
    ----------
    surface : Surface
    e : (p, 3) float, V/m
    limit : float, V/m
        Of the longest arrow.
    center_mm : (3,) float
    outward : (3,) float
        Out of the head there.
    """
    chosen = crown_vertices(surface, center_mm, outward)
    if not len(chosen):
        return None
    scaled = e[chosen] * (_LONGEST_MM / limit)
    # Centered on its vertex and lifted outward, an arrow is not swallowed by the bend of the crown.
    tails = surface.points_mm[chosen] - scaled / 2 + _LIFT_MM * outward
    return Shape("arrows of E", arrows(tails, scaled), palette.INK, flat=True)


def crown_vertices(surface: TriangleSurface, center_mm: FloatArray, outward: FloatArray) -> NDArray[np.int64]:
    """Vertices that carry an arrow: evenly spaced seen from outside, crowns before walls, none turned away.

    Parameters
    ----------
    surface : TriangleSurface
    center_mm : (3,) float
    outward : (3,) float
    """
    from efield.viz.views import View

    up = (0.0, 1.0, 0.0) if abs(outward[1]) < 0.9 else (0.0, 0.0, 1.0)
    placed = View(center_mm, outward, np.asarray(up), _REACH_MM).in_picture(surface.points_mm)
    inside = np.flatnonzero((np.linalg.norm(placed[:, :2], axis=1) < _REACH_MM) & (placed[:, 2] > -_REACH_MM))
    # The outermost vertex goes first and clears its surroundings: what lies under it is hidden anyway.
    order = inside[np.argsort(-placed[inside, 2], kind="stable")]
    cells = np.floor(placed[order, :2] / (_SPACING_MM / 4)).astype(np.int64)
    order = order[np.sort(distinct_rows(cells)[0])]
    top = order[_spread(placed[order, :2], _SPACING_MM)]
    return np.asarray(top[surface.normals[top] @ outward > _FACING])


def _spread(points: FloatArray, spacing: float) -> list[int]:
    """Numbers of the points that are left when each, in turn, removes the later ones within a distance."""
    free = np.ones(len(points), dtype=bool)
    chosen = []
    for number in range(len(points)):
        if free[number]:
            chosen.append(number)
            free &= ((points - points[number]) ** 2).sum(axis=1) > spacing**2
    return chosen


def target_mark(crown_mm: FloatArray, along: FloatArray | None, size: float) -> list[Shape]:
    """A ball that nothing hides, and an arrow along the current where one is given as a unit vector (3,)."""
    mark = [Shape("target", ball(crown_mm, size * _MARK_RADIUS_MM), palette.TARGET_COLOR, closed=True, on_top=True)]
    if along is not None and along.any():  # no field, no direction
        solid = arrow(crown_mm, size * _MARK_ARROW_MM * along)
        mark.append(Shape("target", solid, palette.TARGET_COLOR, flat=True, on_top=True))
    return mark


def above_cortex(surface: TriangleSurface, center_mm: FloatArray, outward: FloatArray) -> FloatArray:
    """(3,) the point above a place that clears the cortex around it, where a mark can be seen."""
    offset = surface.points_mm - center_mm
    height = offset @ outward
    beside = np.linalg.norm(offset - height[:, None] * outward, axis=1) < _MARK_CLEARS_MM
    tallest = float(height[beside].max()) if beside.any() else 0.0
    return np.asarray(center_mm + (max(tallest, 0.0) + _MARK_RADIUS_MM) * outward)


def slice_shapes(head: HeadMesh, axis: int, position_mm: float, nodal: Nodal, scale: Scale) -> list[Shape]:
    """A plane through the head: |E| in the tissues of `nodal`, plain fills in the others.

    Parameters
    ----------
    head : HeadMesh
    axis : int
        That the plane is perpendicular to: 0 x, 1 y, 2 z.
    position_mm : float
        On that axis.
    nodal : dict
    scale : Scale
    """
    section = cut(head, axis, position_mm)
    points = np.insert(section.points_mm, axis, position_mm, axis=1)
    found = []
    for tag in np.unique(section.tissue):
        triangles = section.triangles[section.tissue == tag]
        used, corners = renumbered(triangles)
        plane = TriangleSurface(points[used], corners)
        if tag in nodal:
            values = np.nan_to_num(section.interpolated(nodal[int(tag)])[used])
            found.append(Shape("slices", plane, "plain", values=values, scale=scale, lit=False))
        else:
            found.append(Shape("slices", plane, palette.TISSUE_FILLS.get(int(tag), palette.OTHER_FILL), lit=False))
    return found
