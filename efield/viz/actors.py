"""The actors of a scene: cortex, scalp, coil, target, arrows. Each function adds one to a plotter."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.head.surface import TriangleSurface
from efield.viz import palette

if TYPE_CHECKING:
    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.head.surface import Surface
    from efield.viz.views import View

#: Name of the magnitude on the cortex, and of the color bar.
FIELD_NAME: Final = "|E| (V/m)"

#: Opacity of the scalp face on and at its silhouette: the cortex shows through, the head's outline stays.
_SCALP_OPACITY: Final = (0.06, 0.62)

#: The same of a coil's casing, each of its two walls: what is under it must stay readable.
_CASING_OPACITY: Final = (0.1, 0.7)

_WIRE_RADIUS_MM: Final = 0.55

#: One field arrow per cell of this size, and the length of the longest (mm).
_ARROW_SPACING_MM: Final = 3.6
_LONGEST_ARROW_MM: Final = 3.4

#: Arrows are drawn where the cortex faces the viewer at least this much (cosine): on crowns, not in sulci.
_FACING: Final = 0.55


def add_lights(plotter: Any) -> None:
    """Two lamps that move with the camera, from the upper left and, weaker, from the right: folds cast shape.

    Two instead of pyvista's five, because without a graphics card each lamp costs time at every pixel.
    """
    import pyvista

    for position, intensity in (((-0.5, 0.6, 1.0), 0.85), ((0.7, -0.2, 1.0), 0.35)):
        plotter.add_light(
            pyvista.Light(light_type="camera light", position=position, intensity=intensity), only_active=True
        )


def mesh_of(surface: "TriangleSurface") -> Any:
    """The surface as `pyvista.PolyData`."""
    import pyvista

    faces = np.column_stack([np.full(len(surface.triangles), 3, dtype=np.int64), surface.triangles])
    return pyvista.PolyData(np.asarray(surface.points_mm), faces)


def add_cortex(plotter: Any, surface: "Surface", magnitude: NDArray[np.float64], limit: float, bar: bool) -> None:
    """The cortex colored by (p,) |E| in V/m, from 0 to `limit`; with or without VTK's own color bar."""
    mesh = mesh_of(surface)
    mesh[FIELD_NAME] = magnitude
    mesh.point_data.active_normals = surface.normals
    plotter.add_mesh(
        mesh,
        scalars=FIELD_NAME,
        clim=(0.0, limit),
        cmap=palette.field_colors(),
        smooth_shading=True,
        # The surface is closed: its inside never shows, and leaving it out halves the time without a graphics card.
        culling="back",
        ambient=0.3,
        diffuse=0.78,
        specular=0.08,
        specular_power=12,
        show_scalar_bar=bar,
        scalar_bar_args=_bar_style() if bar else None,
    )


def vtk_text(words: str) -> str:
    """Words as VTK can print them: it takes bars for columns, so |E| gets the name it has in field files."""
    return words.replace("|E|", "magnE").replace("|", "/")


def _bar_style() -> dict[str, Any]:
    return {
        "title": vtk_text(FIELD_NAME),
        "color": palette.INK,
        "n_labels": 5,
        "fmt": "%.2g",
        "vertical": True,
        "position_x": 0.88,
        "position_y": 0.05,
        "height": 0.4,
        "width": 0.07,
        "title_font_size": 16,
        "label_font_size": 14,
    }


def add_scalp(plotter: Any, surface: "Surface", view: "View") -> None:
    """The scalp as glass: clear where it faces the viewer, denser toward its silhouette."""
    # Back faces are left out: one layer needs no sorting, and the far side of the head is no information.
    _add_glass(plotter, surface, view, palette.SCALP_COLOR, _SCALP_OPACITY, culling="back")


def _add_glass(
    plotter: Any,
    surface: "TriangleSurface",
    view: "View",
    color: str,
    opacities: tuple[float, float],
    culling: str | None,
) -> None:
    from matplotlib.colors import to_rgb

    mesh = mesh_of(surface)
    low, high = opacities
    opacity = low + (high - low) * (1.0 - np.abs(surface.normals @ view.toward)) ** 3
    rgb = np.broadcast_to(np.round(np.array(to_rgb(color)) * 255), (mesh.n_points, 3))
    mesh["glass"] = np.column_stack([rgb, np.round(opacity * 255)]).astype(np.uint8)
    plotter.add_mesh(mesh, scalars="glass", rgba=True, smooth_shading=True, culling=culling, ambient=0.35, diffuse=0.65)


