"""A graded lattice: cubes cut into Kuhn tetrahedra, bisected until they meet the size field."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from efield.ground.numbering import renumbered
from efield.head.lattice.grid import LabelGrid
from efield.kernels.meshing import bisection, trilinear

#: The six paths from corner 000 to corner 111 of a cube; all six tetrahedra share that diagonal.
_KUHN_PATHS = np.array(
    [[0, 1, 3, 7], [0, 1, 5, 7], [0, 2, 3, 7], [0, 2, 6, 7], [0, 4, 5, 7], [0, 4, 6, 7]], dtype=np.int32
)

#: A level set counts as resolved down to this fraction of the wanted edge; finer it is not chased.
_RESOLVE_RATIO = 0.5

#: A point of an edge on the wrong side counts from this deviation on, relative to the edge.
_RESOLVE_TOLERANCE = 0.3

_MOST_PASSES = 80


def graded_lattice(
    grid: LabelGrid, sizes: NDArray[np.float32], fields: NDArray[np.float32], report: Callable[[float], None]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Conforming tetrahedra around the head, as fine as `sizes` asks and the inner level sets need.

    Parameters
    ----------
    grid : LabelGrid
    sizes : (nx, ny, nz) array, mm
        Wanted edges.
    fields : (k, nx, ny, nz) array, mm
        Level sets, those of the layers first; the last of these is the head.
    report : callable
        Receives the fraction done.

    Returns
    -------
    points : (n, 3) array, grid mm
    tets : (m, 4) array of int32, positive volumes
    """
    layers = fields[: grid.layers]
    points, tets = _kuhn_cubes(grid, float(sizes[grid.ranks > 0].max()), layers[-1])
    generations = np.zeros(len(tets), dtype=np.int8)
    active = np.ones(len(tets), dtype=np.uint8)
    keys, middles, n_edges = np.full(1 << 16, -1, dtype=np.int64), np.empty(1 << 16, dtype=np.int32), 0
    chased = layers[: max(1, min(3, len(layers) - 1))]
    floors = (_RESOLVE_RATIO * sizes).astype(np.float32)
    for step in range(_MOST_PASSES):
        marked = np.empty(len(tets), dtype=np.uint8)
        sought = sizes, floors, chased, grid.inverse_spacing, _RESOLVE_TOLERANCE
        bisection.mark_coarse(len(tets), points, tets, active, *sought, marked)
        if not marked.any():
            break
        points, tets, generations, active, keys, middles, n_edges = bisection.bisect(
            points, tets, generations, marked, keys, middles, n_edges
        )
        report(min(1.0, step / 25))
    return _trimmed(grid, points, _oriented(points, tets), layers[-1])


def _kuhn_cubes(
    grid: LabelGrid, edge: float, head: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    extent = (np.array(grid.ranks.shape) - 1) * grid.spacing
    edge = min(edge, float(extent.min()) / 4)
    counts = np.ceil(extent / edge).astype(int) + 1
    start = (extent - counts * edge) / 2
    axes = [start[d] + edge * np.arange(counts[d] + 1) for d in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(len(points), dtype=np.int32).reshape(counts + 1)
    corners = np.stack(
        [
            number[a : a + counts[0], b : b + counts[1], c : c + counts[2]].ravel()
            for a in (0, 1)
            for b in (0, 1)
            for c in (0, 1)
        ],
        axis=1,
    )
    center = points[corners[:, 0]] + edge / 2
    near = trilinear.sample(head, grid.inverse_spacing, center) > -1.8 * edge
    tets = corners[near][:, _KUHN_PATHS].reshape(-1, 4)
    return _compacted(points, tets)


def _oriented(points: NDArray[np.float64], tets: NDArray[np.int32]) -> NDArray[np.int32]:
    p0, p1, p2, p3 = (points[tets[:, k]] for k in range(4))
    inverted = np.einsum("ij,ij->i", np.cross(p1 - p0, p2 - p0), p3 - p0) < 0
    tets = tets.copy()
    tets[inverted, 2], tets[inverted, 3] = tets[inverted, 3], tets[inverted, 2]
    return tets


def _trimmed(
    grid: LabelGrid, points: NDArray[np.float64], tets: NDArray[np.int32], head: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Without the tetrahedra that are farther outside the head than their own size."""
    depth = trilinear.sample(head, grid.inverse_spacing, points)[tets].max(axis=1)
    longest = np.linalg.norm(points[tets[:, [0, 0, 0]]] - points[tets[:, 1:]], axis=2).max(axis=1)
    return _compacted(points, tets[depth > -1.5 * longest])


def _compacted(points: NDArray[np.float64], tets: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    used, corners = renumbered(tets)
    return points[used], corners
