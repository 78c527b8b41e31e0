"""FreeSurfer's labels of vertices: ``.annot`` (a name for every vertex) and ``.label`` (a list of vertices).

Formats: an annotation is big-endian, a count and pairs of vertex number and color, then a table of names and colors;
the color of a vertex, r + 256 g + 65536 b, is its label. A label is text: a comment, a count, and rows of vertex
number, x, y, z and a value. Neither holds a surface: vertex numbers are those of any surface of the same hemisphere.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, numbers

#: What follows the vertices where there is a table, and the version of the table that is in use.
_HAS_TABLE: Final = 1
_VERSION: Final = -2
#: The largest number of vertices of a surface: beyond it a file is damaged.
_MOST_VERTICES: Final = 2**26


@dataclass(frozen=True, eq=False)
class Annotation:
    """Names of the vertices of a surface.

    Parameters
    ----------
    labels : (p,) int
        Color of each vertex.
    names : mapping of str to int
        Color of each name.
    """

    labels: NDArray[np.int32]
    names: Mapping[str, int]

    def vertices(self, name: str) -> NDArray[np.bool_]:
        """(p,) whether each vertex has the name."""
        return np.asarray(self.labels == self.names[name])


def read_annotation(path: str | os.PathLike[str]) -> Annotation:
    """The names of an ``.annot`` file.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated or damaged, or has no table of names.
    """
    cursor = Cursor.open(path)
    count = _number(cursor)
    if not 0 < count <= _MOST_VERTICES:
        raise cursor.error(
            f"an annotation must start with a count of vertices; instead it is {count}: is it an .annot?"
        )
    pairs = cursor.array(">i4", 2 * count, "the list of labelled vertices").reshape(-1, 2)
    if pairs[:, 0].min() < 0 or len(np.unique(pairs[:, 0])) < count or pairs[:, 0].max() >= count:
        raise cursor.error(f"vertices must be numbered 0 to {count - 1}, each once; instead they are not; damaged file")
    labels = np.zeros(count, np.int32)
    labels[pairs[:, 0]] = pairs[:, 1]
    return Annotation(labels, _names(cursor))


def read_label(path: str | os.PathLike[str]) -> NDArray[np.intp]:
    """(k,) numbers of the vertices of a ``.label`` file, ascending.

    Raises
    ------
    FileFormatError
        If the file is missing or damaged, or holds no vertices.
    """
    cursor = Cursor.open(path)
    if not cursor.line("the comment of a label").startswith("#"):
        raise cursor.error("a label must start with a line of comment, '#!ascii label'; instead it does not")
    count = cursor.integer("the count of vertices")
    rows = numbers(cursor.data[cursor.position :], np.float64)
    if rows is None or rows.size != 5 * count or not count:
        raise cursor.error(
            f"a label must have {count} rows (at least one) of 5 numbers; instead it has not; copy it again"
        )
    found = rows.reshape(-1, 5)[:, 0]
    if (found != np.round(found)).any() or found.min() < 0 or found.max() > _MOST_VERTICES:
        raise cursor.error("vertices must be whole numbers from 0; instead one is not; the file is damaged")
    return np.unique(found.astype(np.intp))


def _number(cursor: Cursor) -> int:
    return int(cursor.array(">i4", 1, "an annotation")[0])


def _text(cursor: Cursor) -> str:
    text = bytes(cursor.array("u1", _number(cursor), "the name of a label"))
    return text.split(b"\0")[0].decode("utf-8", errors="replace")


def _names(cursor: Cursor) -> dict[str, int]:
    """The table; both forms of it: with and without numbers of the entries."""
    if not cursor.remaining or _number(cursor) != _HAS_TABLE:
        raise cursor.error(
            "an annotation must hold the names of its labels; instead it has no table: write it with one"
        )
    entries = _number(cursor)
    numbered = entries < 0
    if numbered and entries != _VERSION:
        raise cursor.error(f"the table of names must be of version 2; instead it is {-entries}: the file is damaged")
    if numbered:
        _number(cursor)
    _text(cursor)
    if numbered:
        entries = _number(cursor)
    found = {}
    for _ in range(entries):
        if numbered:
            _number(cursor)
        name = _text(cursor)
        red, green, blue, _ = (int(c) for c in cursor.array(">i4", 4, "the color of a label"))
        found[name] = red + (green << 8) + (blue << 16)
    return found
