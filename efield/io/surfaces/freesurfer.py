"""FreeSurfer's binary triangle surfaces, ``lh.pial``, ``lh.white``: moved from surface RAS to the image's millimeters.

Format: three bytes of magic, a line of comment and an empty one, two big-endian counts, float32 vertices, int32
triangles, then the geometry of the volume as text. Surface RAS has its origin at the center of that volume and axes
along those of a coronal volume; the geometry says where these lie in the scanner's RAS.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, doubles

MAGIC: Final = b"\xff\xff\xfe"

#: Axes of a coronal volume's columns, rows and slices in surface RAS, one a column.
_CORONAL: Final = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
_RIGID: Final = 1e-3
#: Words of the header of the geometry: two versions of it are in use, and in the second vertices may be in the
#: scanner's RAS already (``mris_convert --to-scanner``).
_HEADS: Final = ((20,), (2, 0, 20), (2, 1, 20))
_IN_SCANNER: Final = (2, 1, 20)


def read_triangles(cursor: Cursor, *, in_image_mm: bool) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices (p, 3) in the RAS millimeters of the image, and triangles (t, 3).

    Parameters
    ----------
    cursor : Cursor
        At the start of the file, which begins with `MAGIC`.
    in_image_mm : bool
        Whether vertices are taken as they stand, whatever the file says of its volume.

    Raises
    ------
    FileFormatError
        If the file is truncated or damaged, or does not say where its volume lies.
    """
    cursor.position = len(MAGIC)
    cursor.text_until(b"\n\n", "the comment of a FreeSurfer surface")
    # `text_until` passes over the rest of the marker's line, which is its first newline.
    cursor.position += cursor.data[cursor.position : cursor.position + 1] == b"\n"
    count, faces = (int(n) for n in cursor.array(">i4", 2, "the counts of vertices and triangles"))
    points = doubles(cursor.array(">f4", 3 * count, "the list of vertices")).reshape(-1, 3)
    triangles = cursor.array(">i4", 3 * faces, "the list of triangles").reshape(-1, 3).astype(np.int32)
    return (points if in_image_mm else _in_scanner(cursor, points)), triangles


def _in_scanner(cursor: Cursor, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points moved to where the volume lies, if they are not there already."""
    tail = cursor.data[cursor.position :]
    head = next((words for words in _HEADS if tail.startswith(np.array(words, ">i4").tobytes())), None)
    lines = [] if head is None else tail[4 * len(head) :].decode("latin1").splitlines()
    entries = {key.strip(): value.split("#")[0].split() for key, _, value in (line.partition("=") for line in lines)}
    if entries.get("valid", [])[:1] != ["1"]:
        raise cursor.error(
            "a FreeSurfer surface must say where its volume lies; instead it does not: convert it with "
            "mris_convert --to-scanner lh.pial lh.pial.gii"
        )
    axes = [_triple(cursor, entries, key) for key in ("xras", "yras", "zras")]
    moved = from_surface_ras(cursor, points, np.column_stack(axes), _triple(cursor, entries, "cras"))
    return points if head == _IN_SCANNER else moved


def from_surface_ras(
    cursor: Cursor, points: NDArray[np.float64], axes: NDArray[np.float64], center: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points (p, 3) of surface RAS in the scanner's RAS.

    Parameters
    ----------
    cursor : Cursor
        Names the file in the error.
    points : (p, 3) ndarray, mm
    axes : (3, 3) ndarray
        Directions of the volume's columns, rows and slices in the scanner, one a column.
    center : (3,) ndarray, mm
        Of the volume in the scanner.

    Raises
    ------
    FileFormatError
        If the axes are not perpendicular.
    """
    turn = axes @ _CORONAL.T
    if np.abs(turn.T @ turn - np.eye(3)).max() > _RIGID or np.linalg.det(turn) < 0:
        raise cursor.error("the axes of the volume must be perpendicular; instead they are not; the file is damaged")
    return np.asarray(points @ turn.T + center)


def _triple(cursor: Cursor, entries: dict[str, list[str]], key: str) -> NDArray[np.float64]:
    try:
        values = np.array([float(word) for word in entries.get(key, [])])
    except ValueError:
        values = np.empty(0)
    if values.shape != (3,) or not np.isfinite(values).all() or np.abs(values).max() > 1e4:
        raise cursor.error(f"{key} of the volume must be three numbers; instead it is not; the file is damaged")
    return values
