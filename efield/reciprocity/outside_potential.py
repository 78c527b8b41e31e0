"""The vector potential that currents in the head make outside it, stored for fast evaluation.

1/r is split into a part that is smooth everywhere and the rest, which vanishes beyond a short reach. For the first the
currents are spread onto a lattice and convolved by FFT; the second is summed over the few nodes within reach. The
result is fitted by polynomials on the leaves of an octree, divided where the fit misses.

References
----------
Skeel RD, Tezcan I, Hardy DJ. Multiple grid methods for classical molecular dynamics. J Comput Chem 2002;23:673-684, for
the splitting of 1/r by its expansion in r squared.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, irfft, next_fast_len, rfft, rfftn
from scipy.spatial import cKDTree

from efield.ground.arrays import FloatArray
from efield.ground.units import mm_to_m
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.kernels import octree
from efield.kernels.reduced import leaves
from efield.kernels.reduced import reciprocity as kernels
from efield.reciprocity.far_sources import FAR_MM, FarSources, far_sources

#: Coils reach this far beyond the head's extent, and the lattice this far (mm).
_MARGIN_MM: Final = 140.0
_LATTICE_MARGIN_MM: Final = 70.0

#: Lattice step, and from where on the smooth part is 1/r (mm).
_STEP_MM: Final = 2.5
_REACH_MM: Final = 10.0

#: Threads of the FFT. A fixed number: the bits must not depend on how many cores there are.
_WORKERS: Final = 2

#: Rows of the lattice that are transformed along its first axis at a time: what fits into a core's cache.
_ROWS: Final = 32

#: Largest half width of a leaf; below the second a coarser fit will do, and the third is not divided (mm). The root is
#: a power of two times as wide as the third, so that leaves are as fine on all heads.
_LARGEST_MM: Final = 60.0
_SMALL_MM: Final = 3.0
_SMALLEST_MM: Final = 1.4

#: Error of a leaf's fit, and of a small leaf's, relative to the largest potential this far outside the scalp (mm).
#: Small leaves lie near the scalp, where few of a coil's wires can be. Of dipoles, which need the slopes, a single one
#: in a leaf that is off by 1e-4 misses the peak by 1.6e-5 (70 mm figure-8 of 964, 8 mm above the default head's scalp).
_FIT: Final = 1.5e-6
_COARSE_FIT: Final = 1e-5
_REFERENCE_MM: Final = 8.0

#: What is wholly nearer to the scalp than this is not stored (mm): wires keep away by their casing and more.
_NEAREST_MM: Final = 4.0


@dataclass(frozen=True, eq=False)
class ExteriorField:
    """Sums of c_n / |r - x_n| outside the head for d sets of c, on an octree (`efield.kernels.reduced.reciprocity`).

    Parameters
    ----------
    center : (3,) float, m
    half : float, m
        Half width of the root cube.
    children : (c, 8) int32
    coefficients : (leaves, d, 3, TERMS) float32
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
        center, extent = (low + high) / 2, float((high - low).max() / 2)
        cube = extent + 1e-3 * _LATTICE_MARGIN_MM
        near = InverseDistance.of(points, np.concatenate([*currents], axis=1), center, cube)
        around = _Around.of(head, near, center, cube)
        half = cube if around.far is None else _root(extent + 1e-3 * _MARGIN_MM)
        return cls(center, half, *around.grow(half))


def _root(half: float) -> float:
    """Half width of a root that is at least so wide (m) and is divided down to the smallest leaves exactly."""
    smallest = _SMALLEST_MM * 1e-3
    return float(smallest * 2 ** np.ceil(np.log2(half / smallest)))


