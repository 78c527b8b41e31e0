"""A coil as a few hundred points whose 1/r potentials add up to its vector potential on the head's side.

Each Cartesian component of A is harmonic away from the wires, so sources of 1/r among the wires can stand for them
(method of fundamental solutions). Their strengths are a least-squares fit to the coil's A around it. Dipoles stay
dipoles: the field of a cloud of them that was fitted to measurements is rough, and points among them miss it.

References
----------
Fairweather G, Karageorghis A. The method of fundamental solutions for elliptic boundary value problems. Adv Comput Math
1998;9:69-95.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from efield.coils.model import Coil, Dipoles, Segments
from efield.coils.primary import unchecked_vector_potential
from efield.ground.arrays import FloatArray
from efield.ground.units import MU0_OVER_4PI, mm_to_m
from efield.head.closest import farthest_points
from efield.kernels.reduced.reciprocity import inverse_distance

#: Number of points. With 400 the mean field at a target misses its peak by up to 3e-6, with 600 by 3e-7 (70 mm
#: figure-8, 24 placements 2 to 10 mm from a sphere; 2e-6 over the default head, `benchmarks/reciprocity.py`).
_COUNT: Final = 600

#: The fit holds from this distance to the wires on, beyond the casing (mm).
_CLEAR_MM: Final = 2.0

#: Most points for a coil whose sources have fewer ends than that, each with six neighbors.
_FEW: Final = 1000

#: Wires that are missed by more are taken as they are, in pieces of this share of the fit's nearest distance: those of
#: coils that go around the head leave no room for points.
_WORST: Final = 0.05
_PIECE: Final = 0.25

#: Width of the strips in which the points are ordered (m).
_STRIP: Final = 0.012

#: Points of the fit count with this power of their distance to the wires: what is near the coil is skin and bone, where
#: the adjoint currents are weak, and a fit that is as good there as at the target's depth needs far more points. With
#: 600 points and powers of 3, 4 and 5 the mean field misses its peak by 2.5e-6, 9e-7 and 3e-7 (the same placements).
_FAR: Final = 5

#: Singular values below this share of the largest are left out.
_CUT: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Skeleton:
    """What stands for a coil: points with strengths for its wires, and its dipoles as they are; made by `skeleton`.

    Parameters
    ----------
    points : (k, 3) float, m
        In the coil frame.
    strengths : (k, 3) float
        A (T m per ampere) of the wires is the sum of strengths over distances.
    dipoles : (j, 3) float, m
    moments : (j, 3) float
        A of the dipoles is the sum of moments x r over the cube of the distance r.
    error : float
        Largest error of the wires' A at points it was not fitted to, relative to the largest A there.
    """

    points: FloatArray
    strengths: FloatArray
    dipoles: FloatArray
    moments: FloatArray
    error: float


@lru_cache(maxsize=8)
def skeleton(coil: Coil) -> Skeleton:
    """The skeleton of a coil of dipoles and wires; the last few are kept."""
    dipoles = [source for source in coil.sources if isinstance(source, Dipoles)]
    wires = [source for source in coil.sources if isinstance(source, Segments)]
    points = strengths = np.zeros((0, 3))
    error = 0.0
    if wires:
        points, strengths, error = _wires(replace(coil, sources=tuple(wires)))
    places = [mm_to_m(source.points_mm) for source in dipoles]
    moments = [MU0_OVER_4PI * source.moments_am2 for source in dipoles]
    none = np.zeros((0, 3))
    return Skeleton(points, strengths, np.concatenate([*places, none]), np.concatenate([*moments, none]), error)


def stand_ins(coil: Coil) -> float:
    """How long a placement takes, as a number of points; a dipole, of which the slopes are needed, takes as three."""
    bones = skeleton(coil)
    return len(bones.points) + 3.0 * len(bones.dipoles)


def _wires(coil: Coil) -> tuple[FloatArray, FloatArray, float]:
    """Points (k, 3) in m and strengths (k, 3) of a coil of wires, and their error."""
    cloud = np.concatenate([source.extent_mm for source in coil.sources])
    # Without a known casing, the coil's origin is on its head-side face: nothing of the head is nearer than that.
    nearest = max(coil.casing_mm + _CLEAR_MM, float(-cloud[:, 2].max()))
    many = len(cloud) >= _COUNT
    if not many:
        cloud = np.concatenate([cloud, _pieces(coil, nearest)[0]])
    fit, check = _around(coil, cloud, nearest, 3000, 0), _around(coil, cloud, nearest, 1500, 1)
    at_fit, at_check = (unchecked_vector_potential(coil, points) for points in (fit, check))
    points = mm_to_m(farthest_points(cloud if many else _with_neighbors(cloud, nearest), _COUNT if many else _FEW))
    # Neighbors in the list are neighbors in space, so that they find the same stored polynomials in the cache.
    points = points[np.lexsort((points[:, 1], np.floor(points[:, 0] / _STRIP), points[:, 2] > points[:, 2].mean()))]
    weight = (cKDTree(cloud).query(fit)[0][:, None] / nearest) ** _FAR
    matrix = weight / np.linalg.norm(mm_to_m(fit)[:, None] - points, axis=2)
    strengths = np.ascontiguousarray(np.linalg.lstsq(matrix, weight * at_fit, rcond=_CUT)[0])
    largest = np.linalg.norm(at_check, axis=1).max()

    def error() -> float:
        miss = inverse_distance(mm_to_m(check), points, strengths) - at_check
        return float(np.linalg.norm(miss, axis=1).max() / largest)

    if (fitted := error()) <= _WORST:
        return points, strengths, fitted
    places, strengths = _pieces(coil, _PIECE * nearest)
    points = mm_to_m(places)
    return points, strengths, error()


def _pieces(coil: Coil, longest: float) -> tuple[FloatArray, FloatArray]:
    """Middles (k, 3) in mm of pieces of a coil's wires, and their strengths (k, 3): current times length.

    Where a wire goes on, what the middles miss of one piece they make good in the next.
    """
    middles: list[FloatArray] = []
    strengths: list[FloatArray] = []
    for source in coil.sources:
        if isinstance(source, Segments):
            way = source.ends_mm - source.starts_mm
            pieces = np.maximum(np.ceil(np.linalg.norm(way, axis=1) / longest).astype(int), 1)
            share = np.concatenate([(np.arange(count) + 0.5) / count for count in pieces])
            middles.append(
                np.repeat(source.starts_mm, pieces, axis=0) + share[:, None] * np.repeat(way, pieces, axis=0)
            )
            each = MU0_OVER_4PI * mm_to_m(way) * (source.turns / pieces)[:, None]
            strengths.append(np.repeat(each, pieces, axis=0))
    return np.concatenate(middles), np.concatenate(strengths)


def _with_neighbors(cloud: FloatArray, nearest: float) -> FloatArray:
    """Each point and six close to it, whose differences make the dipoles that a few points alone cannot."""
    steps = 0.03 * nearest * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    return (cloud + steps[:, None]).reshape(-1, 3)


def _around(coil: Coil, cloud: FloatArray, nearest: float, count: int, seed: int) -> FloatArray:
    """Points on the head's side, at the nearest distance from the wires and up to 16 times that."""
    rng = np.random.default_rng(seed)
    tree, casing = cKDTree(cloud), cKDTree(np.asarray(coil.casing_points_mm))
    with_casing = coil.casing is not None or coil.casing_mm > 0
    found: list[FloatArray] = []
    while sum(map(len, found)) < count:
        direction = rng.normal(size=(count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        reach = nearest * 2.0 ** (4 * rng.uniform(size=count) ** 2)
        points = cloud[rng.integers(len(cloud), size=count)] + reach[:, None] * direction
        distance = tree.query(points)[0]
        kept = distance >= 0.99 * nearest
        if with_casing:
            kept &= casing.query(points)[0] <= distance
        found.append(points[kept])
    return np.concatenate(found)[:count]
