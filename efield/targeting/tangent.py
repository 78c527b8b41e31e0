"""Directions in the tangent plane of the scalp, named by an angle from anterior toward the midline."""

import numpy as np
from numpy.typing import NDArray

_ANTERIOR = np.array([0.0, 1.0, 0.0])
_SUPERIOR = np.array([0.0, 0.0, 1.0])


def medial_sign(point_mm: NDArray[np.float64]) -> float:
    """+1 where the midline lies toward +x (left hemisphere and midline), -1 in the right hemisphere."""
    return 1.0 if point_mm[0] <= 0 else -1.0


def tangent_direction(outward: NDArray[np.float64], angle_deg: float, medial: float) -> NDArray[np.float64]:
    """The unit tangent that points `angle_deg` from anterior toward medial.

    Parameters
    ----------
    outward : (3,) float
        Unit normal of the scalp.
    angle_deg : float
        0 = anterior, 45 = anterior and medial, 90 = medial, negative = lateral.
    medial : float
        +1 in the left hemisphere, -1 in the right one (`medial_sign`).

    Notes
    -----
    Where the scalp itself faces forward or backward (forehead, occiput) anterior has no tangential part worth the
    name; there inferior (forehead) or superior (occiput) takes its place, which is how a coil is turned when it is slid
    from the vertex along the midline.
    """
    along = _ANTERIOR - (_ANTERIOR @ outward) * outward
    if np.linalg.norm(along) < 0.3:
        up = -np.sign(_ANTERIOR @ outward) * _SUPERIOR
        along = up - (up @ outward) * outward
    along /= np.linalg.norm(along)
    # Seen from outside with anterior up, the right of the picture is along x outward.
    right = np.cross(along, outward)
    angle = np.radians(angle_deg)
    return np.asarray(np.cos(angle) * along + np.sin(angle) * medial * right)


def y_axis(induced: NDArray[np.float64], z: NDArray[np.float64], turn_deg: float) -> NDArray[np.float64]:
    """(..., 3) coil's y axes with which the current that it induces runs along given tangents.

    Parameters
    ----------
    induced : (..., 3) float
        Unit tangents.
    z : (..., 3) float
        Coil's z axes, into the head.
    turn_deg : float
        From the coil's y axis toward its x axis to the induced current (`efield.coils.polarity.turn_deg`).
    """
    if turn_deg % 180 == 0:
        return induced if turn_deg % 360 == 0 else -induced
    turn = np.radians(turn_deg)
    return np.asarray(np.cos(turn) * induced - np.sin(turn) * np.cross(induced, z))
