"""The results as one flat table: a row per placement, cell and drive, in Parquet and CSV."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from efield.campaign import disk
from efield.campaign.store import COMPLETE, TABLES, Store
from efield.io import sealed
from efield.io.atomic import replacing
from efield.io.sealed import SealError

if TYPE_CHECKING:
    import pyarrow

#: Of the note that the store is complete.
_FORMAT: Final = 1

_CENTER: Final = ("x_mm", "y_mm", "z_mm")

#: Rows that are written together.
_ROWS: Final = 1 << 16


def write_tables(store: Store) -> None:
    """Write ``table.parquet``, ``table.csv`` and the note that the store is complete; all chunks must be finished.

    The rows are in the order of the cells, drives and placements; the same results give the same bytes.
    """
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    places = [store.folder / name for name in TABLES]
    with disk.room(store.folder):
        (store.folder / COMPLETE).unlink(missing_ok=True)
        schema = _schema(store)
        plain = pyarrow.schema([(_csv_name(field), field.type) for field in schema])
        options = pyarrow.csv.WriteOptions(quoting_style="needed")
        with (
            replacing(places[0], lasting=True) as parquet,
            replacing(places[1], lasting=True) as text,
            pyarrow.parquet.ParquetWriter(parquet, schema, compression="zstd") as binary,
            pyarrow.csv.CSVWriter(text, plain, write_options=options) as lines,
        ):
            for batch in _batches(store, schema):
                binary.write_batch(batch)
                lines.write_batch(batch.rename_columns(plain.names))
        hashes = {place.name: sealed.digest_of(place) for place in places}
        sealed.write_note(store.folder / COMPLETE, hashes, version=_FORMAT, lasting=True)


def tables_stand(store: Store) -> bool:
    """Whether the tables are there and as they were written."""
    try:
        hashes = sealed.read_note(store.folder / COMPLETE, version=_FORMAT, remedy="")
    except SealError:
        return False
    return all(sealed.digest_of(store.folder / name) == hashes.get(name) for name in TABLES)


def _schema(store: Store) -> "pyarrow.Schema":
    import pyarrow

    study = store.study
    label, number = pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), pyarrow.float64()
    fields = [pyarrow.field(name, label) for name in ("head", "target", "coil")]
    if study.drive.percent:
        fields.append(_field(study.drive.dimension, number, "%"))
    fields += [_field("didt", number, "A/s"), pyarrow.field("placement", pyarrow.int64())]
    if study.grid is not None:
        notes = {one.name: one.notes for one in _coordinates(store)}
        fields += [_field(name, _type(values), notes[name]["units"]) for name, values in _grid_columns(store).items()]
        fields.append(_field("lifted_mm", number, "mm"))
    fields += [_field(name, number, "mm") for name in _CENTER]
    units = {variable.name: variable.units for variable in store.variables}
    fields += [_field(name, number, units[name]) for name in study.measures]
    return pyarrow.schema(fields, metadata=store.notes)


def _field(name: str, kind: Any, units: str) -> Any:
    import pyarrow

    return pyarrow.field(name, kind, metadata={"units": units})


def _type(values: Any) -> Any:
    import pyarrow

    return pyarrow.int64() if np.issubdtype(values.dtype, np.integer) else pyarrow.float64()


def _csv_name(field: Any) -> str:
    """A name with its units, unless it ends with them."""
    units = (field.metadata or {}).get(b"units", b"1").decode()
    ending = units.replace("%", "percent")
    return field.name if units == "1" or field.name.endswith(f"_{ending}") else f"{field.name} ({units})"


def _coordinates(store: Store) -> list[Any]:
    from efield.campaign.layout import fixed

    return [one for one in fixed(store.study, store.facts) if one.dims == ("placement",)]


def _grid_columns(store: Store) -> dict[str, Any]:
    return {one.name: one.values for one in _coordinates(store)}


def _batches(store: Store, schema: "pyarrow.Schema") -> Iterator["pyarrow.RecordBatch"]:
    """The rows, cell by cell, drive by drive, a limited number at a time."""
    import pyarrow
    import zarr

    study, grid = store.study, _grid_columns(store)
    root: Any = zarr.open_group(str(store.zarr), mode="r", zarr_format=3)
    rates = [study.drive.didt(coil.load(study.base)) for coil in study.coils]
    blocks = range(0, study.count, _ROWS)
    for cell, drive, first in product(study.cells, range(len(study.drive.values)), blocks):
        rows, at = slice(first, min(first + _ROWS, study.count)), (cell.head, cell.target, cell.coil)
        numbers = np.arange(rows.start, rows.stop)
        columns: dict[str, Any] = {
            "head": _repeated(study.heads[cell.head].label, len(numbers)),
            "target": _repeated(study.targets[cell.target].label, len(numbers)),
            "coil": _repeated(study.coils[cell.coil].label, len(numbers)),
            study.drive.dimension: np.full(len(numbers), study.drive.values[drive]),
            "didt": np.full(len(numbers), rates[cell.coil][drive]),
            "placement": numbers,
        }
        columns |= {name: values[rows] for name, values in grid.items()}
        centers = root["matrix"][(*at, rows, slice(0, 3), 3)]
        columns |= {name: centers[:, k] for k, name in enumerate(_CENTER)}
        if grid:
            columns["lifted_mm"] = root["lifted_mm"][(*at, rows)]
        columns |= {name: root[name][(*at, drive, rows)] for name in study.measures}
        yield pyarrow.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _repeated(text: str, count: int) -> Any:
    import pyarrow

    return pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(count, np.int32)), pyarrow.array([text]))
