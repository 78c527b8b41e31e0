"""Level sets of layers and of enclosed tissues, and the edge length wanted everywhere."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import erfinv

from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.memory import available
from efield.head.lattice.grid import LabelGrid
from efield.head.lattice.nesting import contacts
from efield.kernels.meshing import trilinear

#: Edge lengths wanted inside each tissue (mm) at scale 1; other tags get the last value.
DEFAULT_EDGE_MM: Final[dict[int, float]] = {1: 4.0, 2: 2.5, 3: 4.0, 4: 5.0, 5: 7.0}
_OTHER_EDGE_MM: Final = 3.0
#: Edges of enclosed tissues, and of what encloses them, are at most the hydraulic diameter, four volumes by the surface
#: (of a vessel its width, of a sheet twice its thickness), but not below this.
_THINNEST_EDGE_MM: Final = 1.5

#: Edges at an interface, relative to the finer of its two tissues: a field jumps or bends there.
_INTERFACE_RATIO: Final = 0.75

#: Growth of the edge length away from an interface, mm per mm.
_GROWTH: Final = 0.25

#: Width of the smoothing that turns a label indicator into a level set, voxels: enough to hide the staircase,
#: little enough to keep sheets one voxel thick.
_SIGMA_VOXELS: Final = 0.6

#: Regular tetrahedra of edge 1 that fill a volume of 1. Thin sheets add to their number: a head of 1 mm voxels gets 2.7
#: times as many at scale 1.6, less than that at finer scales.
_REGULAR_PER_VOLUME: Final = 6 * 2**0.5
#: More would not fit into the memory of a workstation, neither here nor in the solver; and what the mesher takes for
#: each (bytes): 1.7 GB were measured for 2.7 million.
_MOST_TETS: Final = 20e6
_BYTES_PER_TET: Final = 650.0

#: Where smoothed indicators have less weight than this, they cannot be compared.
_LEAST_WEIGHT: Final = np.float32(1e-3)

#: Where the smoothed indicator is nearer to saturation than this, erfinv loses the distance.
_SATURATION: Final = 0.97


@dataclass(frozen=True, eq=False)
class Refinement:
    """A sphere in which the mesh is made finer.

    Parameters
    ----------
    center_mm : (3,) array_like, mm
        Center in world coordinates.
    radius_mm : float, mm
        Radius of the sphere.
    factor : float
        Edge lengths inside are multiplied by this; above 0, at most 1.
    """

    center_mm: NDArray[np.float64]
    radius_mm: float
    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_mm", checks.owned(checks.vector("center_mm", self.center_mm)))
        object.__setattr__(self, "radius_mm", checks.positive("radius_mm", self.radius_mm))
        object.__setattr__(self, "factor", checks.in_range("factor", self.factor, 1e-3, 1.0))

    @classmethod
    def along(cls, path_mm: ArrayLike, radius_mm: float, factor: float) -> tuple["Refinement", ...]:
        """Overlapping spheres along a polyline of (n, 3) points in mm: a refined strip.

        Spheres sit half a radius apart.
        """
        path = checks.vectors("path_mm", path_mm, minimum=2)
        centers = [path[0]]
        for start, end in pairwise(path):
            count = max(1, int(np.ceil(2.0 * np.linalg.norm(end - start) / radius_mm)))
            centers += [start + (end - start) * step / count for step in range(1, count + 1)]
        return tuple(cls(center, radius_mm, factor) for center in centers)


def level_set(inside: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float32]:
    """Signed distance (mm, positive inside) to the smoothed boundary of a voxel set.

    Near the boundary it is sigma sqrt(2) erfinv(2 g - 1) of the indicator g smoothed by a Gaussian, which is the
    exact distance for a plane and, unlike g itself, does not saturate; farther away the distance is propagated.

    Parameters
    ----------
    inside : (nx, ny, nz) array of bool
    spacing : (3,) array of float, mm

    Returns
    -------
    (nx, ny, nz) array of float32
    """
    smooth = _smoothed(inside)
    smooth *= 2.0
    smooth -= 1.0
    return _distance(smooth, np.abs(smooth) < _SATURATION, inside, spacing)


def parting(inside: NDArray[np.bool_], rest: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float32]:
    """Signed distance (mm, positive in `inside`) to the boundary between two voxel sets, and to nothing else.

    The smoothed indicators are compared with each other, not with what lies around both: there the boundary goes on
    a few voxels straight ahead, so that it crosses the surface of the two sets and coincides with it nowhere.
    """
    one, other = _smoothed(inside), _smoothed(rest)
    known = one + other > _LEAST_WEIGHT
    smooth = np.where(known, (one - other) / np.maximum(one + other, _LEAST_WEIGHT), np.float32(-1))
    return _distance(smooth, known & (np.abs(smooth) < _SATURATION), smooth > 0, spacing)


def _smoothed(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(gaussian_filter(inside.astype(np.float32), _SIGMA_VOXELS, truncate=4.0))


def _distance(
    smooth: NDArray[np.float32], near: NDArray[np.bool_], inside: NDArray[np.bool_], spacing: NDArray[np.float64]
) -> NDArray[np.float32]:
    sigma_mm = _SIGMA_VOXELS * float(np.mean(spacing))
    signed = np.full(inside.shape, np.float32(1e4))
    band = (sigma_mm * np.sqrt(2.0) * erfinv(smooth[near])).astype(np.float32)
    signed[near] = np.abs(band)
    trilinear.limit_growth(signed, spacing, 1.0)
    signed *= np.where(inside, np.float32(1), np.float32(-1))
    signed[near] = band
    return signed


def level_sets(grid: LabelGrid) -> NDArray[np.float32]:
    """(k, nx, ny, nz) one level set for each rank.

    Of layers {0 < rank <= 1}, {0 < rank <= 2}, ..., the last of which is the whole head; of enclosed tissues the
    boundary to what they are cut out of.
    """
    fields = np.empty((len(grid.tags), *grid.ranks.shape), dtype=np.float32)
    layered = grid.up_to(grid.layers)

    def fill(k: int) -> None:
        if k < grid.layers:
            fields[k] = level_set((layered > 0) & (layered <= k + 1), grid.spacing)
        else:
            ranks = grid.up_to(k + 1)
            fields[k] = parting(ranks == k + 1, ranks == grid.hosts[k - grid.layers], grid.spacing)

    # Filters and kernel run without the interpreter's lock; two at a time bound the memory.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(len(grid.tags))))
    return fields


def size_field(
    grid: LabelGrid, edge_mm: Mapping[int, float] | None, scale: float, refine: Sequence[Refinement]
) -> NDArray[np.float32]:
    """(nx, ny, nz) edge length wanted at each voxel, mm.

    Raises
    ------
    InputError
        If `edge_mm` names a tag that no voxel has, or a refinement misses the volume.
    """
    table = _edge_table(grid, edge_mm, scale)
    sizes = table[grid.ranks]
    for axis in range(3):
        one, two = _neighbors(grid.ranks, axis)
        differs = one != two
        finer = _INTERFACE_RATIO * np.minimum(table[one[differs]], table[two[differs]])
        for view in _neighbors(sizes, axis):
            view[differs] = np.minimum(view[differs], finer)
    factors = _refinement_factors(grid, refine)
    sizes *= factors
    trilinear.limit_growth(sizes, grid.spacing, _GROWTH)
    _check_count(grid, sizes)
    return sizes


def _check_count(grid: LabelGrid, sizes: NDArray[np.float32]) -> None:
    """Refuse edges so short that the mesh would fill the memory: a typing error takes the machine down otherwise."""
    inside = sizes[grid.ranks > 0].astype(np.float64)
    count = float(np.prod(grid.spacing)) * float((inside**-3).sum()) * _REGULAR_PER_VOLUME
    most = min(_MOST_TETS, available() / _BYTES_PER_TET)
    if count > most:
        raise InputError(
            f"edges must be long enough for at most {most / 1e6:.3g} million tetrahedra; instead they ask for "
            f"{count / 1e6:.3g} million or more: give a larger scale, longer edges or smaller refinements"
        )


def _edge_table(grid: LabelGrid, edge_mm: Mapping[int, float] | None, scale: float) -> NDArray[np.float32]:
    scale = checks.positive("scale", scale)
    given = dict(edge_mm or {})
    if unknown := sorted(set(given) - set(grid.tags)):
        raise InputError(f"edge_mm must name labels of the volume, {list(grid.tags)}; instead received {unknown}")
    widths = _widths(grid)
    usual = {t: min(DEFAULT_EDGE_MM.get(t, _OTHER_EDGE_MM), widths.get(t, np.inf)) for t in grid.tags}
    edges = [checks.positive(f"edge_mm of tag {t}", given.get(t, usual[t])) * scale for t in grid.tags]
    # Outside the head edges grow freely: nothing of it is kept.
    return np.array([4.0 * max(edges), *edges], dtype=np.float32)


def _widths(grid: LabelGrid) -> dict[int, float]:
    """Hydraulic diameters (mm) of enclosed tissues and of what they are cut out of: either may be thin."""
    if not grid.hosts:
        return {}
    faces, counts = contacts(grid.ranks).sum(axis=1), np.bincount(grid.ranks.ravel())
    voxel = float(np.cbrt(grid.spacing.prod()))
    ranks = {*range(grid.layers + 1, len(grid.tags) + 1), *grid.hosts}
    return {grid.tags[k - 1]: max(_THINNEST_EDGE_MM, 4 * voxel * float(counts[k] / faces[k])) for k in ranks}


def _neighbors(array: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    low = [slice(None)] * 3
    high = [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return array[tuple(low)], array[tuple(high)]


def _refinement_factors(grid: LabelGrid, refine: Sequence[Refinement]) -> NDArray[np.float32]:
    factors = np.ones(grid.ranks.shape, dtype=np.float32)
    for sphere in refine:
        center = grid.to_grid(sphere.center_mm[None])[0]
        low = np.maximum(0, np.floor((center - sphere.radius_mm) / grid.spacing)).astype(int)
        high = np.minimum(
            np.array(grid.ranks.shape), np.ceil((center + sphere.radius_mm) / grid.spacing).astype(int) + 1
        )
        if np.any(low >= high):
            raise InputError(
                f"refine must lie in the volume; instead the sphere at {sphere.center_mm.tolist()} mm misses it: "
                "give its center in the world millimeters of the affine"
            )
        axes = [np.arange(a, b) * s - c for a, b, s, c in zip(low, high, grid.spacing, center, strict=True)]
        square = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
        box = factors[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        np.minimum(box, np.where(square <= sphere.radius_mm**2, np.float32(sphere.factor), 1), out=box)
    return factors
