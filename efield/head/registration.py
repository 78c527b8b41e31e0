"""Affine registration of a head's brain to MNI152, for heads that come without a map.

The outer surface of gray and white matter together, and that of white matter, are laid onto those of the shipped MNI152
head: first by their centers and extents, then by iterated closest points, measured along the normals and from both
sides, with seven (shift, rotation, one scale) and then all twelve parameters of an affine.

References
----------
Chen Y, Medioni G. Object modelling by registration of multiple range images. Image Vis Comput 1992;10:145-155.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from efield.ground.errors import EfieldWarning, InputError
from efield.ground.progress import Progress, Tell, told
from efield.head.closest import signed_distance
from efield.head.landmarks import Fiducials
from efield.head.mesh import HeadMesh, given_head
from efield.head.mni import AffineMap
from efield.head.scalp_map import map_from_fiducials
from efield.head.surface import TriangleSurface, boundary
from efield.head.template import load_template
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER

#: Points of one surface that look for a partner on the other, and points that can be found there.
_SEEKERS: Final = 1500
_PARTNERS: Final = 30_000
#: Turns (degrees about the x, y and z axis) from which the coarse stage starts; the best two go on.
_STARTS_DEG: Final = ((0, 0, 0), (-25, 0, 0), (25, 0, 0), (0, -20, 0), (0, 20, 0), (0, 0, -20), (0, 0, 20))
_KEPT_STARTS: Final = 2
#: Searches in all: each start with and without the cerebellum, and two stages for those that are kept.
_SEARCHES: Final = 2 * len(_STARTS_DEG) + 2 * _KEPT_STARTS
_COARSE_STEPS: Final = 12
_SIMILARITY_STEPS: Final = 20
_AFFINE_STEPS: Final = 30
#: Partners must be nearer than this (mm), from the first step of a stage to its last, and face the same way.
_REACH_MM: Final = (40.0, 10.0)
_SAME_WAY: Final = 0.3
#: Residuals (mm) beyond which a partner counts little.
_ROBUST_MM: Final = 3.0
#: Largest distances left (mm), at the median and the 95th percentile. Measured: 1.2 and 4.4 for another brain
#: (fsaverage), up to 1.1 and 3.8 for deformed copies; 1.7 and 7.4 or more for a brain turned by 90 or 180 degrees.
_LARGEST_RESIDUAL_MM: Final = (2.5, 6.0)
#: Up to this at the 95th percentile a brain is looked at twice: a person's (6.9 was seen, with both hand areas within
#: 1 mm) may be far off in places, but fits well around the motor areas, and upright better than turned.
_LARGEST_DOUBTFUL_MM: Final = 10.0
#: The motor areas of hand, leg and face on the left (MNI152 mm), and how far around them distances are judged.
_MOTOR_MM: Final = ((-37.0, -21.0, 58.0), (-6.0, -25.0, 70.0), (-55.0, -5.0, 38.0))
_AROUND_MM: Final = 30.0
#: Turns about the x, y and z axis (degrees) of heads that are not upright RAS.
_TURNED_DEG: Final = ((0, 0, 180), (0, 0, 90), (0, 0, -90), (90, 0, 0), (-90, 0, 0), (180, 0, 0), (0, 180, 0))
#: Turned, a brain must fit better than upright by this factor to be called turned.
_CLEARLY_BETTER: Final = 0.9
_LENGTH_MM: Final = 60.0  # makes rotations and shifts of like size


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Points of a surface, evenly spread in mixed order, with normals; what partners with others is not believed."""

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    believed: NDArray[np.bool_]

    @cached_property
    def tree(self) -> cKDTree:
        """Finds the nearest of the points."""
        return cKDTree(self.points)

    def seekers(self, count: int) -> NDArray[np.intp]:
        """Numbers of some of the points that are believed."""
        return np.flatnonzero(self.believed)[:count]


