"""Depth and spread of a coil's electric field in a spherical head.

Figures of merit of Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13: the half-value depth d1/2 is the
distance from the cortical surface to the deepest point where |E| is at least half of its maximum on that
surface; the half-value volume V1/2 is the volume where it is; the spread is S1/2 = V1/2 / d1/2.

In a conducting sphere E has no radial part and does not depend on the conductivity: E = curl(r psi) with psi
harmonic, and the radial part of curl E = -dB/dt gives l (l + 1) psi_lm = -r dB_lm/dt for every spherical
harmonic. So B_r of the coil on one sphere is all that is needed, whatever the coil is made of.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import sph_legendre_p_all

from efield.coils.model import Coil
from efield.coils.primary import b_field
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.units import AMPERE_PER_MICROSECOND, mm_to_m

#: Degree of the expansion. A wire 5 mm above an 85 mm scalp leaves (70/90)^50 = 3e-6 at the cortex.
_DEGREE = 50

#: Radii between the center and the cortex. Against degree 90 and 281 radii, depth and spread of a 25 mm
#: figure-8, the shallowest coil of the catalog, change by 0.07 and 0.04 %.
_RADII = 71


@dataclass(frozen=True)
class DepthSpread:
    """Half-value depth, volume and spread, and the largest |E| on the cortical surface at 1 A/us."""

    depth_mm: float
    volume_mm3: float
    spread_mm2: float
    peak_v_per_m: float


def depth_spread(
    coil: Coil, *, distance_mm: float = 1.0, head_radius_mm: float = 85.0, cortex_depth_mm: float = 15.0
) -> DepthSpread:
    """Half-value depth and spread of a coil held centrally over a spherical head.

    Parameters
    ----------
    coil : Coil
        Its z axis is aimed at the center of the head. Of a sampled field, whose casing is not known, the origin is put
        at `distance_mm`.
    distance_mm : float
        From the scalp to the nearest point of the casing.
    head_radius_mm : float
        Radius of the scalp.
    cortex_depth_mm : float
        Depth of the cortical surface below the scalp.

    Returns
    -------
    DepthSpread

    Raises
    ------
    InputError
        If a length is not positive (the distance may be 0), the cortex lies at the center or deeper, none of the
        casing is over the head, or a sampled field does not cover the brain.

    References
    ----------
    Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13.
    """
    radius = checks.positive("head_radius_mm", head_radius_mm)
    cortex = radius - checks.positive("cortex_depth_mm", cortex_depth_mm)
    if cortex <= 0:
        raise InputError(f"cortex_depth_mm must be less than the head's radius; instead received {cortex_depth_mm!r}")
    pose = _central_pose(coil, radius + checks.in_range("distance_mm", distance_mm, 0, 500))
    return _half_values(_stream_function(coil, pose, cortex), cortex)


@dataclass(frozen=True, eq=False, repr=False)
class CorticalField(Carded):
    """|E| in V/m at 1 A/us on the upper half of the cortical surface of a spherical head.

    Parameters
    ----------
    points_mm : (i, j, 3) float
        From the pole down (i) and around it (j, closed); the sphere's center is the origin, the coil above the pole.
    magnitude : (i, j) float
    pose : Pose
        Of the coil.
    """

    points_mm: FloatArray
    magnitude: FloatArray
    pose: Pose

    def _card(self) -> Card:
        rows = (("size", counted(self.magnitude.size, "place")), ("unit", "|E| in V/m at 1 A/us"))
        return Card("CorticalField, of a spherical head", rows)


def cortical_field(
    coil: Coil, *, distance_mm: float = 1.0, head_radius_mm: float = 85.0, cortex_depth_mm: float = 15.0
) -> CorticalField:
    """The field on the cortical surface of the spherical head of `depth_spread`; arguments and errors as there."""
    radius = checks.positive("head_radius_mm", head_radius_mm)
    cortex = radius - checks.in_range("cortex_depth_mm", cortex_depth_mm, 0.01 * radius, 0.99 * radius)
    pose = _central_pose(coil, radius + checks.in_range("distance_mm", distance_mm, 0, 500))
    polar = np.linspace(1e-4, np.pi / 2, 91)
    magnitude = _magnitude(_stream_function(coil, pose, cortex), _legendre(polar), polar)
    magnitude = np.hstack([magnitude, magnitude[:, :1]])
    azimuth = np.linspace(0.0, 2 * np.pi, magnitude.shape[1])
    flat = np.stack([np.outer(np.sin(polar), np.cos(azimuth)), np.outer(np.sin(polar), np.sin(azimuth))], axis=-1)
    height = np.broadcast_to(np.cos(polar)[:, None, None], (*magnitude.shape, 1))
    return CorticalField(cortex * np.concatenate([flat, height], axis=-1), magnitude, pose)


def _central_pose(coil: Coil, reach_mm: float) -> Pose:
    """The coil above the north pole of a sphere at the origin, its nearest casing point at `reach_mm`.

    A coil of unknown shape is a flat plate, as for `place_coil`: its origin touches first.
    """
    points = np.asarray(coil.casing_points_mm) if coil.has_known_shape else np.zeros((1, 3))
    lateral = np.hypot(points[:, 0], points[:, 1])
    above = lateral < reach_mm
    if not above.any():
        raise InputError(f"coil {coil.name!r} must have casing points over the head; give casing_points_mm")
    height = (points[above, 2] + np.sqrt(reach_mm**2 - lateral[above] ** 2)).max()
    return Pose.from_axes((0.0, 0.0, height), y=(0.0, 1.0, 0.0), z=(0.0, 0.0, -1.0))


def _stream_function(coil: Coil, pose: Pose, cortex_mm: float) -> NDArray[np.complex128]:
    """(l, m) coefficients of psi on the cortical surface for m >= 0 at 1 A/us, in V."""
    nodes, weights = np.polynomial.legendre.leggauss(_DEGREE + 4)
    number = 2 * _DEGREE + 8
    azimuth = 2 * np.pi * np.arange(number) / number
    sine = np.sqrt(1 - nodes**2)
    outward = np.stack(
        [np.outer(sine, np.cos(azimuth)), np.outer(sine, np.sin(azimuth)), np.outer(nodes, np.ones(number))], axis=-1
    )
    field = b_field(coil, pose, cortex_mm * outward.reshape(-1, 3), AMPERE_PER_MICROSECOND)
    radial = np.einsum("ijk,ijk->ij", field.reshape(outward.shape), outward)
    by_order = np.fft.rfft(radial, axis=1)[:, : _DEGREE + 1] / number
    legendre, _ = _legendre(np.arccos(nodes))
    coefficients = 2 * np.pi * np.einsum("lmi,im,i->lm", legendre, by_order, weights)
    degree = np.arange(_DEGREE + 1)[:, None]
    scale = -float(mm_to_m(np.array(cortex_mm))) / np.maximum(degree * (degree + 1), 1)
    result = scale * coefficients
    result[0] = 0.0
    return np.asarray(result)


def _half_values(psi: NDArray[np.complex128], cortex_mm: float) -> DepthSpread:
    nodes, weights = np.polynomial.legendre.leggauss(2 * _DEGREE)
    # The pole itself, where a figure-8 is strongest, gets a node of its own with no weight.
    polar = np.append(np.arccos(nodes), 1e-4)
    solid_angle = np.append(weights, 0.0)[:, None] * 2 * np.pi / (4 * _DEGREE)
    basis, degree = _legendre(polar), np.arange(_DEGREE + 1.0)[:, None]
    outer, outer_radius = _magnitude(psi, basis, polar), cortex_mm
    half, volume, depth = float(outer.max()) / 2, 0.0, 0.0
    for inner_radius in np.linspace(cortex_mm, 0.0, _RADII)[1:].tolist():
        if outer.max() < half:
            break  # E is harmonic, so that the largest |E| of a ball is on its surface
        inner = _magnitude(psi * (inner_radius / cortex_mm) ** degree, basis, polar)
        high, low = np.maximum(inner, outer), np.minimum(inner, outer)
        # Share of the shell above half, |E| taken linear across it.
        share = np.clip((high - half) / np.maximum(high - low, 1e-300), 0.0, 1.0)
        volume += float((share * solid_angle).sum()) * (outer_radius**3 - inner_radius**3) / 3
        if (outer >= half).any():
            reach = float(share[outer >= half].max()) * (outer_radius - inner_radius)
            depth = max(depth, cortex_mm - outer_radius + reach)
        outer, outer_radius = inner, inner_radius
    return DepthSpread(depth, volume, volume / depth, 2 * half)


def _magnitude(psi: NDArray[np.complex128], basis: tuple[FloatArray, FloatArray], polar: FloatArray) -> FloatArray:
    """|E| on a grid of polar angles and 4 l_max azimuths: the length of the angular gradient of psi."""
    legendre, slope = basis
    number = 4 * _DEGREE
    along_polar = _over_degrees(psi, slope)
    along_azimuth = 1j * np.arange(_DEGREE + 1) * _over_degrees(psi, legendre) / np.sin(polar)[:, None]
    parts = [np.fft.irfft(part, n=number) * number for part in (along_polar, along_azimuth)]
    return np.asarray(np.hypot(*parts))


def _over_degrees(psi: NDArray[np.complex128], functions: FloatArray) -> NDArray[np.complex128]:
    """(i, m) sums over l of psi (l, m) times functions (l, m, i): a product of matrices for each order."""
    sums = np.array([psi.real, psi.imag]).transpose(2, 0, 1) @ functions.transpose(1, 0, 2)
    return np.asarray(sums[:, 0].T + 1j * sums[:, 1].T)


def _legendre(polar: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Orthonormal associated Legendre functions (l, m, i) at polar angles (i,), and their polar derivatives."""
    value, slope = sph_legendre_p_all(_DEGREE, _DEGREE, polar, diff_n=1)[:, :, : _DEGREE + 1]
    return value, slope
