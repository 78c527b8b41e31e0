"""Targets: a place in the cortex, its region, and the current direction that excites it best.

The three motor targets are known in MNI coordinates; each is moved to the nearest gray matter of the head.

References
----------
Mayka et al. 2006, NeuroImage 31:1453: hand area of M1. The exact coordinates below are unverified readings.
Brasil-Neto et al. 1992, J Clin Neurophysiol 9:132, for the 45-degree rule at the hand area.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, listed, place
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.landmarks import POSITIONS
from efield.head.mesh import HeadMesh
from efield.head.surface import cortex, nearest, scalp
from efield.head.tissue import GRAY_MATTER, tissue_name
from efield.io.choice import split_choice
from efield.targeting.electrodes import CAP_CHOICES, electrode_in_file, electrode_place
from efield.targeting.tangent import medial_sign, tangent_direction

Side = Literal["left", "right"]

#: A motor target may be moved this far to reach gray matter before the head is called a misfit (mm).
_LONGEST_SNAP_MM: Final = 12.0

#: Cortex within this distance of the target votes on the direction of the sulcal wall (mm).
_WALL_RADIUS_MM: Final = 10.0

#: A wall counts as one wall when this share of the votes lies along a single axis ...
_WALL_COHERENCE: Final = 0.6

#: ... and is believed to be the central sulcus when it is this near to the 45-degree rule (degrees).
_WALL_FROM_RULE_DEG: Final = 45.0

#: Left-hemisphere MNI coordinates (mm) and the angle of the preferred induced current, from anterior toward medial.
#: Hand: Mayka 2006 (unverified). Face: the precentral wall of the MNI152 template; the published (-55, -15, 38),
#: probably Talairach, lies behind the template's central sulcus. Leg: coordinates unverified; the axis of its preferred
#: current is 33 degrees anterior of lateral (+- 18, read), its sense (into the medial wall) is our reading.
_M1_LEFT: Final = {
    "hand": ((-37.0, -21.0, 58.0), 45.0),
    "leg": ((-6.0, -25.0, 70.0), -57.0),
    "face": ((-55.0, -5.0, 38.0), 45.0),
}

#: What an electrode that only a cap knows may be called: AFF1h, FTT9h, CPP2h.
_CAP_NAME: Final = re.compile(r"[A-Za-z]{1,4}(\d{1,2}|z)h?", re.IGNORECASE)

#: Scalp hotspot of the hand (FDI) in 184 people, relative to the vertex: lateral and anterior arc (mm).
_HAND_FROM_VERTEX_MM: Final = (52.0, 4.8)


@dataclass(frozen=True, eq=False, repr=False)
class Target(Carded):
    """A place in the head that the field is asked for.

    Parameters
    ----------
    name : str
    center_mm : (3,) array_like
        Center, head coordinates in mm.
    radius_mm : float
        The target's region is the tissue within this distance of the center.
    tags : tuple of int
        Tissues the region consists of; gray matter by default.
    direction : (3,) array_like, optional
        Preferred direction of the induced current.
    note : str
        Where center and direction come from.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> spot = ef.Target.sphere(center_mm=(0, 0, 65), radius_mm=8, name="vertex")
    >>> len(spot.tets(head)) > 0
    True
    """

    name: str
    center_mm: NDArray[np.float64]
    radius_mm: float = 10.0
    tags: tuple[int, ...] = (GRAY_MATTER,)
    direction: NDArray[np.float64] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_mm", checks.read_only(checks.point_mm("center_mm", self.center_mm)))
        object.__setattr__(self, "radius_mm", checks.length_mm("radius_mm", self.radius_mm))
        if self.direction is not None:
            object.__setattr__(self, "direction", checks.read_only(checks.unit_vector("direction", self.direction)))

    @classmethod
    def sphere(
        cls,
        *,
        center_mm: ArrayLike,
        radius_mm: float = 10.0,
        tags: tuple[int, ...] = (GRAY_MATTER,),
        direction: ArrayLike | None = None,
        name: str = "",
    ) -> "Target":
        """The tissue `tags` (gray matter by default) within `radius_mm` of `center_mm`."""
        center = checks.vector("center_mm", center_mm)
        along = None if direction is None else checks.unit_vector("direction", direction)
        return cls(name or "({:g}, {:g}, {:g})".format(*center), center, radius_mm, tags, along)

    def tets(self, head: HeadMesh) -> NDArray[np.intp]:
        """Numbers of the tetrahedra of the target's region (barycenter within the radius).

        Raises
        ------
        OutsideHeadError
            If the region holds no tissue of the target's tags.
        """
        near = np.linalg.norm(head.barycenters - self.center_mm, axis=1) <= self.radius_mm
        found = np.flatnonzero(near & np.isin(head.tissue, self.tags))
        if not len(found):
            names = ", ".join(tissue_name(tag) for tag in self.tags)
            low, high = head.points.min(axis=0), head.points.max(axis=0)
            raise OutsideHeadError(
                f"target {self.name} must have {names} within {self.radius_mm:g} mm; instead it has none: "
                f"the head spans {_triple(low)} to {_triple(high)} mm; move the target or enlarge its radius"
            )
        return found

    def _card(self) -> Card:
        rows = (
            ("center", place(self.center_mm)),
            ("tissue", f"{listed(tissue_name(tag) for tag in self.tags)} within {self.radius_mm:g} mm"),
            ("direction", "none" if self.direction is None else f"{place(self.direction, '')}, of the induced current"),
            ("source", self.note),
        )
        return Card(f"Target {self.name}", rows)


def _triple(values: NDArray[np.float64]) -> str:
    return "({:.0f}, {:.0f}, {:.0f})".format(*values)


def m1_hand(head: HeadMesh, side: Side = "left") -> Target:
    """The hand area of M1, at the hand knob of the precentral gyrus.

    Raises
    ------
    InputError
        If the head has no map from MNI coordinates and is not a sphere.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> ef.m1_hand(head, side="left").center_mm.round()
    array([-40.,   4.,  57.])
    """
    if head.mni is None and _is_sphere(head):
        return _hand_on_sphere(head, side)
    return _motor_target(head, "hand", side)


def m1_leg(head: HeadMesh, side: Side = "left") -> Target:
    """The leg area of M1, in the paracentral lobule by the midline.

    Examples
    --------
    >>> from dataclasses import replace
    >>> head = replace(ef.head.sphere_head(edge_mm=12.0), mni=np.eye(4))
    >>> ef.m1_leg(head, side="right").name
    'm1-leg-right'
    """
    return _motor_target(head, "leg", side)


def m1_face(head: HeadMesh, side: Side = "left") -> Target:
    """The face area of M1, at the lower end of the precentral gyrus.

    Examples
    --------
    >>> from dataclasses import replace
    >>> head = replace(ef.head.sphere_head(edge_mm=12.0), mni=np.eye(4))
    >>> ef.m1_face(head, side="right").name
    'm1-face-right'
    """
    return _motor_target(head, "face", side)


_NAMED: Final[dict[str, Callable[[HeadMesh, Side], Target]]] = {
    "hand": m1_hand,
    "leg": m1_leg,
    "face": m1_face,
}
NAMES: Final = tuple(f"m1-{part}-{side}" for part in _NAMED for side in ("left", "right"))


def parse_target(text: str, name: str = "target") -> str | NDArray[np.float64]:
    """What a target on the command line means: one of `NAMES`, an electrode, or (3,) coordinates in mm.

    Raises
    ------
    InputError
        If it is neither a known name, nor one that a cap may have, nor ``x,y,z``; or the cap file named in it cannot
        be read or lacks the electrode.
    """
    if electrode_in_file(text) is not None:
        return text
    if "," not in text:
        electrodes = {name.lower(): name for name in POSITIONS}
        if text.lower() in electrodes:
            return electrodes[text.lower()]
        if _CAP_NAME.fullmatch(text):
            return text
        return checks.choice(name, text.lower(), (*NAMES, "C3, Cz, ... (10-10)", "x,y,z (mm)"))
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3:
        raise InputError(f"a {name} given as x,y,z must be three numbers in mm; instead received {text!r}")
    return checks.point_mm(name, numbers)


def named_target(head: HeadMesh, text: str, name: str = "target") -> Target:
    """A target by what people call it: ``m1-hand-left`` and the like (`NAMES`), ``C3``, or ``x,y,z`` in mm.

    An electrode stands for the gray matter nearest to it: a position of the head's own caps, else of the 10-10 system
    measured on the scalp, or ``cap.csv:C3``, a position in a file.

    Raises
    ------
    InputError
        If the text cannot be understood, or the head has no map from MNI coordinates and needs one.
    """
    parsed = name_in_caps(head, text) or parse_target(text, name)
    if isinstance(parsed, str) and parsed not in NAMES:
        return _below_electrode(head, parsed)
    if isinstance(parsed, str):
        _, part, side = parsed.split("-")
        return _NAMED[part](head, "left" if side == "left" else "right")
    return point_target(head, parsed)


def point_target(head: HeadMesh, point_mm: NDArray[np.float64]) -> Target:
    """The gray matter around a point (3,) in head coordinates; its direction is that of the 45-degree rule there."""
    return Target.sphere(center_mm=point_mm, direction=_rule_direction(head, point_mm, 45.0))


def name_in_caps(head: HeadMesh, text: str) -> str:
    """The name of an electrode as the first of the head's own caps that has it writes it; empty if none has."""
    if text.lower() in NAMES:
        return ""
    known = (name for cap in head.caps for name in cap.positions)
    return next((name for name in known if name.lower() == text.lower()), "")


