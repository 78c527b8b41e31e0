"""Orthogonal slices through the target, drawn by matplotlib's own rasterizer: no OpenGL, no display."""

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.io.volumes.image import HeadImage
from efield.targeting.named import CoilLike, coil_if_any
from efield.targeting.naming import Place, target_if_any
from efield.targeting.targets import Target
from efield.viz import palette, slice_page
from efield.viz.caption import caption
from efield.viz.drawn_tissue import current_at, drawn_tissue, strongest_point
from efield.viz.nodal import Nodal, magnitudes
from efield.viz.page import (
    LABEL_PT,
    MM_PER_INCH,
    TITLE_PT,
    add_color_bar,
    halo,
    new_page,
    page_size,
    title_height_in,
)
from efield.viz.planes import Plane, image_over
from efield.viz.scale import Scale, field_scale
from efield.viz.section import Section, cut
from efield.viz.theme import Theme, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from efield.targeting.field import EField

#: Height of the page over its width: with the planes beside each other, and below each other on narrow pages (mm).
_BESIDE, _BELOW = 0.704, 2.06

#: Length of the arrow of current, where it lies in the plane, as a share of the panel's width.
_ARROW_SHARE: Final = 0.13

#: Edge of a pixel of an image below the field, mm.
_PIXEL_MM: Final = 0.5


@dataclass(frozen=True, eq=False)
class _Drawing:
    """What all slices have in common: nodal |E| per tissue, colors, place, current direction, windings, image."""

    head: HeadMesh
    values: Nodal
    scale: Scale
    theme: Theme
    center: NDArray[np.float64]
    along: NDArray[np.float64]
    windings: list[NDArray[np.float64]]
    image: HeadImage | None


def slice_figure(
    field: "EField",
    target: Place | None = None,
    coil: CoilLike | None = None,
    pose: Pose | None = None,
    *,
    width_mm: float = 180.0,
    dpi: float = 300.0,
    theme: str | Theme = "light",
    title: str | None = None,
    image: HeadImage | str | PathLike[str] | None = None,
) -> "Figure":
    """|E| in gray and white matter on the sagittal, coronal and axial plane through the target, whole and close.

    Parameters
    ----------
    field : EField
    target : Target, str or (3,) array_like, optional
        As in `efield.targeting.naming.target_of`. Marked with a ring; without one the slices go through the strongest
        field of the drawn tissue.
    coil : Coil, or its name or file, optional
        Drawn, where `pose` says it is, as the points at which its windings pierce the plane.
    pose : Pose, optional
    width_mm, dpi, theme
        As in `efield.viz.sheet.sheet_figure`; below 120 mm the planes are below each other.
    title : str, optional
        Line above the slices; what was computed, by default.
    image : HeadImage or file, optional
        A T1 in the head's coordinates (``.nii``, ``.nii.gz``, ``.mgz``), in the place of plain fills; the field fades
        into it below 40 % of the upper end of the colors.

    Returns
    -------
    matplotlib.figure.Figure
        Not tied to any window or to pyplot; ``figure.savefig(path)`` writes it.

    Raises
    ------
    InputError
        If the width or dpi is out of range, or the image does not cover the head.
    """
    target, coil = target_if_any(field.head, target), coil_if_any(coil)
    below = None if image is None else image_over(field.head, image)
    colors, narrow = theme_of(theme), width_mm < slice_page.NARROW_MM
    words = caption(field, target, coil) if title is None else title
    page = new_page(page_size(width_mm, dpi, _BELOW if narrow else _BESIDE), words, width_mm / MM_PER_INCH, colors)
    drawing = _drawing(field, target, coil, pose, colors, below)
    box = slice_page.shown_box(field.head, tuple(drawing.values), drawing.windings)
    top = title_height_in(words, width_mm / MM_PER_INCH) + slice_page.TOP_IN
    laid = slice_page.below_each_other if narrow else slice_page.beside_each_other
    wholes, closes = laid(page, box, drawing.center, top)
    for plane, whole, close in zip(slice_page.SIDES, wholes, closes, strict=True):
        position = float(drawing.center[plane.axis])
        section = cut(field.head, plane.axis, position)
        pixels = None if below is None else Plane.through(field.head, plane.axis, position, _PIXEL_MM)
        for axes in (whole, close):
            _color_axes(axes, colors)
            _draw(axes, section, pixels, drawing, plane)
        _letter_edges(whole, plane, colors)
        words = f"{plane.name}, {slice_page.AXIS_NAMES[plane.axis]} = {position:.0f} mm"
        whole.set_title(words, fontsize=TITLE_PT, color=colors.ink, pad=4)
    bar = (0.12, 0.075, 0.76, 0.012) if narrow else (0.88, 0.27, 0.016, 0.42)
    add_color_bar(page, bar, drawing.scale, colors, flat=narrow)
    _add_legend(page, drawing, top - slice_page.TOP_IN, named=target is not None)
    return page