@dataclass(frozen=True, eq=False)
class InverseDistance:
    """Sums of c_n / |r - x_n| for many r in a cube; made by `of`.

    Parameters
    ----------
    origin : (3,) float, m
        First point of the lattice.
    step : float, m
    lattice : (s, s, s, c) float
        The smooth part.
    sources : (n, 3) float, m
    currents : (n, c) float
        Sorted with the sources by cubes of the reach.
    corner : (3,) float, m
        Where the cubes begin.
    starts : (x, y, z + 1) int
        First source of each cube, and the end of each column.
    """

    origin: FloatArray
    step: float
    lattice: FloatArray
    sources: FloatArray
    currents: FloatArray
    corner: FloatArray
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, sources: FloatArray, currents: FloatArray, center: FloatArray, half: float) -> "InverseDistance":
        """For currents (n, c) at sources (n, 3), to be asked for in the cube around a center; all in m."""
        step = _STEP_MM * 1e-3
        origin = center - half - kernels.STENCIL * step
        size = int(np.ceil(2 * half / step)) + 2 * kernels.STENCIL
        lattice = np.zeros((size, size, size, currents.shape[1]))
        kernels.spread(sources, currents, origin, step, lattice)
        _convolve(lattice, step)
        corner, order, starts = _cubes(sources)
        return cls(origin, step, lattice, sources[order], currents[order], corner, starts)

    def __call__(self, points: FloatArray) -> FloatArray:
        """(m, c) sums at points (m, 3) in m."""
        return self._with_near(points, kernels.gather(points, self.origin, self.step, self.lattice))

    def on_grids(self, centers: FloatArray, offsets: FloatArray) -> FloatArray:
        """(m, n^3, c) sums at all combinations of offsets (n,) along x, y and z around each of centers (m, 3) in m."""
        grid = np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3)
        smooth = kernels.gather_grids(centers, offsets, self.origin, self.step, self.lattice)
        sums = self._with_near((centers[:, None] + grid).reshape(-1, 3), smooth.reshape(-1, self.currents.shape[1]))
        return sums.reshape(len(centers), len(grid), -1)

    def _with_near(self, points: FloatArray, smooth: FloatArray) -> FloatArray:
        reach = _REACH_MM * 1e-3
        kernels.add_near(len(points), points, self.sources, self.currents, self.corner, reach, self.starts, smooth)
        return smooth


def _convolve(lattice: FloatArray, step: float) -> None:
    """Replace sources on a lattice (s, s, s, c) by the smooth part of their potential.

    Axis by axis, because most lines of the padded lattice are zero before an axis is transformed, or not wanted after.
    """
    size = len(lattice)
    padded = next_fast_len(2 * size, real=True)
    kernel = rfftn(kernels.smoothed_on(padded, step, _REACH_MM * 1e-3), workers=_WORKERS)
    for component in np.moveaxis(lattice, 3, 0):
        planes = fft(rfft(component, padded, axis=2, workers=_WORKERS), padded, axis=1, workers=_WORKERS)
        for first in range(0, padded, _ROWS):
            part = np.s_[:, first : first + _ROWS]
            lines = fft(planes[part], padded, axis=0, workers=_WORKERS) * kernel[part]
            planes[part] = ifft(lines, axis=0, workers=_WORKERS, overwrite_x=True)[:size]
        rows = ifft(planes, axis=1, workers=_WORKERS, overwrite_x=True)[:, :size]
        component[:] = irfft(rows, padded, axis=2, workers=_WORKERS)[..., :size]


def _cubes(sources: FloatArray) -> tuple[FloatArray, NDArray[np.intp], NDArray[np.intp]]:
    """Corner of the cubes of the reach around sources (n, 3), the sources' order by cube, and where each begins."""
    corner = sources.min(axis=0)
    cube = ((sources - corner) / (_REACH_MM * 1e-3)).astype(np.intp)
    shape = cube.max(axis=0) + 1
    number = (cube[:, 0] * shape[1] + cube[:, 1]) * (shape[2] + 1) + cube[:, 2]
    order = np.argsort(number, kind="stable")
    # One more number in each column, which no source has, is where the column ends.
    starts = np.searchsorted(number[order], np.arange(shape[0] * shape[1] * (shape[2] + 1)))
    return corner, order, starts.reshape(shape[0], shape[1], shape[2] + 1)


_Sums = InverseDistance | FarSources


