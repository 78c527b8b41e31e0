"""Do poses lie on this head's scalp? If not: which mistake about frames, axes or units would put them there?"""

from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.pose import pose_matrices
from efield.head.closest import signed_distance
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import opened, read_poses
from efield.targeting.placement import scalp_tree, smoothed_normal
from efield.targeting.pose_mistakes import Trial, trials
from efield.targeting.tangent import tangent_direction

#: A coil held on a head: its center is at most so deep in the scalp or so far above it (mm), and its axis so far from
#: the scalp's normal (degrees). Origins of other programs lie in the winding, and hair takes room.
NEAREST_MM: Final = -6.0
FARTHEST_MM: Final = 40.0
MOST_TILT_DEG: Final = 30.0

#: Another reading is named if no fewer of the poses lie on the scalp with it and its misfit is so much smaller.
_BETTER: Final = 0.25

#: Added to the misfit of a reading for each thing that must have gone wrong, so that few are named before many.
_EACH: Final = 0.3

#: So far apart and so many must poses be before a shift that puts them on the scalp says anything (mm).
_APART_MM: Final = 40.0
_MANY: Final = 4

#: Poses that are tried: readings differ by so much that these tell.
_TRIED: Final = 48

#: Within this of the middle of the head a pose is over neither side (mm).
MIDLINE_MM: Final = 10.0

#: Centers within this of the origin (mm) are meters: no coil is inside the head.
_METERS_MM: Final = 1.0

#: A handle that has this much of forward in it points toward the face.
_FORWARD: Final = 0.5


@dataclass(frozen=True)
class Reading:
    """Another way to read the same numbers, and how well the poses lie on the scalp then.

    Parameters
    ----------
    mistake : str
        What was taken for what.
    remedy : str
        What to do about it.
    fraction : float
        Of the tried poses that lie on the scalp.
    misfit : float
        0 for coils flat on the scalp with their handles back; more for every thing that must have gone wrong.
    """

    mistake: str
    remedy: str
    fraction: float
    misfit: float