def register_to_mni(head: HeadMesh, fiducials: Fiducials | None = None, *, progress: Progress = None) -> HeadMesh:
    """The head with a map from MNI152 coordinates found from the shape of its brain; an existing map is replaced.

    Parameters
    ----------
    head : HeadMesh
        With white and gray matter (tags 1 and 2), in RAS and not turned by much more than 15 degrees. Cerebellum and
        brainstem may be there or not; they do not count.
    fiducials : Fiducials, optional
        If given, the brain does not count: the map is laid through the 10-10 positions of the scalp, which needs no
        brain tissue and takes any orientation that fiducials can tell, but knows nothing of the brain in this head.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of the searches of the registration by the brain.

    Returns
    -------
    HeadMesh
        Its `mni` is an `AffineMap` whose description states how far the surfaces stay apart, everywhere and around the
        motor areas.

    Warns
    -----
    EfieldWarning
        If the surfaces stay farther apart than those of the brains that were tried, though not around the motor areas.

    Raises
    ------
    InputError
        If the head has no white or gray matter, or the surfaces cannot be laid onto each other: the brain is
        incomplete, or the head is not upright RAS.

    Notes
    -----
    An affine matches size and tilt, not folds: the residual says how far the surfaces are apart, not how far a gyrus of
    this person is from the template's. Left and right cannot be told apart by shape.

    Measured at the hand knobs (`benchmarks/registration.py`): 3.2 mm at the median and 7.1 mm at most on 8 copies of
    the MNI152 head that were turned by 15 degrees, scaled by up to 10 % per axis and bent by 4 mm (root mean square);
    13 mm at most if turned by 35 degrees; 2.3 and 3.0 mm on an independent brain, fsaverage, which has no cerebellum.
    """
    given_head(head)
    if fiducials is not None:
        return replace(head, mni=map_from_fiducials(head, fiducials))
    missing = [tag for tag in (WHITE_MATTER, GRAY_MATTER) if tag not in head.tags]
    if missing:
        raise InputError(
            f"a head to register must have white and gray matter (tags 1 and 2); instead its tags are {head.tags}: "
            "give targets as points in head coordinates"
        )
    fixed, (moving, believed) = _brain(head), _template_brain()
    sheets = believed, [_sheet(s) for s in fixed]
    with told(progress, "registering", "searches", _SEARCHES) as tell:
        matrix = _registered(*sheets, tell)
    fit = _Fit.of(*_distances(matrix, moving[0], fixed[0]))
    if fit.doubtful:
        _check_doubtful(fit, matrix, *sheets)
        warnings.warn(
            f"the brain lies farther from MNI152 than most ({fit.in_words()}): look where targets come to lie before "
            "you use them, or give them as points",
            EfieldWarning,
            stacklevel=2,
        )
    return replace(
        head, mni=AffineMap(matrix, f"affine registration of the brain's surface to MNI152 ({fit.in_words()})")
    )


@dataclass(frozen=True)
class _Fit:
    """Distances (mm) left between two brains: median and 95th percentile everywhere, and around the motor areas."""

    whole: tuple[float, float]
    motor: tuple[float, float]

    @classmethod
    def of(cls, in_mni: NDArray[np.float64], distance: NDArray[np.float64]) -> "_Fit":
        """From places in MNI152 and distances there."""
        left = np.array(_MOTOR_MM)
        gaps, _ = cKDTree(np.concatenate([left, left * (-1, 1, 1)])).query(in_mni)
        motor = distance[gaps < _AROUND_MM]
        return cls(_middle_and_far(distance), _middle_and_far(motor) if len(motor) else (np.inf, np.inf))

    @property
    def doubtful(self) -> bool:
        """Whether it is worse than that of brains that were tried."""
        return self.whole[0] > _LARGEST_RESIDUAL_MM[0] or self.whole[1] > _LARGEST_RESIDUAL_MM[1]

    def in_words(self) -> str:
        """What it says of targets."""
        return (
            f"distance left: median {self.whole[0]:.1f} mm, 95th percentile {self.whole[1]:.1f} mm; around the motor "
            f"areas {self.motor[0]:.1f} and {self.motor[1]:.1f} mm; places along the cortex are uncertain by 3 to 7 mm"
        )


def _middle_and_far(distance: NDArray[np.float64]) -> tuple[float, float]:
    return float(np.median(distance)), float(np.percentile(distance, 95))


