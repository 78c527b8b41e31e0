"""The vector potential that currents in the head make outside it, stored for fast evaluation.

The currents are spread onto a lattice, convolved with 1/r by FFT, and the result is fitted by polynomials on the leaves
of an octree, divided where the fit misses. Spreading is exact for smooth kernels only: near the scalp the error is
larger, and it falls off within a few lattice steps of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, next_fast_len, rfftn
from scipy.spatial import cKDTree

from efield.ground.units import mm_to_m
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.kernels import reciprocity as kernels

FloatArray = NDArray[np.float64]

#: Coils reach this far beyond the head's extent (mm).
_MARGIN_MM: Final = 90.0

#: Lattice step (mm).
_STEP_MM: Final = 4.0

#: Largest and smallest half width of a leaf (mm); what is not fitted by then is a hole.
_LARGEST_MM: Final = 60.0
_SMALLEST_MM: Final = 2.0

#: Error of a leaf's fit, relative to the largest potential this far outside the scalp (mm).
_FIT: Final = 5e-5
_REFERENCE_MM: Final = 8.0

_OCTANTS: Final = np.array([[1 if octant >> axis & 1 else -1 for axis in range(3)] for octant in range(8)])


@dataclass(frozen=True, eq=False)
class ExteriorField:
    """Sums of c_n / |r - x_n| outside the head for d sets of c, on an octree (see `efield.kernels.reciprocity`).

    Parameters
    ----------
    center : (3,) float, m
    half : float, m
        Half width of the root cube.
    children : (c, 8) int32
    coefficients : (leaves, d, 6, 112) float32
    """

    center: FloatArray
    half: float
    children: NDArray[np.int32]
    coefficients: NDArray[np.float32]

    @classmethod
    def of(cls, head: HeadMesh, currents: FloatArray) -> "ExteriorField":
        """The fields of currents (d, n, 3) at the nodes of a head."""
        points = mm_to_m(head.points)
        low, high = points.min(axis=0), points.max(axis=0)
        center, half = (low + high) / 2, float((high - low).max() / 2) + _MARGIN_MM * 1e-3
        step = _STEP_MM * 1e-3
        origin = center - half - kernels.STENCIL * step
        size = int(np.ceil(2 * half / step)) + 2 * kernels.STENCIL
        lattice = np.zeros((3 * len(currents), size, size, size))
        flat = np.concatenate([*currents], axis=1)
        kernels.spread(points, flat, origin, step, lattice)
        _convolve(lattice, step)
        return cls(center, half, *_grow(head, center, half, (origin, step, lattice)))


def _convolve(lattice: FloatArray, step: float) -> None:
    """Replace sources on a lattice (3 d, s, s, s) by their potential, the sum over 1/r."""
    size = lattice.shape[1]
    padded = next_fast_len(2 * size, real=True)
    steps = np.minimum(np.arange(padded), padded - np.arange(padded)) ** 2 * step**2
    squared = steps[:, None, None] + steps[:, None] + steps
    squared[0, 0, 0] = (step / 2) ** 2  # a source on the point itself is inside the head: never looked at
    kernel = rfftn(1.0 / np.sqrt(squared), workers=1)
    for component in lattice:
        spectrum = rfftn(component, (padded,) * 3, workers=1)
        spectrum *= kernel
        component[:] = irfftn(spectrum, (padded,) * 3, workers=1)[:size, :size, :size]


def _grow(
    head: HeadMesh, center: FloatArray, half: float, lattice: tuple[FloatArray, float, FloatArray]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Divide from the root down until the fits are good; cells that lie in the head are holes."""
    surface = scalp(head)
    tree = cKDTree(mm_to_m(surface.points_mm))
    at_scalp = mm_to_m(surface.points_mm + _REFERENCE_MM * surface.normals)
    reference = kernels.gather(at_scalp, *lattice).reshape(len(at_scalp), -1, 3)
    limit = _FIT * np.linalg.norm(reference, axis=2).max(axis=0)
    children: list[NDArray[np.int32]] = []
    coefficients: list[NDArray[np.float32]] = []
    leaves, centers = 0, center[None]
    while len(centers):
        first_child = sum(map(len, children)) + len(centers)
        half /= 2
        octants = (centers[:, None] + half * _OCTANTS).reshape(-1, 3)
        nearest = tree.query(octants)[1]
        depth = np.einsum("ij,ij->i", mm_to_m(surface.points_mm)[nearest] - octants, surface.normals[nearest])
        link = np.zeros(len(octants), np.int32)
        open_ = np.flatnonzero(depth < np.sqrt(3) * half)
        good = np.zeros(len(open_), dtype=bool)
        if half <= _LARGEST_MM * 1e-3:
            fitted, error = _fit(octants[open_], half, lattice)
            # Cells too small to divide keep what they have: holes would cost a sum over all nodes.
            good = (error <= limit).all(axis=1) | (half <= _SMALLEST_MM * 1e-3)
            link[open_[good]] = -2 - leaves - np.arange(good.sum(), dtype=np.int32)
            coefficients.append(fitted[good])
            leaves += int(good.sum())
        divide = open_[~good]
        link[divide] = first_child + np.arange(len(divide), dtype=np.int32)
        children.append(link.reshape(-1, 8))
        centers = octants[divide]
    return np.concatenate(children), np.concatenate(coefficients)


def _fit(
    centers: FloatArray, half: float, lattice: tuple[FloatArray, float, FloatArray]
) -> tuple[NDArray[np.float32], FloatArray]:
    """Chebyshev coefficients (c, d, 6, 112) in cubes, and (c, d) their largest errors at corners and faces."""
    order, fields = kernels.ORDER, len(lattice[2]) // 3
    angle = np.pi * (np.arange(order) + 0.5) / order
    grid = np.stack(np.meshgrid(*[np.cos(angle)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    local = np.concatenate([grid, _CHECKS])
    to_coefficients = 2 / order * np.cos(np.outer(np.arange(order), angle))
    to_coefficients[0] /= 2
    basis = np.polynomial.chebyshev.chebvander(_CHECKS, order - 1).transpose(1, 0, 2)
    fitted = np.zeros((len(centers), fields, order, kernels.ROW), dtype=np.float32)
    error = np.empty((len(centers), fields))
    for first in range(0, len(centers), 512):
        part = slice(first, min(first + 512, len(centers)))
        points = (centers[part, None] + half * local).reshape(-1, 3)
        values = kernels.gather(points, *lattice).reshape(-1, len(local), fields, 3)
        at_nodes = values[:, : len(grid)].reshape(-1, order, order, order, fields, 3)
        coefficients = np.einsum("ai,bj,dk,nijkfc->nfabcd", *[to_coefficients] * 3, at_nodes, optimize=True)
        approximate = np.einsum("nfabcd,ta,tb,td->ntfc", coefficients, *basis, optimize=True)
        error[part] = np.linalg.norm(approximate - values[:, len(grid) :], axis=3).max(axis=1)
        fitted[part, :, :, : order**2 * 3] = coefficients.reshape(*coefficients.shape[:3], -1)
    return fitted, error


# Where a fit is checked: corners, face centers and center of the cell, where the error is largest.
_CHECKS: Final = np.array([p for p in np.ndindex(3, 3, 3) if p.count(1) in (0, 2, 3)]) - 1.0
