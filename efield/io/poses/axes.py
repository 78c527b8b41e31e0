"""What the axes of other programs' coils and heads are, as matrices.

A pose of another program becomes ours as ``F T A``: T is its 4x4 matrix, A turns the coil's axes (`AXES`), F those of
the head (`FRAMES`). The page docs/frames.md draws them.
"""

from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks

FloatArray = NDArray[np.float64]


def _read_only(rows: tuple[tuple[int, int, int], ...]) -> FloatArray:
    return checks.read_only(np.array(rows, dtype=np.float64))


#: Columns of each: our x, y and z axes, in the coordinates of the other program's coil.
AXES: Final = MappingProxyType(
    {
        "simnibs": _read_only(((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        # Brainsight: z out of the head, y away from the handle.
        "brainsight": _read_only(((-1, 0, 0), (0, 1, 0), (0, 0, -1))),
        # Localite: x into the head, y along the handle, z to the coil's right.
        "localite": _read_only(((0, 0, 1), (0, -1, 0), (1, 0, 0))),
        # Softaxic: x away from the handle, z into the head.
        "softaxic": _read_only(((0, 1, 0), (-1, 0, 0), (0, 0, 1))),
        # InVesalius: x away from the handle, z out of the head.
        "invesalius": _read_only(((0, 1, 0), (1, 0, 0), (0, 0, -1))),
        # As ours, turned by half a turn: y along the handle. How the drafts of NIBS-BIDS mean y is open.
        "handle": _read_only(((-1, 0, 0), (0, -1, 0), (0, 0, 1))),
    }
)

#: Columns of each: the axes of the other program's head, in RAS.
FRAMES: Final = MappingProxyType(
    {
        "RAS": _read_only(((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        "LPS": _read_only(((-1, 0, 0), (0, -1, 0), (0, 0, 1))),
    }
)


def from_theirs(matrices: FloatArray, axes: str, frame: str = "RAS") -> FloatArray:
    """(n, 4, 4) poses in our convention, of those of a program whose coil has `axes` and whose head `frame`."""
    return np.asarray(_four(FRAMES[frame]) @ matrices @ _four(AXES[axes]))


def to_theirs(matrices: FloatArray, axes: str, frame: str = "RAS") -> FloatArray:
    """The inverse of `from_theirs`."""
    return np.asarray(_four(FRAMES[frame].T) @ matrices @ _four(AXES[axes].T))


def checked_axes(name: str) -> str:
    """The name of a coil's axes, in any case."""
    return checks.choice("axes", str(name).lower(), AXES)


def checked_frame(name: str) -> str:
    """The name of a head's axes, in any case."""
    return checks.choice("frame", str(name).upper(), FRAMES)


def _four(turn: FloatArray) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    return matrix