@dataclass(frozen=True, eq=False)
class _Around:
    """The potential near the head by a lattice, in a cube (center, half), and far from it by a few sources."""

    near: InverseDistance
    far: FarSources | None
    center: FloatArray
    half: float
    scalp: FloatArray
    normals: FloatArray
    limit: FloatArray

    @classmethod
    def of(cls, head: HeadMesh, near: InverseDistance, center: FloatArray, half: float) -> "_Around":
        surface = scalp(head)
        scalp_points = mm_to_m(surface.points_mm)
        reference = near(scalp_points + _REFERENCE_MM * 1e-3 * surface.normals).reshape(len(scalp_points), -1, 3)
        largest = np.linalg.norm(reference, axis=2).max(axis=0)
        far = far_sources(near, mm_to_m(head.points), scalp_points, surface.normals, largest)
        return cls(near, far, center, half, scalp_points, surface.normals, _FIT * largest)

    def grow(self, half: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Divide from the root down until the fits are good; cells that lie in the head are holes."""
        tree = cKDTree(self.scalp)

        def settle(centers: FloatArray, half: float) -> octree.Settled:
            distance, nearest = tree.query(centers)
            height = np.einsum("ij,ij->i", centers - self.scalp[nearest], self.normals[nearest])
            outside = np.flatnonzero(height + np.sqrt(3) * half > _NEAREST_MM * 1e-3)
            far = (distance - np.sqrt(3) * half > FAR_MM * 1e-3) & (height > 0) & (self.far is not None)
            inside = (np.abs(centers - self.center) + half <= self.half * (1 + 1e-9)).all(axis=1)
            tried = outside[(far | inside)[outside] & (half <= _LARGEST_MM * 1e-3)]
            fitted, good = self._fitted(centers[tried], half, far[tried])
            # What is neither near nor far is divided until it is one of them; at the edge of the cube it is left.
            rest = np.setdiff1d(outside, tried[good], assume_unique=True)
            return tried[good], fitted[good], rest if half > _SMALLEST_MM * 1e-3 else rest[:0]

        return octree.grow(self.center, half, settle)

    def _fitted(
        self, centers: FloatArray, half: float, far: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        fields = len(self.limit)
        fitted = np.zeros((len(centers), fields, 3, leaves.TERMS), dtype=np.float32)
        error = np.empty((len(centers), fields))
        for chosen, sums in ((~far, self.near), (far, self.far)):
            if sums is not None and chosen.any():
                fitted[chosen], error[chosen] = _fit(centers[chosen], half, sums)
        wanted = self.limit if half > _SMALL_MM * 1e-3 else _COARSE_FIT / _FIT * self.limit
        # Cells too small to divide keep what they have: holes would cost a sum over all nodes.
        return fitted, np.asarray((error <= wanted).all(axis=1) | (half <= _SMALLEST_MM * 1e-3))


def _fit(centers: FloatArray, half: float, sums: _Sums) -> tuple[NDArray[np.float32], FloatArray]:
    """Chebyshev coefficients (c, d, 3, TERMS) in cubes, and (c, d) their largest errors at corners and faces."""
    fields, cube = sums.currents.shape[1] // 3, (len(octree.NODES),) * 3
    chosen, place = _degrees()
    powers = np.polynomial.chebyshev.chebvander(octree.CHECKS, octree.DEGREE)
    basis = np.prod([powers[:, axis, chosen[axis]] for axis in range(3)], axis=0)
    fitted = np.zeros((len(centers), fields, 3, leaves.TERMS), dtype=np.float32)
    error = np.empty((len(centers), fields))
    for first in range(0, len(centers), 256):
        part = slice(first, min(first + 256, len(centers)))
        at_nodes = sums.on_grids(centers[part], half * octree.NODES).reshape(-1, *cube, 3 * fields)
        checks = centers[part, None] + half * octree.CHECKS
        exact = sums(checks.reshape(-1, 3)).reshape(*checks.shape[:2], fields, 3)
        coefficients = np.moveaxis(octree.fit(at_nodes).reshape(-1, *cube, fields, 3), (4, 5), (1, 2))
        fitted[part][..., place] = coefficients[..., *chosen]
        miss = fitted[part][..., place] @ basis.T - np.moveaxis(exact, 1, 3)
        error[part] = np.linalg.norm(miss, axis=2).max(axis=2)
    return fitted, error


def _degrees() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(3, t) degrees in x, y and z of the terms, and the place (t,) of each in the order of `leaves.value`."""
    degrees = [(i, *leaves.PAIRS[k]) for i, used in enumerate(leaves.USED) for k in range(used)]
    first = np.cumsum([0, *leaves.ROWS])
    place = [first[i] + k for i, used in enumerate(leaves.USED) for k in range(used)]
    return np.array(degrees, dtype=np.intp).T, np.array(place, dtype=np.intp)
