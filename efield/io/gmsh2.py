"""Nodes and elements of Gmsh format 2.2, the one SimNIBS writes (Gmsh manual, "MSH file format 2")."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.io.cursor import Cursor, numbers
from efield.io.gmsh_elements import Elements, check_kind, equal_rows

_NODE = np.dtype([("id", "<i4"), ("xyz", "<f8", (3,))])

#: Gmsh writes 2 tags, and with partitions a few more; a larger number is damage.
_MOST_TAGS = 64


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


def _walk_binary(cursor: Cursor, flat: NDArray[Any], total: int, elements: Elements) -> int:
    """Gather blocks of (type, count, ntags) and `count` rows; SimNIBS writes few blocks, Gmsh one each."""
    place = done = 0
    while done < total:
        if place + 3 > len(flat):
            raise cursor.truncated("the list of elements")
        kind, count, ntags = (int(v) for v in flat[place : place + 3])
        width = 1 + ntags + check_kind(cursor, kind)
        if not (0 < count <= total - done and 0 <= ntags <= _MOST_TAGS):
            raise cursor.error(f"element block must hold 1 to {total - done} elements; instead {count}; damaged file")
        stride = 3 + count * width
        blocks = equal_rows(flat, place, stride, slice(3), (total - done) // count)
        if not blocks:
            raise cursor.truncated("the list of elements")
        run = flat[place : place + blocks * stride].reshape(blocks, stride)
        elements.add(kind, ntags, run[:, 3:].reshape(blocks * count, width))
        place += blocks * stride
        done += blocks * count
    return place


def _walk_text(cursor: Cursor, flat: NDArray[Any], total: int, elements: Elements) -> int:
    """Gather rows of (id, type, ntags, tags, nodes), whose length depends on type and ntags."""
    place = done = 0
    while done < total:
        if place + 3 > len(flat):
            raise cursor.truncated("the list of elements")
        kind, ntags = int(flat[place + 1]), int(flat[place + 2])
        if not 0 <= ntags <= _MOST_TAGS:
            raise cursor.error(f"element must have 0 to {_MOST_TAGS} tags; instead received {ntags}; damaged file")
        stride = 3 + ntags + check_kind(cursor, kind)
        rows = equal_rows(flat, place, stride, slice(1, 3), total - done)
        if not rows:
            raise cursor.truncated("the list of elements")
        run = flat[place : place + rows * stride].reshape(rows, stride)
        elements.add(kind, ntags, np.hstack([run[:, :1], run[:, 3:]]))
        place += rows * stride
        done += rows
    return place
