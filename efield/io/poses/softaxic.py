"""Stimulation points of Softaxic (``.stmpx``); read only, as no description of the whole file is known to us."""

import numpy as np

from efield.io.bounded.cursor import Cursor
from efield.io.bounded.markup import markup
from efield.io.poses.raw import Raw, Told, unsaid

_TURN = tuple(f"m{row}{column}" for row in range(3) for column in range(3))


def read_softaxic(cursor: Cursor, told: Told) -> Raw:
    """The points of ``fmp`` elements: position and axes of the coil in their ``fp``.

    Raises
    ------
    FileFormatError
        If there is none, or one is incomplete.
    """
    raw = unsaid(told, "softaxic")
    for number, element in enumerate(markup(cursor).iter("fmp")):
        point, name = element.find("fp"), element.get("id") or f"point {number}"
        if point is None:
            raw.drop(name, "it has no pose (no fp element)")
            continue
        matrix = np.eye(4)
        try:
            matrix[:3, :3] = np.array([float(point.get(key, "")) for key in _TURN]).reshape(3, 3)
            matrix[:3, 3] = [float(point.get(key, "")) for key in "xyz"]
        except ValueError as error:
            raise cursor.error(f"point {name[:40]!r} must have m00 to m22 and x, y, z; instead: {error}") from error
        raw.add(name, matrix)
    if not raw.names:
        raise cursor.error("a Softaxic file must have fmp elements, one for each point; instead it has none")
    return raw