def mni_place(text: str) -> tuple[NDArray[np.float64], float]:
    """(3,) MNI152 coordinates (mm) of one of `NAMES`, and its current in degrees from anterior toward medial."""
    _, part, side = text.split("-")
    mni, angle = _M1_LEFT[part]
    return np.array(mni) * (1 if side == "left" else -1, 1, 1), angle


def _below_electrode(head: HeadMesh, name: str) -> Target:
    gray = head.barycenters[head.tissue == GRAY_MATTER]
    place, origin = electrode_place(head, name)
    center = gray[nearest(gray, place)[0]]
    name = split_choice(name, CAP_CHOICES)[1] or name
    note = f"gray matter nearest to {name} ({origin}); direction: 45-degree rule"
    return Target(f"{name} (cortex below)", center, direction=_rule_direction(head, center, 45.0), note=note)


def _motor_target(head: HeadMesh, part: str, side: Side) -> Target:
    checks.choice("side", side, ("left", "right"))
    if head.mni is None:
        raise InputError(
            f"m1_{part} needs a head with a map from MNI coordinates, and this head has none: make one with "
            "register_to_mni(head), --register or --fiducials, load a subject folder that has one, or give the target "
            "as a point in head coordinates, Target.sphere(center_mm=(x, y, z)) or --target x,y,z"
        )
    mni_point, angle = mni_place(f"m1-{part}-{side}")
    wanted = head.mni.to_head(mni_point[None])[0]
    center = _nearest_gray(head, wanted)
    direction, origin = _preferred_direction(head, center, angle, use_wall=part == "hand")
    way = "" if head.mni.is_identity else f" by {head.mni.description}, then"
    note = (
        f"MNI {_triple(mni_point)} moved{way} {np.linalg.norm(center - wanted):.1f} mm to gray matter; "
        f"direction: {origin}"
    )
    return Target(f"m1-{part}-{side}", center, direction=direction, note=note)


