"""A coil whose vector potential is stored once, for evaluating many placements on many points.

A is smooth away from the wires. An octree around the coil is refined toward them until a polynomial of degree 7
in each coordinate fits every leaf; each fit is checked against the direct sum when it is made. Points nearer to
the wires than the smallest leaf allows, and behind the coil where no head is, are summed directly, so the stated
error holds everywhere.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from efield.coils.model import Coil, SampledField
from efield.coils.primary import unchecked_vector_potential, vector_potential
from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.units import mm_to_m
from efield.kernels.coils import octree

FloatArray = NDArray[np.float64]

#: Half width of the region that is stored, around the coil, in mm: beyond it lies no head.
_ROOT_MM = 320.0

#: Cells are not divided below this half width in mm; what is nearer to a wire is summed directly.
_SMALLEST_MM = 5.0

#: The same behind the coil, where the wires are nearer than the casing's head-side face.
_SMALLEST_BEHIND_MM = 20.0

#: A cell is tried as a leaf when its center is this many half widths from the nearest source. Of 1.3 to 2.4, this
#: needs the fewest evaluations of A.
_TRY_AT = 1.3


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
        half, center = float(mm_to_m(np.array(_ROOT_MM))), mm_to_m(pose.center_mm)
        rotation = np.array(pose.rotation)
        result = octree.evaluate(mm_to_m(points), rotation, center, half, self._children, self._coefficients)
        near = np.flatnonzero(np.isnan(result[:, 0]))
        if len(near):
            result[near] = vector_potential(self.coil, pose.to_coil(points[near])) @ pose.rotation.T
        result *= rate
        return np.asarray(result)

    def _card(self) -> Card:
        rows = (
            ("leaves", f"{self.leaves:,}, {self.nbytes / 1e6:.1f} MB"),
            ("error", f"{self.error:.1e} of the largest A"),
        )
        return Card(f"CompressedCoil {self.coil.name}", rows)


@lru_cache(maxsize=8)
def compress(coil: Coil, tolerance: float = 5e-5) -> CompressedCoil:
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
    if any(isinstance(source, SampledField) for source in coil.sources):
        raise InputError(
            "coil must be made of dipoles or wire segments to be compressed; a sampled field is interpolated already"
        )
    tree = _grow(coil, limit)
    return CompressedCoil(coil, limit, *tree)


def _grow(coil: Coil, tolerance: float) -> tuple[float, NDArray[np.int32], NDArray[np.float32]]:
    """Refine from the root down; returns the largest error, the children table and the coefficients."""
    sources = cKDTree(np.concatenate([source.extent_mm for source in coil.sources]))
    casing = cKDTree(np.asarray(coil.casing_points_mm))
    children: list[NDArray[np.int32]] = []
    coefficients: list[NDArray[np.float32]] = []
    leaves, worst = 0, 0.0
    centers, half = np.zeros((1, 3)), _ROOT_MM
    while len(centers):
        # Every cell of this level is divided; its octants become leaves, cells of the next level, or holes.
        first_child = sum(map(len, children)) + len(centers)
        half /= 2
        octants = (centers[:, None] + half * _OCTANT_SIGNS).reshape(-1, 3)
        distance, _ = sources.query(octants)
        behind = distance < casing.query(octants)[0]
        tried = np.flatnonzero(distance >= _TRY_AT * half)
        fitted, error = _fit(coil, octants[tried], half)
        good = error <= tolerance
        kept = tried[good]
        link = np.zeros(len(octants), np.int32)
        link[kept] = -2 - leaves - np.arange(len(kept), dtype=np.int32)
        coefficients.append(fitted[good])
        leaves += len(kept)
        worst = max(worst, float(error[good].max(initial=0.0)))
        divisible = half > np.where(behind, _SMALLEST_BEHIND_MM, _SMALLEST_MM)
        divide = np.flatnonzero(divisible & (link == 0))
        link[divide] = first_child + np.arange(len(divide), dtype=np.int32)
        children.append(link.reshape(-1, 8))
        centers = octants[divide]
    return worst, np.concatenate(children), np.concatenate(coefficients)


_OCTANT_SIGNS = np.array([[1 if octant >> axis & 1 else -1 for axis in range(3)] for octant in range(8)])

# Where a fit is checked: corners, face centers and center of the cell, where the error is largest.
_CHECKS = np.array([p for p in np.ndindex(3, 3, 3) if p.count(1) in (0, 2, 3)]) - 1.0


def _fit(coil: Coil, centers: FloatArray, half: float) -> tuple[NDArray[np.float32], FloatArray]:
    """Chebyshev coefficients (c, 8, 192) of A in cubes, and (c,) their relative errors at the checks."""
    order = octree.ORDER
    angle = np.pi * (np.arange(order) + 0.5) / order
    nodes = np.cos(angle)
    grid = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 3)
    local = np.concatenate([grid, _CHECKS])
    values = unchecked_vector_potential(coil, (centers[:, None] + half * local).reshape(-1, 3))
    values = values.reshape(len(centers), len(local), 3)
    singular = ~np.isfinite(values).all(axis=(1, 2))  # a check that lies on a source: no polynomial fits
    values[singular] = 1.0
    to_coefficients = 2 / order * np.cos(np.outer(np.arange(order), angle))
    to_coefficients[0] /= 2
    at_nodes = values[:, : order**3].reshape(len(centers), order, order, order, 3)
    fitted = np.einsum("ai,bj,dk,nijkc->nabcd", *[to_coefficients] * 3, at_nodes, optimize=True)
    checked = values[:, order**3 :]
    basis = np.polynomial.chebyshev.chebvander(_CHECKS, order - 1)
    approximate = np.einsum("nabcd,ta,tb,td->ntc", fitted, *basis.transpose(1, 0, 2), optimize=True)
    largest = np.maximum(np.linalg.norm(checked, axis=2).max(axis=1), np.finfo(np.float64).tiny)
    error = np.linalg.norm(approximate - checked, axis=2).max(axis=1) / largest
    error[singular] = np.inf
    return fitted.reshape(len(centers), order, -1).astype(np.float32), error
