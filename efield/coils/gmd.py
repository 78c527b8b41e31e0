"""Geometric mean distance (GMD) of a wire's cross-section from itself: what its thickness means to its inductance."""

import numpy as np

from efield.ground.arrays import FloatArray


def rectangle_gmd_mm(width_mm: float, height_mm: float) -> float:
    """GMD of a rectangle from itself, 0.2235 (width + height) (Grover 1946)."""
    return 0.2235 * (width_mm + height_mm)


def filament_gmd_mm(offsets_mm: FloatArray, shares: FloatArray, width_mm: float, height_mm: float) -> float:
    """The GMD each of several filaments needs for all of them together to have that of their rectangular wire.

    Parameters
    ----------
    offsets_mm : (f, 2) float
        Where in the cross-section the filaments are.
    shares : (f,) float
        Their shares of the current, which add up to 1.
    width_mm, height_mm : float
        Of the wire.
    """
    distance = np.linalg.norm(offsets_mm[:, None] - offsets_mm[None], axis=2)
    np.fill_diagonal(distance, 1.0)
    between = float(shares @ np.log(distance) @ shares)
    return float(np.exp((np.log(rectangle_gmd_mm(width_mm, height_mm)) - between) / (shares @ shares)))
