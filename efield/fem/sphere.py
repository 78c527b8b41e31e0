"""The electric field in a conducting sphere, in closed form: the truth the finite elements are held to."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.units import MU0_OVER_4PI, mm_to_m
from efield.kernels.elements.sphere import dipoles_in_sphere


def electric_field(
    points_mm: ArrayLike, dipoles_mm: ArrayLike, moments_am2: ArrayLike, didt: float
) -> NDArray[np.float64]:
    """Electric field that magnetic dipoles outside a conducting sphere induce inside it.

    The sphere is centered at the origin. Its conductivity may be any function of the radius and plays no part;
    neither does its outer radius, as long as the dipoles lie outside it.

    Parameters
    ----------
    points_mm : (n, 3) array_like, mm
        Where the field is wanted.
    dipoles_mm : (d, 3) array_like, mm
        Positions of the dipoles, each farther from the origin than every point.
    moments_am2 : (d, 3) array_like, A m^2 per ampere of coil current
        Dipole moments.
    didt : float, A/s
        Rate of change of the coil current.

    Returns
    -------
    (n, 3) ndarray, V/m
        Sum over the dipoles. The radial component is zero everywhere.

    Raises
    ------
    InputError
        If the arrays do not match, or a dipole is not outside the points' radius.

    References
    ----------
    Heller L, van Hulsteyn DB. Brain stimulation using electromagnetic sources: theoretical aspects.
    Biophys J 1992;63:129-138. The same follows by reciprocity from Sarvas, Phys Med Biol 1987;32:11-22.
    """
    points = checks.vectors("points_mm", points_mm)
    dipoles = checks.vectors("dipoles_mm", dipoles_mm, minimum=1)
    moments = checks.vectors("moments_am2", moments_am2)
    if len(moments) != len(dipoles):
        raise InputError(f"moments_am2 must have one row per dipole ({len(dipoles)}); instead received {len(moments)}")
    _check_outside(points, dipoles)
    scale = MU0_OVER_4PI * checks.number("didt", didt)
    return np.asarray(scale * dipoles_in_sphere(mm_to_m(points), mm_to_m(dipoles), moments))


def _check_outside(points: NDArray[np.float64], dipoles: NDArray[np.float64]) -> None:
    if not len(points):
        return
    farthest = float(np.linalg.norm(points, axis=1).max())
    nearest = float(np.linalg.norm(dipoles, axis=1).min())
    if nearest <= farthest:
        raise InputError(
            f"dipoles_mm must lie outside the radius of every point ({farthest:.6g} mm from the origin); "
            f"instead received one at {nearest:.6g} mm: move the coil outside the sphere"
        )
