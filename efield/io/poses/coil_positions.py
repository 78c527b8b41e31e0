"""Coil positions in the tables of SimNIBS: rows ``CoilPos, position, z axis, y axis, distance, name``.

Format: the positions of SimNIBS, https://simnibs.github.io/simnibs (mni2subject_coords). The distance to the skin is
used there when positions are taken from MNI to a subject; here it is passed over, and 0 is written.
"""

import csv
from io import StringIO
from typing import TYPE_CHECKING, Final

import numpy as np

from efield.io.bounded.cursor import Cursor
from efield.io.poses.raw import Raw, Told
from efield.io.poses.words import decoded, on_one_line

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

KIND: Final = "CoilPos"


def read_coil_positions(cursor: Cursor, told: Told) -> Raw:
    """Rows of coil positions; those of electrodes and fiducials are passed over.

    Raises
    ------
    FileFormatError
        If there is none, or one has too few numbers.
    """
    raw = Raw(axes=told.axes or "simnibs", frame=told.frame or "RAS", said="RAS of the subject")
    try:
        rows = list(csv.reader(StringIO(decoded(cursor), newline=""), strict=True))
    except csv.Error as error:
        raise cursor.error(f"positions must be comma-separated text; instead: {error}; export it again") from error
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not cells or cells[0] != KIND:
            continue
        try:
            center, z, y = np.array([float(cell) for cell in cells[1:10]]).reshape(3, 3)
        except ValueError as error:
            raise cursor.error(f"line {number} must have position, z and y axis; instead: {error}") from error
        matrix = np.eye(4)
        matrix[:3] = np.column_stack([np.cross(y, z), y, z, center])
        raw.add(cells[11] if len(cells) > 11 else "", matrix)
    if not raw.names:
        raise cursor.error(f"a table of coil positions must have rows {KIND},x,y,z,...; instead it has none")
    return raw


def write_coil_positions(table: "PoseTable") -> bytes:
    """One row for each pose."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name, pose in zip(table.names, table, strict=True):
        numbers = (*pose.center_mm, *pose.z, *pose.y, 0.0)
        rows.writerow([KIND, *(f"{value + 0.0:.17g}" for value in numbers), on_one_line(name)])
    return text.getvalue().encode()
