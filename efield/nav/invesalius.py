"""What InVesalius 3 says over Socket.IO and wants to hear: all names of its messages, and its space.

After the source of InVesalius 3 of 2026-08 and, for the requests that begin with ``SimNIBS``, after its pull request
#1455, which was open then: these names may change. Checked against no running InVesalius.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from efield.ground.errors import InputError
from efield.io.poses.axes import from_theirs
from efield.io.volumes.nifti import read_grid

FloatArray = NDArray[np.float64]

#: Events: what InVesalius emits and obeys, and what a relay makes of both for us.
FROM_INVESALIUS: Final = "from_neuronavigation"
TO_INVESALIUS: Final = "to_neuronavigation"
FROM_RELAY: Final = "to_simnibs"
TO_RELAY: Final = "from_simnibs"

#: Topics that come in.
POSE: Final = "From Neuronavigation: Send coil pose"
RUN: Final = "SimNIBS: Run simulation"
CONVERT: Final = "SimNIBS: Convert msh"
CANCEL: Final = ("SimNIBS: Cancel simulation", "SimNIBS: Cancel charm")
CHARM: Final = "SimNIBS: Run charm"

#: Topics that go out.
PROGRESS: Final = "SimNIBS progress"
LOADED: Final = "SimNIBS efield loaded"
ERROR: Final = "SimNIBS error"


def progress(message: str, percent: float) -> dict[str, Any]:
    """A line of progress."""
    return {"topic": PROGRESS, "data": {"message": message, "percent": percent}}


def loaded(path: str) -> dict[str, Any]:
    """A surface to paint: a ``.vtp`` in world coordinates with the point scalars ``magnE``."""
    return {"topic": LOADED, "data": {"result_msh": path}}


def error(message: str) -> dict[str, Any]:
    """Why there is no result."""
    return {"topic": ERROR, "data": {"message": message}}


def topic_of(message: Any) -> tuple[str, Mapping[str, Any]]:
    """Topic and data of an event; empty if it is no message of InVesalius."""
    if not isinstance(message, Mapping):
        return "", {}
    topic, data = message.get("topic"), message.get("data")
    return (topic if isinstance(topic, str) else ""), (data if isinstance(data, Mapping) else {})


def asked_pose(data: Mapping[str, Any]) -> FloatArray:
    """(4, 4) pose of a request, in our axes.

    Raises
    ------
    InputError
        If it has none.
    """
    try:
        return np.array(data.get("matsimnibs"), np.float64).reshape(4, 4)
    except (TypeError, ValueError) as error:
        raise InputError(f"a request must have matsimnibs, 4x4 numbers; instead: {error}") from error


@dataclass(frozen=True, eq=False)
class Space:
    """InVesalius's space of one image: millimeters along the voxels, y from the other end.

    Parameters
    ----------
    affine : (4, 4) float
        Voxel to RAS of the image as it is open there: along x, y and z.
    rows : int
        Its voxels along y.
    """

    affine: FloatArray
    rows: int

    @classmethod
    def of(cls, image: str | PathLike[str]) -> "Space":
        """The space of the NIfTI image that InVesalius has open: turned there, by whole axes, to be nearest to RAS."""
        from nibabel.orientations import inv_ornt_aff, io_orientation

        shape, affine = read_grid(image)
        axes = io_orientation(affine)
        along_y = int(np.flatnonzero(axes[:, 0] == 1)[0])
        return cls(np.asarray(affine @ inv_ornt_aff(axes, shape), np.float64), shape[along_y])

    def pose(self, coordinates: Any) -> FloatArray:
        """(4, 4) pose in our convention of InVesalius's (x, y, z, alpha, beta, gamma), mm and degrees (Euler sxyz).

        Raises
        ------
        InputError
            If they are not six numbers.
        """
        try:
            given = np.array(coordinates, np.float64).reshape(6)
        except (TypeError, ValueError) as error:
            raise InputError(f"coord must be six numbers; instead: {error}") from error
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", given[3:], degrees=True).as_matrix()  # about the fixed axes
        matrix[:3, 3] = given[0], spacing[1] * (self.rows - 1) - given[1], given[2]
        unscaled = self.affine.copy()
        unscaled[:3, :3] /= spacing
        return np.asarray(from_theirs((unscaled @ matrix)[None], "invesalius")[0])
