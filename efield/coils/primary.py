"""The primary field of a posed coil: the one place where coil millimeters become meters."""

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from efield.coils.beyond import continuation
from efield.coils.model import Coil, Dipoles, SampledField, Segments, Source, given_coil
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.units import mm_to_m
from efield.kernels.coils import clusters, dipoles, grid, segments


def dadt(coil: Coil, pose: Pose, points_mm: ArrayLike, didt: float) -> FloatArray:
    """Rate of change of the coil's vector potential.

    Parameters
    ----------
    coil : Coil
    pose : Pose
        Coil to head.
    points_mm : (n, 3) array_like
        Where, in head coordinates.
    didt : float
        Rate of change of the coil current in A/s; negative for the opposite current direction.

    Returns
    -------
    (n, 3) ndarray
        dA/dt in V/m, in head axes. The primary electric field is its negative.

    Raises
    ------
    InputError
        If `points_mm` or `didt` is not finite, or a point lies on a source or outside a sampled field.
    """
    rate = checks.number("didt", didt)
    return rate * (vector_potential(coil, pose.to_coil(points_mm)) @ pose.rotation.T)


def b_field(coil: Coil, pose: Pose, points_mm: ArrayLike, current: float) -> FloatArray:
    """Magnetic flux density of the coil.

    Parameters
    ----------
    coil : Coil
    pose : Pose
        Coil to head.
    points_mm : (n, 3) array_like
        Where, in head coordinates.
    current : float
        Coil current in A.

    Returns
    -------
    (n, 3) ndarray
        B in T, in head axes.

    Raises
    ------
    InputError
        If `points_mm` or `current` is not finite, or a point lies on a source or outside a sampled field.
    """
    amperes = checks.number("current", current)
    points = pose.to_coil(points_mm)
    total = np.zeros_like(points)
    for source in given_coil(coil).sources:
        total += _magnetic_field(source, points)
    return amperes * (_checked(coil, points, total) @ pose.rotation.T)


def vector_potential(coil: Coil, points_mm: ArrayLike) -> FloatArray:
    """(n, 3) A in T m per ampere at (n, 3) points in coil coordinates (mm), in coil axes.

    Raises
    ------
    InputError
        If `points_mm` is not finite, or a point lies on a source or outside a sampled field.
    """
    points = checks.vectors("points_mm", points_mm)
    return _checked(coil, points, unchecked_vector_potential(coil, points))


def unchecked_vector_potential(coil: Coil, points_mm: FloatArray, *, few: bool = False) -> FloatArray:
    """A as `vector_potential` gives it, but inf or nan where it is not known, for callers that expect that.

    `few`: no clusters of wires, which take longer to make than they save at a hundred points; A moves by rounding.
    """
    points_mm = np.ascontiguousarray(points_mm)  # for each order of storage Numba would compile again
    total = np.zeros_like(points_mm)
    for source in given_coil(coil).sources:
        total += _vector_potential(source, points_mm, few=few)
    return total


def _checked(coil: Coil, points_mm: FloatArray, values: FloatArray) -> FloatArray:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        missing = "; ".join(_missing(s, points_mm) for s in coil.sources if isinstance(s, SampledField))
        where = f"outside the coil's sampled field ({missing})" if missing else "on one of the coil's wires or dipoles"
        raise InputError(
            f"points_mm must be where the coil's field is known; instead {len(bad)} point(s), the first in row "
            f"{bad[0]}, lie {where}; move the coil or take a coil model that covers the head"
        )
    return values


def _missing(source: SampledField, points_mm: FloatArray) -> str:
    """Which range of coil coordinates a sampled field covers, and which was asked for."""
    last = np.array(source.a_tm.shape[:3]) - 1
    corners = np.array(list(product(*((0, n) for n in last)))) @ source.affine[:3, :3].T + source.affine[:3, 3]
    covered = zip("xyz", corners.min(axis=0), corners.max(axis=0), strict=True)
    needed = zip("xyz", points_mm.min(axis=0), points_mm.max(axis=0), strict=True)
    texts = [", ".join(f"{axis} {low:.1f} to {high:.1f}" for axis, low, high in box) for box in (covered, needed)]
    found = continuation(source)
    beyond = ", and cannot be continued"
    if found is not None:
        beyond = f", and is continued {found.nearest_mm:g} mm and more from the origin in the directions it covers"
    return f"it covers {texts[0]}{beyond}; needed are {texts[1]} mm in coil coordinates"


def _vector_potential(source: Source, points_mm: FloatArray, *, few: bool = False) -> FloatArray:
    if isinstance(source, Dipoles):
        return np.asarray(dipoles.vector_potential(mm_to_m(points_mm), dipole_rows(source)))
    if isinstance(source, Segments):
        wires = segment_rows(source) if few else _clusters(source)
        return np.asarray(segments.vector_potential(mm_to_m(points_mm), wires))
    return _interpolated(source, points_mm)


def _interpolated(source: SampledField, points_mm: FloatArray) -> FloatArray:
    """A from samples; beyond them that of a continuation where there is one, else nan."""
    to_index = np.linalg.inv(source.affine)
    indices = points_mm @ to_index[:3, :3].T + to_index[:3, 3]
    values = np.asarray(grid.trilinear(indices, source.a_tm.copy()))
    outside = np.flatnonzero(np.isnan(values[:, 0]))
    if len(outside) and (beyond := continuation(source)) is not None:
        values[outside] = beyond(points_mm[outside])
    return values


def _magnetic_field(source: Source, points_mm: FloatArray) -> FloatArray:
    if isinstance(source, Dipoles):
        return np.asarray(dipoles.magnetic_field(mm_to_m(points_mm), dipole_rows(source)))
    if isinstance(source, Segments):
        rows = segment_rows(source)
        return np.asarray(segments.magnetic_field(mm_to_m(points_mm), rows, source.turns.copy()))
    return _curl(source, points_mm)


def dipole_rows(source: Dipoles) -> FloatArray:
    """(6, k) positions in m and moments, as the kernel takes them."""
    return np.ascontiguousarray(np.hstack([mm_to_m(source.points_mm), source.moments_am2]).T)


def segment_rows(source: Segments) -> FloatArray:
    """(10, k) ends in m, unit tangent times turns, and length in m, as the kernel takes them."""
    starts, ends = mm_to_m(source.starts_mm), mm_to_m(source.ends_mm)
    length = np.linalg.norm(ends - starts, axis=1)[:, None]
    tangent = (ends - starts) / length * source.turns[:, None]
    return np.ascontiguousarray(np.hstack([starts, ends, tangent, length]).T)


@lru_cache(maxsize=16)
def _clusters(source: Segments) -> clusters.Clusters:
    """The same in clusters: for any number of points, so that A at one does not depend on which others are asked."""
    return clusters.clustered(segment_rows(source))


def _curl(source: SampledField, points_mm: FloatArray) -> FloatArray:
    """Curl of the interpolated A by central differences over one voxel, the finest step the samples carry."""
    step_mm = float(np.linalg.norm(source.affine[:3, :3], axis=0).min())
    slope = np.empty((3, len(points_mm), 3))
    for axis, shift in enumerate(0.5 * step_mm * np.eye(3)):
        ahead = _vector_potential(source, points_mm + shift)
        slope[axis] = (ahead - _vector_potential(source, points_mm - shift)) / mm_to_m(np.array(step_mm))
    dx, dy, dz = slope
    return np.column_stack([dy[:, 2] - dz[:, 1], dz[:, 0] - dx[:, 2], dx[:, 1] - dy[:, 0]])
