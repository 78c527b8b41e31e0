"""The arrays of a study's Zarr store: what there is, in which shape, and the empty store they make."""

import warnings
from dataclasses import astuple, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.campaign.study import Chunk, Study
from efield.campaign.survey import Survey
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.raw import COLUMNS
from efield.sweeping.engines import columns
from efield.sweeping.grid import COORDINATES
from efield.sweeping.sweep import HEAD
from efield.targeting.targets import Target

#: The dimensions of cells, as the arrays of the store and the columns of the tables are called.
CELL: Final = (HEAD, "target", "coil")


@dataclass(frozen=True)
class Variable:
    """An array of the store that work fills: per chunk of placements, or once per cell.

    Parameters
    ----------
    path : str
        Its place in the store.
    dims : tuple of str
    shape, chunks : tuple of int
    units, meaning : str
    dtype : str
    cell : tuple of int, optional
        The (head, target) that it belongs to, if not to all.
    """

    path: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    units: str
    meaning: str
    dtype: str = "float64"
    cell: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[-1]

    def of(self, chunk: Chunk) -> bool:
        """Whether a chunk writes to it."""
        cell = chunk.cell
        return self.cell in (None, (cell.head, cell.target)) and ("placement" in self.dims or chunk.number == 0)

    def index(self, chunk: Chunk) -> tuple[int | slice, ...]:
        """Where the values of a chunk go."""
        at = _numbers(chunk) | {"placement": slice(chunk.first, chunk.first + chunk.count)}
        return tuple(at.get(dim, slice(None)) for dim in self.dims)

    @property
    def placement_axis(self) -> int | None:
        """The axis of placements in what a chunk gives; None for what is of the whole cell."""
        own = [dim for dim in self.dims if dim not in CELL]
        return own.index("placement") if "placement" in own else None

    def shape_of(self, chunk: Chunk) -> tuple[int, ...]:
        """Shape of what a chunk gives."""
        pairs = zip(self.dims, self.shape, strict=True)
        return tuple(chunk.count if dim == "placement" else size for dim, size in pairs if dim not in CELL)

    def file(self, chunk: Chunk) -> str:
        """Path of the one file, inside the store, that holds the values of a chunk."""
        numbers = _numbers(chunk) | {"placement": chunk.number}
        return "/".join([self.path, "c", *(str(numbers.get(dim, 0)) for dim in self.dims)])

    @property
    def nbytes(self) -> int:
        """Uncompressed bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def _numbers(chunk: Chunk) -> dict[str, Any]:
    """Of the head, the target and the coil, by dimension."""
    return dict(zip(CELL, astuple(chunk.cell), strict=True))


@dataclass(frozen=True)
class Fixed:
    """An array whose values are known before any work: coordinates, hashes, places of targets."""

    name: str
    dims: tuple[str, ...]
    values: NDArray[Any] | list[str]
    notes: dict[str, str] = field(default_factory=dict)


def variables(study: Study, facts: Survey) -> tuple[Variable, ...]:
    """All arrays that work fills."""
    cells = (len(study.heads), len(study.targets), len(study.coils))
    drives, count, chunk = len(study.drive.values), study.count, min(study.chunk, study.count)
    found = []
    meanings = columns(study.engine.kind, Target.sphere(center_mm=(0, 0, 0), direction=(0, 0, 1)))
    for measure in study.measures:
        units, meaning = meanings[measure].unit, meanings[measure].meaning
        dims = (*CELL, study.drive.dimension, "placement")
        found.append(Variable(measure, dims, (*cells, drives, count), (1, 1, 1, drives, chunk), units, meaning))
    meaning = "pose, coil to head: columns x, y, z, center"
    axes = (*CELL, "placement", "row", "column")
    found.append(Variable("pose", axes, (*cells, count, 4, 4), (1, 1, 1, chunk, 4, 4), "mm", meaning))
    if study.grid is not None:
        units, meaning = COORDINATES["lifted_mm"]
        shape, parts = (*cells, count), (1, 1, 1, chunk)
        found.append(Variable("lifted_mm", (*CELL, "placement"), shape, parts, units, meaning))
        plane = "plane of the grid's positions: medial, anterior, outward, origin"
        found.append(Variable("plane", (*CELL, "row", "column"), (*cells, 4, 4), (1, 1, 1, 4, 4), "mm", plane))
    if study.engine.kind == "reduced":
        meaning = "largest relative error of E at the held-out placements of the cell's basis"
        found.append(Variable("certified_error", CELL, cells, (1, 1, 1), "1", meaning))
    if study.fields:
        found += _field_variables(study, facts)
    return tuple(found)


def _field_variables(study: Study, facts: Survey) -> list[Variable]:
    """E per head and target: their regions differ in size. At 1 A/us, whatever the drives."""
    coils, count, chunk = len(study.coils), study.count, min(study.chunk, study.count)
    found = []
    for h, head in enumerate(study.heads):
        for t, target in enumerate(study.targets):
            tets = facts.heads[h].targets[t].tets
            where = f"fields/{head.label}/{target.label}"
            dims, shape = ("coil", "placement", "tet", "axis"), (coils, count, tets, 3)
            meaning = "electric field per tetrahedron at 1 A/us, in head axes"
            parts = (1, chunk, tets, 3)
            found.append(Variable(f"{where}/e", dims, shape, parts, "V/m", meaning, "float32", (h, t)))
            meaning = "number of the tetrahedron in the head, as found for each coil"
            found.append(
                Variable(f"{where}/tets", ("coil", "tet"), (coils, tets), (1, tets), "1", meaning, "int64", (h, t))
            )
    return found


def fixed(study: Study, facts: Survey) -> tuple[Fixed, ...]:
    """All arrays whose values are known beforehand."""
    found = [
        Fixed(HEAD, (HEAD,), [head.label for head in study.heads]),
        Fixed("target", ("target",), [target.label for target in study.targets]),
        Fixed("coil", ("coil",), [coil.label for coil in study.coils]),
        Fixed("head_hash", (HEAD,), [head.digest for head in facts.heads]),
        Fixed("conductivity_hash", (HEAD,), [head.conductivity for head in facts.heads]),
        Fixed("coil_hash", ("coil",), list(facts.coils)),
        Fixed("axis", ("axis",), ["x", "y", "z"]),
    ]
    places = np.array([[target.center_mm for target in head.targets] for head in facts.heads])
    found.append(Fixed("target_center_mm", (HEAD, "target", "axis"), places, {"units": "mm"}))
    radii = np.array([[target.radius_mm for target in head.targets] for head in facts.heads])
    found.append(Fixed("target_radius_mm", (HEAD, "target"), radii, {"units": "mm"}))
    none = (np.nan,) * 3
    spreads = np.array([[target.spread_mm or none for target in head.targets] for head in facts.heads])
    found.append(Fixed("target_spread_mm", (HEAD, "target", "axis"), spreads, {"units": "mm"}))
    ways = np.array([[target.direction or none for target in head.targets] for head in facts.heads])
    found.append(Fixed("target_direction", (HEAD, "target", "axis"), ways, {"units": "1"}))
    return (*found, *_drives(study), *_placement_coordinates(study))


def _drives(study: Study) -> list[Fixed]:
    values = np.array(study.drive.values)
    rate = {"units": "A/s", "long_name": "rate of change of the coil current"}
    if study.drive.dimension == "didt":
        return [Fixed("didt", ("didt",), values, rate)]
    rates = np.array([study.rates(coil.load(study.base)) for coil in study.coils])
    if study.drive.recorded:
        times = {"units": "1", "long_name": "multiple of the recorded intensity"}
        dims = ("coil", "recorded", "placement")
        return [Fixed("recorded", ("recorded",), values, times), Fixed("didt", dims, rates, rate)]
    percent = {"units": "%", "long_name": f"of the maximum output of {study.drive.stimulator or 'the coil'}"}
    name = study.drive.dimension
    return [Fixed(name, (name,), values, percent), Fixed("didt", ("coil", name), rates, rate)]


def _placement_coordinates(study: Study) -> list[Fixed]:
    """What is the same for the placements of every cell."""
    if study.recording is not None:
        return _recorded(study.recording)
    if study.grid is None:
        return []
    return [
        Fixed(
            name, ("placement",), np.asarray(values), {"units": COORDINATES[name][0], "long_name": COORDINATES[name][1]}
        )
        for name, values in study.grid.coordinates().items()
    ]


#: What is known of recorded pulses: names, units and meanings.
RECORDED: Final = COLUMNS | {"pose_name": ("", "name of the pulse in its file")}


def _recorded(table: PoseTable) -> list[Fixed]:
    """What a file knows of each pulse, but for what drives it."""
    known: dict[str, Any] = {name: values for name, values in table.columns.items() if name != "didt"}
    known |= {"pose_name": list(table.names)}
    return [
        Fixed(name, ("placement",), values, {"units": RECORDED[name][0], "long_name": RECORDED[name][1]})
        for name, values in known.items()
    ]


def empty(study: Study, facts: Survey, attributes: dict[str, Any]) -> dict[str, bytes]:
    """The files of the store without results, by name: the same bytes every time."""
    import zarr
    from zarr.codecs import ZstdCodec
    from zarr.storage import MemoryStore

    # Zarr writes a file in a thread of its own each time: slower than all else here.
    files: dict[str, Any] = {}
    store = MemoryStore(files)

    # With checksums, so that readers who do not ask us meet an error where a bit flipped, and not another number.
    packed = ZstdCodec(level=0, checksum=True)
    given = fixed(study, facts)
    # Arrays over other dimensions than their name are coordinates only if xarray is told so.
    inner = " ".join(sorted(one.name for one in given if one.dims != (one.name,)))
    root = zarr.create_group(store, zarr_format=3, attributes=attributes | {"coordinates": inner})
    for one in given:
        texts = isinstance(one.values, list)
        shape = (len(one.values),) if isinstance(one.values, list) else one.values.shape
        dtype: Any = str if texts else one.values.dtype  # type: ignore[union-attr]
        array = root.create_array(
            one.name,
            shape=shape,
            chunks=shape,
            dtype=dtype,
            compressors=packed,
            dimension_names=one.dims,
            attributes=one.notes,
            config={"write_empty_chunks": True},
        )
        array[...] = np.array(one.values, dtype=object) if texts else one.values
    for variable in variables(study, facts):
        root.create_array(
            variable.path,
            shape=variable.shape,
            chunks=variable.chunks,
            dtype=variable.dtype,
            compressors=packed,
            dimension_names=variable.dims,
            attributes={"units": variable.units, "long_name": variable.meaning},
            fill_value=np.nan if np.dtype(variable.dtype).kind == "f" else -1,
        )
    with warnings.catch_warnings():
        # Zarr says that consolidated metadata are not yet in its specification; readers that do not know them do not
        # need them.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(store, zarr_format=3)
    return {name: data.to_bytes() for name, data in files.items()}