def _nearest_gray(head: HeadMesh, point: NDArray[np.float64]) -> NDArray[np.float64]:
    gray = head.barycenters[head.tissue == GRAY_MATTER]
    index, distance = nearest(gray, point)
    if distance > _LONGEST_SNAP_MM:
        raise OutsideHeadError(
            f"gray matter must lie within {_LONGEST_SNAP_MM:g} mm of the target {_triple(point)}; "
            f"instead the nearest is {distance:.1f} mm away: check the head's map from MNI coordinates"
        )
    return np.asarray(gray[index])


def _preferred_direction(
    head: HeadMesh, center: NDArray[np.float64], angle_deg: float, *, use_wall: bool
) -> tuple[NDArray[np.float64], str]:
    rule = _rule_direction(head, center, angle_deg)
    if use_wall:
        wall, coherence = _sulcal_wall_normal(head, center)
        wall = wall if wall @ rule > 0 else -wall
        off = float(np.degrees(np.arccos(np.clip(wall @ rule, -1.0, 1.0))))
        if coherence >= _WALL_COHERENCE and off <= _WALL_FROM_RULE_DEG:
            return (
                wall,
                f"across the central sulcus (its wall's normal, {off:.0f} deg from the 45-degree rule)",
            )
    return rule, f"{angle_deg:g} degrees from anterior toward medial, tangential to the scalp"


