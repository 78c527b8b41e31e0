"""The placements a reduced basis is made for: a patch of scalp, all angles, a range of tilts and distances."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded
from efield.ground.card import place as in_words
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.surface import scalp
from efield.kernels.reduced.scalp_patch import station
from efield.targeting.collision import settle
from efield.targeting.placement import scalp_point_over
from efield.targeting.targets import Target

#: Degree in each direction of the polynomials that describe the patch.
_DEGREE: Final = 5

#: The polynomials are fitted on a disc this much wider than the patch, because a tilted coil leaves it a little.
_WIDER: Final = 1.3

#: Spacing of the scalp points the polynomials are fitted to, as a share of the disc's radius.
_SPACING: Final = 0.12

#: What is held at the edge of a range on a head lies a little beyond it on the patch, which is smooth: the scalp point
#: nearest to a grid's position up to 0.23 mm, its normal 0.3 degrees, a flat coil's center 0.5 mm farther out than its
#: smallest gap and 0.1 mm farther in (grids over the motor areas of the default head). Placements are drawn so much
#: beyond the ranges, and served (mm, degrees, mm inward and outward).
_RIM_MM: Final = 0.5
_RIM_DEG: Final = 0.5
RIM_IN_MM: Final = 0.25
RIM_OUT_MM: Final = 1.0

#: Rounding must not put a pose outside that was placed exactly on the edge (mm, degrees).
_SLACK: Final = 1e-3


@dataclass(frozen=True)
class Station:
    """Where a pose is, seen from a patch of scalp.

    Parameters
    ----------
    position_mm : float
        Distance of the scalp point under the coil from the patch's center, in its tangent plane.
    tilt_deg : float
        Angle between the coil's axis and the scalp's smoothed normal.
    distance_mm : float
        From the scalp to the coil's origin, along that normal.
    """

    position_mm: float
    tilt_deg: float
    distance_mm: float


@dataclass(frozen=True, eq=False, repr=False)
class ScalpPatch(Carded):
    """A smooth patch of scalp and the ranges of placements over it.

    Parameters
    ----------
    frame : (4, 4) float
        The patch's axes (two tangents and the outward normal) and center, in head coordinates in mm.
    shape : (3, 6, 6) float
        Polynomials in the tangent coordinates over the patch's width: height in mm, and the two slopes of the
        scalp's smoothed normal.
    radius_mm, tilt_deg : float
        Largest distance from the center, and largest tilt.
    distance_mm : (float, float)
        Least and largest distance from the scalp to the coil's origin; to its casing where placements are drawn. The
        origin of a ring that the head bulges into may lie below the scalp.
    """

    frame: FloatArray
    shape: FloatArray
    radius_mm: float
    tilt_deg: float
    distance_mm: tuple[float, float]

    def __post_init__(self) -> None:
        checks.in_range("radius_mm", self.radius_mm, 1.0, 60.0)
        checks.in_range("tilt_deg", self.tilt_deg, 0.0, 45.0)
        pair = np.asarray(self.distance_mm, dtype=object)
        if pair.shape != (2,):
            raise InputError(f"distance_mm must be (least, largest) in mm; instead received {self.distance_mm!r}")
        low, high = (checks.number("distance_mm", value) for value in pair)
        if low > high:
            raise InputError(f"distance_mm must be (least, largest); instead received {self.distance_mm}")
        object.__setattr__(self, "distance_mm", (low, high))

    @classmethod
    def around(
        cls, head: HeadMesh, target: Target, radius_mm: float, tilt_deg: float, distance_mm: tuple[float, float]
    ) -> "ScalpPatch":
        """The patch over a target.

        Raises
        ------
        InputError
            If a range is out of order.
        OutsideHeadError
            If the target is far from the scalp.
        """
        surface = scalp(head)
        tree = cKDTree(surface.centers_mm)
        foot, outward = scalp_point_over(surface, tree, target.center_mm)
        frame = np.eye(4)
        frame[:3, 2], frame[:3, 3] = outward, foot
        frame[:3, 0] = np.cross(outward, np.eye(3)[np.argmin(np.abs(outward))])
        frame[:3, 0] /= np.linalg.norm(frame[:3, 0])
        frame[:3, 1] = np.cross(outward, frame[:3, 0])
        checks.in_range("radius_mm", radius_mm, 1.0, 60.0)
        width, depth = _WIDER * (radius_mm + _RIM_MM), float(np.linalg.norm(foot - target.center_mm))
        steps = np.arange(-1, 1 + _SPACING, _SPACING)
        offsets = np.array([(u, v) for u in steps for v in steps if u * u + v * v <= 1]) * width
        places = foot + offsets @ frame[:3, :2].T - depth * outward
        pairs = [scalp_point_over(surface, tree, place) for place in places]
        feet = (np.array([pair[0] for pair in pairs]) - foot) @ frame[:3, :3]
        normals = np.array([pair[1] for pair in pairs]) @ frame[:3, :3]
        values = np.column_stack([feet[:, 2], normals[:, :2] / normals[:, 2:]])
        basis = np.polynomial.polynomial.polyvander2d(feet[:, 0] / width, feet[:, 1] / width, [_DEGREE] * 2)
        # Scalp points crowd where the scalp is flat; the cut keeps the fit tame where there are few.
        shape = np.linalg.lstsq(basis, values, rcond=1e-6)[0].T.reshape(3, _DEGREE + 1, _DEGREE + 1)
        patch = cls(frame, np.ascontiguousarray(shape), float(radius_mm), float(tilt_deg), distance_mm)
        checks.positive("distance_mm", patch.distance_mm[0])
        return patch

    @property
    def _width(self) -> float:
        """Radius of the disc that the polynomials are fitted on, mm."""
        return _WIDER * (self.radius_mm + _RIM_MM)

    def _surface(self, u: float, v: float) -> tuple[FloatArray, FloatArray]:
        """Foot and outward normal in the patch's frame at tangent coordinates in mm."""
        width = self._width
        powers = np.arange(_DEGREE + 1)
        height, along_u, along_v = (self.shape @ (v / width) ** powers) @ (u / width) ** powers
        normal = np.array([along_u, along_v, 1.0])
        return np.array([u, v, height]), normal / np.linalg.norm(normal)

    def pose(self, u: float, v: float, distance_mm: float, angle: float, tilt: float, toward: float) -> Pose:
        """A pose over tangent coordinates u, v (mm); tilted by `tilt` toward the direction `toward` (radians)."""
        foot, normal = self._surface(u, v)
        first = np.cross((0.0, 1.0, 0.0), normal)
        first /= np.linalg.norm(first)
        second = np.cross(normal, first)
        axis = np.cos(tilt) * normal + np.sin(tilt) * (np.cos(toward) * first + np.sin(toward) * second)
        rotation, origin = self.frame[:3, :3], self.frame[:3, 3]
        y = rotation @ (np.cos(angle) * first + np.sin(angle) * second)
        return Pose.from_axes(origin + rotation @ (foot + distance_mm * normal), y, -(rotation @ axis))

    def poses(self, count: int, seed: tuple[int, ...], head: HeadMesh, coil: Coil) -> list[Pose]:
        """Placements spread evenly over the patch and a little beyond its ranges.

        A scrambled Sobol sequence. Drawn distances are smallest gaps from casing to scalp: the coil is moved along its
        axis until it has that gap, so that the origin of a bent one is farther out.

        Parameters
        ----------
        count : int
        seed : tuple of int
            The same seed gives the same placements; more of them begin with the same ones.
        head : HeadMesh
        coil : Coil

        Raises
        ------
        InputError
            If the least distance is not positive: then it is of a ring's origin, and no gap.
        """
        from scipy.stats import qmc  # half a second to import

        sequence = qmc.Sobol(6, seed=np.random.default_rng(seed))
        draws = sequence.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
        low, high = checks.positive("distance_mm", self.distance_mm[0]), self.distance_mm[1]
        low, high = low - min(RIM_IN_MM, low / 2), high + RIM_OUT_MM
        found = []
        for place, around, height, angle, tilt, toward in draws:
            reach = (self.radius_mm + _RIM_MM) * np.sqrt(place)
            gap = low + (high - low) * height
            pose = self.pose(
                reach * np.cos(2 * np.pi * around),
                reach * np.sin(2 * np.pi * around),
                gap,
                2 * np.pi * angle,
                np.radians(self.tilt_deg + _RIM_DEG) * np.sqrt(tilt),
                2 * np.pi * toward,
            )
            found.append(settle(head, coil, pose, float(gap)))
        return found

    def level(self, head: HeadMesh, coil: Coil) -> list[Pose]:
        """Untilted placements at the least gap, over the center and the edge: nearer its origin does not come.

        Parameters
        ----------
        head : HeadMesh
        coil : Coil
        """
        gap, edge = self.distance_mm[0], self.radius_mm
        places = ((0.0, 0.0), (edge, 0.0), (-edge, 0.0), (0.0, edge), (0.0, -edge))
        turns = np.pi / 4 * np.arange(4)
        return [settle(head, coil, self.pose(u, v, gap, turn, 0.0, 0.0), gap) for u, v in places for turn in turns]

    def station(self, pose: Pose) -> Station:
        """Where a pose is, seen from this patch."""
        rotation = self.frame[:3, :3]
        center = (pose.center_mm - self.frame[:3, 3]) @ rotation
        # Far outside the polynomials mean nothing: the kernel stays on their disc, where "outside" is certain.
        position, cosine, distance = station(center, -(pose.z @ rotation), self._width, self.shape)
        return Station(position, float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), distance)

    def outside(self, pose: Pose) -> str:
        """By how much a pose leaves the patch, in words; empty if it does not."""
        at = self.station(pose)
        low, high = self.distance_mm
        parts = [
            (at.position_mm - self.radius_mm, _RIM_MM, "mm beyond the edge of the scalp patch"),
            (at.tilt_deg - self.tilt_deg, _RIM_DEG, f"degrees beyond the tilt of {self.tilt_deg:g}"),
            (low - at.distance_mm, min(RIM_IN_MM, abs(low) / 2), f"mm nearer to the scalp than {low:g}"),
            (at.distance_mm - high, RIM_OUT_MM, f"mm farther from the scalp than {high:.4g}"),
        ]
        return ", ".join(f"{excess:.2g} {what}" for excess, rim, what in parts if excess > rim + _SLACK)

    @property
    def words(self) -> str:
        """Its ranges, in words."""
        low, high = self.distance_mm
        off = f"origin {low:.3g} to {high:.3g} mm off the scalp"
        return f"{self.radius_mm:g} mm around, tilts to {self.tilt_deg:g} degrees, {off}"

    def _card(self) -> Card:
        return Card("ScalpPatch, of placements", (("center", in_words(self.frame[:3, 3])), ("placements", self.words)))