@dataclass(frozen=True, eq=False, repr=False)
class PoseCheck(Carded):
    """Where poses are on a head.

    Parameters
    ----------
    distance_mm : (n,) float
        From the scalp to the coil's center, negative inside the head.
    tilt_deg : (n,) float
        Between the coil's z axis and the inward normal of the scalp, averaged over a coil's footprint.
    side : tuple of str
        ``"left"``, ``"right"`` or ``"midline"``.
    on_scalp : (n,) bool
    mistakes : tuple of Reading
        Other readings that fit much better, the best first.
    hints : tuple of str
        What the numbers let suspect, where nothing could be tried.
    """

    distance_mm: FloatArray
    tilt_deg: FloatArray
    side: tuple[str, ...]
    on_scalp: NDArray[np.bool_]
    mistakes: tuple[Reading, ...]
    hints: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether most poses lie on the scalp, and nothing else fits much better."""
        return bool(self.on_scalp.mean() >= 0.5) and not self.mistakes

    def lines(self) -> list[str]:
        """The verdict, for people."""
        on, count = int(self.on_scalp.sum()), len(self.on_scalp)
        distance, tilt = (f"{values.min():.0f} to {values.max():.0f}" for values in (self.distance_mm, self.tilt_deg))
        found = [f"{on} of {count} poses lie on the scalp as read (center {distance} mm above it, tilt {tilt} degrees)"]
        for reading in self.mistakes:
            share = f"{reading.fraction:.0%} lie on it" if reading.fraction > 0 else "they fit better"
            found.append(f"likely mistake: {reading.mistake} (then {share}): {reading.remedy}")
        return found + list(self.hints)

    def _card(self) -> Card:
        return Card("PoseCheck", [(str(number), line) for number, line in enumerate(self.lines(), 1)])


def check_poses(poses: Any, head: HeadMesh, image_affine: ArrayLike | None = None) -> PoseCheck:
    """Where poses are on a head, and what mistake would explain it if they are not on its scalp.

    Parameters
    ----------
    poses : PoseTable, iterable of Pose, (p, 4, 4) array, or a file of poses
    head : HeadMesh
    image_affine : (4, 4) array_like, optional
        From voxels of the head's image to mm: then coordinates are tried as voxels.

    Raises
    ------
    InputError
        If there is no pose.
    """
    table = read_poses(poses) if isinstance(poses, str | PathLike) else poses
    axes, frame = (table.axes, table.frame) if isinstance(table, PoseTable) else ("simnibs", "RAS")
    matrices = pose_matrices(opened(table))
    if not len(matrices):
        raise InputError("poses must hold at least one to be checked; instead there is none")
    place = _places(head, matrices)
    some = np.unique(np.linspace(0, len(matrices) - 1, min(_TRIED, len(matrices))).astype(int))
    given = place[some]
    readings = [_tried(head, matrices[some], one) for one in trials(axes, frame, image_affine)]
    readings += _shifted(head, matrices[some])
    across_mm = scalp(head).points_mm[:, 0]
    middle = 0.5 * float(across_mm.min() + across_mm.max())
    across = place.feet[:, 0] - middle
    side = np.where(np.abs(across) < MIDLINE_MM, "midline", np.where(across < 0, "left", "right"))
    mistakes = _likely(given, readings)
    hints = _hints(matrices, given, image_affine, known=bool(mistakes))
    return PoseCheck(place.distance_mm, place.tilt_deg, tuple(side.tolist()), place.on_scalp, mistakes, hints)


@dataclass(frozen=True)
class _Places:
    feet: FloatArray
    distance_mm: FloatArray
    tilt_deg: FloatArray
    forward: NDArray[np.bool_]

    def __getitem__(self, rows: NDArray[np.intp]) -> "_Places":
        return _Places(self.feet[rows], self.distance_mm[rows], self.tilt_deg[rows], self.forward[rows])

    @property
    def on_scalp(self) -> NDArray[np.bool_]:
        near = (self.distance_mm >= NEAREST_MM) & (self.distance_mm <= FARTHEST_MM)
        return near & (self.tilt_deg <= MOST_TILT_DEG)

    @property
    def misfit(self) -> float:
        """Distances in tens of mm, tilts in scores of degrees, each up to 5, and half a point for handles forward."""
        distance = np.minimum(np.abs(self.distance_mm - 5.0) / 10.0, 5.0)
        return float(np.mean(distance + np.minimum(self.tilt_deg / 20.0, 5.0) + 0.5 * self.forward))


def _places(head: HeadMesh, matrices: FloatArray) -> _Places:
    surface, tree = scalp(head), scalp_tree(head)
    centers, inward = matrices[:, :3, 3], matrices[:, :3, 2]
    distance = signed_distance(surface)
    feet = distance.find(centers)[0]
    outward = np.array([smoothed_normal(surface, tree, foot) for foot in feet])
    cosine = np.clip(-np.einsum("nk,nk->n", inward, outward), -1.0, 1.0)
    front = np.array([tangent_direction(normal, 0.0, 1.0) for normal in outward])
    forward = np.einsum("nk,nk->n", -matrices[:, :3, 1], front) > _FORWARD
    return _Places(feet, distance(centers), np.degrees(np.arccos(cosine)), forward)


def _tried(head: HeadMesh, matrices: FloatArray, trial: Trial) -> Reading:
    place = _places(head, trial.undo(matrices))
    return Reading(trial.mistake, trial.remedy, float(place.on_scalp.mean()), place.misfit + _EACH * trial.wrong)


def _shifted(head: HeadMesh, matrices: FloatArray) -> list[Reading]:
    """The same coordinates from another origin: the shift that brings the centers nearest to 5 mm above the scalp."""
    centers = matrices[:, :3, 3]
    if len(centers) < _MANY or np.ptp(centers, axis=0).max() < _APART_MM:
        return []
    moved = matrices.copy()
    for _ in range(20):
        place = _places(head, moved)
        moved[:, :3, 3] += np.mean(place.feet - 5.0 * moved[:, :3, 2] - moved[:, :3, 3], axis=0)
    shift = ", ".join(f"{value:.0f}" for value in moved[0, :3, 3] - centers[0])
    mistake = f"the coordinates have another origin, such as that of another image, ({shift}) mm away"
    return [_tried(head, moved, Trial(mistake, "export them in the coordinates of this head's image", 2, np.copy))]


def _likely(given: _Places, readings: list[Reading]) -> tuple[Reading, ...]:
    """Readings that explain much more than the given one; of these, those about as good as the best."""
    fraction, misfit = float(given.on_scalp.mean()), given.misfit
    better = [one for one in readings if one.fraction >= max(fraction, 0.5) and one.misfit <= misfit - _BETTER]
    if not better:
        return ()
    best = min(better, key=lambda one: (-round(one.fraction, 1), one.misfit))
    close = [one for one in better if one.fraction > best.fraction - 0.1 and one.misfit < best.misfit + 0.15]
    return tuple(sorted(close, key=lambda one: one.misfit)[:3])


def _hints(matrices: FloatArray, given: _Places, image_affine: ArrayLike | None, *, known: bool) -> tuple[str, ...]:
    if given.on_scalp.mean() >= 0.5:
        return ()
    centers = matrices[:, :3, 3]
    if image_affine is None and centers.min() >= 0 and centers.max() > 60:
        return ("no coordinate is negative: are these voxels of the image? Give it (--image T1.nii.gz) to try",)
    if known:
        return ()
    if np.abs(centers).max() < _METERS_MM:
        return (f"no coordinate is larger than {_METERS_MM:g} mm: are these meters, and of other axes besides?",)
    return ("no common mistake explains it: are the poses those of this head, and in the coordinates of its image?",)
