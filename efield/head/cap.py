"""An electrode cap: named positions on one head."""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

#: The fiducials' names in caps, in the order of `efield.head.landmarks.Fiducials`.
FIDUCIAL_NAMES: Final = ("Nz", "Iz", "LPA", "RPA")


class Cap(Protocol):
    """Positions that were measured or fitted on a head, such as those of a subject folder."""

    @property
    def positions(self) -> Mapping[str, NDArray[np.float64]]:
        """Positions by name, each (3,) in head coordinates, mm."""
        ...

    @property
    def origin(self) -> str:
        """Where they come from, in words."""
        ...
