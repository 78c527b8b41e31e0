"""A coil as shapes: windings, casing, handle, and the current that it induces."""

from typing import Final

import numpy as np

from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.head.surface import TriangleSurface
from efield.viz import palette
from efield.viz.shapes import Glass, Shape, arrow, joined, moved, tube

#: Opacity of each wall of a casing: what is under it must stay readable.
_CASING: Final[Glass] = (0.13, 0.6)

_WIRE_RADIUS_MM: Final = 0.55

#: A wire that is drawn again and again has a point where it has bent this much: 0.4 mm from a turn of 40 mm.
_BEND_DEG: Final = 15.0

#: A handle is drawn so long and thick (mm); a casing that reaches this far behind the wire already has one.
_HANDLE_MM, _HANDLE_RADIUS_MM, _OWN_HANDLE_MM = 70.0, 8.0, 45.0
_INTO_CASING_MM: Final = 3.0

#: The arrow of the induced current: its length, and its height above the coil (mm).
_CURRENT_MM: Final = 46.0
_CURRENT_ABOVE_MM: Final = 5.0


def coil_shapes(
    coil: Coil, pose: Pose, *, handle: bool, current: bool, reverse: bool, fine: bool = True
) -> list[Shape]:
    """Windings, casing, handle and induced current of a coil where it is held.

    Parameters
    ----------
    coil : Coil
    pose : Pose
    handle : bool
        Draw a handle along -y, unless the casing has one; its shape is made up, its direction is the pose's.
    current : bool
        Draw an arrow along the current that is induced in the cortex under the coil's center; a round coil has none.
    reverse : bool
        The coil's current falls first.
    fine : bool
        False draws wires of a sixth of the triangles, for what is drawn again and again.
    """
    found = [_placed(shape, pose) for shape in (*_windings(coil, fine), *_casing(coil))]
    if handle and not _has_own_handle(coil):
        found.append(_placed(Shape("handle", _handle(coil), "handle", closed=True), pose))
    direction = induced_direction(coil) if current else None
    if direction is not None:
        along = pose.current(direction) * (-_CURRENT_MM if reverse else _CURRENT_MM)
        above = pose.to_head([[0.0, 0.0, _back(coil) - _CURRENT_ABOVE_MM]])[0]
        solid = arrow(above - along / 2, along)
        found.append(Shape("induced current", solid, palette.TARGET_COLOR, flat=True, on_top=True))
    return found


def _placed(shape: Shape, pose: Pose) -> Shape:
    return moved(shape, pose.to_head(shape.surface.points_mm))


def _windings(coil: Coil, fine: bool) -> list[Shape]:
    lines = coil.windings if fine else [_thinned(winding) for winding in coil.windings]
    tubes = [tube(line, _WIRE_RADIUS_MM, 8 if fine else 3) for line in lines]
    return [Shape("windings", joined("windings", tubes), palette.COIL_COLOR)] if tubes else []


def _thinned(line: FloatArray) -> FloatArray:
    """A line without the points between which it hardly bends."""
    along = np.diff(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    bends = np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", along[1:], along[:-1]), -1.0, 1.0)))
    kept = np.flatnonzero(np.diff(np.cumsum(bends) // _BEND_DEG, prepend=0.0)) + 1
    return line[[0, *kept, len(line) - 1]]


def _casing(coil: Coil) -> list[Shape]:
    if coil.casing is not None:
        walls = TriangleSurface(coil.casing.points_mm, coil.casing.triangles.astype(np.int32))
        return [Shape("casing", walls, palette.CASING_COLOR, glass=_CASING)]
    rim = casing_rim(coil)
    # Both walls of glass: casings from files need not be closed, nor turned outward.
    return [] if rim is None else [Shape("casing", _slab(rim, _back(coil)), palette.CASING_COLOR, glass=_CASING)]


def casing_rim(coil: Coil) -> FloatArray | None:
    """(r, 3) casing points around which a rubber band seen from above would lie, in the coil frame; None if unknown."""
    from scipy.spatial import ConvexHull, QhullError

    points = coil.casing_points_mm
    if points is None or len(points) < 3:  # a sampled field does not say where its casing is
        return None
    try:
        hull = ConvexHull(points[:, :2])
    except QhullError:  # all on one line: no area, no rim
        return None
    return np.asarray(points[hull.vertices])


def _slab(rim: FloatArray, back_mm: float) -> TriangleSurface:
    """The rim as the outline of a flat box between the coil's head side and its back."""
    count = len(rim)
    outline = rim[:, :2]
    front = np.column_stack([outline, np.full(count, max(float(rim[:, 2].max()), back_mm + 1.0))])
    back = np.column_stack([outline, np.full(count, back_mm)])
    ring = np.arange(count)
    after = np.roll(ring, -1)
    walls = [[ring, count + ring, after], [after, count + ring, count + after]]
    fan = np.column_stack([np.zeros(count - 2, dtype=int), ring[1:-1], ring[2:]])
    # Walls have their own vertices, so that their normals do not lean into the lids.
    points = np.concatenate([front, back, front, back])
    sides = np.concatenate([np.stack(wall, axis=1) for wall in walls])
    lids = np.concatenate([2 * count + fan, 3 * count + fan[:, ::-1]])
    return TriangleSurface(points, np.concatenate([sides, lids]).astype(np.int32))


def _back(coil: Coil) -> float:
    """Height of the coil's outer side, mm in the coil frame (z points into the head)."""
    if coil.casing is not None:
        return float(coil.casing.points_mm[:, 2].min())
    parts = [*coil.windings, *([] if coil.casing_points_mm is None else [coil.casing_points_mm])]
    return min((float(part[:, 2].min()) for part in parts), default=0.0) - 3.0


def _rear(coil: Coil) -> FloatArray | None:
    """Points (n, 3) whose most negative y is the coil's rear edge; None if its shape is unknown."""
    if coil.casing is not None:
        return np.asarray(coil.casing.points_mm)
    return np.asarray(coil.casing_points_mm) if coil.has_known_shape else None


def _has_own_handle(coil: Coil) -> bool:
    shape = _rear(coil)
    if shape is None:
        return True  # nothing is known that a handle could be put to
    wire = min((float(w[:, 1].min()) for w in coil.windings), default=float(shape[:, 1].min()))
    return wire - float(shape[:, 1].min()) > _OWN_HANDLE_MM


def _handle(coil: Coil) -> TriangleSurface:
    shape = np.asarray(_rear(coil))
    rear = float(shape[:, 1].min())
    middle = (_back(coil) + float(shape[:, 2].max())) / 2
    steps = np.linspace(rear + _INTO_CASING_MM, rear - _HANDLE_MM, 12)
    line = np.column_stack([np.zeros(12), steps, np.full(12, middle)])
    return tube(line, _HANDLE_RADIUS_MM, sides=20)
