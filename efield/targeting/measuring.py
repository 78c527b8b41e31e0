"""Measures of fields where they are: in memory, or on the solver's GPU, from which only the measures come back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.fem.answers import Places
from efield.fem.problem import FemProblem
from efield.head.tissue import GRAY_MATTER
from efield.targeting.measures import Rows, TargetMeasures, faces_of
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]


class Measuring:
    """What `FemProblem.fields_at` takes to get the measures of a target, and E of the elements in some tetrahedra.

    Parameters
    ----------
    problem : FemProblem
    target : Target
    kept : (k,) int, optional
        Tetrahedra whose E is wanted, too.

    Attributes
    ----------
    places : Places
    measures : TargetMeasures
    rows : Rows
        Of the places, pairs first, that the measures need.
    """

    def __init__(self, problem: FemProblem, target: Target, kept: NDArray[np.intp] | None = None) -> None:
        head, patches = problem.head, problem.patches
        kept, own = np.empty(0, np.intp) if kept is None else kept, target.tets(head)
        self.measures, self._kept = TargetMeasures.at(head, target), len(kept)
        corners, faces = patches.corners(own), np.empty((0, 3), np.intp)
        surface, near = faces_of(head, target)
        if surface is not None:
            faces = patches.numbers(surface.nodes[surface.triangles[near]], GRAY_MATTER)
        pairs = np.unique(np.concatenate([corners.ravel(), faces.ravel()]))
        rows = (np.searchsorted(pairs, corners), np.searchsorted(pairs, faces))
        if problem.order == 2:  # whose elements know the field at their centers
            kept = np.concatenate([kept, own])
            rows = (np.repeat(len(pairs) + self._kept + np.arange(len(own))[:, None], 4, axis=1), rows[1])
        self.rows = Rows(np.arange(len(pairs) + len(kept)), *rows)
        self.places = Places(pairs, kept)
        self._of: Any = DeviceMeasures(self.measures, self.rows) if problem.is_resident else None

    def __call__(self, at_pairs: Any, in_tets: Any) -> tuple[FloatArray, FloatArray]:
        """(b, m) measures and (b, k, 3) E in V/m of fields at the places."""
        if self._of is not None:
            return self._of(at_pairs), in_tets.copy_to_host()
        e = np.concatenate([at_pairs, in_tets], axis=1) if len(self.places.tets) > self._kept else at_pairs
        return self.measures.of_rows(e, self.rows), in_tets[:, : self._kept]


class DeviceMeasures:
    """`TargetMeasures.of_rows` on a GPU.

    Parameters
    ----------
    measures : TargetMeasures
    rows : Rows
    """

    def __init__(self, measures: TargetMeasures, rows: Rows) -> None:
        from efield.fem.gpu.steps import room, to_device
        from efield.kernels.cuda import launch
        from efield.kernels.cuda.measures import measures as kernel

        self._names, self._room = len(measures.names), room
        at_target = (rows.corners.astype(np.int32), measures.weights, measures.direction)
        on_cortex = (rows.faces.astype(np.int32), measures.normals, measures.areas)
        self._given = [to_device(array) for array in (*at_target, *on_cortex)]
        self._kernel, self._threads = kernel, launch.MEASURING

    def __call__(self, e: Any) -> FloatArray:
        """(b, m) measures of E (b, r, 3) in V/m that lies on the device."""
        count, corners, faces = e.shape[0], self._given[0], self._given[3]
        out, *work = (self._room((count, size)) for size in (12, corners.shape[0], faces.shape[0]))
        self._kernel[count, self._threads](e, *self._given, *work, out)
        return np.asarray(out.copy_to_host()[:, : self._names])
