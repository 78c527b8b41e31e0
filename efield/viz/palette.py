"""Colors of the field and their upper limit, the same for every drawing.

The field is drawn with viridis (S. van der Walt and N. Smith, matplotlib 1.5): equal steps in V/m look equally
large, and lightness alone tells high from low (gray print, color-vision deficiency). Its darkest tenth is left
out, because a folded surface needs some lightness to show its shading where the field is low.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

_FIELD_MAP: Final = "viridis"
_DARKEST: Final = 0.1

#: Copper, for the coil; absent from the color map, so that nothing of the coil reads as field.
COIL_COLOR: Final = "#b8652a"
CASING_COLOR: Final = "#9aa5b1"
TARGET_COLOR: Final = "#d81b60"
SCALP_COLOR: Final = "#c9b8a8"
INK: Final = "#1a1a1a"
OUTLINE_COLOR: Final = "#8a8378"

#: Fills of the tissues that show no field in slices, and of anything with another tag.
TISSUE_FILLS: Final[dict[int, str]] = {3: "#eef2f5", 4: "#dcd7cc", 5: "#ead9cb"}
OTHER_FILL: Final = "#e6e6e6"

#: Radius around the target that sets the color limit: a hot spot elsewhere must not darken the target.
NEAR_MM: Final = 40.0
PERCENTILE: Final = 99.9
_SHORT_NUMBERS: Final = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4, 2.8, 3.2, 3.6, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)


@lru_cache(maxsize=1)
def field_colors() -> "Colormap":
    """The color map of |E|, for matplotlib and pyvista alike."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[_FIELD_MAP](np.linspace(_DARKEST, 1.0, 256)), name="efield")


@lru_cache(maxsize=1)
def difference_colors() -> "Colormap":
    """The color map of differences: blue below zero, red above it (matplotlib's coolwarm, after K. Moreland 2009)."""
    from matplotlib import colormaps

    return colormaps["coolwarm"]


def high_percentile(
    magnitude: NDArray[np.float64], points_mm: NDArray[np.float64], center_mm: ArrayLike | None = None
) -> tuple[float, bool]:
    """The 99.9th percentile near the target, V/m, and whether only values near it count.

    Parameters
    ----------
    magnitude : (p,) float, V/m
        Values to draw; nan where there is none.
    points_mm : (p, 3) float, mm
        Where they are.
    center_mm : (3,) array_like, optional
        Center of the target; without one, or with no value within 40 mm of it, all values count.

    Raises
    ------
    InputError
        If no value is finite.
    """
    valid = np.isfinite(magnitude)
    if not valid.any():
        raise InputError("the field to draw must have finite values; instead received none")
    if center_mm is None:
        return float(np.percentile(magnitude[valid], PERCENTILE)), False
    near = valid & (np.linalg.norm(points_mm - checks.vector("center_mm", center_mm), axis=1) < NEAR_MM)
    chosen = near if near.any() else valid
    return float(np.percentile(magnitude[chosen], PERCENTILE)), bool(near.any())


def rounded_up(value: float) -> float:
    """The smallest short number (1, 1.2, 1.4, ... 2, 2.4, ... times a power of ten) not below a value; 1 for 0."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    # Rounding errors in the quotient must not lift 1.2 to 1.4.
    step = next(s for s in _SHORT_NUMBERS if s * power >= value * (1 - 1e-9))
    return float(f"{step * power:.3g}")
