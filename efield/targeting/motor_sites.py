"""Where the motor areas are: published places, with the space they are stated in, their source and their spread.

A place of a group is not that of a person: hotspots of single people scatter around it. Where a source says by how
much, the standard deviation goes with the place wherever the place goes.

References
----------
Mayka et al. 2006, NeuroImage 31:1453: peaks of M1 over studies of movement, in Talairach space (read).
"Population-based probability map and connectional profiles of the hand motor hotspot": its map of the left hemisphere
in MNI152 was measured (github.com/flyxiaye/hand_hotspot_probability); the number of people was not read.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]
Area = Literal["hand", "leg", "face"]

#: Three numbers along x, y, z in mm.
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Site:
    """A published place of the left hemisphere.

    Parameters
    ----------
    mni_mm : tuple of 3 float
        MNI152 coordinates.
    angle_deg : float
        Preferred induced current, from anterior toward medial.
    what : str
        In a few words.
    source : str
        Who says so, and how far it was verified.
    spread_mm : tuple of 3 float, optional
        Standard deviation along x, y, z of MNI152; None where no source gives one.
    spread_of : str
        What it is the spread of.
    space : str
        Of the coordinates.
    """

    mni_mm: Triple
    angle_deg: float
    what: str
    source: str
    spread_mm: Triple | None = None
    spread_of: str = ""
    space: str = "MNI152"


@dataclass(frozen=True)
class ScalpSite:
    """A place on the scalp, by arcs from the vertex, for heads that are spheres.

    Parameters
    ----------
    lateral_mm, anterior_mm : float
        Arcs from the vertex.
    source : str
    spread_mm : tuple of 2 float, optional
        Standard deviation along the two arcs.
    """

    lateral_mm: float
    anterior_mm: float
    source: str
    spread_mm: tuple[float, float] | None = None


#: By the part of a name that follows the side: ``m1-hand-left:mayka``.
SITES: Final[dict[tuple[Area, str], Site]] = {
    ("hand", ""): Site(
        (-39.4, -15.3, 62.1),
        45.0,
        "hand area of M1, TMS hotspot",
        "population map of TMS hotspots of the hand, center where p >= 0.7 (measured by us; how many people: not read)",
        (2.7, 4.0, 4.0),
        "the map's voxels with p >= 0.5",
    ),
    ("leg", ""): Site(
        (-7.0, -36.0, 68.5),
        # The axis is read, 33 degrees anterior of lateral (+- 18); its sense, into the medial wall, is our reading.
        -57.0,
        "leg area of M1, medial wall",
        "medial M1 of Mayka 2006, (-7, -32, 60 to 70) in Talairach space, taken to MNI by us; middle of its range in z",
    ),
    ("face", ""): Site(
        (-54.5, -10.0, 37.6),
        45.0,
        "face area of M1",
        "peak of M1 at z = 35 of Mayka 2006, (-54, -8, 35) in Talairach space, taken to MNI by us",
    ),
    ("hand", "mayka"): Site(
        (-37.0, -21.0, 58.0),
        45.0,
        "peak of M1 over all movements, taken as MNI",
        "Mayka 2006, peak of M1 over all movements; a Talairach coordinate that is used here as if it were MNI, as in "
        "earlier versions (in MNI it is (-37.4, -24.6, 61.8))",
        space="Talairach, taken as MNI152",
    ),
}

#: Arcs of the scalp (mm).
SCALP_SITES: Final[dict[Area, ScalpSite]] = {
    "hand": ScalpSite(
        52.0,
        4.8,
        "mean scalp hotspot of a hand muscle (FDI) in 184 people, 52 mm lateral and 5 mm anterior of the vertex; "
        "SD 7 to 8 mm",
        (8.0, 8.0),
    ),
    "leg": ScalpSite(
        3.2,
        -16.6,
        "mean scalp hotspot of a foot muscle (flexor hallucis brevis) in 11 people, 3 mm lateral and 17 mm posterior "
        "of the vertex (measured by us in TMSMultiLab's table); of the tibialis anterior 13 and 5.5 mm were published",
        (5.1, 7.5),
    ),
    "face": ScalpSite(
        88.0,
        10.0,
        "1.7 times as far from the vertex as the hand, as on the default head (measured by us); no published scalp "
        "hotspot was found",
    ),
}

_NAME: Final = re.compile(r"m1-(?P<area>\w+)-(?P<side>left|right)(:(?P<variant>\w+))?")
_SIDES: Final[tuple[Side, ...]] = get_args(Side)

#: What the motor targets are called.
NAMES: Final = tuple(f"m1-{area}-{side}{':' * bool(variant)}{variant}" for area, variant in SITES for side in _SIDES)


def name_parts(name: str) -> tuple[Area, Side, str]:
    """Area, side and variant of one of `NAMES`."""
    found = _NAME.fullmatch(name)
    assert found is not None
    return found["area"], found["side"], found["variant"] or ""  # type: ignore[return-value]


def mni_place(site: Site, side: Side) -> NDArray[np.float64]:
    """(3,) MNI152 coordinates in mm; right sides are mirrored."""
    return np.array(site.mni_mm) * (1 if side == "left" else -1, 1, 1)


def source_of(site: Site | ScalpSite, side: Side) -> str:
    """Who says so, and that a right side is a mirrored left one."""
    if isinstance(site, ScalpSite):
        return site.source
    spread = f"; the SD is that of {site.spread_of}" if site.spread_of else ""
    mirrored = "; mirrored from the left side (unverified)" if side == "right" else ""
    return site.source + spread + mirrored
