"""Shapes: triangles with a look. Scenes are made of them; OpenGL and pages for browsers both draw them."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.head.surface import TriangleSurface
from efield.viz.scale import Scale

#: Opacities of glass where it faces the viewer and at its silhouette.
Glass = tuple[float, float]

#: Points of a line that are no farther apart are one: a pipe has no direction between them.
_APART_MM: Final = 1e-6

#: A solid arrow: shares of its length (tip) and radii as shares of its length (tip, shaft).
_TIP: Final = {"tip_length": 0.32, "tip_radius": 0.11, "shaft_radius": 0.04, "tip_resolution": 24}


@dataclass(frozen=True, eq=False)
class Shape:
    """Triangles with a look.

    Parameters
    ----------
    name : str
        What it shows, such as ``cortex``; shapes of one name are switched on and off together.
    surface : TriangleSurface
    color : str
        Of what has no value; a name of `efield.viz.theme.Theme`'s colors, or a color.
    values : (p,) float, optional
        Colored by `scale` at the vertices; nan where there is none.
    scale : Scale, optional
        Goes with `values`.
    glass : (float, float), optional
        Opacity where it faces the viewer, and at its silhouette; solid without.
    closed : bool
        Its inside never shows, and is left out.
    flat : bool
        Shaded triangle by triangle: edges stay sharp.
    on_top : bool
        Never hidden by anything else.
    lit : bool
        Shaded by lamps; slices are not, so that their colors are those of the bar.
    rgb : (p, 3) uint8, optional
        Drawn in the place of the colors of the values, such as a field over an image; the values are those to be read.
    """

    name: str
    surface: TriangleSurface
    color: str
    values: FloatArray | None = None
    scale: Scale | None = None
    glass: Glass | None = None
    closed: bool = False
    flat: bool = False
    on_top: bool = False
    lit: bool = True
    rgb: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if (self.values is None) != (self.scale is None):
            raise InputError("values to draw need a scale, and a scale needs values")
        if self.values is not None and self.values.shape != (len(self.surface.points_mm),):
            raise InputError(
                f"values must be one for each of the {len(self.surface.points_mm)} vertices of the {self.name}; "
                f"instead received shape {self.values.shape}"
            )


def moved(shape: Shape, points_mm: FloatArray) -> Shape:
    """The shape with its vertices elsewhere."""
    return replace(shape, surface=TriangleSurface(points_mm, shape.surface.triangles))


def joined(name: str, surfaces: list[TriangleSurface]) -> TriangleSurface:
    """One surface of several."""
    if not surfaces:
        raise InputError(f"there is nothing to draw as {name}")
    first = np.cumsum([0, *(len(one.points_mm) for one in surfaces[:-1])])
    triangles = [one.triangles + start for one, start in zip(surfaces, first, strict=True)]
    return TriangleSurface(
        np.concatenate([one.points_mm for one in surfaces]), np.concatenate(triangles).astype(np.int32)
    )


def surface_of(mesh: Any) -> TriangleSurface:
    """The triangles of a `pyvista.PolyData`."""
    plain = mesh.triangulate()
    faces = np.asarray(plain.faces).reshape(-1, 4)[:, 1:]
    return TriangleSurface(np.asarray(plain.points, dtype=np.float64), faces.astype(np.int32))


def tube(line_mm: FloatArray, radius_mm: float, sides: int = 8) -> TriangleSurface:
    """A pipe along a polyline (n, 3)."""
    import pyvista

    apart = np.linalg.norm(np.diff(line_mm, axis=0), axis=1) > _APART_MM
    line = pyvista.MultipleLines(line_mm[np.append(True, apart)])
    return surface_of(line.tube(radius=radius_mm, n_sides=sides, capping=True))


def ball(center_mm: ArrayLike, radius_mm: float) -> TriangleSurface:
    """A sphere around a point (3,)."""
    import pyvista

    return surface_of(pyvista.Sphere(radius=radius_mm, center=center_mm, theta_resolution=24, phi_resolution=24))


def arrow(tail_mm: FloatArray, along_mm: FloatArray) -> TriangleSurface:
    """A solid arrow from a point along a vector whose length is the arrow's (mm)."""
    import pyvista

    length = float(np.linalg.norm(along_mm))
    return surface_of(pyvista.Arrow(start=tail_mm, direction=along_mm, scale=length, shaft_resolution=16, **_TIP))


def arrows(tails_mm: FloatArray, along_mm: FloatArray) -> TriangleSurface:
    """Small arrows (n) from points (n, 3) along vectors (n, 3), as long as these."""
    import pyvista

    cloud = pyvista.PolyData(tails_mm)
    cloud["along"] = along_mm
    one = pyvista.Arrow(tip_length=0.4, tip_radius=0.16, shaft_radius=0.055, tip_resolution=10, shaft_resolution=6)
    return surface_of(cloud.glyph(orient="along", scale="along", geom=one))