def _drawing(
    field: "EField",
    target: Target | None,
    coil: Coil | None,
    pose: Pose | None,
    theme: Theme,
    image: HeadImage | None,
) -> _Drawing:
    tissue, values = drawn_tissue(field.head), magnitudes(field)
    center = np.asarray(strongest_point(field, tissue) if target is None else target.center_mm)
    return _Drawing(
        head=field.head,
        values=values,
        scale=field_scale(values[tissue], field.head.points, center),
        theme=theme,
        center=center,
        along=current_at(field, tissue, center),
        windings=[] if coil is None or pose is None else [pose.to_head(w) for w in coil.windings],
        image=image,
    )


def _draw(axes: Any, section: Section, pixels: Plane | None, drawing: _Drawing, plane: slice_page.Side) -> None:
    if pixels is None:
        _draw_tissues(axes, section, drawing)
    else:
        _draw_pixels(axes, pixels, drawing)
    _draw_outlines(axes, section, drawing)
    pierced = [_pierced(winding, plane.axis, float(drawing.center[plane.axis])) for winding in drawing.windings]
    for points in pierced:
        axes.plot(points[:, 0], points[:, 1], "o", ms=1.7, mew=0, color=palette.COIL_COLOR)
    _draw_target(axes, np.delete(drawing.center, plane.axis), np.delete(drawing.along, plane.axis))


def _in_view(axes: Any, section: Section) -> NDArray[np.bool_]:
    """Triangles of a section that touch the part which the axes show."""
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    corners = section.points_mm[section.triangles]
    return np.asarray(((corners.max(axis=1) > low) & (corners.min(axis=1) < high)).all(axis=1))


def _draw_tissues(axes: Any, section: Section, drawing: _Drawing) -> None:
    from matplotlib.collections import PolyCollection

    visible = _in_view(axes, section)
    for tag in np.unique(section.tissue[visible]):
        triangles = section.triangles[visible & (section.tissue == tag)]
        if tag in drawing.values:
            axes.tripcolor(
                *section.points_mm.T,
                triangles,
                np.nan_to_num(section.interpolated(drawing.values[int(tag)])),
                shading="gouraud",
                cmap=palette.field_colors(),
                vmin=0.0,
                vmax=drawing.scale.high,
            )
        else:
            fill = palette.TISSUE_FILLS.get(int(tag), palette.OTHER_FILL)
            corners = section.points_mm[triangles]
            # Edges in the color of the fill close the hairlines between neighbors.
            axes.add_collection(PolyCollection(corners, facecolors=fill, edgecolors=fill, linewidths=0.25))