def _check_doubtful(fit: _Fit, matrix: NDArray[np.float64], moving: Sequence[_Sheet], fixed: Sequence[_Sheet]) -> None:
    """Refuse a brain that is none, or is turned: it must fit around the motor areas, and upright better than turned."""
    middle, far = fit.motor
    if (
        fit.whole[0] > _LARGEST_RESIDUAL_MM[0]
        or fit.whole[1] > _LARGEST_DOUBTFUL_MM
        or middle > _LARGEST_RESIDUAL_MM[0]
        or far > _LARGEST_RESIDUAL_MM[1]
    ):
        raise InputError(
            f"the brain must have the shape of a brain, upright in RAS; instead its surface stays away from that of "
            f"MNI152 ({fit.in_words()}): check orientation and tissues, or give targets as points"
        )
    upright = _misfit(matrix, moving[0], fixed[0])
    for turn in _TURNED_DEG:
        start = _iterated(_start(moving[0], fixed[0], turn), moving, fixed, _COARSE_STEPS, _SEEKERS // 5, affine=False)
        turned = _iterated(start, moving, fixed, _SIMILARITY_STEPS, _SEEKERS, affine=True)
        if _misfit(turned, moving[0], fixed[0]) < _CLEARLY_BETTER * upright:
            raise InputError(
                "the brain must have the shape of a brain, upright in RAS; instead it fits MNI152 better when that is "
                f"turned by {turn} degrees about the x, y and z axis: correct the orientation of the head"
            )


def _brain(head: HeadMesh) -> tuple[TriangleSurface, TriangleSurface]:
    """The outer surfaces of gray and white matter together, and of white matter."""
    whole = boundary(head, (WHITE_MATTER, GRAY_MATTER)).largest_component()
    return whole, boundary(head, (WHITE_MATTER,)).largest_component()


@lru_cache(maxsize=1)
def _template_brain() -> tuple[tuple[TriangleSurface, TriangleSurface], tuple[_Sheet, ...]]:
    """The surfaces of the MNI152 brain, 11 MB, and their sheets: the same for all heads of a process."""
    surfaces = _brain(load_template("mni152"))
    return surfaces, tuple(_without_fossa(_sheet(surface)) for surface in surfaces)


def _sheet(surface: TriangleSurface) -> _Sheet:
    """One point for each equal share of the surface's area, in an order that mixes places."""
    total = np.cumsum(surface.areas)
    count = min(_PARTNERS, len(total))
    chosen = np.unique(np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1]))
    chosen = np.random.default_rng(0).permutation(chosen)
    return _Sheet(surface.centers_mm[chosen], surface.triangle_normals[chosen], np.ones(len(chosen), dtype=bool))


def _without_fossa(sheet: _Sheet) -> _Sheet:
    """The MNI152 brain with its cerebellum and brainstem not believed: heads differ in whether and how far they go."""
    return replace(sheet, believed=~_in_fossa(sheet.points))


