"""The sphere check: this installation against the closed form, under a 70 mm figure-8 over the hand area.

The coil is the dipole equivalent of the 70 mm figure-8's windings, so that the closed form (which takes dipoles) and
the finite elements see the very same source; what is left is the error of the finite elements.
"""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil, Dipoles
from efield.coils.shapes import figure8
from efield.coils.winding import Winding
from efield.fem.sphere import electric_field
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.head.tissue import GRAY_MATTER
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand

#: Mesh sizes of `efield validate`, mm.
EDGES_MM: Final = (8.0, 5.5, 4.0)

#: Winding plane to scalp 10 mm: 4 mm of casing and 3 mm of half a wire, so the casing is held 3 mm off.
_DISTANCE_MM: Final = 3.0

#: The region under the coil: gray matter this near to the target (mm).
_REGION_MM: Final = 30.0

#: Largest recovered error that passes at 4 mm edges; it may grow with the square of the edge.
_ALLOWED_AT_4_MM: Final = 0.005


@dataclass(frozen=True)
class SphereCheck:
    """Errors of one mesh size.

    Parameters
    ----------
    edge_mm : float
        Edge asked for.
    n_tets : int
    element_error, recovered_error : float
        Root of the volume-weighted mean of |E - E_true|^2 over that of |E_true|^2, in the gray matter under the coil,
        at the centers of the tetrahedra.
    allowed : float
        The recovered error must not exceed this.
    seconds : float
        Solve of one placement, with the solver prepared (and, in the first row, compiled).
    """

    edge_mm: float
    n_tets: int
    element_error: float
    recovered_error: float
    allowed: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the recovered field is as accurate as it must be."""
        return self.recovered_error <= self.allowed

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the verdict."""
        return {**asdict(self), "passed": self.passed}


def validation_coil() -> Coil:
    """The 70 mm figure-8 as magnetic dipoles."""
    assembly = figure8(Winding(56, 87, 9, 1.75, 6), 4.0)
    return Coil(
        name="70 mm figure-8 (dipoles)", sources=(assembly.dipoles(),), casing_points_mm=assembly.casing_points_mm
    )


def closed_form(coil: Coil, pose: Pose, points_mm: NDArray[np.float64], didt: float) -> NDArray[np.float64]:
    """(n, 3) E in V/m at points of a sphere around the origin, of a coil that is made of dipoles.

    Raises
    ------
    InputError
        If the coil has other sources than dipoles.
    """
    total = np.zeros_like(points_mm)
    for source in coil.sources:
        if not isinstance(source, Dipoles):
            raise InputError(f"the closed form takes dipoles; instead {coil.name} has {type(source).__name__}")
        moments = source.moments_am2 @ pose.rotation.T
        total += electric_field(points_mm, pose.to_head(source.points_mm), moments, didt)
    return total


def validate_on_sphere(edge_mm: float) -> SphereCheck:
    """Solve the default sphere at one mesh size and compare it with the closed form."""
    head = sphere_head(edge_mm=edge_mm)
    coil, target = validation_coil(), m1_hand(head, "left")
    pose = place_coil(head, target, distance_mm=_DISTANCE_MM, coil=coil)
    simulator = Simulator(head)
    start = perf_counter()
    field = simulator.solve(coil, pose)
    seconds = perf_counter() - start
    region = _region(head, target.center_mm)
    true = closed_form(coil, pose, head.barycenters[region], field.didt)
    volume = head.volumes[region]

    def error(e: NDArray[np.float64]) -> float:
        squares = [np.einsum("ij,ij->i", v, v) @ volume for v in (e - true, true)]
        return float(np.sqrt(squares[0] / squares[1]))

    return SphereCheck(
        edge_mm=edge_mm,
        n_tets=len(head.tets),
        element_error=error(field.e[region]),
        recovered_error=error(field.at(head.barycenters[region])),
        allowed=_ALLOWED_AT_4_MM * (edge_mm / 4.0) ** 2,
        seconds=seconds,
    )


def _region(head: HeadMesh, center_mm: NDArray[np.float64]) -> NDArray[np.intp]:
    near = np.linalg.norm(head.barycenters - center_mm, axis=1) <= _REGION_MM
    return np.flatnonzero(near & (head.tissue == GRAY_MATTER))
