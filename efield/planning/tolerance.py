"""How exact a placement must be: the map of what is lost around it, and where 5 % are."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from efield.ground.arrays import FloatArray
from efield.planning.search_space import AXES

if TYPE_CHECKING:
    import xarray

Predict = Callable[[FloatArray], FloatArray]

#: The grid of the map.
_MAP_MM: Final = 5.0
_MAP_DEG: Final = 20.0

#: Tolerances are where the goal has lost this share.
_LOST: Final = 0.05


class LossGrid:
    """Places and angles over a disc, coil tangential.

    Attributes
    ----------
    places : (k, 5) float
    """

    def __init__(self, radius_mm: float) -> None:
        step = min(radius_mm, _MAP_MM)  # a disc that is smaller has places beside its middle all the same
        reach = np.floor(radius_mm / step)
        along = np.arange(-reach, reach + 1) * step
        self._axes = (along, along, np.arange(0.0, 360.0, _MAP_DEG))
        u, v, angle = (one.ravel() for one in np.meshgrid(*self._axes, indexing="ij"))
        self.places = np.column_stack([u, v, angle, np.zeros((len(u), 2))])

    def dataset(self, lost: FloatArray) -> "xarray.Dataset":
        """`loss` over u_mm, v_mm and angle_deg, of shares (k,) that are lost; nan where no coil may be."""
        import xarray

        values = np.where(np.isfinite(lost), lost, np.nan).reshape([len(axis) for axis in self._axes])
        names = tuple(AXES)[:3]
        notes = {"units": "1", "long_name": "share of the goal that is lost"}
        coordinates = {name: (name, axis, {"units": AXES[name]}) for name, axis in zip(names, self._axes, strict=True)}
        return xarray.Dataset({"loss": (names, values, notes)}, coords=coordinates)


def tolerances(top: FloatArray, predict: Predict, radius_mm: float) -> tuple[float, float]:
    """How far from a place 5 % are lost: mm along the scalp in the worst direction, and degrees to the worse side.

    Parameters
    ----------
    top : (5,) float
    predict : callable
        (k,) goal of places (k, 5); -inf where no coil may be.
    radius_mm : float
        Of the search.

    Returns
    -------
    mm, degrees : float
        Infinite where less is lost in all of the search.
    """
    directions = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    along, turned = np.zeros((12, 5)), np.zeros((2, 5))
    along[:, 0], along[:, 1] = np.cos(directions), np.sin(directions)
    turned[:, 2] = (1.0, -1.0)
    reaches = np.arange(1.0, 2 * radius_mm, 1.0), np.arange(2.0, 181.0, 2.0)
    return _until_lost(top, predict, along, reaches[0]), _until_lost(top, predict, turned, reaches[1])


def _until_lost(top: FloatArray, predict: Predict, offsets: FloatArray, reaches: FloatArray) -> float:
    """The first of the reaches at which a step in one of the directions loses the share, between two of them."""
    before = 0.0
    at = predict(top[None])[0]
    for reach in reaches:
        values = predict(top + reach * offsets)
        known = values[np.isfinite(values)]
        if not len(known):
            break
        lost = 1 - float(known.min()) / at
        if lost >= _LOST:
            step = reach - (reaches[1] - reaches[0])
            return float(step + (reach - step) * (_LOST - before) / (lost - before))
        before = max(before, lost)
    return np.inf
