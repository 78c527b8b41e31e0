"""Physical constants and the two conversions between public millimeters and internal meters.

Everything public is in millimeters; `kernels` and `fem` work in meters. The only callers of the
conversions are the places where a mesh enters `fem` and where a coil is evaluated.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: mu0 / (4 pi) in T m / A. Exact before the 2019 SI; the measured value differs by 5.5e-10 (CODATA 2018).
MU0_OVER_4PI: Final = 1e-7

#: One ampere per microsecond, the usual unit of coil drive, in A/s.
AMPERE_PER_MICROSECOND: Final = 1e6

_MM_PER_M: Final = 1e3


def mm_to_m(length_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths or coordinates in millimeters as a new array in meters."""
    return np.asarray(length_mm, dtype=np.float64) / _MM_PER_M


def m_to_mm(length_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths or coordinates in meters as a new array in millimeters."""
    return np.asarray(length_m, dtype=np.float64) * _MM_PER_M
