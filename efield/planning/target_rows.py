"""E where the measures of a target look, and the measures of it."""

import numpy as np
from numpy.typing import NDArray

from efield.basis.outputs import Outputs, Reader
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]


class TargetRows:
    """Takes potentials to the rows of E that the measures of a target need.

    Parameters
    ----------
    sim : Simulator
    target : Target

    Attributes
    ----------
    measures : TargetMeasures
    rows : Rows
    """

    def __init__(self, sim: Simulator, target: Target) -> None:
        head = sim.head
        reach = float(np.linalg.norm(head.barycenters[target.tets(head)] - target.center_mm, axis=1).max())
        outputs = Outputs.near(sim.problem, target, max(reach, target.radius_mm) + 1e-6, "tets")
        self.measures, self.rows = outputs.measured(head, target)
        self._reader = Reader(sim.problem, outputs)

    def __call__(self, phi: FloatArray, dadt: FloatArray) -> FloatArray:
        """(b, q, 3) E in V/m of potentials (n, b) and their dA/dt (n, 3, b)."""
        return np.ascontiguousarray(np.moveaxis(self._reader(phi, dadt)[self.rows.numbers], 2, 0))

    def measured(self, e: FloatArray) -> FloatArray:
        """(b, m) measures of E (b, q, 3) at the rows."""
        return self.measures.of_rows(e, self.rows)
