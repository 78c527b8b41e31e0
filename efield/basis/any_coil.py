"""What a basis for any coil is made from and tested with: current loops over the scalp, and coils of the catalog.

In the head the primary field of any coil is that of currents on a surface between coil and head, so loops nearer to the
scalp than the coil's wires make up every coil. How well they do it for one placement is seen in the primary field
itself: what of its samples the loops do not make up is the `rest`, and too large a rest is refused.
"""

from functools import cache
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from efield.basis.primary import Placed
from efield.basis.scalp_patch import ScalpPatch
from efield.coils import catalog
from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.rows import distinct_rows
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.targeting.collision import scalp_distance
from efield.targeting.placement import smoothed_normal

#: Loops from the inner turns of the smallest coil of the catalog to the outer ones of the largest (radii, mm).
_RADII_MM: Final = tuple(float(radius) for radius in np.geomspace(8.0, 60.0, 8))
_CORNERS: Final = 48

#: Loops lie over the scalp this far from the center of the patch (mm), are tilted up to this angle (degrees), and are
#: up to this much farther from the scalp than they must be (mm).
_REACH_MM: Final = 110.0
_TILT_DEG: Final = 60.0
_HIGHER_MM: Final = 30.0

#: Coils that choose the regularization, and coils that only certify: neither is trained on.
CHECK_COILS: Final = ("magventure-c-b60", "circular-90mm", "magstim-25mm-figure8")
TEST_COILS: Final = ("magstim-70mm-figure8", "magstim-70mm-circular", "magstim-double-cone", "magventure-mc-b70")

#: Wires are looked at in cells of this size (mm).
_CELL_MM: Final = 12.0
_MOST_LIFTS: Final = 40


@cache
def loop(radius_mm: float) -> Coil:
    """A round filament in the coil's plane z = 0."""
    angle = 2 * np.pi * np.arange(_CORNERS + 1) / _CORNERS
    # As large in area as the circle.
    reach = radius_mm * np.sqrt(2 * np.pi / _CORNERS / np.sin(2 * np.pi / _CORNERS))
    ring = reach * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(_CORNERS + 1)])
    return Coil.from_segments(ring[:-1], ring[1:], name=f"loop of {radius_mm:.0f} mm")


def loops(head: HeadMesh, patch: ScalpPatch, clearance_mm: float, count: int, seed: tuple[int, ...]) -> list[Placed]:
    """Loops spread evenly (a scrambled Sobol sequence) over the scalp, none nearer to it than `clearance_mm`."""
    surface = scalp(head)
    tree = cKDTree(surface.centers_mm)
    near = np.flatnonzero(np.linalg.norm(surface.centers_mm - patch.frame[:3, 3], axis=1) <= _REACH_MM)
    share = np.cumsum(surface.areas[near]) / surface.areas[near].sum()
    from scipy.stats import qmc  # half a second to import

    draws = qmc.Sobol(5, seed=np.random.default_rng(seed)).random_base2(int(np.ceil(np.log2(count))))[:count]
    placed = []
    for place, size, higher, tilt, toward in draws:
        foot = surface.centers_mm[near[np.searchsorted(share, place)]]
        outward = smoothed_normal(surface, tree, foot)
        first = np.cross(outward, np.eye(3)[np.argmin(np.abs(outward))])
        first /= np.linalg.norm(first)
        side = np.cos(2 * np.pi * toward) * first + np.sin(2 * np.pi * toward) * np.cross(outward, first)
        angle = np.radians(_TILT_DEG) * np.sqrt(tilt)
        axis = np.cos(angle) * outward + np.sin(angle) * side
        across = np.cos(angle) * side - np.sin(angle) * outward
        coil = loop(_RADII_MM[int(size * len(_RADII_MM))])
        pose = Pose.from_axes(foot, across, -axis)
        placed.append((coil, lifted(head, coil, pose, clearance_mm + _HIGHER_MM * higher**2, outward)))
    return placed


def lifted(head: HeadMesh, coil: Coil, pose: Pose, clearance_mm: float, outward: FloatArray | None = None) -> Pose:
    """The pose moved outward until no wire is nearer to the scalp than `clearance_mm`."""
    matrix = pose.matrix.copy()
    way = -pose.z if outward is None else outward
    for _ in range(_MOST_LIFTS):
        missing = clearance_mm - wire_distance(head, coil, Pose(matrix), clearance_mm)
        if missing <= 0:
            break
        matrix[:3, 3] += (missing + 0.01) * way
    return Pose(matrix)


def tests(
    head: HeadMesh, patch: ScalpPatch, clearance_mm: float, names: tuple[str, ...], each: int, seed: tuple[int, ...]
) -> list[Placed]:
    """Coils of the catalog at placements of a patch."""
    placed: list[Placed] = []
    for number, name in enumerate(names):
        coil = catalog_coil(name)
        poses = patch.poses(each, (*seed, number), head, coil)
        placed += [(coil, lifted(head, coil, pose, clearance_mm)) for pose in poses]
    return placed


@cache
def catalog_coil(name: str) -> Coil:
    """A coil of the catalog, the same object every time."""
    return catalog.load_named(name)


@cache
def _cells(coil: Coil) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """A coil's wires in cells: centers (c, 3), radii (c,), and the points of each."""
    ends = np.concatenate([source.extent_mm for source in coil.sources])
    ends = ends[distinct_rows(ends)[0]]
    cell = distinct_rows(np.floor(ends / _CELL_MM))[1]
    groups = [ends[cell == number] for number in range(int(cell.max(initial=-1)) + 1)]
    centers = np.array([(group.min(axis=0) + group.max(axis=0)) / 2 for group in groups]).reshape(-1, 3)
    radii = [np.linalg.norm(group - center, axis=1).max() for group, center in zip(groups, centers, strict=True)]
    return centers, np.array(radii), groups


def wire_distance(head: HeadMesh, coil: Coil, pose: Pose, enough_mm: float) -> float:
    """Distance from the scalp to a coil's nearest wire or dipole in mm, negative inside; at least `enough_mm` if so.

    A sampled field does not say where its wires are: inf.
    """
    centers, radii, groups = _cells(coil)
    if not len(centers):
        return float("inf")
    distance = scalp_distance(head)
    low = distance(pose.to_head(centers)) - radii
    near = np.flatnonzero(low < enough_mm)
    if not len(near):
        return float(low.min())
    return float(distance(pose.to_head(np.concatenate([groups[k] for k in near]))).min())
