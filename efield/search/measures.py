"""What a placement does at a target, from the field per tetrahedron: the numbers of sweeps and of the reduced basis.

They use the element field (`EField.e`), whichever engine gave it; `EField.summary` uses the recovered field, whose
numbers are a little different.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.targeting.metrics import weighted_percentile

#: Names, units and meanings of the measures.
MEASURES: Final[dict[str, tuple[str, str]]] = {
    "mean_magnitude": ("V/m", "volume mean of |E| in the target"),
    "p99_magnitude": ("V/m", "99th volume percentile of |E| in the target"),
    "max_magnitude": ("V/m", "largest |E| of any tetrahedron in the target"),
    "along": ("V/m", "volume mean of E along the target's preferred direction"),
    "across": ("V/m", "length of the volume mean of E perpendicular to that direction"),
}


@dataclass(frozen=True, eq=False)
class Measures:
    """How fields are measured: the weights and the direction of one target.

    Parameters
    ----------
    volumes : (k,) float
        Volume of each tetrahedron of the target.
    direction : (3,) float, optional
        Preferred direction; without it there is no `along` and `across`.
    """

    volumes: NDArray[np.float64]
    direction: NDArray[np.float64] | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measures, in the order of `of`."""
        return tuple(MEASURES) if self.direction is not None else tuple(MEASURES)[:3]

    def of(self, e: NDArray[np.floating]) -> tuple[float, ...]:
        """The measures of one field (k, 3) in V/m on the target's tetrahedra."""
        size = np.sqrt(np.einsum("ij,ij->i", e, e, dtype=np.float64))
        weight = self.volumes / self.volumes.sum()
        values = (float(weight @ size), weighted_percentile(size, weight, 99), float(size.max()))
        if self.direction is None:
            return values
        mean = weight @ e
        along = float(mean @ self.direction)
        return (*values, along, float(np.linalg.norm(mean - along * self.direction)))
