"""A sampled field beyond its grid: far from a coil its vector potential is that of a few sources at its place.

Each component of A is harmonic away from the wires and vanishes far from them. Sources of 1/r on a plate where coils
are, fitted to the samples that are far from it, therefore continue A outward; how well is measured on the outermost
samples by a fit that has not seen them. That says nothing of other directions: outward means away from the coil's
origin past samples that are as far, and beside a grid that lies only in front of the coil nothing is known.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from efield.coils.model import SampledField
from efield.ground.arrays import FloatArray
from efield.ground.rows import distinct_rows
from efield.ground.units import mm_to_m
from efield.kernels.reduced.reciprocity import inverse_distance

#: A continuation that misses by more of the largest A in front of the coil is none.
WORST: Final = 1e-3

#: Where sources of a flat coil are tried, as shares of the distance from its origin at which A is continued, and
#: fitted, and beyond: wires end before it. Small coils first: what is tried for one does not fit a larger one.
_FLAT: Final = (np.linspace(-2 / 3, 2 / 3, 7), np.linspace(-1 / 3, 1 / 3, 5), np.array([-1 / 4, -1 / 24]))

#: Such distances and the places of sources (mm), for flat coils and then for those that reach around the head.
_LAYOUTS: Final = (
    *((nearest, tuple(nearest * share for share in _FLAT)) for nearest in (80.0, 100.0, 120.0)),
    (150.0, (np.linspace(-90.0, 90.0, 5), np.linspace(-50.0, 50.0, 4), np.linspace(-50.0, 70.0, 4))),
)

#: Samples of the fit and of its check, at most; singular values below this share of the largest are left out.
_MOST_SAMPLES: Final = 1500
_CUT: Final = 1e-7

#: A grid must reach this far in front of the coil, as a share of the distance at which A is continued.
_IN_FRONT: Final = 0.75

#: A is continued in directions from the coil's origin that are so near to one of a far sample: as a difference of unit
#: vectors, 5 degrees. Directions of samples are told apart by a quarter of that.
_ASIDE: Final = 0.087

#: What two fits, one of which has not seen the farthest samples, differ by at such places tells how well they are known
#: where there are no samples: times this factor, at these shares of the distance at which A is continued. Six grids
#: in front of 20 coils (clouds of dipoles, loops) were missed by up to 8 times what the fits differed by.
_APART: Final = 12.0
_DISTANCES: Final = (1.0, 1.25, 1.6, 2.2)

#: The share of the samples, the farthest ones, that the check is made on.
_CHECKED: Final = 0.3


@dataclass(frozen=True, eq=False)
class Continuation:
    """A beyond a grid; made by `continuation`.

    Parameters
    ----------
    places : (k, 3) float, m
    strengths : (k, 3) float
        A (T m per ampere) is the sum of strengths over distances.
    error : float
        Largest error on samples that were not fitted, on all that are as far from the coil as it is for, and what is
        told of places beside them, relative to the largest A of the grid in front of the coil.
    nearest_mm : float
        From this distance to the coil's origin on.
    directions : (d, 3) float
        Unit vectors from the origin, near which it holds.
    """

    places: FloatArray
    strengths: FloatArray
    error: float
    nearest_mm: float
    directions: FloatArray

    @cached_property
    def _covered(self) -> cKDTree:
        return cKDTree(self.directions)

    def __call__(self, points_mm: FloatArray) -> FloatArray:
        """(n, 3) A at (n, 3) points, nan where they are nearer than `nearest_mm`, or beside what is known."""
        values = inverse_distance(mm_to_m(points_mm), self.places, self.strengths)
        distance = np.linalg.norm(points_mm, axis=1)
        known = distance >= self.nearest_mm
        known[known] = self._covered.query(points_mm[known] / distance[known, None])[0] <= _ASIDE
        values[~known] = np.nan
        return np.asarray(values)


@lru_cache(maxsize=8)
def continuation(source: SampledField) -> Continuation | None:
    """The continuation of a sampled field; None if the grid ends near the coil, or the samples do not support one."""
    points, values = _samples(source)
    for nearest, grid in _LAYOUTS:
        places = mm_to_m(np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 3))
        found = _continued(points, values, nearest, places)
        if found is not None and found.error <= WORST:
            return found
    return None


def _continued(points: FloatArray, values: FloatArray, nearest_mm: float, places: FloatArray) -> Continuation | None:
    """A fit to the far samples, and its error on the farthest of them when those are left out."""
    distance = np.linalg.norm(points, axis=1)
    near, far = (distance < nearest_mm) & (points[:, 2] > 0), np.flatnonzero(distance >= nearest_mm)
    # Samples beside the coil do not tell what is far in front of it, where the head goes on.
    if len(far) < 4 * len(places) or not near.any() or points[:, 2].max() < _IN_FRONT * nearest_mm:
        return None
    every = far
    if len(far) > _MOST_SAMPLES:
        far = far[np.random.default_rng(0).choice(len(far), _MOST_SAMPLES, replace=False)]
    far = far[np.argsort(distance[far])]
    seen, rest = np.split(far, [int((1 - _CHECKED) * len(far))])
    guess = _fitted(points[seen], values[seen], places)
    strengths = _fitted(points[far], values[far], places)
    # Wires that reach farther than the sources show in the samples beside them.
    worst = max(
        _miss(points[rest], values[rest], places, guess), _miss(points[every], values[every], places, strengths)
    )
    directions = _directions(points[every])
    beside = _around(directions, nearest_mm)
    apart = inverse_distance(mm_to_m(beside), places, guess) - inverse_distance(mm_to_m(beside), places, strengths)
    worst = max(worst, _APART * float(np.linalg.norm(apart, axis=1).max()))
    error = worst / float(np.linalg.norm(values[near], axis=1).max())
    return Continuation(places, strengths, error, nearest_mm, directions)


def _directions(points_mm: FloatArray) -> FloatArray:
    """(d, 3) different directions of points."""
    unit = points_mm / np.linalg.norm(points_mm, axis=1)[:, None]
    cell = np.floor(unit / (_ASIDE / 4)).astype(np.int64)
    return np.asarray(unit[distinct_rows(cell)[0]])


def _around(directions: FloatArray, nearest_mm: float) -> FloatArray:
    """(n, 3) places (mm) as far aside of some directions as A is continued, at several distances."""
    rng = np.random.default_rng(0)
    toward = directions[rng.choice(len(directions), min(len(directions), 500), replace=False)]
    aside = np.cross(toward, rng.normal(size=toward.shape))
    toward = toward + _ASIDE * aside / np.linalg.norm(aside, axis=1)[:, None]
    return np.concatenate([share * nearest_mm * toward for share in _DISTANCES])


def _miss(points_mm: FloatArray, values: FloatArray, places: FloatArray, strengths: FloatArray) -> float:
    """Largest error of the potential of sources."""
    found = inverse_distance(mm_to_m(points_mm), places, strengths)
    return float(np.linalg.norm(found - values, axis=1).max())


def _samples(source: SampledField) -> tuple[FloatArray, FloatArray]:
    """(n, 3) places of the samples in the coil frame (mm) and (n, 3) values."""
    index = np.indices(source.a_tm.shape[:3]).reshape(3, -1).T
    return index @ source.affine[:3, :3].T + source.affine[:3, 3], source.a_tm.reshape(-1, 3)


def _fitted(points_mm: FloatArray, values: FloatArray, places: FloatArray) -> FloatArray:
    """Strengths (k, 3); far samples count as near ones, relative to the field of a dipole."""
    weight = np.linalg.norm(mm_to_m(points_mm), axis=1)[:, None] ** 2
    matrix = weight / np.linalg.norm(mm_to_m(points_mm)[:, None] - places, axis=2)
    return np.ascontiguousarray(np.linalg.lstsq(matrix, weight * values, rcond=_CUT)[0])
