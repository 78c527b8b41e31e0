"""Where slices stand on a page: whole and close, beside each other or, on narrow pages, below each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.head.mesh import HeadMesh
from efield.viz.page import LABEL_PT, MM_PER_INCH, TICK_PT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Planes are below each other on pages narrower than this, mm.
NARROW_MM: Final = 120.0

#: The upper row is cropped to this far around head and coil, and this far below the brain (mm).
_MARGIN_MM: Final = 6.0
_BELOW_BRAIN_MM: Final = 20.0

#: The lower row shows this far around the target (mm): the hand knob with the gyri on both of its sides.
_CLOSE_MM: Final = 34.0

#: Room around and between the panels for words and numbers, inches.
_LEFT_IN, _RIGHT_IN, _GAP_IN, TOP_IN, _BOTTOM_IN, _BETWEEN_IN = 0.45, 1.05, 0.45, 0.36, 0.36, 0.52
_BAR_IN: Final = 0.7

#: Share of the panels' height that the upper row takes where height is what limits it.
_UPPER_SHARE: Final = 0.54

AXIS_NAMES: Final = ("x", "y", "z")


@dataclass(frozen=True)
class Side:
    """One anatomical plane: the axis it is perpendicular to, and letters at its left, right, lower, upper edge."""

    name: str
    axis: int
    edges: tuple[str, str, str, str]


SIDES: Final = (
    Side("Sagittal", 0, ("P", "A", "I", "S")),
    Side("Coronal", 1, ("L", "R", "I", "S")),
    Side("Axial", 2, ("L", "R", "P", "A")),
)


def shown_box(head: HeadMesh, tags: tuple[int, ...], windings: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(2, 3) corners of the upper row: head and coil, cut a little below the brain, as the neck is empty."""
    everything = np.concatenate([head.points, *windings])
    brain = head.points[np.unique(head.tets[np.isin(head.tissue, tags)])]
    low, high = everything.min(axis=0) - _MARGIN_MM, everything.max(axis=0) + _MARGIN_MM
    low[2] = max(low[2], brain[:, 2].min() - _BELOW_BRAIN_MM)
    return np.stack([low, high])


def below_each_other(
    page: "Figure", box: NDArray[np.float64], center: NDArray[np.float64], top_in: float
) -> tuple[list[Any], list[Any]]:
    """Three rows of two axes, whole and close; all wholes have the same scale, all closes another."""
    width, height = page.get_size_inches()
    wholes = [np.delete(box, plane.axis, axis=1) for plane in SIDES]
    spans = np.array([corners[1] - corners[0] for corners in wholes])
    row = (height - top_in - _BAR_IN) / 3
    across = (width - 2 * _GAP_IN - 0.1) / 2
    room = row - _BETWEEN_IN
    scale = float(min(across / spans[:, 0].max(), room / spans[:, 1].max()))
    side = min(across, room)
    left, right = [], []
    for number, (plane, corners, span) in enumerate(zip(SIDES, wholes, spans * scale, strict=True)):
        middle = height - top_in - number * row - room / 2
        left.append(_axes(page, _GAP_IN + (across - span[0]) / 2, middle - span[1] / 2, span, corners, plane))
        spot = np.delete(center, plane.axis)
        square = np.stack([spot - _CLOSE_MM, spot + _CLOSE_MM])
        start = 2 * _GAP_IN + across + (across - side) / 2
        right.append(_axes(page, start, middle - side / 2, np.array([side, side]), square, plane))
    return left, right


def beside_each_other(
    page: "Figure", box: NDArray[np.float64], center: NDArray[np.float64], top_in: float
) -> tuple[list[Any], list[Any]]:
    """Two rows of three axes; within a row all have the same scale, and the columns are centered on each other."""
    width, height = page.get_size_inches()
    wholes = [np.delete(box, plane.axis, axis=1) for plane in SIDES]
    spans = np.array([corners[1] - corners[0] for corners in wholes])
    room_across = width - _LEFT_IN - _RIGHT_IN - 2 * _GAP_IN
    room_up = height - top_in - _BOTTOM_IN - _BETWEEN_IN
    scale = float(min(room_across / spans[:, 0].sum(), _UPPER_SHARE * room_up / spans[:, 1].max()))
    side = min(room_up - scale * float(spans[:, 1].max()), room_across / 3)
    columns = _LEFT_IN + room_across / 3 * (np.arange(3) + 0.5) + _GAP_IN * np.arange(3)
    row_up = scale * float(spans[:, 1].max())
    free = (room_up - row_up - side) / 2
    upper, lower = [], []
    for plane, corners, span, middle in zip(SIDES, wholes, spans * scale, columns, strict=True):
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
    plane: Side,
) -> Any:
    width, height = page.get_size_inches()
    axes = page.add_axes((left_in / width, bottom_in / height, span_in[0] / width, span_in[1] / height))
    axes.set_xlim(*corners[:, 0])
    axes.set_ylim(*corners[:, 1])
    across, up = (name for axis, name in enumerate(AXIS_NAMES) if axis != plane.axis)
    axes.set_xlabel(f"{across} (mm)", fontsize=LABEL_PT, labelpad=1)
    axes.set_ylabel(f"{up} (mm)", fontsize=LABEL_PT, labelpad=0)
    axes.tick_params(labelsize=TICK_PT, length=2, width=0.5, pad=1.5)
    axes.locator_params(nbins=3 if width < NARROW_MM / MM_PER_INCH else 6)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)
    return axes
