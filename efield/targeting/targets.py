"""The targets that are known by name, and what people call a target.

The motor targets are published places (`efield.targeting.motor_sites`) in MNI coordinates; each is moved to the nearest
gray matter of the head and keeps its source, its space and its spread. On a sphere, which has no map from MNI, they lie
below places on the scalp.
"""

import re
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.landmarks import POSITIONS
from efield.head.mesh import HeadMesh
from efield.head.mni import spread_in_head
from efield.head.surface import cortex, nearest, scalp
from efield.head.tissue import GRAY_MATTER
from efield.io.choice import split_choice
from efield.targeting.electrodes import CAP_CHOICES, electrode_in_file, electrode_place
from efield.targeting.motor_sites import NAMES as NAMES
from efield.targeting.motor_sites import (
    SCALP_SITES,
    SITES,
    Area,
    Side,
    mni_place,
    name_parts,
    source_of,
)
from efield.targeting.named import HeadLike, the_head
from efield.targeting.preferred_direction import preferred_direction, rule_direction
from efield.targeting.region_files import region_word
from efield.targeting.regions import mni_map
from efield.targeting.tangent import medial_sign, tangent_direction
from efield.targeting.target import Target as Target

#: A motor target may be moved this far to reach gray matter before the head is called a misfit (mm).
_LONGEST_SNAP_MM: Final = 12.0

#: What an electrode that only a cap knows may be called: AFF1h, FTT9h, CPP2h.
_CAP_NAME: Final = re.compile(r"[A-Za-z]{1,4}(\d{1,2}|z)h?", re.IGNORECASE)


def m1_hand(head: HeadLike, side: Side = "left", variant: str = "") -> Target:
    """The hand area of M1: the hotspot of TMS on the precentral gyrus.

    Parameters
    ----------
    head : HeadMesh, or its name or file
    side : {"left", "right"}
        The right side is the mirrored left one.
    variant : str
        "mayka": the place of earlier versions, a Talairach coordinate taken as MNI.

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
    return _motor_target(head, "hand", side, variant)


def m1_leg(head: HeadLike, side: Side = "left") -> Target:
    """The leg area of M1, in the paracentral lobule by the midline.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> ef.m1_leg(head, side="right").name
    'm1-leg-right'
    """
    return _motor_target(head, "leg", side)


def m1_face(head: HeadLike, side: Side = "left") -> Target:
    """The face area of M1, at the lower end of the precentral gyrus.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> ef.m1_face(head, side="right").name
    'm1-face-right'
    """
    return _motor_target(head, "face", side)


def parse_target(text: str, name: str = "target") -> str | NDArray[np.float64]:
    """What a target on the command line means: one of `NAMES`, an electrode, a region in a file, or (3,) mm.

    Raises
    ------
    InputError
        If it is neither a known name, nor one that a cap may have, nor ``x,y,z``; or the file named in it cannot be
        read or lacks the electrode or the label.
    """
    if electrode_in_file(text) is not None:
        return text
    if (word := region_word(text)) is not None:
        word.region()
        return text
    if "," not in text:
        electrodes = {name.lower(): name for name in POSITIONS}
        if text.lower() in electrodes:
            return electrodes[text.lower()]
        if _CAP_NAME.fullmatch(text):
            return text
        others = ("C3, Cz, ... (10-10)", "mask.nii.gz:3", "lh.aparc.annot:precentral", "x,y,z (mm)")
        return checks.choice(name, text.lower(), (*NAMES, *others))
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3:
        raise InputError(f"a {name} given as x,y,z must be three numbers in mm; instead received {text!r}")
    return checks.point_mm(name, numbers)


def named_target(head: HeadMesh, text: str, name: str = "target") -> Target:
    """A target by what people call it.

    ``m1-hand-left`` and the like (`NAMES`), ``C3``, ``cap.csv:C3``, ``mask.nii.gz:3``, ``lh.aparc.annot:precentral``,
    or ``x,y,z`` in mm. An electrode stands for the gray matter nearest to it: a position of the head's own caps, else
    of the 10-10 system measured on the scalp, or a position in a file. Regions in files are those of
    `efield.targeting.region_files`.

    Raises
    ------
    InputError
        If the text cannot be understood, or the head has no map from MNI coordinates and needs one.
    """
    if (word := region_word(text)) is not None:
        found = Target.from_word(word, head)
        note = "direction: 45-degree rule at the region's center"
        return replace(found, direction=rule_direction(head, found.center_mm), note=note)
    parsed = name_in_caps(head, text) or parse_target(text, name)
    if not isinstance(parsed, str):
        return point_target(head, parsed)
    return _motor_target(head, *name_parts(parsed)) if parsed in NAMES else _below_electrode(head, parsed)


def needs_mni(text: str) -> bool:
    """Whether a target on the command line can be found only on a head with a map from MNI coordinates."""
    word = region_word(text)
    return text.lower() in NAMES or (word is not None and word.mni)


def point_target(head: HeadMesh, point_mm: NDArray[np.float64]) -> Target:
    """The gray matter around a point (3,) in head coordinates; its direction is that of the 45-degree rule there."""
    return Target.sphere(center_mm=point_mm, direction=rule_direction(head, point_mm))


def name_in_caps(head: HeadMesh, text: str) -> str:
    """The name of an electrode as the first of the head's own caps that has it writes it; empty if none has."""
    if text.lower() in NAMES:
        return ""
    known = (name for cap in head.caps for name in cap.positions)
    return next((name for name in known if name.lower() == text.lower()), "")