def _rule_direction(head: HeadMesh, point: NDArray[np.float64], angle_deg: float) -> NDArray[np.float64]:
    surface = scalp(head)
    outward = surface.normals[nearest(surface.points_mm, point)[0]]
    return tangent_direction(outward, angle_deg, medial_sign(point))


def _sulcal_wall_normal(head: HeadMesh, center: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Common axis of the cortical walls around a point and the share of them along it (1/3 random, 1 one wall).

    Walls are the cortex whose normal is nearly tangential to the scalp; the crown of a gyrus does not vote. Both banks
    of a sulcus have the same axis, so the axis does not depend on which of them is nearer.
    """
    surface = cortex(head)
    near = np.linalg.norm(surface.centers_mm - center, axis=1) <= _WALL_RADIUS_MM
    outer = scalp(head)
    up = outer.normals[nearest(outer.points_mm, center)[0]]
    normals, areas = surface.triangle_normals[near], surface.areas[near]
    is_wall = np.abs(normals @ up) < 0.5
    if not is_wall.any():
        return up, 0.0
    flat = normals[is_wall] - np.outer(normals[is_wall] @ up, up)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    values, axes = np.linalg.eigh((flat * areas[is_wall, None]).T @ flat)
    return np.asarray(axes[:, -1]), float(values[-1] / values.sum())


def _is_sphere(head: HeadMesh) -> bool:
    points = scalp(head).points_mm
    radius = np.linalg.norm(points, axis=1)
    return bool(np.ptp(radius) < 1e-3 * radius.mean())


def _hand_on_sphere(head: HeadMesh, side: Side) -> Target:
    """Under the mean scalp hotspot of the hand area, on the surface of the sphere's gray matter."""
    checks.choice("side", side, ("left", "right"))
    scalp_radius = float(np.linalg.norm(scalp(head).points_mm[0]))
    lateral, anterior = (arc / scalp_radius for arc in _HAND_FROM_VERTEX_MM)
    sign = -1 if side == "left" else 1
    up = np.array([sign * np.sin(lateral), np.sin(anterior), np.cos(lateral) * np.cos(anterior)])
    up /= np.linalg.norm(up)
    center = up * float(np.linalg.norm(cortex(head).points_mm, axis=1).max())
    direction = tangent_direction(up, 45.0, medial_sign(center))
    note = (
        "52 mm lateral and 5 mm anterior of the vertex along the scalp, on the gray surface; direction: 45-degree rule"
    )
    return Target(f"m1-hand-{side}", center, direction=direction, note=note)