def _draw_pixels(axes: Any, plane: Plane, drawing: _Drawing) -> None:
    """The image within the head, and the field over it."""
    values = plane.magnitude(drawing.head, drawing.values)
    rgb = plane.mixed(values, drawing.scale, drawing.image).reshape(*plane.shape, 3)
    shown = np.dstack([rgb, np.where(plane.tissue > 0, 255, 0).astype(np.uint8).reshape(plane.shape)])
    low = np.delete(plane.corner_mm, plane.axis) - plane.spacing_mm / 2
    high = low + plane.spacing_mm * np.array(plane.shape)[::-1]
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(shown, extent=(low[0], high[0], low[1], high[1]), origin="lower", aspect="auto")
    axes.set(xlim=limits[0], ylim=limits[1])


def _draw_outlines(axes: Any, section: Section, drawing: _Drawing) -> None:
    from matplotlib.collections import LineCollection

    in_brain = np.isin(section.outline_tags, list(drawing.values))
    for chosen, color in ((~in_brain, palette.OUTLINE_COLOR), (in_brain, palette.INK)):
        axes.add_collection(LineCollection(list(section.outlines_mm[chosen]), colors=color, linewidths=0.45))


def _pierced(winding: NDArray[np.float64], axis: int, position_mm: float) -> NDArray[np.float64]:
    """(k, 2) points at which a polyline passes through a plane."""
    height = winding[:, axis] - position_mm
    before = np.flatnonzero((height[1:] > 0) != (height[:-1] > 0))
    fraction = (height[before] / (height[before] - height[before + 1]))[:, None]
    points = winding[before] * (1 - fraction) + winding[before + 1] * fraction
    return np.asarray(np.delete(points, axis, axis=1))


def _draw_target(axes: Any, center: NDArray[np.float64], along: NDArray[np.float64]) -> None:
    low, high = axes.get_xlim()
    arrow = {"arrowstyle": "-|>", "color": palette.TARGET_COLOR, "lw": 1.3, "shrinkA": 2.2, "shrinkB": 0}
    axes.annotate(
        "",
        xy=center + _ARROW_SHARE * (high - low) * along,
        xytext=center,
        arrowprops={**arrow, "mutation_scale": 7, "path_effects": halo(width=2.4)},
    )
    ring = {"mfc": "none", "mec": palette.TARGET_COLOR, "mew": 1.2, "path_effects": halo(width=2.4)}
    axes.plot(*center, "o", ms=4.0, **ring)


def _letter_edges(axes: Any, plane: slice_page.Side, theme: Theme) -> None:
    places = ((0.025, 0.5), (0.975, 0.5), (0.5, 0.025), (0.5, 0.975))
    aligned = (("left", "center"), ("right", "center"), ("center", "bottom"), ("center", "top"))
    for letter, place, (across, up) in zip(plane.edges, places, aligned, strict=True):
        style = {"transform": axes.transAxes, "color": theme.ink, "path_effects": halo(theme.paper)}
        axes.text(*place, letter, ha=across, va=up, fontsize=LABEL_PT, **style)


def _color_axes(axes: Any, theme: Theme) -> None:
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink)
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set_color(theme.ink)
    for spine in axes.spines.values():
        spine.set_color(theme.ink)


def _add_legend(page: "Figure", drawing: _Drawing, top_in: float, named: bool) -> None:
    from matplotlib.lines import Line2D

    def mark(marker: str, label: str, **style: Any) -> Any:
        return Line2D([], [], marker=marker, linestyle="none", label=label, **style)

    place = "target" if named else "strongest field"
    handles = [
        mark("o", place, ms=4.0, mew=1.2, mfc="none", mec=palette.TARGET_COLOR),
        mark(r"$\rightarrow$", "E there", ms=9, mew=0, color=palette.TARGET_COLOR),
    ]
    if drawing.windings:
        handles.append(mark("o", "coil winding", ms=2.2, mew=0, color=palette.COIL_COLOR))
    style: dict[str, Any] = {"fontsize": LABEL_PT, "frameon": False, "handletextpad": 0.2, "columnspacing": 1.4}
    height = page.get_size_inches()[1]
    style |= {"labelcolor": drawing.theme.ink, "borderaxespad": 0.1}
    page.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1 - (top_in - 0.08) / height), ncols=3, **style)