def _below_electrode(head: HeadMesh, name: str) -> Target:
    gray = head.centers_of(np.flatnonzero(head.tissue == GRAY_MATTER))
    place, origin = electrode_place(head, name)
    center = gray[nearest(gray, place)[0]]
    name = split_choice(name, CAP_CHOICES)[1] or name
    note = f"gray matter nearest to {name} ({origin}); direction: 45-degree rule"
    return Target(f"{name} (cortex below)", center, direction=rule_direction(head, center), note=note)


def _motor_target(head: HeadLike, area: Area, side: Side, variant: str = "") -> Target:
    head = the_head(head)
    checks.choice("side", side, ("left", "right"))
    checks.choice("variant", variant, tuple(kind for one, kind in SITES if one == area))
    name = f"m1-{area}-{side}{':' * bool(variant)}{variant}"
    if head.mni is None and not variant and _is_sphere(head):
        return _on_sphere(head, name, area, side)
    mni, site = mni_map(head, name), SITES[area, variant]
    point = mni_place(site, side)
    wanted = mni.to_head(point[None])[0]
    center = _nearest_gray(head, wanted)
    direction, origin = preferred_direction(head, center, site.angle_deg, use_wall=area == "hand")
    way = "" if mni.is_identity else f" by {mni.description}, then"
    return Target(
        name,
        center,
        direction=direction,
        note=f"moved{way} {np.linalg.norm(center - wanted):.1f} mm to gray matter; direction: {origin}",
        source=source_of(site, side),
        space="{} ({:g}, {:g}, {:g})".format(site.space, *point),
        spread_mm=None if site.spread_mm is None else spread_in_head(mni, point, site.spread_mm),
    )


def _nearest_gray(head: HeadMesh, point: NDArray[np.float64]) -> NDArray[np.float64]:
    gray = head.centers_of(np.flatnonzero(head.tissue == GRAY_MATTER))
    index, distance = nearest(gray, point)
    if distance > _LONGEST_SNAP_MM:
        raise OutsideHeadError(
            f"gray matter must lie within {_LONGEST_SNAP_MM:g} mm of the target "
            "({:.0f}, {:.0f}, {:.0f}); ".format(*point)
            + f"instead the nearest is {distance:.1f} mm away: check the head's map from MNI coordinates"
        )
    return np.asarray(gray[index])


def _is_sphere(head: HeadMesh) -> bool:
    points = scalp(head).points_mm
    radius = np.linalg.norm(points, axis=1)
    return bool(np.ptp(radius) < 1e-3 * radius.mean())


def _on_sphere(head: HeadMesh, name: str, area: Area, side: Side) -> Target:
    """Under a place of the scalp, on the surface of the sphere's gray matter."""
    site = SCALP_SITES[area]
    scalp_radius = float(np.linalg.norm(scalp(head).points_mm[0]))
    gray_radius = float(np.linalg.norm(cortex(head).points_mm, axis=1).max())
    lateral, anterior = site.lateral_mm / scalp_radius, site.anterior_mm / scalp_radius
    sign = -1 if side == "left" else 1
    up = np.array([sign * np.sin(lateral), np.sin(anterior), np.cos(lateral) * np.cos(anterior)])
    up /= np.linalg.norm(up)
    center = up * gray_radius
    spread = None
    if site.spread_mm is not None:
        ways = np.array([tangent_direction(up, angle, medial_sign(center)) for angle in (90.0, 0.0)])
        spread = gray_radius / scalp_radius * np.linalg.norm(ways * np.array(site.spread_mm)[:, None], axis=0)
    angle = SITES[area, ""].angle_deg
    return Target(
        name,
        center,
        direction=tangent_direction(up, angle, medial_sign(center)),
        note=f"on the gray surface; direction: {angle:g} degrees from anterior toward medial, tangential to the scalp",
        source=source_of(site, side),
        space="arcs along the scalp from the vertex",
        spread_mm=spread,
    )
