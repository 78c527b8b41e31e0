"""Maps between MNI152 coordinates and those of one head: an affine, or a nonlinear warp stored on a voxel grid.

Every map has `to_head` and `from_head`, both (n, 3) mm to (n, 3) mm, a `description` for notes and errors, and
`is_identity`.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError, OutsideHeadError

#: From one adult head to another, volume changes by far less than this factor; beyond it the units are wrong.
_LARGEST_VOLUME_FACTOR: Final = 8.0
#: No coordinate of a head in its image is this large (mm).
_FARTHEST_MM: Final = 10_000.0
_FIT_VOXELS: Final = 20_000
_MOST_STEPS: Final = 100
_TOLERANCE_MM: Final = 1e-3
_ON_EDGE: Final = 1e-6  # voxels
#: Slopes of a map are taken over a few voxels, so that the grain of a warp does not count (mm).
_SLOPE_MM: Final = 2.0


@dataclass(frozen=True, eq=False, repr=False)
class AffineMap(Carded):
    """A 4x4 affine from MNI152 coordinates to those of a head.

    Parameters
    ----------
    matrix : (4, 4) array_like
        Column vectors, mm to mm.
    description : str
        Where it comes from; appears in notes and errors.

    Raises
    ------
    InputError
        If it is not an invertible affine, mirrors left and right, or changes volumes more than eightfold.
    """

    matrix: NDArray[np.float64]
    description: str = "affine"

    def __post_init__(self) -> None:
        matrix = checks.affine("mni", self.matrix)
        _check_volume("mni", float(np.linalg.det(matrix[:3, :3])))
        object.__setattr__(self, "matrix", checks.owned(matrix))

    @property
    def is_identity(self) -> bool:
        """Whether the head is in MNI152 coordinates itself."""
        return bool(np.array_equal(self.matrix, np.eye(4)))

    def to_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) head coordinates of (n, 3) MNI coordinates, mm."""
        return _moved(self.matrix, checks.vectors("points_mm", points_mm))

    def from_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) MNI coordinates of (n, 3) head coordinates, mm."""
        return _moved(np.asarray(np.linalg.inv(self.matrix)), checks.vectors("points_mm", points_mm))

    def _card(self) -> Card:
        return Card("AffineMap, MNI152 to head", (("source", self.description),))


@dataclass(frozen=True, eq=False, repr=False)
class WarpMap(Carded):
    """A nonlinear map: for every voxel of a grid in MNI152 space, the head coordinates it corresponds to.

    Parameters
    ----------
    field : (nx, ny, nz, 3) array_like, mm
        Head coordinates (not displacements), interpolated trilinearly. Voxels that hold nan, or share the exact
        coordinates (0, 0, 0) with another, have no value.
    affine : (4, 4) array_like
        Voxel indices to MNI152 mm.
    description : str
        Where it comes from; appears in notes and errors.

    Raises
    ------
    InputError
        If the shapes do not fit, an axis has fewer than two voxels, or the field is not a map of one head to another:
        displacements, meters, mirrored, or too few voxels with a value.
    """

    field: NDArray[np.float32]
    affine: NDArray[np.float64]
    description: str = "nonlinear warp"

    def __post_init__(self) -> None:
        affine = checks.affine("affine", self.affine)
        object.__setattr__(self, "affine", checks.owned(affine))
        object.__setattr__(self, "field", checks.read_only(_with_holes(self.field)))
        _check_volume("the warp", float(np.linalg.det(self._fit[:3, :3])))

    @property
    def is_identity(self) -> bool:
        """Whether the head is in MNI152 coordinates itself: a warp never says so."""
        return False

    @cached_property
    def _to_index(self) -> NDArray[np.float64]:
        return np.asarray(np.linalg.inv(self.affine))

    @cached_property
    def _fit(self) -> NDArray[np.float64]:
        """The affine nearest to the warp, in the sense of least squares."""
        step = max(1, int(np.ceil((self.field[..., 0].size / _FIT_VOXELS) ** (1 / 3))))
        values = self.field[::step, ::step, ::step].reshape(-1, 3).astype(np.float64)
        index = np.stack(np.meshgrid(*(np.arange(0, n, step) for n in self.field.shape[:3]), indexing="ij"), axis=-1)
        places = _moved(self.affine, index.reshape(-1, 3).astype(np.float64))
        known = np.isfinite(values).all(axis=1)
        matrix = np.eye(4)
        rows = np.column_stack([places, np.ones(len(places))])[known]
        if known.sum() < 4 or np.linalg.matrix_rank(rows) < 4:
            raise InputError("the warp must have a value in most voxels; instead they are nan or 0: copy it again")
        matrix[:3] = np.linalg.lstsq(rows, values[known], rcond=None)[0].T
        return matrix

    def to_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) head coordinates of (n, 3) MNI coordinates, mm.

        Raises
        ------
        OutsideHeadError
            If a point lies outside the warp's grid or next to a voxel without a value.
        """
        points = checks.vectors("points_mm", points_mm)
        index = _moved(self._to_index, points)
        outside = ((index < -_ON_EDGE) | (index > np.array(self.field.shape[:3]) - 1 + _ON_EDGE)).any(axis=1)
        values, _ = self._at(index)
        bad = outside | ~np.isfinite(values).all(axis=1)
        if bad.any():
            low, high = self._bounds
            first = points[np.argmax(bad)]
            raise OutsideHeadError(
                f"points must lie where the {self.description} is known, within {_triple(low)} to {_triple(high)} mm "
                f"and off its empty voxels; instead {int(bad.sum())} of {len(points)} do not, first {_triple(first)}: "
                "check that they are MNI coordinates"
            )
        return values

    def from_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) MNI coordinates of (n, 3) head coordinates, mm: the warp inverted by damped Newton steps to 0.001 mm.

        Raises
        ------
        OutsideHeadError
            If a point is no voxel's image, or lies where the warp is folded.
        """
        wanted = checks.vectors("points_mm", points_mm)
        index = self._clipped(_moved(self._to_index @ np.linalg.inv(self._fit), wanted))
        miss, slope = self._missed(index, wanted)
        damping = np.ones(len(wanted))
        for _ in range(_MOST_STEPS):
            if (np.linalg.norm(miss, axis=1) <= _TOLERANCE_MM).all():
                break
            step = np.einsum("nij,nj->ni", np.linalg.pinv(slope), miss) * damping[:, None]
            trial = self._clipped(index + step)
            trial_miss, trial_slope = self._missed(trial, wanted)
            better = np.linalg.norm(trial_miss, axis=1) < np.linalg.norm(miss, axis=1)
            index[better], miss[better], slope[better] = trial[better], trial_miss[better], trial_slope[better]
            damping = np.where(better, np.minimum(1.0, 2 * damping), damping / 2)
        bad = np.linalg.norm(miss, axis=1) > _TOLERANCE_MM
        if bad.any():
            raise OutsideHeadError(
                f"points must correspond to a place in the grid of the {self.description}; instead {int(bad.sum())} of "
                f"{len(wanted)} do not, first {_triple(wanted[np.argmax(bad)])}: check that they lie in the head"
            )
        return _moved(self.affine, index)

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ends = [(0, n - 1) for n in self.field.shape[:3]]
        corners = _moved(self.affine, np.array(list(product(*ends)), dtype=np.float64))
        return corners.min(axis=0), corners.max(axis=0)

    def _clipped(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(index, 0.0, np.array(self.field.shape[:3]) - 1.0)

    def _missed(
        self, index: NDArray[np.float64], wanted: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is missing to the wanted coordinates (far away in holes), and the slope there."""
        values, slope = self._at(index)
        hole = ~(np.isfinite(values).all(axis=1) & np.isfinite(slope).all(axis=(1, 2)))
        miss = wanted - values
        miss[hole] = 1e6
        slope[hole] = np.eye(3)
        return miss, slope

    def _at(self, index: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Trilinear values (n, 3) at voxel indices (n, 3) and their slopes (n, 3, 3), mm per voxel, at [n, c, axis]."""
        last = np.array(self.field.shape[:3]) - 2
        low = np.clip(np.floor(index), 0, last).astype(np.intp)
        part = np.clip(index - low, 0.0, 1.0)
        values, slope = np.zeros((len(index), 3)), np.zeros((len(index), 3, 3))
        for corner in product((0, 1), repeat=3):
            i, j, k = (low + corner).T
            at_corner = self.field[i, j, k].astype(np.float64)
            weight = np.where(np.array(corner) == 1, part, 1.0 - part)
            share = weight.prod(axis=1)
            # A voxel without a value matters only where it has a share.
            values += np.where(share[:, None] > 0, at_corner * share[:, None], 0.0)
            for axis in range(3):
                others = weight[:, [a for a in range(3) if a != axis]].prod(axis=1) * (1 if corner[axis] else -1)
                slope[:, :, axis] += np.where(others[:, None] != 0, at_corner * others[:, None], 0.0)
        return values, slope

    def _card(self) -> Card:
        return Card("WarpMap, MNI152 to head", (("source", self.description),))


@dataclass(frozen=True, eq=False, repr=False)
class ReversedMap(Carded):
    """A map taken the other way: for a warp that is stored on the head's grid and holds MNI coordinates.

    Parameters
    ----------
    stored : WarpMap
        Its `to_head` gives MNI coordinates of head coordinates.
    """

    stored: WarpMap

    @property
    def description(self) -> str:
        """That of the stored map."""
        return f"inverse of {self.stored.description}"

    @property
    def is_identity(self) -> bool:
        """Whether the head is in MNI152 coordinates itself."""
        return self.stored.is_identity

    def to_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) head coordinates of (n, 3) MNI coordinates, mm; raises as `WarpMap.from_head` does."""
        return self.stored.from_head(points_mm)

    def from_head(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) MNI coordinates of (n, 3) head coordinates, mm; raises as `WarpMap.to_head` does."""
        return self.stored.to_head(points_mm)

    def _card(self) -> Card:
        return Card("ReversedMap, MNI152 to head", (("source", self.description),))


#: Any of the maps.
MniMap = AffineMap | WarpMap | ReversedMap


def spread_in_head(mni: MniMap, point_mm: ArrayLike, spread_mm: ArrayLike) -> NDArray[np.float64]:
    """(3,) what a standard deviation in MNI152 becomes in a head, to first order: along the head's x, y and z, mm.

    The map turns and stretches it; how far the map itself is off is not in it.

    Parameters
    ----------
    mni : MniMap
    point_mm : (3,) array_like
        MNI152 coordinates of the place.
    spread_mm : (3,) array_like
        Standard deviations along x, y and z of MNI152.

    Raises
    ------
    OutsideHeadError
        If the map is not known around the place.
    """
    point, steps = checks.vector("point_mm", point_mm), _SLOPE_MM * np.eye(3)
    ahead, behind = mni.to_head(point + steps), mni.to_head(point - steps)
    slopes = (ahead - behind) / (2 * _SLOPE_MM) * checks.vector("spread_mm", spread_mm)[:, None]
    return np.asarray(np.linalg.norm(slopes, axis=0))


def as_map(value: MniMap | ArrayLike | None) -> MniMap | None:
    """A map as it is, a 4x4 matrix as an `AffineMap`, or None.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if value is None or isinstance(value, MniMap):
        return value
    return AffineMap(checks.as_float_array("mni", value))


def _moved(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def _triple(values: NDArray[np.float64]) -> str:
    return "({:.0f}, {:.0f}, {:.0f})".format(*values)


def _check_volume(name: str, factor: float) -> None:
    if factor < 0:
        raise InputError(f"{name} must keep left and right apart; instead it mirrors the head: coordinates must be RAS")
    if not 1 / _LARGEST_VOLUME_FACTOR <= factor <= _LARGEST_VOLUME_FACTOR:
        raise InputError(
            f"{name} must be an invertible map of millimeters to millimeters; instead it changes volumes by a factor "
            f"of {factor:.3g}: a field must hold coordinates, not displacements or meters"
        )


def _with_holes(value: ArrayLike) -> NDArray[np.float32]:
    field = np.asarray(value)
    if field.ndim != 4 or field.shape[3] != 3 or min(field.shape[:3]) < 2 or field.dtype.kind not in "fiu":
        raise InputError(
            "field must have shape (nx, ny, nz, 3) with two voxels or more along each axis; "
            f"instead received {field.dtype} of shape {field.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        field = np.array(field, dtype=np.float32)
        empty = ~np.isfinite(field).all(axis=3)
        origin = (field == 0).all(axis=3)
        farthest = float(np.abs(field[~empty]).max(initial=0.0))
    if farthest > _FARTHEST_MM:
        raise InputError(f"field must hold mm of a head; instead it reaches {farthest:.3g}: the file is damaged")
    # A one-to-one map reaches (0, 0, 0) once; programs write it where they know nothing.
    if origin.sum() > 1:
        empty |= origin
    field[empty] = np.nan
    return field
