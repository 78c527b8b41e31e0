"""Markers of ANT's visor2 (``.mrk``): JSON with a pose, its axes and its units in each."""

import json
from typing import TYPE_CHECKING, Any, Final

from efield.io.bounded.cursor import Cursor
from efield.io.poses.axes import AXES
from efield.io.poses.documents import document
from efield.io.poses.raw import Raw, Told, stacked

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

_SYSTEM: Final = "ASSOCIATED_IMAGE"


def read_visor2(cursor: Cursor, told: Told) -> Raw:
    """Coil targets, in the coordinates of the image they were planned on.

    Raises
    ------
    FileFormatError
        If there is none, or one is in other coordinates, units or axes.
    """
    whole = document(cursor)
    markers = whole.get("TargetMarkers") if isinstance(whole, dict) else None
    if not isinstance(markers, list):
        raise cursor.error("a visor2 file must have a list TargetMarkers; instead it has none")
    raw = Raw(axes=told.axes or "simnibs", frame=told.frame or "RAS", said=f"{_SYSTEM} of visor2, RAS")
    for number, marker in enumerate(markers, start=1):
        target = marker.get("CoilTarget") if isinstance(marker, dict) else None
        name = str(target.get("Name") or "").strip() if isinstance(target, dict) else ""
        name = name or f"marker {number}"
        if not isinstance(target, dict) or not isinstance(target.get("CoilPose"), dict):
            raw.drop(name, "it has no pose of a coil")
            continue
        _check(cursor, name, target, told)
        with cursor.naming(f"the pose of {name[:40]!r}"):
            raw.add(name, stacked(target["CoilPose"].get("RigidTransformMatrix4x4"))[0])
    return raw


def _check(cursor: Cursor, name: str, target: dict[str, Any], told: Told) -> None:
    wanted = {"PositionalUnit": "mm"}
    if told.frame is None:
        wanted["CoordinateSystem"] = _SYSTEM
    if told.axes is None:
        wanted["CoilAxesConvention"] = "simnibs"
    for key, value in wanted.items():
        found = target.get(key, value)
        if str(found).lower() != value.lower():
            raise cursor.error(
                f"{key} of {name[:40]!r} must be {value}; instead it is {str(found)[:40]!r}: export it again, or say "
                f"what it is (--axes {', '.join(AXES)}; --frame RAS or LPS)"
            )


def write_visor2(table: "PoseTable") -> bytes:
    """One coil target for each pose; the image that they belong to must be added in visor2."""
    markers = [
        {
            "CoilTarget": {
                "Name": name,
                "CoordinateSystem": _SYSTEM,
                "PositionalUnit": "mm",
                "CoilAxesConvention": "simnibs",
                "CoilPose": {"RigidTransformMatrix4x4": pose.matrix.tolist()},
                "Comment": says,
            }
        }
        for name, pose, says in zip(table.names, table, table.says, strict=True)
    ]
    whole = {"Configuration": {"SourceInfo": {"AppName": "efield"}}, "TargetMarkers": markers}
    return (json.dumps(whole, indent=2) + "\n").encode()
