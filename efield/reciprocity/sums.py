"""Adjoint currents summed over placed coils: node by node, or from their potential outside the head."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from efield.coils.model import Coil
from efield.coils.primary import dadt
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.units import mm_to_m
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.kernels.reduced.reciprocity import dipole_placements, placements
from efield.reciprocity.currents import Outside
from efield.reciprocity.equivalent_points import skeleton

#: The fast route is for coils whose axis is within 75 degrees of the scalp's inward normal. The skeleton is
#: not fitted behind the casing: with its back to a sphere a 70 mm figure-8 missed by up to 2e-3 of the peak.
_LEAST_COSINE: Final = 0.26


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over nodes of currents . dA/dt, (p, d), for coils at matrices (p, 4, 4) in mm and a dI/dt in A/s."""

    outside: Outside

    def exact(self, coil: Coil, matrices: FloatArray, didt: float) -> FloatArray:
        """Over all nodes."""
        return np.array(list(self._each(coil, matrices, didt))).reshape(-1, len(self.outside.currents))

    def _each(self, coil: Coil, matrices: FloatArray, didt: float) -> Iterator[FloatArray]:
        for matrix in matrices:
            primary = dadt(coil, Pose(matrix), self._head.points, didt)
            yield np.einsum("dni,ni->d", self.outside.currents, primary)

    def fast(self, coil: Coil, matrices: FloatArray, didt: float) -> FloatArray:
        """From the stored potential; over all nodes where a coil reaches beyond it, or has its back to the head."""
        bones, f = skeleton(coil), self.outside.potential
        in_m = matrices.copy()
        in_m[:, :3, 3] = mm_to_m(matrices[:, :3, 3])
        tree = (f.center, f.half, f.children, f.coefficients)
        sums = didt * placements(in_m, bones.points, bones.strengths, *tree)
        sums += didt * dipole_placements(in_m, bones.dipoles, bones.moments, *tree)
        unknown = np.flatnonzero(np.isnan(sums).any(axis=1) | self._turned_away(matrices))
        sums[unknown] = self.exact(coil, matrices[unknown], didt)
        return np.asarray(sums)

    def _turned_away(self, matrices: FloatArray) -> NDArray[np.bool_]:
        """(p,) whether the coil's back, for which its points do not stand, is toward the head."""
        tree, normals = self._scalp
        nearest = tree.query(matrices[:, :3, 3])[1]
        return np.asarray(-np.einsum("pi,pi->p", normals[nearest], matrices[:, :3, 2]) < _LEAST_COSINE)

    @property
    def _head(self) -> HeadMesh:
        return self.outside.head

    @cached_property
    def _scalp(self) -> tuple[cKDTree, FloatArray]:
        surface = scalp(self._head)
        return cKDTree(surface.points_mm), surface.normals
