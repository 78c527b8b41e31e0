"""From a label volume and its affine to a padded grid of tissue ranks with perpendicular axes in millimeters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.lattice.nesting import contacts, find_nesting, given_nesting

#: Columns of an affine that miss a right angle by more than this are sheared, not rounded.
_SHEAR_TOLERANCE = 1e-3

#: No head is narrower or wider (mm): such labels are in meters or micrometers.
_SMALLEST_MM = 20.0
_LARGEST_MM = 2000.0

#: In centimeters a head is about 25 wide, and its voxels are 0.1: in millimeters none is so small.
_LARGEST_CM = 40.0
_LARGEST_VOXEL_CM = 0.3

#: Faces of voxels add up to more than the smooth surface they stand for: half more for a ball.
_STAIRCASE = 1.5

#: Empty voxels kept around the labels: room for the outermost level set and for tetrahedra that straddle it.
_MARGIN_MM = 10.0


@dataclass(frozen=True, eq=False)
class LabelGrid:
    """Tissue ranks on a grid whose axes run roughly to the right, anterior and superior.

    Attributes
    ----------
    ranks : (nx, ny, nz) uint8
        0 outside, k for the k-th tag of `tags`.
    tags : tuple of int
        Tissue tags: the layers from the inside out, then the enclosed tissues.
    hosts : tuple of int
        For each enclosed tissue the rank of the tissue it is cut out of, less than its own.
    spacing : (3,) float, mm
        Voxel size.
    to_world : (4, 4) float
        From grid millimeters (0 at the center of the first voxel) to world millimeters; rigid.
    """

    ranks: NDArray[np.uint8]
    tags: tuple[int, ...]
    hosts: tuple[int, ...]
    spacing: NDArray[np.float64]
    to_world: NDArray[np.float64]

    @property
    def layers(self) -> int:
        """How many of the tags are layers."""
        return len(self.tags) - len(self.hosts)

    def up_to(self, rank: int) -> NDArray[np.uint8]:
        """The ranks, with tissues of more than `rank` put back into those they are cut out of."""
        return np.asarray(self.table_up_to(rank)[self.ranks])

    def table_up_to(self, rank: int) -> NDArray[np.uint8]:
        """(k + 1,) the rank that each rank becomes where tissues of more than `rank` are put back."""
        table = np.arange(len(self.tags) + 1, dtype=np.uint8)
        for own in range(max(rank, self.layers) + 1, len(table)):
            table[own] = table[self.hosts[own - self.layers - 1]]
        return table

    def size_of(self, rank: int) -> tuple[float, float]:
        """Volume (mm3) and surface (mm2) of an enclosed tissue, with what is cut out of it later."""
        ranks = self.up_to(rank)
        voxel = float(self.spacing.prod())
        faces = float(contacts(ranks)[rank].sum())
        return np.count_nonzero(ranks == rank) * voxel, faces * voxel ** (2 / 3) / _STAIRCASE

    @property
    def inverse_spacing(self) -> NDArray[np.float64]:
        """(3,) voxels per mm."""
        return np.asarray(1.0 / self.spacing)

    def to_grid(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """(n, 3) world points in grid millimeters."""
        return (checks.vectors("points_mm", points_mm) - self.to_world[:3, 3]) @ self.to_world[:3, :3]

    def from_grid(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3) grid millimeters as world points."""
        return np.asarray(points @ self.to_world[:3, :3].T + self.to_world[:3, 3])


def label_grid(labels: ArrayLike, affine: ArrayLike, nesting: Sequence[int] | None) -> LabelGrid:
    """Check, reorient, crop, pad and rank a label volume.

    Parameters
    ----------
    labels : (nx, ny, nz) array_like of int
        Tissue tags; 0 is outside.
    affine : (4, 4) array_like
        Voxel indices to world mm; any orientation, but perpendicular axes.
    nesting : sequence of int or None
        Tags of the layers from the inside out; None finds them.

    Raises
    ------
    InputError
        If the volume is not three-dimensional, integer and non-empty, if the affine is singular or sheared, or
        if `nesting` has tags that the labels do not have.
    """
    volume = _as_labels(labels)
    matrix = _as_affine(affine)
    volume, matrix = _reoriented(volume, matrix)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    volume, matrix = _cropped(volume, matrix, spacing)
    found = [int(tag) for tag in np.unique(volume) if tag]
    if len(found) > 31:
        raise InputError(f"labels must hold at most 31 tags; instead received {len(found)}: merge some of them")
    numbers = _renumbered(volume, found)
    nested = find_nesting(numbers, found, spacing) if nesting is None else given_nesting(numbers, found, nesting)
    tags = (*nested.layers, *(tag for tag, _ in nested.enclosed))
    to_world = matrix.copy()
    u, _, vt = np.linalg.svd(matrix[:3, :3] / spacing)
    to_world[:3, :3] = u @ vt
    hosts = tuple(tags.index(host) + 1 for _, host in nested.enclosed)
    return LabelGrid(_renumbered(volume, tags), tags, hosts, spacing, to_world)