def add_coil(plotter: Any, coil: "Coil", pose: "Pose", view: "View") -> None:
    """The windings as tubes; the casing as glass where its surface is known, else its rim as a faint line."""
    import pyvista

    for winding in coil.windings:
        line = pyvista.lines_from_points(pose.to_head(winding))
        tube = line.tube(radius=_WIRE_RADIUS_MM, n_sides=8)
        plotter.add_mesh(tube, color=palette.COIL_COLOR, smooth_shading=True, specular=0.4, specular_power=20)
    if coil.casing is not None:
        walls = TriangleSurface(pose.to_head(coil.casing.points_mm), coil.casing.triangles.astype(np.int32))
        # Both walls: casings from files need not be closed, nor turned outward.
        _add_glass(plotter, walls, view, palette.CASING_COLOR, _CASING_OPACITY, culling=None)
        return
    rim = casing_rim(coil)
    if rim is not None:
        outline = pyvista.lines_from_points(pose.to_head(rim), close=True)
        plotter.add_mesh(outline, color="#6f6a64", line_width=2.5, opacity=0.7)


def casing_outline(coil: "Coil") -> list[NDArray[np.float64]]:
    """What of the casing must be in the picture: its surface, its rim, or nothing; (k, 3) in the coil frame."""
    rim = casing_rim(coil)
    return [coil.casing.points_mm] if coil.casing is not None else [] if rim is None else [rim]


def casing_rim(coil: "Coil") -> NDArray[np.float64] | None:
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


def add_target(plotter: Any, center_mm: NDArray[np.float64], radius_mm: float) -> None:
    """A small sphere that marks the target."""
    import pyvista

    ball = pyvista.Sphere(radius=radius_mm, center=center_mm, theta_resolution=24, phi_resolution=24)
    plotter.add_mesh(ball, color=palette.TARGET_COLOR, smooth_shading=True, ambient=0.5)


def add_arrow(plotter: Any, tail_mm: NDArray[np.float64], along: NDArray[np.float64], color: str) -> None:
    """One solid arrow from a point along a vector whose length is the arrow's (mm)."""
    import pyvista

    length = float(np.linalg.norm(along))
    arrow = pyvista.Arrow(
        start=tail_mm,
        direction=along,
        scale=length,
        tip_length=0.32,
        tip_radius=0.11,
        shaft_radius=0.04,
        tip_resolution=24,
        shaft_resolution=16,
    )
    plotter.add_mesh(arrow, color=color, ambient=0.4, smooth_shading=False)


def add_field_arrows(
    plotter: Any, surface: "Surface", e: NDArray[np.float64], limit: float, view: "View", aspect: float
) -> None:
    """Arrows of E (p, 3) on the crowns of the gyri in view; the length is in proportion to |E|."""
    import pyvista

    chosen = crown_vertices(surface, view, aspect)
    if not len(chosen):
        return
    scaled = e[chosen] * (_LONGEST_ARROW_MM / limit)
    # Centered on its vertex and lifted toward the viewer, an arrow is not swallowed by the bend of the crown.
    cloud = pyvista.PolyData(surface.points_mm[chosen] - scaled / 2 + 2.0 * view.toward)
    cloud["E"] = scaled
    shape = pyvista.Arrow(tip_length=0.4, tip_radius=0.16, shaft_radius=0.055, tip_resolution=12, shaft_resolution=8)
    plotter.add_mesh(cloud.glyph(orient="E", scale="E", geom=shape), color=palette.INK, ambient=0.5)


def crown_vertices(surface: "Surface", view: "View", aspect: float) -> NDArray[np.int64]:
    """Vertices that carry an arrow: evenly spaced in the picture, crowns before walls, none of them turned away.

    Parameters
    ----------
    surface : Surface
    view : View
    aspect : float
        Width of the picture over its height.
    """
    placed = view.in_picture(surface.points_mm)
    half = np.array([view.half_height_mm * aspect, view.half_height_mm]) - _ARROW_SPACING_MM
    inside = np.flatnonzero((np.abs(placed[:, :2]) < half).all(axis=1))
    # The vertex nearest to the viewer goes first and clears its surroundings: what lies under it is hidden anyway.
    order = inside[np.argsort(-placed[inside, 2], kind="stable")]
    cells = np.floor(placed[order, :2] / (_ARROW_SPACING_MM / 4)).astype(np.int64)
    order = order[np.sort(np.unique(cells, axis=0, return_index=True)[1])]
    chosen = _spread(placed[order, :2], _ARROW_SPACING_MM)
    top = order[chosen]
    return np.asarray(top[surface.normals[top] @ view.toward > _FACING])


def _spread(points: NDArray[np.float64], spacing: float) -> list[int]:
    """Numbers of the points that are left when each, in turn, removes the later ones within a distance."""
    free = np.ones(len(points), dtype=bool)
    chosen = []
    for number in range(len(points)):
        if free[number]:
            chosen.append(number)
            free &= ((points - points[number]) ** 2).sum(axis=1) > spacing**2
    return chosen
