"""A coil whose vector potential is stored once, for evaluating many placements on many points.

A is smooth away from the wires. An octree around the coil is refined toward them until a polynomial of degree 7
in each coordinate fits every leaf; each fit is checked against the direct sum when it is made. Points nearer to
the wires than the smallest leaf allows, and behind the coil where no head is, are summed directly, so the stated
error holds everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from efield.coils.model import Coil, SampledField, given_coil
from efield.coils.primary import unchecked_vector_potential, vector_potential
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.units import mm_to_m
from efield.kernels import octree
from efield.kernels.coils import stored

#: Half width of the box that is stored, around the coil, in mm: beyond it lies no head.
_ROOT_MM = 320.0

#: Cells are not divided below this half width in mm; what is nearer to a wire is summed directly.
_SMALLEST_MM = 5.0

#: The same behind the coil, where the wires are nearer than the casing's head-side face.
_SMALLEST_BEHIND_MM = 20.0

#: A cell is tried as a leaf when its center is this many half widths from the nearest source. Of 1.3 to 2.4, this
#: needs the fewest evaluations of A.
_TRY_AT = 1.3

#: Largest error unless another is asked for.
TOLERANCE: Final = 5e-5


@dataclass(frozen=True, eq=False, repr=False)
class CompressedCoil(Carded):
    """A coil and the polynomials that stand for its vector potential; made by `compress`.

    Parameters
    ----------
    coil : Coil
    tolerance : float
        Largest error of A in any leaf at the points it was checked at, relative to the largest A of that leaf.
    error : float
        The error that was reached, in the same terms.
    """

    coil: Coil
    tolerance: float
    error: float
    _children: NDArray[np.int32]
    _coefficients: NDArray[np.float32]

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return len(self._coefficients)

    @property
    def nbytes(self) -> int:
        """Memory the leaves take, in bytes."""
        return int(self._coefficients.nbytes)

    @property
    def tree(self) -> tuple[float, NDArray[np.int32], NDArray[np.float32]]:
        """Half width in m of the octree around the coil, its children and the coefficients of its leaves."""
        return float(mm_to_m(np.array(_ROOT_MM))), self._children, self._coefficients

    def dadt(self, pose: Pose, points_mm: ArrayLike, didt: float) -> FloatArray:
        """Rate of change of the coil's vector potential, as `efield.coils.primary.dadt` gives it.

        Parameters
        ----------
        pose : Pose
            Coil to head.
        points_mm : (n, 3) array_like
            Where, in head coordinates.
        didt : float
            Rate of change of the coil current in A/s.

        Returns
        -------
        (n, 3) ndarray
            dA/dt in V/m, in head axes.

        Raises
        ------
        InputError
            If `points_mm` or `didt` is not finite, or a point lies on a source.
        """
        points = checks.vectors("points_mm", points_mm)
        rate = checks.number("didt", didt)
        center, rotation = mm_to_m(pose.center_mm), np.array(pose.rotation)
        result = stored.evaluate(mm_to_m(points), rotation, center, *self.tree)
        near = np.flatnonzero(np.isnan(result[:, 0]))
        if len(near):
            result[near] = vector_potential(self.coil, pose.to_coil(points[near])) @ pose.rotation.T
        result *= rate
        return np.asarray(result)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What was stored by name, from which `from_arrays` makes it again without the work."""
        return {"error": np.array(self.error), "children": self._children, "coefficients": self._coefficients}

    @classmethod
    def from_arrays(cls, coil: Coil, tolerance: float, arrays: Mapping[str, NDArray[Any]]) -> "CompressedCoil":
        """The same coil again: what `to_arrays` took apart."""
        return cls(coil, tolerance, float(arrays["error"]), arrays["children"], arrays["coefficients"])

    def _card(self) -> Card:
        rows = (
            ("leaves", f"{self.leaves:,}, {self.nbytes / 1e6:.1f} MB"),
            ("error", f"{self.error:.1e} of the largest A"),
        )
        return Card(f"CompressedCoil {self.coil.name}", rows)


@lru_cache(maxsize=8)
def compress(coil: Coil, tolerance: float = TOLERANCE) -> CompressedCoil:
    """Store a coil's vector potential for fast evaluation; the last few results are kept.

    Parameters
    ----------
    coil : Coil
        Made of dipoles or wire segments.
    tolerance : float
        Largest error of A in any cell of space, relative to the largest A in that cell.

    Raises
    ------
    InputError
        If the coil is a sampled field (it is interpolated already), or the tolerance is not in [1e-6, 1e-2].
    """
    limit = checks.in_range("tolerance", tolerance, 1e-6, 1e-2)
    if any(isinstance(source, SampledField) for source in given_coil(coil).sources):
        raise InputError(
            "coil must be made of dipoles or wire segments to be compressed; a sampled field is interpolated already"
        )
    tree = _grow(coil, limit)
    return CompressedCoil(coil, limit, *tree)


def _grow(coil: Coil, tolerance: float) -> tuple[float, NDArray[np.int32], NDArray[np.float32]]:
    """Refine from the root down; returns the largest error, the children table and the coefficients."""
    sources = cKDTree(np.concatenate([source.extent_mm for source in coil.sources]))
    casing = cKDTree(np.asarray(coil.casing_points_mm))
    worst = 0.0

    def settle(centers: FloatArray, half: float) -> octree.Settled:
        nonlocal worst
        distance, _ = sources.query(centers)
        behind = distance < casing.query(centers)[0]
        tried = np.flatnonzero(distance >= _TRY_AT * half)
        fitted, error = _fit(coil, centers[tried], half)
        good = error <= tolerance
        worst = max(worst, float(error[good].max(initial=0.0)))
        divisible = half > np.where(behind, _SMALLEST_BEHIND_MM, _SMALLEST_MM)
        divisible[tried[good]] = False
        return tried[good], fitted[good], np.flatnonzero(divisible)

    children, coefficients = octree.grow(np.zeros(3), _ROOT_MM, settle)
    return worst, children, coefficients


def _fit(coil: Coil, centers: FloatArray, half: float) -> tuple[NDArray[np.float32], FloatArray]:
    """Chebyshev coefficients (c, 8, 192) of A in cubes, and (c,) their relative errors at the checks."""
    order = len(octree.NODES)
    grid = np.stack(np.meshgrid(*[octree.NODES] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    local = np.concatenate([grid, octree.CHECKS])
    values = unchecked_vector_potential(coil, (centers[:, None] + half * local).reshape(-1, 3))
    values = values.reshape(len(centers), len(local), 3)
    singular = ~np.isfinite(values).all(axis=(1, 2))  # a check that lies on a source: no polynomial fits
    values[singular] = 1.0
    fitted = octree.fit(values[:, : order**3].reshape(len(centers), order, order, order, 3)).transpose(0, 1, 2, 4, 3)
    checked = values[:, order**3 :]
    basis = np.polynomial.chebyshev.chebvander(octree.CHECKS, octree.DEGREE)
    approximate = np.einsum("nabcd,ta,tb,td->ntc", fitted, *basis.transpose(1, 0, 2), optimize=True)
    largest = np.maximum(np.linalg.norm(checked, axis=2).max(axis=1), np.finfo(np.float64).tiny)
    error = np.linalg.norm(approximate - checked, axis=2).max(axis=1) / largest
    error[singular] = np.inf
    return fitted.reshape(len(centers), order, -1).astype(np.float32), error
