"""Elements of Gmsh files: kinds, id tables, and blocks gathered by kind (shared by versions 2.2 and 4.1)."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor

TRIANGLE: Final = 2
TETRAHEDRON: Final = 4

#: Number of nodes of each Gmsh element type (Gmsh reference manual, "MSH file format").
NODES: Final = {
    1: 2, 2: 3, 3: 4, 4: 4, 5: 8, 6: 6, 7: 5, 8: 3, 9: 6, 10: 9, 11: 10, 12: 27, 13: 18, 14: 14,
    15: 1, 16: 8, 17: 20, 18: 15, 19: 13, 20: 9, 21: 10, 22: 12, 23: 15, 24: 15, 25: 21, 26: 4, 27: 5, 28: 6,
    29: 20, 30: 35, 31: 56,
}  # fmt: skip

#: Types that fill volume but are not 4-node tetrahedra: leaving them out would leave holes in the head.
_OTHER_VOLUMES: Final = {5, 6, 7, 11, 12, 13, 14, 17, 18, 19, 29, 30, 31}

_NAMES: Final = {1: "lines", 3: "quadrangles", 15: "points"}


def check_kind(cursor: Cursor, kind: int) -> int:
    """Number of nodes of an element type that a head mesh may contain.

    Raises
    ------
    FileFormatError
        For unknown types and for volume elements other than 4-node tetrahedra.
    """
    if kind in _OTHER_VOLUMES:
        raise cursor.error(
            f"volume elements must be 4-node tetrahedra; instead received Gmsh type {kind}; "
            "convert with: gmsh in.msh -3 -order 1 -o out.msh -format msh2"
        )
    if kind not in NODES:
        raise cursor.error(f"element types must be Gmsh types 1 to 31; instead received {kind}; the file is damaged")
    return NODES[kind]


def positions(cursor: Cursor, ids: NDArray[Any], wanted: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Where each of `wanted` stands in `ids`; -1 where it does not.

    Raises
    ------
    FileFormatError
        If `ids` holds a number twice.
    """
    if not len(ids):
        return np.full(wanted.shape, -1, dtype=np.int64)
    low, high = int(ids.min()), int(ids.max())
    if high - low == len(ids) - 1 and np.array_equal(ids, np.arange(low, high + 1, dtype=ids.dtype)):
        found = wanted.astype(np.int64) - low
        found[(found < 0) | (found >= len(ids))] = -1
        return found
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    if np.any(ordered[1:] == ordered[:-1]):
        raise cursor.error(f"{what} numbers must be unique; instead one occurs twice; the file is damaged")
    places = np.minimum(np.searchsorted(ordered, wanted), len(ids) - 1)
    return np.where(ordered[places] == wanted, order[places], -1)


@dataclass
class Elements:
    """Elements gathered by Gmsh type: rows of id, physical tag, elementary tag, then node ids."""

    cursor: Cursor
    rows: dict[int, list[NDArray[Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: int, ntags: int, rows: NDArray[Any]) -> None:
        """Keep a block of rows (id, `ntags` tags, node ids); points, lines and the like are only counted."""
        if kind not in (TRIANGLE, TETRAHEDRON):
            rows = rows[:, :1]
        elif ntags != 2:
            first = rows[:, 1:2] if ntags else np.zeros((len(rows), 1), rows.dtype)
            second = rows[:, 2:3] if ntags > 1 else first
            rows = np.hstack([rows[:, :1], first, second, rows[:, 1 + ntags :]])
        self.rows[kind].append(rows)

    def of(self, kind: int) -> NDArray[Any]:
        """(n, 3 + nodes) all rows of one type."""
        blocks = self.rows.get(kind, [])
        return np.concatenate(blocks) if blocks else np.empty((0, 3 + NODES[kind]), np.int64)

    def others(self) -> dict[str, int]:
        """How many elements of each other type there are, by name."""
        return {
            _NAMES.get(kind, f"Gmsh type {kind}"): sum(map(len, blocks))
            for kind, blocks in self.rows.items()
            if kind not in (TRIANGLE, TETRAHEDRON)
        }


def equal_rows(flat: NDArray[Any], start: int, stride: int, columns: slice, most: int) -> int:
    """How many rows of `stride` numbers from `start` repeat the first one's `columns`, at most `most`.

    Element blocks repeat a header that says how long they are, so a run of equal headers can be recognized by
    looking ahead in growing steps instead of walking block by block.
    """
    most = min(most, (len(flat) - start) // stride)
    if most < 1:
        return 0
    header = flat[start : start + stride][columns]
    done, step = 1, 16
    while done < most:
        step = min(4 * step, most - done)
        begin = start + done * stride
        rows = flat[begin : begin + step * stride].reshape(step, stride)[:, columns]
        different = np.flatnonzero((rows != header).any(axis=1))
        if len(different):
            return done + int(different[0])
        done += step
    return done
