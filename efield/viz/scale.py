"""What a color means: range, unit, color map, and the percentile that the range was taken from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.errors import InputError
from efield.viz import palette

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

#: The color maps: of magnitudes from zero, and of differences around zero.
COLORS: Final = ("field", "difference")


@dataclass(frozen=True)
class Scale:
    """The colors of values.

    Parameters
    ----------
    label, unit : str
        What is shown, such as ``|E|``, and its unit; a pure number has the unit ``""``.
    low, high : float
        Ends of the colors.
    note : str
        Where the upper end comes from.
    colors : {"field", "difference"}
        Lightness that rises from low to high, or two hues that part at the middle.
    """

    label: str
    unit: str
    low: float
    high: float
    note: str = ""
    colors: str = "field"

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise InputError(f"a color scale must end above its start; instead received {self.low} to {self.high}")
        if self.colors not in COLORS:
            raise InputError(f"colors must be one of {', '.join(COLORS)}; instead received {self.colors!r}")

    @property
    def words(self) -> str:
        """Label and unit, such as ``|E| (V/m)``."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def colormap(self) -> "Colormap":
        """For matplotlib and pyvista alike."""
        return palette.field_colors() if self.colors == "field" else palette.difference_colors()

    @property
    def extend(self) -> Any:
        """Which ends of a color bar stand for everything beyond."""
        return "max" if self.colors == "field" else "both"

    def rgb(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """(p, 3) colors of values (p,)."""
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(self.colormap(share, bytes=True)[:, :3])


def field_scale(
    magnitude: NDArray[np.float64],
    points_mm: NDArray[np.float64],
    center_mm: ArrayLike | None,
    label: str = "|E|",
    unit: str = "V/m",
) -> Scale:
    """|E| from 0 to the 99.9th percentile near the target, rounded up.

    Parameters
    ----------
    magnitude : (p,) float, V/m
        Values to draw; nan where there is none.
    points_mm : (p, 3) float, mm
        Where they are.
    center_mm : (3,) array_like, optional
        Center of the target.
    label, unit : str
    """
    percentile, near = palette.high_percentile(magnitude, points_mm, center_mm)
    where = f" within {palette.NEAR_MM:g} mm" if near else ""
    note = f"P{palette.PERCENTILE:g}{where}: {percentile:.3g}"
    return Scale(label, unit, 0.0, palette.rounded_up(percentile), note)


def difference_scale(difference: NDArray[np.float64], label: str) -> Scale:
    """Colors around zero, to the 99.9th percentile of the difference's size (p,), V/m, rounded up."""
    size = np.abs(difference[np.isfinite(difference)])
    if not len(size):
        raise InputError("a difference to draw must have finite values; instead received none")
    percentile = float(np.percentile(size, palette.PERCENTILE))
    limit = palette.rounded_up(percentile)
    return Scale(label, "V/m", -limit, limit, f"P{palette.PERCENTILE:g} of its size: {percentile:.3g}", "difference")
