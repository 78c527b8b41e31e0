"""The potential of the currents in a head far outside it, as that of a few sources inside the head.

It is harmonic there and smooth: some hundred sources below the scalp, fitted a few centimeters above it, give it
everywhere beyond.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from efield.ground.arrays import FloatArray
from efield.head.closest import farthest_points
from efield.kernels.reduced import reciprocity as kernels

#: This far from the scalp and beyond the potential is that of a few sources inside the head (mm), so many of them, this
#: deep below the scalp, fitted at these heights above it. Misses of more than the last number, relative to the largest
#: potential near the scalp, leave what lies beyond the lattice unknown.
FAR_MM: Final = 50.0
_COUNT: Final = 800
_DEPTH_MM: Final = 10.0
_HEIGHTS_MM: Final = (48.0, 60.0)
_WORST: Final = 2e-6


@dataclass(frozen=True, eq=False)
class FarSources:
    """Sums of currents over distances for a few places: called as `InverseDistance` is.

    Parameters
    ----------
    places : (k, 3) float, m
    currents : (k, c) float
        c is three times the number of fields.
    """

    places: FloatArray
    currents: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        """(m, c) sums at points (m, 3) in m."""
        parts = np.split(self.currents, self.currents.shape[1] // 3, axis=1)
        parts = [kernels.inverse_distance(points, self.places, np.ascontiguousarray(part)) for part in parts]
        return np.concatenate(parts, axis=1)

    def on_grids(self, centers: FloatArray, offsets: FloatArray) -> FloatArray:
        """(m, n^3, c) sums at all combinations of offsets (n,) along x, y and z around each of centers (m, 3) in m."""
        grid = np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 3)
        sums = self((centers[:, None] + grid).reshape(-1, 3))
        return sums.reshape(len(centers), len(grid), -1)


def far_sources(
    near: Callable[[FloatArray], FloatArray],
    nodes: FloatArray,
    scalp_points: FloatArray,
    normals: FloatArray,
    largest: FloatArray,
) -> FarSources | None:
    """Sources inside the head whose potential is the lattice's some way above the scalp; None if they miss it."""
    tree, rng = cKDTree(scalp_points), np.random.default_rng(0)
    some = nodes[rng.choice(len(nodes), min(len(nodes), 20_000), replace=False)]
    deep = some[tree.query(some)[0] > _DEPTH_MM * 1e-3]
    if len(deep) < _COUNT:
        return None
    places = farthest_points(deep, _COUNT)
    feet = rng.choice(len(scalp_points), min(len(scalp_points), 1000), replace=False)
    above = np.concatenate([scalp_points[feet] + 1e-3 * height * normals[feet] for height in _HEIGHTS_MM])
    above = above[tree.query(above)[0] > 0.9e-3 * _HEIGHTS_MM[0]]
    values = near(above)
    seen = np.arange(len(above)) % 4 > 0
    matrix = 1.0 / np.linalg.norm(above[:, None] - places, axis=2)
    found = FarSources(places, np.linalg.lstsq(matrix[seen], values[seen], rcond=1e-10)[0])
    miss = (found(above[~seen]) - values[~seen]).reshape(np.count_nonzero(~seen), -1, 3)
    return found if (np.linalg.norm(miss, axis=2).max(axis=0) < _WORST * largest).all() else None
