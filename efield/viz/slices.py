"""Orthogonal slices through the target, drawn by matplotlib's own rasterizer: no OpenGL, no display."""

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.viz import palette
from efield.viz.caption import caption
from efield.viz.drawn_tissue import drawn_tissue, field_around, strongest_point
from efield.viz.nodal import Nodal, magnitudes
from efield.viz.page import (
    LABEL_PT,
    MM_PER_INCH,
    TICK_PT,
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

    from efield.coils.model import Coil
    from efield.ground.pose import Pose
    from efield.head.mesh import HeadMesh
    from efield.io.volumes.image import HeadImage
    from efield.targeting.field import EField
    from efield.targeting.targets import Target

#: Height of the page over its width: with the planes beside each other, and below each other on narrow pages (mm).
_BESIDE, _BELOW = 0.704, 2.06
_NARROW_MM: Final = 120.0

#: The upper row is cropped to this far around head and coil, and this far below the brain (mm).
_MARGIN_MM: Final = 6.0
_BELOW_BRAIN_MM: Final = 20.0

#: The lower row shows this far around the target (mm): the hand knob with the gyri on both of its sides.
_CLOSE_MM: Final = 34.0

#: Room around and between the panels for words and numbers, inches.
_LEFT_IN, _RIGHT_IN, _GAP_IN, _TOP_IN, _BOTTOM_IN, _BETWEEN_IN = 0.45, 1.05, 0.45, 0.36, 0.36, 0.52
_BAR_IN: Final = 0.7

#: Share of the panels' height that the upper row takes where height is what limits it.
_UPPER_SHARE: Final = 0.54

#: Length of the arrow of current, where it lies in the plane, as a share of the panel's width.
_ARROW_SHARE: Final = 0.13

#: Edge of a pixel of an image below the field, mm.
_PIXEL_MM: Final = 0.5

_AXIS_NAMES: Final = ("x", "y", "z")


@dataclass(frozen=True)
class _Side:
    """One anatomical plane: the axis it is perpendicular to, and letters at its left, right, lower, upper edge."""

    name: str
    axis: int
    edges: tuple[str, str, str, str]


_SIDES: Final = (
    _Side("Sagittal", 0, ("P", "A", "I", "S")),
    _Side("Coronal", 1, ("L", "R", "I", "S")),
    _Side("Axial", 2, ("L", "R", "P", "A")),
)


@dataclass(frozen=True, eq=False)
class _Drawing:
    """What all slices have in common: nodal |E| per tissue, colors, place, current direction, windings, image."""

    head: "HeadMesh"
    values: Nodal
    scale: Scale
    theme: Theme
    center: NDArray[np.float64]
    along: NDArray[np.float64]
    windings: list[NDArray[np.float64]]
    image: "HeadImage | None"


def slice_figure(
    field: "EField",
    target: "Target | None" = None,
    coil: "Coil | None" = None,
    pose: "Pose | None" = None,
    *,
    width_mm: float = 180.0,
    dpi: float = 300.0,
    theme: "str | Theme" = "light",
    title: str | None = None,
    image: "HeadImage | str | PathLike[str] | None" = None,
) -> "Figure":
    """|E| in gray and white matter on the sagittal, coronal and axial plane through the target, whole and close.

    Parameters
    ----------
    field : EField
    target : Target, optional
        Marked with a ring; without one the slices go through the strongest field of the drawn tissue.
    coil : Coil, optional
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
    below = None if image is None else image_over(field.head, image)
    colors, narrow = theme_of(theme), width_mm < _NARROW_MM
    words = caption(field, target, coil) if title is None else title
    page = new_page(page_size(width_mm, dpi, _BELOW if narrow else _BESIDE), words, width_mm / MM_PER_INCH, colors)
    drawing = _drawing(field, target, coil, pose, colors, below)
    box = _shown_box(field.head, tuple(drawing.values), drawing.windings)
    top = title_height_in(words, width_mm / MM_PER_INCH) + _TOP_IN
    wholes, closes = _columns(page, box, drawing.center, top) if narrow else _rows(page, box, drawing.center, top)
    for plane, whole, close in zip(_SIDES, wholes, closes, strict=True):
        position = float(drawing.center[plane.axis])
        section = cut(field.head, plane.axis, position)
        pixels = None if below is None else Plane.through(field.head, plane.axis, position, _PIXEL_MM)
        for axes in (whole, close):
            _color_axes(axes, colors)
            _draw(axes, section, pixels, drawing, plane)
        _letter_edges(whole, plane, colors)
        words = f"{plane.name}, {_AXIS_NAMES[plane.axis]} = {position:.0f} mm"
        whole.set_title(words, fontsize=TITLE_PT, color=colors.ink, pad=4)
    bar = (0.12, 0.066, 0.76, 0.012) if narrow else (0.88, 0.27, 0.016, 0.42)
    add_color_bar(page, bar, drawing.scale, colors, flat=narrow)
    _add_legend(page, drawing, top - _TOP_IN, named=target is not None)
    return page


def _drawing(
    field: "EField",
    target: "Target | None",
    coil: "Coil | None",
    pose: "Pose | None",
    theme: Theme,
    image: "HeadImage | None",
) -> _Drawing:
    tissue, values = drawn_tissue(field.head), magnitudes(field)
    center = np.asarray(strongest_point(field, tissue) if target is None else target.center_mm)
    direction = field_around(field, tissue, center)
    length = float(np.linalg.norm(direction))
    return _Drawing(
        head=field.head,
        values=values,
        scale=field_scale(values[tissue], field.head.points, center),
        theme=theme,
        center=center,
        along=direction / (length if length > 0 else 1.0),
        windings=[] if coil is None or pose is None else [pose.to_head(w) for w in coil.windings],
        image=image,
    )


def _shown_box(head: "HeadMesh", tags: tuple[int, ...], windings: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(2, 3) corners of the upper row: head and coil, cut a little below the brain, as the neck is empty."""
    everything = np.concatenate([head.points, *windings])
    brain = head.points[np.unique(head.tets[np.isin(head.tissue, tags)])]
    low, high = everything.min(axis=0) - _MARGIN_MM, everything.max(axis=0) + _MARGIN_MM
    low[2] = max(low[2], brain[:, 2].min() - _BELOW_BRAIN_MM)
    return np.stack([low, high])


def _columns(
    page: "Figure", box: NDArray[np.float64], center: NDArray[np.float64], top_in: float
) -> tuple[list[Any], list[Any]]:
    """Three rows of two axes, whole and close; all wholes have the same scale, all closes another."""
    width, height = page.get_size_inches()
    wholes = [np.delete(box, plane.axis, axis=1) for plane in _SIDES]
    spans = np.array([corners[1] - corners[0] for corners in wholes])
    row = (height - top_in - _BAR_IN) / 3
    across = (width - 2 * _GAP_IN - 0.1) / 2
    room = row - _BETWEEN_IN
    scale = float(min(across / spans[:, 0].max(), room / spans[:, 1].max()))
    side = min(across, room)
    left, right = [], []
    for number, (plane, corners, span) in enumerate(zip(_SIDES, wholes, spans * scale, strict=True)):
        middle = height - top_in - number * row - room / 2
        left.append(_axes(page, _GAP_IN + (across - span[0]) / 2, middle - span[1] / 2, span, corners, plane))
        spot = np.delete(center, plane.axis)
        square = np.stack([spot - _CLOSE_MM, spot + _CLOSE_MM])
        start = 2 * _GAP_IN + across + (across - side) / 2
        right.append(_axes(page, start, middle - side / 2, np.array([side, side]), square, plane))
    return left, right


def _rows(
    page: "Figure", box: NDArray[np.float64], center: NDArray[np.float64], top_in: float
) -> tuple[list[Any], list[Any]]:
    """Two rows of three axes; within a row all have the same scale, and the columns are centered on each other."""
    width, height = page.get_size_inches()
    wholes = [np.delete(box, plane.axis, axis=1) for plane in _SIDES]
    spans = np.array([corners[1] - corners[0] for corners in wholes])
    room_across = width - _LEFT_IN - _RIGHT_IN - 2 * _GAP_IN
    room_up = height - top_in - _BOTTOM_IN - _BETWEEN_IN
    scale = float(min(room_across / spans[:, 0].sum(), _UPPER_SHARE * room_up / spans[:, 1].max()))
    side = min(room_up - scale * float(spans[:, 1].max()), room_across / 3)
    columns = _LEFT_IN + room_across / 3 * (np.arange(3) + 0.5) + _GAP_IN * np.arange(3)
    row_up = scale * float(spans[:, 1].max())
    free = (room_up - row_up - side) / 2
    upper, lower = [], []
    for plane, corners, span, middle in zip(_SIDES, wholes, spans * scale, columns, strict=True):
        bottom = height - top_in - free - (row_up + span[1]) / 2
        upper.append(_axes(page, middle - span[0] / 2, bottom, span, corners, plane))
        spot = np.delete(center, plane.axis)
        square = np.stack([spot - _CLOSE_MM, spot + _CLOSE_MM])
        lower.append(_axes(page, middle - side / 2, _BOTTOM_IN + free, np.array([side, side]), square, plane))
    return upper, lower


def _axes(
    page: "Figure",
    left_in: float,
    bottom_in: float,
    span_in: NDArray[np.float64],
    corners: NDArray[np.float64],
    plane: _Side,
) -> Any:
    width, height = page.get_size_inches()
    axes = page.add_axes((left_in / width, bottom_in / height, span_in[0] / width, span_in[1] / height))
    axes.set_xlim(*corners[:, 0])
    axes.set_ylim(*corners[:, 1])
    across, up = (name for axis, name in enumerate(_AXIS_NAMES) if axis != plane.axis)
    axes.set_xlabel(f"{across} (mm)", fontsize=LABEL_PT, labelpad=1)
    axes.set_ylabel(f"{up} (mm)", fontsize=LABEL_PT, labelpad=0)
    axes.tick_params(labelsize=TICK_PT, length=2, width=0.5, pad=1.5)
    axes.locator_params(nbins=3 if width < _NARROW_MM / MM_PER_INCH else 6)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)
    return axes


def _draw(axes: Any, section: Section, pixels: Plane | None, drawing: _Drawing, plane: _Side) -> None:
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


def _letter_edges(axes: Any, plane: _Side, theme: Theme) -> None:
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
