"""Nodes and elements of Gmsh format 2.2, the one SimNIBS writes (Gmsh manual, "MSH file format 2")."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, numbers
from efield.io.meshes.gmsh_elements import NODES, Elements, check_kind, equal_rows

_NODE = np.dtype([("id", "<i4"), ("xyz", "<f8", (3,))])

#: Gmsh writes 2 tags, and with partitions a few more; a larger number is damage.
_MOST_TAGS = 64

#: Looking ahead for equal blocks pays from about this many; shorter runs are gathered row by row.
_SHORT = 16


def read_nodes(cursor: Cursor, binary: bool) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """(n,) node ids and (n, 3) coordinates of a ``$Nodes`` section."""
    count = cursor.integer("the number of nodes")
    if binary:
        rows = cursor.array(_NODE, count, "the list of nodes")
        cursor.expect_end(b"$EndNodes", "the list of nodes")
        return np.ascontiguousarray(rows["id"]), np.ascontiguousarray(rows["xyz"])
    flat = numbers(cursor.text_until(b"$EndNodes", "the list of nodes"), np.float64)
    if flat is None or len(flat) != 4 * count:
        raise cursor.error(f"the list of nodes must hold {count} rows of id x y z; instead it is damaged or truncated")
    table = flat.reshape(count, 4)
    if not np.isfinite(table).all() or np.abs(table[:, 0]).max(initial=0) > 2**31:
        raise cursor.error("nodes must have an integer number and finite coordinates; the file is damaged")
    return table[:, 0].astype(np.int64), np.ascontiguousarray(table[:, 1:])


def read_elements(cursor: Cursor, binary: bool) -> Elements:
    """All elements of an ``$Elements`` section."""
    total = cursor.integer("the number of elements")
    elements = Elements(cursor)
    if binary:
        flat = np.frombuffer(cursor.data, "<i4", cursor.remaining // 4, cursor.position)
        cursor.position += 4 * _walk_binary(cursor, flat, total, elements)
        cursor.expect_end(b"$EndElements", "the list of elements")
        return elements
    text = numbers(cursor.text_until(b"$EndElements", "the list of elements"), np.int64)
    if text is None:
        raise cursor.error("the list of elements must hold integers only; instead it is damaged")
    if _walk_text(cursor, text, total, elements) != len(text):
        raise cursor.error(f"the list of elements must hold {total} elements; instead it holds more; wrong count")
    return elements


@dataclass
class _Rows:
    """Rows of one file, gathered by (type, number of tags): long runs as views, scattered rows by their places."""

    flat: NDArray[Any]
    elements: Elements
    skipped: int
    scattered: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def add_places(self, kind: int, ntags: int, places: range) -> None:
        """Keep single rows that start at these places."""
        self.scattered.setdefault((kind, ntags), []).extend(places)

    def add_run(self, kind: int, ntags: int, rows: NDArray[Any]) -> None:
        """Keep many rows, in the order of the file."""
        self._gather(kind, ntags)
        self.elements.add(kind, ntags, rows)

    def finish(self) -> None:
        """Gather what is still scattered."""
        for kind, ntags in list(self.scattered):
            self._gather(kind, ntags)

    def _gather(self, kind: int, ntags: int) -> None:
        places = np.array(self.scattered.pop((kind, ntags), []), dtype=np.int64)
        if len(places):
            columns = np.arange(1 + self.skipped + ntags + NODES[kind])
            rows = self.flat[places[:, None] + np.delete(columns, slice(1, 1 + self.skipped))]
            self.elements.add(kind, ntags, rows)


def _walk_binary(cursor: Cursor, flat: NDArray[Any], total: int, elements: Elements) -> int:
    """Gather blocks of (type, count, ntags) and `count` rows; SimNIBS writes few blocks, Gmsh one each."""
    words = memoryview(cursor.data)[cursor.position : cursor.position + 4 * len(flat)].cast("i")
    rows = _Rows(flat, elements, skipped=0)
    place = done = alike = 0
    last: tuple[int, int, int] | None = None
    while done < total:
        if place + 3 > len(words):
            raise cursor.truncated("the list of elements")
        header = kind, count, ntags = words[place], words[place + 1], words[place + 2]
        alike = alike + 1 if header == last else 0
        if header != last:
            _check_block(cursor, count, ntags, total - done)
        last, width = header, 1 + ntags + check_kind(cursor, kind)
        stride = 3 + count * width
        if place + stride > len(words) or count > total - done:
            raise cursor.truncated("the list of elements")
        if count < _SHORT and alike < _SHORT:
            rows.add_places(kind, ntags, range(place + 3, place + stride, width))
            blocks = 1
        else:
            blocks = equal_rows(flat, place, stride, slice(3), (total - done) // count)
            run = flat[place : place + blocks * stride].reshape(blocks, stride)
            rows.add_run(kind, ntags, run[:, 3:].reshape(blocks * count, width))
        place += blocks * stride
        done += blocks * count
    rows.finish()
    return place


def _check_block(cursor: Cursor, count: int, ntags: int, left: int) -> None:
    if not (0 < count <= left and 0 <= ntags <= _MOST_TAGS):
        raise cursor.error(
            f"element block must hold 1 to {left} elements with up to {_MOST_TAGS} tags; "
            f"instead received {count} with {ntags}; damaged file"
        )


def _walk_text(cursor: Cursor, flat: NDArray[Any], total: int, elements: Elements) -> int:
    """Gather rows of (id, type, ntags, tags, nodes), whose length depends on type and ntags."""
    words = flat.data
    rows = _Rows(flat, elements, skipped=2)
    place = done = alike = 0
    last: tuple[int, int] | None = None
    while done < total:
        if place + 3 > len(words):
            raise cursor.truncated("the list of elements")
        header = kind, ntags = words[place + 1], words[place + 2]
        alike, last = (alike + 1 if header == last else 0), header
        _check_block(cursor, 1, ntags, total - done)
        stride = 3 + ntags + check_kind(cursor, kind)
        if place + stride > len(words):
            raise cursor.truncated("the list of elements")
        if alike < _SHORT:
            rows.add_places(kind, ntags, range(place, place + 1))
            count = 1
        else:
            count = equal_rows(flat, place, stride, slice(1, 3), total - done)
            run = flat[place : place + count * stride].reshape(count, stride)
            rows.add_run(kind, ntags, np.hstack([run[:, :1], run[:, 3:]]))
        place += count * stride
        done += count
    rows.finish()
    return place