def _in_fossa(mni_points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points in MNI152 coordinates belong to cerebellum or brainstem (or lie just above)."""
    x, y, z = mni_points.T
    return np.asarray((z < -10) & ((y < -30) | ((np.abs(x) < 22) & (y < -5))))


def _registered(moving: Sequence[_Sheet], fixed: Sequence[_Sheet], tell: Tell) -> NDArray[np.float64]:
    """(4, 4) affine that lays the moving surfaces onto the fixed ones."""
    done = 0

    def searched(start: NDArray[np.float64], steps: int, seekers: int, stage: str) -> NDArray[np.float64]:
        nonlocal done
        found = _iterated(start, moving, fixed, steps, seekers, affine=stage == "affine")
        done += 1
        tell(done, _SEARCHES, stage)
        return found

    def misfit(matrix: NDArray[np.float64]) -> float:
        return _misfit(matrix, moving[0], fixed[0])

    # By centers with and without the cerebellum, which the head may lack.
    kept = moving[0].believed
    cerebrum = _Sheet(moving[0].points[kept], moving[0].normals[kept], kept[kept])
    starts = [_start(whole, fixed[0], turn) for turn in _STARTS_DEG for whole in (moving[0], cerebrum)]
    coarse = [searched(start, _COARSE_STEPS, _SEEKERS // 5, "coarse") for start in starts]
    best = sorted(coarse, key=misfit)[:_KEPT_STARTS]
    similar = [searched(start, _SIMILARITY_STEPS, _SEEKERS, "similarity") for start in best]
    return min((searched(start, _AFFINE_STEPS, _SEEKERS, "affine") for start in similar), key=misfit)


def _start(moving: _Sheet, fixed: _Sheet, turn_deg: tuple[int, int, int]) -> NDArray[np.float64]:
    """Centers on each other, one common scale from the spreads, and a turn."""
    scale = float(np.sqrt(fixed.points.var(axis=0).sum() / moving.points.var(axis=0).sum()))
    matrix = np.eye(4)
    matrix[:3, :3] = scale * Rotation.from_rotvec(np.radians(turn_deg)).as_matrix()
    matrix[:3, 3] = fixed.points.mean(axis=0) - matrix[:3, :3] @ moving.points.mean(axis=0)
    return matrix


def _iterated(
    matrix: NDArray[np.float64],
    moving: Sequence[_Sheet],
    fixed: Sequence[_Sheet],
    steps: int,
    seekers: int,
    *,
    affine: bool,
) -> NDArray[np.float64]:
    for reach in np.geomspace(*_REACH_MM, steps):
        pairs = [_pairs(matrix, m, f, seekers, reach) for m, f in zip(moving, fixed, strict=True)]
        at, normals, gap = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        matrix = _improvement(at, normals, gap, affine=affine) @ matrix
    return matrix


def _pairs(
    matrix: NDArray[np.float64], moving: _Sheet, fixed: _Sheet, seekers: int, reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Places (k, 3) of moved points, normals (k, 3) of their partners and the gaps (k,) between, along the normals.

    Both surfaces look for partners, so that neither can shrink into the other.
    """
    linear = matrix[:3, :3]
    here = moving.seekers(seekers)
    moved = moving.points[here] @ linear.T + matrix[:3, 3]
    # Without a bound the search is slow where all is equally far; what it misses is dropped below as out of reach.
    partner = np.minimum(fixed.tree.query(moved, distance_upper_bound=reach)[1], len(fixed.points) - 1)
    there = fixed.seekers(seekers)
    back = (fixed.points[there] - matrix[:3, 3]) @ np.linalg.inv(linear).T
    found = np.minimum(moving.tree.query(back, distance_upper_bound=2 * reach)[1], len(moving.points) - 1)
    at = np.concatenate([moved, moving.points[found] @ linear.T + matrix[:3, 3]])
    target = np.concatenate([fixed.points[partner], fixed.points[there]])
    normals = np.concatenate([fixed.normals[partner], fixed.normals[there]])
    own = moving.normals[np.concatenate([here, found])] @ np.linalg.inv(linear)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    good = (np.linalg.norm(at - target, axis=1) < reach) & (np.einsum("ij,ij->i", own, normals) > _SAME_WAY)
    good[len(here) :] &= moving.believed[found]
    return at[good], normals[good], np.einsum("ij,ij->i", (target - at)[good], normals[good])


def _improvement(
    at: NDArray[np.float64], normals: NDArray[np.float64], gap: NDArray[np.float64], *, affine: bool
) -> NDArray[np.float64]:
    """(4, 4) small motion that closes the gaps along the normals in the sense of robust least squares."""
    center = at.mean(axis=0)
    place = (at - center) / _LENGTH_MM
    if affine:
        columns = np.concatenate([(normals[:, :, None] * place[:, None, :]).reshape(-1, 9), normals], axis=1)
    else:
        columns = np.column_stack([np.cross(place, normals), np.einsum("ij,ij->i", place, normals), normals])
    weight = 1.0 / np.sqrt(1.0 + (gap / _ROBUST_MM) ** 2)
    columns *= weight[:, None]
    # Sums without BLAS: its threads wait for each other longer than such small products take on a busy machine.
    square = np.einsum("ki,kj->ij", columns, columns)
    found = np.linalg.solve(
        square + 1e-9 * np.trace(square) * np.eye(len(square)), np.einsum("ki,k->i", columns, gap * weight)
    )
    motion = np.eye(4)
    if affine:
        motion[:3, :3] += found[:9].reshape(3, 3) / _LENGTH_MM
    else:
        motion[:3, :3] = (1 + found[3] / _LENGTH_MM) * Rotation.from_rotvec(found[:3] / _LENGTH_MM).as_matrix()
    motion[:3, 3] = found[-3:] + center - motion[:3, :3] @ center
    return motion


def _misfit(matrix: NDArray[np.float64], moving: _Sheet, fixed: _Sheet) -> float:
    """Mean distance of two surfaces' believed points to each other."""
    back = (fixed.points[fixed.seekers(_SEEKERS)] - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    forth = moving.points[moving.seekers(_SEEKERS)] @ matrix[:3, :3].T + matrix[:3, 3]
    away, found = moving.tree.query(back)
    return float(np.mean(np.concatenate([fixed.tree.query(forth)[0], np.asarray(away)[moving.believed[found]]])))


def _distances(
    matrix: NDArray[np.float64], moving: TriangleSurface, fixed: TriangleSurface
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places in MNI152 and distances (in the fixed one's mm) between the surfaces, both ways, without the fossa."""
    moved = TriangleSurface(moving.points_mm @ matrix[:3, :3].T + matrix[:3, 3], moving.triangles)
    back = np.asarray(np.linalg.inv(matrix))
    found = []
    for seekers, surface in ((moved, fixed), (fixed, moved)):
        points = _sheet(seekers).points[:_SEEKERS]
        places, distance = signed_distance(surface).find(points)
        in_mni = (points if seekers is moved else places) @ back[:3, :3].T + back[:3, 3]
        found.append((in_mni[~_in_fossa(in_mni)], distance[~_in_fossa(in_mni)]))
    places_in_mni, distances = zip(*found, strict=True)
    return np.concatenate(places_in_mni), np.concatenate(distances)