def _renumbered(volume: NDArray[np.integer], tags: Sequence[int]) -> NDArray[np.uint8]:
    """The place of each voxel's tag in `tags`, from 1; 0 outside."""
    table = np.zeros(int(volume.max()) + 1, dtype=np.uint8)
    table[list(tags)] = np.arange(1, len(tags) + 1)
    return np.ascontiguousarray(table[volume])


def _as_labels(labels: ArrayLike) -> NDArray[np.integer]:
    volume = np.asarray(labels)
    if volume.ndim != 3:
        raise InputError(f"labels must have shape (nx, ny, nz); instead received shape {volume.shape}")
    if not np.issubdtype(volume.dtype, np.integer):
        raise InputError(
            f"labels must be integers; instead received {volume.dtype}: round them, np.rint(labels).astype(int)"
        )
    if not volume.size or not volume.any():
        raise InputError("labels must hold at least one tissue; instead every voxel is 0")
    if volume.min() < 0 or volume.max() > 65535:
        raise InputError(f"labels must be tags from 0 to 65535; instead received {volume.min()} to {volume.max()}")
    return volume


def _as_affine(affine: ArrayLike) -> NDArray[np.float64]:
    matrix = checks.affine("affine", affine)
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise InputError(
            "affine must have perpendicular axes; instead they are sheared: "
            "resample the labels (nearest neighbor) onto an unsheared grid first"
        )
    return matrix


def _reoriented(
    volume: NDArray[np.integer], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """Axes permuted and flipped to the nearest RAS order, so that LAS and RAS volumes mesh alike."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    order = _best_permutation(axes)
    volume = volume.transpose(order)
    turned = matrix.copy()
    turned[:3, :3] = matrix[:3, list(order)]
    for axis in range(3):
        if turned[axis, axis] < 0:
            turned[:3, 3] += turned[:3, axis] * (volume.shape[axis] - 1)
            turned[:3, axis] *= -1
            volume = np.flip(volume, axis)
    return volume, turned


def _best_permutation(axes: NDArray[np.float64]) -> tuple[int, int, int]:
    permutations = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    scores = [sum(abs(axes[row, column]) for row, column in enumerate(p)) for p in permutations]
    return permutations[int(np.argmax(scores))]


def _cropped(
    volume: NDArray[np.integer], matrix: NDArray[np.float64], spacing: NDArray[np.float64]
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """The bounding box of the labels plus a margin, padded with 0 where the labels reach the border."""
    margin = np.ceil(_MARGIN_MM / spacing).astype(int)
    low, high = np.zeros(3, int), np.zeros(3, int)
    for axis in range(3):
        used = np.flatnonzero(volume.any(axis=tuple({0, 1, 2} - {axis})))
        low[axis], high[axis] = used[0], used[-1] + 1
    _check_size(float(((high - low) * spacing).max()), float(spacing.max()))
    core = volume[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    moved = matrix.copy()
    moved[:3, 3] += matrix[:3, :3] @ (low - margin)
    return np.pad(core, [(int(m), int(m)) for m in margin]), moved


def _check_size(extent_mm: float, voxel_mm: float) -> None:
    """Refuse other units before a lattice of millimeters is laid over them."""
    in_centimeters = extent_mm < _LARGEST_CM and voxel_mm < _LARGEST_VOXEL_CM
    if in_centimeters or not _SMALLEST_MM <= extent_mm <= _LARGEST_MM:
        units = "micrometers" if extent_mm > _LARGEST_MM else "meters" if extent_mm < 1 else "centimeters"
        raise InputError(
            f"the affine of labels must be in millimeters; instead the labels are {extent_mm:.3g} wide, which looks "
            f"like {units}: correct the affine in the program that wrote it"
        )
