"""What is known over the scalp as shapes: maps of values, isolines, many poses."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.surface import Surface, TriangleSurface, nearest
from efield.viz import palette
from efield.viz.scale import Scale
from efield.viz.shapes import Shape, arrows, ball, joined, surface_of, tube

#: Isolines at these shares of the best value: what a map from zero shows evenly, they part.
SHARES: Final = (0.95, 0.9, 0.8)

#: A map lies this far above the scalp, so that both can be seen; its triangles are halved this often.
_ABOVE_MM: Final = 0.8
_HALVINGS: Final = 2

#: An arrow that stands for one of many poses, mm.
_POSE_MM: Final = 9.0


def map_shapes(
    scalp: Surface, points_mm: ArrayLike, values: ArrayLike, label: str, unit: str, *, least: bool = False
) -> list[Shape]:
    """Values known at places near the scalp, painted on it, with isolines at 95, 90 and 80 % of the largest.

    Parameters
    ----------
    scalp : Surface
    points_mm : (k, 3) array_like, mm
    values : (k,) array_like
        nan where unknown. Colors run from 0 to the largest, or around 0 if some are negative.
    label, unit : str
        For the color bar.
    least : bool
        The smallest is the best: it is marked, and there are no isolines.

    Raises
    ------
    InputError
        If fewer than three are known, or all lie on one line.
    """
    places, known = checks.points_mm("points_mm", points_mm), np.asarray(values, dtype=np.float64)
    if known.shape != (len(places),):
        raise InputError(f"values must be one for each of {len(places)} points; instead received shape {known.shape}")
    finite = np.isfinite(known)
    places, known = places[finite], known[finite]
    patch, painted = _painted(scalp, places, known)
    top = float(known.max())
    scale = _scale(known, label, unit, lines=not least)
    found = [Shape("map", patch, "plain", values=painted, scale=scale)]
    if top > 0 and not least:
        lines = _isolines(patch, painted, [share * top for share in SHARES])
        found += [Shape("isolines of the map", joined("isolines", lines), palette.INK)] if lines else []
    best = places[int(np.argmin(known) if least else np.argmax(known))]
    marked = scalp.points_mm[nearest(scalp.points_mm, best)[0]]
    found.append(Shape("best of the map", ball(marked, 2.0), palette.COIL_COLOR, closed=True, on_top=True))
    return found


def _scale(values: FloatArray, label: str, unit: str, *, lines: bool) -> Scale:
    top, low = float(values.max()), float(values.min())
    if low < 0:
        limit = palette.rounded_up(max(top, -low))
        return Scale(label, unit, -limit, limit, f"{low:.3g} to {top:.3g}", "difference")
    shares = ", ".join(f"{100 * share:.0f}" for share in SHARES)
    drawn = f"; lines {shares} %" if lines else ""
    return Scale(label, unit, 0.0, palette.rounded_up(top), f"{low:.3g} to {top:.3g}{drawn}")


def _painted(scalp: Surface, places: FloatArray, values: FloatArray) -> tuple[TriangleSurface, FloatArray]:
    """The part of the scalp between the places, finer and a little above it, and its values (p,)."""
    import pyvista
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    if len(places) < 3:
        raise _too_few(len(places))
    plane = _plane(scalp, places)
    middle = places.mean(axis=0)
    reach = float(np.linalg.norm(places - middle, axis=1).max()) + 15.0
    near = np.linalg.norm(scalp.points_mm - middle, axis=1) < reach
    facing = scalp.normals @ plane[2] > 0
    kept = scalp.triangles[(near & facing)[scalp.triangles].all(axis=1)]
    faces = np.insert(kept, 0, 3, axis=1)
    lifted = scalp.points_mm + _ABOVE_MM * scalp.normals
    fine = surface_of(pyvista.PolyData(lifted, faces).clean().subdivide(_HALVINGS)) if len(kept) else None
    try:
        between = LinearNDInterpolator((places - middle) @ plane[:2].T, values)
    except (QhullError, ValueError):
        raise _too_few(len(places)) from None
    if fine is None:
        raise InputError("a map's places must lie on the scalp; instead none of it is near them")
    found = np.asarray(between((fine.points_mm - middle) @ plane[:2].T), dtype=np.float64)
    inside = np.isfinite(found)
    triangles = fine.triangles[inside[fine.triangles].all(axis=1)]
    return TriangleSurface(fine.points_mm, triangles), np.nan_to_num(found)


def _too_few(known: int) -> InputError:
    return InputError(f"a map needs values at three places or more, not on one line; instead {known} are known")


def _plane(scalp: Surface, places: FloatArray) -> FloatArray:
    """(3, 3) two axes in the plane that lies best under the places, and its outward normal."""
    axes = np.linalg.svd(places - places.mean(axis=0), full_matrices=True)[2]
    outward = scalp.normals[nearest(scalp.points_mm, places.mean(axis=0))[0]]
    return np.stack([axes[0], axes[1], axes[2] * (1.0 if axes[2] @ outward > 0 else -1.0)])


def _isolines(patch: TriangleSurface, values: FloatArray, levels: list[float]) -> list[TriangleSurface]:
    import pyvista

    mesh = pyvista.PolyData(patch.points_mm, np.insert(patch.triangles, 0, 3, axis=1))
    mesh["map"] = values
    lines = mesh.contour(levels, scalars="map").strip()
    return [tube(line.points, 0.35, sides=6) for line in lines.cell if line.n_points > 1]


def pose_shape(poses: list["Pose"], values: ArrayLike | None, label: str, unit: str) -> Shape:
    """An arrow for each pose, from its center along the coil's y axis, away from the handle; colored by (k,) values."""
    if not poses:
        raise InputError("there is no pose to draw")
    tails = np.array([pose.center_mm - _POSE_MM / 2 * pose.y for pose in poses])
    surface = arrows(tails, _POSE_MM * np.array([pose.y for pose in poses]))
    if values is None:
        return Shape("poses", surface, palette.COIL_COLOR, flat=True)
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (len(poses),) or not np.isfinite(given).any():
        raise InputError(f"values must be one for each of {len(poses)} poses; instead received shape {given.shape}")
    each = np.repeat(given, len(surface.points_mm) // len(poses))
    return Shape(
        "poses",
        surface,
        "plain",
        values=each,
        scale=_scale(given[np.isfinite(given)], label, unit, lines=False),
        flat=True,
    )
