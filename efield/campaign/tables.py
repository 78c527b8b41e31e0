"""The results as one flat table: a row per placement, cell and drive, in Parquet and CSV with the same columns.

``table.json`` says of each column what it is and in which units, in the manner of BIDS.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any, Final

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from efield.campaign import disk
from efield.campaign.files import COMPLETE, TABLES
from efield.campaign.layout import CELL, RECORDED, fixed
from efield.campaign.store import Store
from efield.io import sealed
from efield.io.atomic import replacing
from efield.io.sealed import SealError
from efield.sweeping.grid import COORDINATES
from efield.sweeping.sweep import HEAD

#: Of the note that the store is complete.
_FORMAT: Final = 2

#: Rows and columns of the pose's upper three rows, which follow one another; the fourth is 0 0 0 1.
POSE: Final = tuple(f"pose_{row}{column}" for row in "123" for column in "1234")

#: What the dimensions of cells hold.
_KINDS: Final = ("head", "target", "coil")

#: Rows that are written together.
_ROWS: Final = 1 << 16


def write_tables(store: Store) -> None:
    """Write ``table.parquet``, ``table.csv`` and the note that the store is complete; all chunks must be finished.

    The rows are in the order of the cells, drives and placements; the same results give the same bytes.
    """
    parquet_path, csv_path, json_path = (store.folder / name for name in TABLES)
    with disk.room(store.folder):
        (store.folder / COMPLETE).unlink(missing_ok=True)
        schema = _schema(store)
        options = pyarrow.csv.WriteOptions(quoting_style="needed")
        with (
            replacing(parquet_path, lasting=True) as parquet,
            replacing(csv_path, lasting=True) as text,
            pyarrow.parquet.ParquetWriter(parquet, schema, compression="zstd") as binary,
            pyarrow.csv.CSVWriter(text, schema, write_options=options) as lines,
        ):
            for batch in _batches(store, schema):
                binary.write_batch(batch)
                lines.write_batch(batch)
        with replacing(json_path, lasting=True) as words:
            words.write_text(json.dumps(_meanings(schema), indent=2) + "\n", encoding="utf-8")
        hashes = {name: sealed.digest_of(store.folder / name) for name in TABLES}
        sealed.write_note(store.folder / COMPLETE, hashes, version=_FORMAT, lasting=True)


def tables_stand(store: Store) -> bool:
    """Whether the tables are there and as they were written."""
    try:
        hashes = sealed.read_note(store.folder / COMPLETE, version=_FORMAT, remedy="")
    except SealError:
        return False
    return all(sealed.digest_of(store.folder / name) == hashes.get(name) for name in TABLES)


def column_names(store: Store) -> list[str]:
    """The columns of the tables, in order."""
    return list(_schema(store).names)


def _schema(store: Store) -> pyarrow.Schema:
    """All columns, with units and meanings."""
    study = store.study
    label, number = pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), pyarrow.float64()
    fields = [_field(name, label, ("", f"label of the {kind}")) for name, kind in zip(CELL, _KINDS, strict=True)]
    if study.drive.percent:
        fields.append(_field(study.drive.dimension, number, ("%", "of the stimulator's maximum output")))
    if study.drive.recorded:
        fields.append(_field(study.drive.dimension, number, ("1", "multiple of the recorded intensity")))
    fields.append(_field("didt", number, ("A/s", "rate of change of the coil current")))
    fields.append(_field("placement", pyarrow.int64(), ("1", "number of the placement in its cell")))
    meanings = COORDINATES | RECORDED
    fields += [_field(name, _type(values), meanings[name]) for name, values in _known_columns(store).items()]
    if study.grid is not None:
        fields.append(_field("lifted_mm", number, COORDINATES["lifted_mm"]))
    fields += [_field(name, number, _pose_note(*name[-2:])) for name in POSE]
    known = {variable.name: (variable.units, variable.meaning) for variable in store.variables}
    fields += [_field(name, number, known[name]) for name in study.measures]
    return pyarrow.schema(fields, metadata=store.notes)


def _field(name: str, kind: Any, note: tuple[str, str]) -> Any:
    return pyarrow.field(name, kind, metadata={"units": note[0], "meaning": note[1]})


def _pose_note(row: str, column: str) -> tuple[str, str]:
    return "mm" if column == "4" else "1", f"pose, coil to head: row {row}, column {column}"


def _meanings(schema: pyarrow.Schema) -> dict[str, dict[str, str]]:
    """What each column is, without the units of what has none."""
    found = {}
    for field in schema:
        units, meaning = (field.metadata[key].decode() for key in (b"units", b"meaning"))
        found[field.name] = {"Description": meaning} | ({"Units": units} if units not in ("", "1") else {})
    return found


def _type(values: Any) -> Any:
    if isinstance(values, list):
        return pyarrow.string()
    return pyarrow.int64() if np.issubdtype(values.dtype, np.integer) else pyarrow.float64()


def _known_columns(store: Store) -> dict[str, Any]:
    """What is known of each placement beforehand: its place in the grid, or what was recorded of it."""
    return {one.name: one.values for one in fixed(store.study, store.facts) if one.dims == ("placement",)}


def _batches(store: Store, schema: pyarrow.Schema) -> Iterator["pyarrow.RecordBatch"]:
    """The rows, cell by cell, drive by drive, a limited number at a time."""
    import zarr

    study, known = store.study, _known_columns(store)
    root: Any = zarr.open_group(str(store.zarr), mode="r", zarr_format=3)
    lifted = [] if study.grid is None else ["lifted_mm"]
    arrays = {name: root[name] for name in ("pose", *lifted, *study.measures)}  # opened once, not for each batch
    rates = [study.rates(coil.load(study.base)) for coil in study.coils]
    blocks = range(0, study.count, _ROWS)

    @lru_cache(maxsize=len(arrays))  # for the other drives, which lie in the same files
    def stored(name: str, at: tuple[int, ...], first: int) -> Any:
        inner = (slice(None),) if name in study.measures else ()
        return arrays[name][(*at, *inner, slice(first, first + _ROWS))]

    for cell, drive, first in product(study.cells, range(len(study.drive.values)), blocks):
        rows, at = slice(first, min(first + _ROWS, study.count)), (cell.head, cell.target, cell.coil)
        numbers = np.arange(rows.start, rows.stop)
        columns: dict[str, Any] = {
            HEAD: _repeated(study.heads[cell.head].label, len(numbers)),
            "target": _repeated(study.targets[cell.target].label, len(numbers)),
            "coil": _repeated(study.coils[cell.coil].label, len(numbers)),
            study.drive.dimension: np.full(len(numbers), study.drive.values[drive]),
            "didt": np.broadcast_to(rates[cell.coil][drive], study.count)[rows],
            "placement": numbers,
        }
        columns |= {name: values[rows] for name, values in known.items()}
        poses = stored("pose", at, first)[:, :3].reshape(-1, len(POSE))
        columns |= {name: np.ascontiguousarray(poses[:, k]) for k, name in enumerate(POSE)}
        columns |= {name: stored(name, at, first) for name in lifted}
        columns |= {name: stored(name, at, first)[drive] for name in study.measures}
        yield pyarrow.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _repeated(text: str, count: int) -> Any:
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(count, np.int32)), pyarrow.array([text]))
