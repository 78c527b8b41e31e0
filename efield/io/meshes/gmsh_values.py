"""``$NodeData`` and ``$ElementData`` sections of Gmsh files (the same in formats 2.2 and 4.1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, numbers

_MOST_HEADER_ENTRIES = 64


@dataclass(frozen=True, eq=False)
class Values:
    """One data section: values of the nodes or elements with these ids."""

    name: str
    of_nodes: bool
    ids: NDArray[Any]
    values: NDArray[np.float64]

    def spread(self, places: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        """(length,) or (length, c) values at `places`, nan elsewhere; places < 0 are left out."""
        result = np.full((length, *self.values.shape[1:]), np.nan)
        inside = places >= 0
        result[places[inside]] = self.values[inside]
        return result


def read_values(cursor: Cursor, name: str, binary: bool) -> Values:
    """One ``$NodeData`` or ``$ElementData`` section, whose header line `name` was just read."""
    what = f"section ${name}"
    title = (_entries(cursor, f"the string tags of {what}") or [""])[0].strip('"')
    _entries(cursor, f"the real tags of {what}")
    integers = _entries(cursor, f"the integer tags of {what}")
    if len(integers) < 3 or not all(entry.isascii() and entry.isdigit() for entry in integers[1:3]):
        raise cursor.error(f"{what} must state its number of components and of values; instead {integers[:3]}")
    components, count = int(integers[1][:18]), int(integers[2][:18])
    if not 1 <= components <= 9:
        raise cursor.error(f"{what} must have 1 to 9 components; instead received {components}")
    end = f"$End{name}".encode()
    read = _binary_rows if binary else _text_rows
    ids, values = read(cursor, end, count, components, what)
    return Values(title or "values", name == "NodeData", ids, values[:, 0] if components == 1 else values)


def _entries(cursor: Cursor, what: str) -> list[str]:
    count = cursor.integer(what)
    if count > _MOST_HEADER_ENTRIES:
        raise cursor.error(f"{what} must be at most {_MOST_HEADER_ENTRIES}; instead received {count}; damaged file")
    return [cursor.line(what) for _ in range(count)]


def _binary_rows(
    cursor: Cursor, end: bytes, count: int, components: int, what: str
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    rows = cursor.array(np.dtype([("id", "<i4"), ("v", "<f8", (components,))]), count, what)
    cursor.expect_end(end, what)
    return np.ascontiguousarray(rows["id"]), np.ascontiguousarray(rows["v"])


def _text_rows(
    cursor: Cursor, end: bytes, count: int, components: int, what: str
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    flat = numbers(cursor.text_until(end, what), np.float64)
    if flat is None or len(flat) != count * (1 + components):
        raise cursor.error(f"{what} must hold {count} rows of id and {components} value(s); instead it is damaged")
    table = flat.reshape(count, 1 + components)
    if not (np.abs(table[:, 0]) < 2**53).all():
        raise cursor.error(f"{what} must number its rows with integers; instead it is damaged")
    return table[:, 0].astype(np.int64), np.ascontiguousarray(table[:, 1:])
