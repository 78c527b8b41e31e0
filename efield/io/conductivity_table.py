"""Tables of conductivities by tissue: CSV or TOML, tags of the user included.

CSV has a line of column names, ``tag,value`` or ``tag,name,value``, in any order; lines that start with ``#`` are
comments. A tag is a number or the name of a known tissue. TOML has one entry per tissue, ``bone = 0.012`` or
``501 = { name = "gel", value = 0.3 }``.
"""

import csv
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.tissue import TISSUES, conductivity, tissue_tag
from efield.io.bounded.cursor import Cursor

_LARGEST_TAG: Final = 65535
_LARGEST_FILE: Final = 1 << 20
_MOST_LISTED: Final = 20

#: Where an entry stands, its tag, name and value.
_Entry = tuple[str, Any, Any, Any]


@dataclass(frozen=True)
class ConductivityTable:
    """What a file says about tissues.

    Parameters
    ----------
    values : dict of int to float, S/m
        Conductivity of each tag.
    names : dict of int to str
        Names of tags, where the file gives them.
    """

    values: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def tag(self, text: str) -> int:
        """The tag meant by a number, a name of this table, or a known tissue's name.

        Raises
        ------
        InputError
            If there is no such tissue.
        """
        wanted = _plain(text)
        named = {_plain(name): tag for tag, name in self.names.items()}
        if wanted in named:
            return named[wanted]
        if named and not wanted.isdigit():
            checks.choice("tissue", wanted, (*named, *(_plain(tissue.name) for tissue in TISSUES.values())))
        return tissue_tag(text)


def read_conductivity_table(path: str | os.PathLike[str]) -> ConductivityTable:
    """Conductivities of a ``.csv`` or ``.toml`` file.

    Raises
    ------
    FileFormatError
        If the file is missing, ends otherwise, is no such file, or has bad entries: all of them are named, with
        their lines.
    """
    cursor = Cursor.open(path)
    kind = Path(path).suffix.lower()
    if kind not in (".csv", ".toml") or len(cursor.data) > _LARGEST_FILE:
        raise cursor.error("a table of conductivities must be a .csv or .toml file of up to 1 MiB; instead it is not")
    try:
        text = cursor.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise cursor.error(
            "a table of conductivities must be text in UTF-8; instead it is not: save it again"
        ) from error
    table, wrong = ConductivityTable(), []
    for where, tag, name, value in (_csv_entries if kind == ".csv" else _toml_entries)(cursor, text):
        try:
            _add(table, tag, name, value)
        except InputError as error:
            wrong.append(f"{where}: {error}")
    if wrong:
        more = f"; and {len(wrong) - _MOST_LISTED} more" if len(wrong) > _MOST_LISTED else ""
        raise cursor.error("; ".join(wrong[:_MOST_LISTED]) + more)
    if not table.values:
        raise cursor.error("a table of conductivities must hold at least one; instead it is empty")
    return table


def _csv_entries(cursor: Cursor, text: str) -> Iterator[_Entry]:
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    try:
        rows = [(n, [cell.strip() for cell in next(csv.reader([line]))]) for n, line in lines]
    except csv.Error as error:
        raise cursor.error(f"a table must be valid CSV; instead: {error}") from error
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if sorted(header) not in (["tag", "value"], ["name", "tag", "value"]):
        raise cursor.error(
            f"the first line must name the columns, tag,value or tag,name,value; instead it is {','.join(header)!r}"
        )
    for number, cells in rows[1:]:
        where = f"line {number}"
        if len(cells) != len(header):
            yield where, None, None, f"{len(cells)} columns instead of {len(header)}"
            continue
        row = dict(zip(header, cells, strict=True))
        yield where, row["tag"], row.get("name") or None, row["value"]


def _toml_entries(cursor: Cursor, text: str) -> Iterator[_Entry]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: numbers of thousands of digits and arrays nested as deep fail in Python itself.
        raise cursor.error(f"a table must be valid TOML; instead: {error}") from error
    for key, entry in document.items():
        if not isinstance(entry, dict):
            yield key, key, None, entry
        elif "value" in entry and set(entry) <= {"name", "value"}:
            yield key, key, entry.get("name"), entry["value"]
        else:
            yield key, None, None, f"the keys {', '.join(entry) or 'none'} instead of value and perhaps name"


def _add(table: ConductivityTable, tag: Any, name: Any, value: Any) -> None:
    """Puts one entry into the table, or raises InputError."""
    if tag is None:
        raise InputError(f"an entry must be whole; instead it has {value}")
    number = tissue_tag(tag)
    if not 0 < number <= _LARGEST_TAG:
        raise InputError(f"tag must be 1 to {_LARGEST_TAG}; instead received {number}")
    if number in table.values:
        raise InputError(f"tag {number} must stand once; instead it stands again")
    if isinstance(value, bool):
        raise InputError(f"value must be a number; instead received {value}")
    found = conductivity("value", number, value)
    if name is not None:
        _check_name(table, number, name)
        table.names[number] = str(name)
    table.values[number] = found


def _check_name(table: ConductivityTable, tag: int, name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name must be a word; instead received {name!r}")
    if name.strip().isdigit():
        raise InputError(f"name must not be a number, which would be taken for a tag; instead received {name!r}")
    taken = {_plain(tissue.name): number for number, tissue in TISSUES.items()}
    taken |= {_plain(other): number for number, other in table.names.items()}
    if taken.get(_plain(name), tag) != tag:
        raise InputError(f"name {name!r} must be that of tag {taken[_plain(name)]}; instead it is given to tag {tag}")


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "-").replace("_", "-")
