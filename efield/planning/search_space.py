"""The placements among which the best is looked for: over the scalp, turned and tilted, out of forbidden zones."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from efield.coils.model import Coil
from efield.coils.polarity import turn_deg
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.sweeping.grid import plane_over
from efield.targeting.collision import casing_points_mm, scalp_distance, settle
from efield.targeting.placement import scalp_point_over, scalp_tree
from efield.targeting.tangent import medial_sign, tangent_direction, y_axis
from efield.targeting.targets import Target

#: The casing covers the scalp that is this near to it (mm).
_COVERED_MM: Final = 15.0

#: How far a search may go from over the target (mm), and from tangential (degrees).
RADII_MM: Final = (1.0, 60.0)
TILTS_DEG: Final = (0.0, 45.0)

#: What a placement is described by, and the unit of each.
AXES: Final = {"u_mm": "mm", "v_mm": "mm", "angle_deg": "deg", "tilt_x_deg": "deg", "tilt_y_deg": "deg"}


class SearchSpace:
    """Placements over a target, five numbers each: u (medial) and v (anterior) in mm, angle and two tilts in degrees.

    They are those of `PlacementGrid`: the angle is that of the induced current. Medial is the target's own beyond the
    midline, too, so that an angle is one direction everywhere.

    Parameters
    ----------
    head : HeadMesh
    coil : Coil
    target : Target
    radius_mm : float
        How far from the point over the target the coil's center may be.
    tilt_deg : float
        Largest tilt about each axis.
    distance_mm : float
        Smallest gap between casing and scalp: hair, a cap.
    forbidden : sequence of Target or ((3,), float)
        Zones that nothing of the casing may enter: ears, eyes, an electrode; spheres in mm. A target with a region,
        such as a mask of the scalp (`Target.from_mask`), may not be covered either.

    Raises
    ------
    InputError
        If a number is out of range or a zone is none, or there are zones and the shape of the coil is not known.
    """

    def __init__(
        self,
        head: HeadMesh,
        coil: Coil,
        target: Target,
        *,
        radius_mm: float,
        tilt_deg: float,
        distance_mm: float,
        forbidden: Sequence[Target | tuple[ArrayLike, float]] = (),
    ) -> None:
        self.head, self.coil, self.target = head, coil, target
        self.radius_mm = checks.in_range("radius_mm", radius_mm, *RADII_MM)
        self.tilt_deg = checks.in_range("tilt_deg", tilt_deg, *TILTS_DEG)
        self.distance_mm = checks.length_mm("distance_mm", distance_mm)
        self._zones = [_zone(one) for one in forbidden]
        if self._zones and not coil.has_known_shape:
            raise InputError(
                f"forbidden zones need a coil whose shape is known; instead {coil.name} is a sampled field without a "
                "casing: lay an .stl of its name beside its file, or give no zones"
            )
        self._plane = plane_over(head, target)
        self._casing, self._turn = casing_points_mm(coil), turn_deg(coil, "normal")
        self._feet: dict[tuple[float, float], tuple[FloatArray, FloatArray]] = {}

    @property
    def foot(self) -> FloatArray:
        """(3,) scalp over the target, mm."""
        return np.array(self._plane[:3, 3])

    def pose(self, place: FloatArray) -> Pose | None:
        """The pose of five numbers, at its distance from the head; None in a forbidden zone or outside the search."""
        u, v, angle, tilt_x, tilt_y = place
        if np.hypot(u, v) > self.radius_mm * (1 + 1e-9) or max(abs(tilt_x), abs(tilt_y)) > self.tilt_deg + 1e-9:
            return None
        foot, outward = self._foot(float(u), float(v))
        induced = tangent_direction(outward, angle, medial_sign(self.foot))
        flat = Pose.from_axes(foot + self.distance_mm * outward, y_axis(induced, -outward, self._turn), -outward)
        matrix = flat.matrix.copy()
        matrix[:3, :3] = flat.rotation @ Rotation.from_euler("XY", (tilt_x, tilt_y), degrees=True).as_matrix()
        pose = settle(self.head, self.coil, Pose(matrix), self.distance_mm)
        return None if self._is_forbidden(pose) else pose

    def _foot(self, u: float, v: float) -> tuple[FloatArray, FloatArray]:
        """The scalp under a position, and its outward normal."""
        if (u, v) not in self._feet:
            wanted = self._plane[:3, 3] + self._plane[:3, :2] @ (u, v)
            self._feet[u, v] = scalp_point_over(scalp(self.head), scalp_tree(self.head), wanted)
        return self._feet[u, v]

    def _is_forbidden(self, pose: Pose) -> bool:
        if not self._zones:
            return False
        casing = pose.to_head(self._casing)
        regions = [zone for zone in self._zones if zone.region is not None]
        covered = self._below(casing) if regions else casing
        return self._meets(self._zones, casing) or self._meets(regions, covered)

    def _meets(self, zones: Sequence[Target], points: FloatArray) -> bool:
        return any(len(zone.among(self.head, points)) for zone in zones)

    def _below(self, casing: FloatArray) -> FloatArray:
        """(k, 3) places of the scalp that are covered by the casing."""
        feet, gaps = scalp_distance(self.head).find(casing)
        return feet[gaps <= _COVERED_MM]

    def spread(self, number: int) -> FloatArray:
        """(number, 5) places of a Halton sequence that fill the disc, all angles and all tilts."""
        from scipy.stats import qmc  # half a second to import

        radial, turn, angle, *tilts = qmc.Halton(5, scramble=False).random(number + 1)[1:].T
        reach = self.radius_mm * np.sqrt(radial)
        u, v = reach * np.cos(2 * np.pi * turn), reach * np.sin(2 * np.pi * turn)
        return np.column_stack([u, v, 360 * angle, *(self.tilt_deg * (2 * tilt - 1) for tilt in tilts)])


def _zone(given: Target | tuple[ArrayLike, float]) -> Target:
    if isinstance(given, Target):
        return given
    try:
        center, radius = given
    except (TypeError, ValueError) as error:
        raise InputError(f"a forbidden zone must be a Target or (center, radius) in mm; instead {given!r}") from error
    middle = checks.vector("center of a forbidden zone", center)
    return Target.sphere(center_mm=middle, radius_mm=checks.length_mm("radius of a forbidden zone", radius))
