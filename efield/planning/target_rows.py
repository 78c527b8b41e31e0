"""E where the measures of a target look, and the measures of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.planning.goals import CenterField
from efield.targeting.measuring import Measuring
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target


class TargetRows:
    """Takes potentials to the rows of E that the measures of a target need.

    Attributes
    ----------
    measures : TargetMeasures
    rows : Rows
    """

    def __init__(self, sim: Simulator, target: Target) -> None:
        self._problem, at = sim.problem, Measuring(sim.problem, target)
        self._places, self.measures, self.rows = at.places, at.measures, at.rows

    def __call__(self, phi: FloatArray, dadt: FloatArray) -> FloatArray:
        """(b, q, 3) E in V/m of potentials (n, b) and their dA/dt (n, 3, b)."""
        return np.ascontiguousarray(np.moveaxis(self._problem.field_at(phi, dadt, self._places)[0], 2, 0))

    def solved(self, dadt: Any, count: int, tol: float) -> FloatArray:
        """(b, q, 3) E in V/m of primary fields as `FemProblem.answers` takes them, solved to a residual."""
        return self._problem.rows_at(dadt, count, self._places, tol)

    def measured(self, e: FloatArray) -> FloatArray:
        """(b, m) measures of E (b, q, 3) at the rows."""
        return self.measures.of_rows(e, self.rows)


class DrivenRows:
    """Takes potentials of one placement to the rows of E that the measures of a target need, and to a region around it.

    Parameters
    ----------
    sim : Simulator
    target : Target
    drive : (n, 3) float, V/m
        dA/dt at the nodes.
    region_mm : float or None
        The region is gray and white matter within this distance of the target; none without it.

    Attributes
    ----------
    at_target : TargetRows
    region : (k,) int
        Its tetrahedra.
    """

    def __init__(self, sim: Simulator, target: Target, drive: FloatArray, region_mm: float | None) -> None:
        head = sim.head
        self.region = _region(head, target, region_mm)
        self._at_centers = CenterField(sim.problem, self.region)
        self.at_target, self._drive = TargetRows(sim, target), drive

    def of_drive(self) -> FloatArray:
        """(q, 3) E in V/m of the primary field alone."""
        return self._rows(np.zeros(len(self._drive)), self._drive)

    def of_mode(self, phi: FloatArray) -> FloatArray:
        """(q, 3) E in V/m of a potential (n,) alone."""
        return self._rows(phi, np.zeros((len(phi), 3)))

    def of_solve(self, phi: FloatArray) -> FloatArray:
        """(q, 3) E in V/m of a potential (n,) and the primary field."""
        return self._rows(phi, self._drive)

    def over_region(self, modes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(k, 3) E in V/m of the primary field alone, and (r, k * 3) of each mode (n, r), at the region's centers."""
        none = np.zeros((len(modes), 1))
        first = self._at_centers(none, self._drive[..., None])[0]
        each = [self._at_centers(mode[:, None], np.zeros((len(mode), 3, 1))).ravel() for mode in modes.T]
        return first, np.array(each)

    def _rows(self, phi: FloatArray, drive: FloatArray) -> FloatArray:
        return np.asarray(self.at_target(phi[:, None], drive[..., None])[0])


def _region(head: HeadMesh, target: Target, region_mm: float | None) -> NDArray[np.intp]:
    if region_mm is None:
        return np.empty(0, np.intp)
    near = np.linalg.norm(head.barycenters - target.center_mm, axis=1) <= checks.positive("region_mm", region_mm)
    return np.flatnonzero(near & np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER)))
