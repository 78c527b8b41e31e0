"""What people call a place: one reading of targets and of what a coil is held over, for Python and the command line.

The words are those of `named_target`: ``"m1-hand-left"``, ``"C3"``, ``"cap.csv:C3"``, ``"mask.nii.gz:3"``,
``"lh.aparc.annot:precentral"``, ``"x,y,z"`` in mm; in Python also three numbers, or a `Target`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.listing import Listing
from efield.head.mesh import HeadMesh
from efield.targeting.electrodes import electrode_place
from efield.targeting.motor_sites import NAMES, SITES, mni_place, name_parts, source_of
from efield.targeting.region_files import region_word
from efield.targeting.targets import Target, name_in_caps, named_target, parse_target, point_target

#: What may stand for a target or for the place a coil is held over.
Place = Target | str | ArrayLike


def target_of(head: HeadMesh, value: Any, name: str = "target") -> Target:
    """The target that a word, a point or a `Target` means on a head.

    Parameters
    ----------
    head : HeadMesh
    value : Target, str or (3,) array_like
        A word as on the command line; or a point in head coordinates (mm), around which the gray matter within 10 mm
        is meant.
    name : str
        Of the argument, for errors.

    Raises
    ------
    InputError
        If it is none of these; the message lists what is known.
    """
    if isinstance(value, Target):
        return value
    if isinstance(value, str):
        return named_target(head, value, name)
    return point_target(head, _point(name, value))


def target_if_any(head: HeadMesh, value: Any) -> Target | None:
    """As `target_of`, and None for None."""
    return None if value is None else target_of(head, value)


def place_of(head: HeadMesh, value: Any, name: str = "over") -> NDArray[np.float64]:
    """(3,) the point in head coordinates (mm) that a coil is held over; an electrode is a place on the scalp.

    Parameters
    ----------
    head : HeadMesh
    value : Target, str or (3,) array_like
        As in `target_of`.
    name : str
        Of the argument, for errors.

    Raises
    ------
    InputError
        As `target_of`.
    """
    if isinstance(value, Target):
        return value.center_mm
    if not isinstance(value, str):
        return _point(name, value)
    if region_word(value) is not None:
        return named_target(head, value, name).center_mm
    parsed = name_in_caps(head, value) or parse_target(value, name)
    if not isinstance(parsed, str):
        return parsed
    return named_target(head, parsed).center_mm if parsed in NAMES else electrode_place(head, parsed)[0]


def list_targets() -> Listing:
    """The targets that are known by name, as a sequence of names that shows a table.

    Examples
    --------
    >>> "m1-hand-left" in ef.list_targets()
    True
    """
    note = (
        "Also: electrodes of the 10-10 system (C3) or of a cap (cap.csv:C3), labels of a volume (mask.nii.gz:3; "
        "atlas.nii.gz:3,mni) or of a surface (lh.aparc.annot:precentral), points (x,y,z in mm)."
    )
    columns = ("name", "what", "coordinates (mm)", "SD (mm)", "current (deg medial)", "source")
    return Listing("Targets", columns, [_row(**target_facts(name)) for name in NAMES], note)


def target_facts(name: str) -> dict[str, Any]:
    """What is known of one of `NAMES`, ready for `json.dump`: place, its space, spread, direction and source."""
    area, side, variant = name_parts(name)
    site = SITES[area, variant]
    return {
        "name": name,
        "what": site.what,
        "space": site.space,
        "center_mm": mni_place(site, side).tolist(),
        "spread_mm": site.spread_mm,
        "angle_deg": site.angle_deg,
        "source": source_of(site, side),
    }


def _row(name: str, what: str, space: str, center_mm: list[float], **rest: Any) -> tuple[str, ...]:
    point = "{} ({:g}, {:g}, {:g})".format(space, *center_mm)
    spread = "{:g}, {:g}, {:g}".format(*rest["spread_mm"]) if rest["spread_mm"] else "not known"
    return name, what, point, spread, f"{rest['angle_deg']:g}", rest["source"]


def _point(name: str, value: Any) -> NDArray[np.float64]:
    try:
        return checks.point_mm(name, value)
    except InputError as error:
        if np.shape(value) == (3,):
            raise
        raise InputError(
            f"{name} must be a Target, such as m1_hand(head) or Target.sphere(...), three numbers in mm, or one of "
            f"{', '.join(NAMES)}, an electrode such as C3, cap.csv:C3, mask.nii.gz:3, "
            f"lh.aparc.annot:precentral or x,y,z; instead received {checks.kind(value)}"
        ) from error
