"""`sweep`: measures of many placements at a target, for one or several heads, coils and rates of change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.coils.polarity import signed
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress, Tell, told
from efield.sweeping.engines import (
    UNIT_DIDT,
    Engine,
    Table,
    at_rate,
    columns,
    head_of,
    measure,
    provenance,
    simulator_of,
)
from efield.sweeping.grid import COORDINATES, PlacementGrid, Placements
from efield.sweeping.mesh_errors import best_placement, errors_of
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.targets import Target

if TYPE_CHECKING:
    import xarray

Poses = Iterable[Pose] | NDArray[np.float64] | Placements | PlacementGrid | str | PathLike[str]

#: The dimension of heads; `head` would hide a method of a Dataset.
HEAD: Final = "head_name"

_FIELD_NOTE: Final = {"units": "V/m", "long_name": "electric field E per tetrahedron (not recovered), in head axes"}
_ERROR: Final = "_mesh_error"
_POSE: Final = ("mm", "pose, coil to head: columns x, y, z, center")
_PLANE: Final = ("mm", "plane of the grid's positions: medial, anterior, outward, origin")


def sweep(
    engine: Engine | Mapping[str, Engine],
    coil: CoilLike | Sequence[CoilLike] | Mapping[str, CoilLike],
    poses: Poses,
    *,
    target: Place | Mapping[str, Place],
    didt: float | Sequence[float] = 1e6,
    current: str = "normal",
    fields: bool | Place = False,
    exact: bool | None = None,
    allow_collision: bool = False,
    errors: bool = True,
    progress: Progress = None,
) -> "xarray.Dataset":
    """What each of many placements does at a target.

    Parameters
    ----------
    engine : Simulator, ReducedBasis or Reciprocal, or mapping of head names to them
        Full solves; a basis, which refuses placements it is not certified for; or adjoint solves, which give means
        only. A mapping gives the dimension `head_name`.
    coil : Coil, sequence of Coil, or mapping of labels to Coil; names and files stand for coils
        That of the basis, if one is given. A sequence or a mapping gives the dimension `coil`; coils with the same
        name, as from some files, need the labels of a mapping.
    poses : iterable of Pose, (p, 4, 4) array, Placements, PlacementGrid, or a file of poses
        A file as `read_poses` takes it. A grid is laid on each head, for each coil.
    target : Target, str or (3,) array_like, or mapping of head names to them
        A name such as ``"m1-hand-left"`` or ``"C3"``, or a point in mm.
    didt : float or sequence of float, A/s
        A sequence gives the dimension `didt`; nothing is solved twice for it.
    current : {"normal", "reverse"}
        Direction of the coils' current. A grid is laid by the current that is induced: "reverse" turns the handles,
        and the field stays; of poses that are given "reverse" turns the field.
    fields : bool, Target, str or (3,) array_like
        True: also E on the target's tetrahedra, as `e` over (placement, tet, axis). A target: on that one's.
    exact : bool, optional
        Sum over the coil's wires for each placement; by default whichever is quicker, see
        `efield.sweeping.engines.measure`. The attribute `route` says what was done.
    allow_collision : bool
        True computes poses at which nobody holds a coil, see `Simulator.solve`. Placements of a grid are clear.
    errors : bool
        Estimate what the mesh does to each measure, at the best placement of each head and coil: one more solve, and a
        half. False leaves it out.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of placements.

    Returns
    -------
    xarray.Dataset
        The measures over `placement` (and `head_name`, `coil`, `didt`), the poses as `pose`, the coordinates of a grid,
        and where everything comes from in `attrs`. `along_mesh_error` and the like are estimates of how far the mesh
        leads each measure astray at the placement `mesh_error_placement`, the best by `along` (without it by
        `mean_magnitude`, then `mean_vector`): of other placements about the same share (docs/accuracy.md). Units are in
        each variable's `attrs["units"]`.

    Raises
    ------
    InputError
        If there are no poses, the engine was made for another coil or target, a pose lies outside a basis, or names
        are not different.
    CollisionError
        If nobody holds a coil at a pose that is given.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, sim = ef.load_coil("d70"), ef.Simulator(head)
    >>> poses = [ef.place_coil(head, "C3", angle, coil=coil) for angle in (0, 45, 90, 135)]
    >>> table = ef.sweep(sim, coil, poses, target="C3", didt=1e6)
    >>> int(table.along.values.argmax())
    1
    """
    rates = np.array([signed(rate, current) for rate in _rates(didt)])
    cells = list(_cells(engine, coil, poses, target, fields, current))
    total = sum(len(cell.placements) for cell in cells)
    notes, tables, done = [], [], 0
    options: dict[str, Any] = {"exact": exact, "allow_collision": allow_collision}
    with told(progress, "sweep", "placements", total) as tell:
        for cell in cells:
            asked = (cell.coil, cell.placements, cell.target)
            count = len(cell.placements)
            notes.append(provenance(cell.engine, cell.coil, cell.target, placements=count, exact=exact))
            step = _shifted(tell, done, total)
            tables.append(measure(cell.engine, *asked, region=cell.region, **options, progress=step))
            done += count
    shape = _Shape.of(engine, coil, didt)
    found = _dataset(shape, cells, tables, [note | {"current": current} for note in notes], rates)
    return found.assign(_errors(shape, cells, tables, rates)) if checks.flag("errors", errors) else found


@dataclass(frozen=True)
class _Cell:
    """One head and one coil of a sweep."""

    engine: Engine
    coil: Coil
    placements: Placements
    target: Target
    region: Target | None


@dataclass(frozen=True)
class _Shape:
    """The dimensions that go before `placement`, and their labels."""

    dims: tuple[str, ...]
    labels: dict[str, list[str]]
    several_rates: bool

    @classmethod
    def of(cls, engine: object, coil: object, didt: object) -> "_Shape":
        labels: dict[str, list[str]] = {}
        if isinstance(engine, Mapping):
            labels[HEAD] = [str(name) for name in engine]
        if not isinstance(coil, Coil | str | PathLike):
            labels["coil"] = list(_coils(coil)[0])
        return cls(tuple(labels), labels, np.ndim(didt) > 0)  # type: ignore[arg-type]

    def stack(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """(head, coil, ...) of one array per cell."""
        lengths = [len(names) for names in self.labels.values()]
        return np.stack(parts).reshape((*lengths, *parts[0].shape))


def _cells(engine: Any, coil: Any, poses: Poses, target: Any, fields: bool | Place, current: str) -> Iterator[_Cell]:
    """Heads and coils, the coil running fastest."""
    engines: dict[Any, Engine] = dict(engine) if isinstance(engine, Mapping) else {None: engine}
    for one in engines.values():
        simulator_of(one)
    names, coils = _coils(coil)
    if not engines or not coils or len(set(names)) < len(names):
        raise InputError(
            f"sweep needs at least one head, and coils with different names; instead received {list(names)}: give "
            "coils with the same name as a mapping of labels to coils"
        )
    if fields is not False and len(engines) > 1:
        raise InputError("fields must be asked of one head at a time: each head has tetrahedra of its own")
    if not isinstance(poses, PlacementGrid):
        poses = Placements.of(poses)
    for name, one in engines.items():
        place = _target_of(one, name, target)
        region = _region_of(one, place, fields)
        for each in coils:
            laid = poses if isinstance(poses, Placements) else poses.on(head_of(one), place, each, current=current)
            yield _Cell(one, each, laid, place, region)


def _coils(coil: Any) -> tuple[tuple[str, ...], list[Coil]]:
    """Labels and coils."""
    coils = dict(coil) if isinstance(coil, Mapping) else None
    alone = isinstance(coil, Coil | str | PathLike)
    listed = [the_coil(one) for one in (coils.values() if coils is not None else [coil] if alone else coil)]
    return tuple(map(str, coils)) if coils is not None else tuple(one.name for one in listed), listed


def _target_of(engine: Engine, name: object, target: object) -> Target:
    if isinstance(target, Mapping):
        if name not in target:
            raise InputError(f"target must have an entry for every head; instead it has none for {name!r}")
        target = target[name]
    return target_of(head_of(engine), target)


def _region_of(engine: Engine, target: Target, fields: object) -> Target | None:
    """Where E itself is wanted."""
    if isinstance(fields, (bool, np.bool_)):
        return target if fields else None
    return target_of(head_of(engine), fields, "fields")


def _rates(didt: float | Sequence[float]) -> NDArray[np.float64]:
    rates = np.array([checks.rate("didt", rate) for rate in np.atleast_1d(np.asarray(didt, dtype=object))])
    if not len(rates):
        raise InputError("didt must hold at least one rate; instead it is empty")
    return rates


def _errors(shape: _Shape, cells: list[_Cell], tables: list[Table], rates: NDArray[np.float64]) -> dict[str, Any]:
    """Variables of what the mesh does to each measure at the best placement of each cell."""
    measured = columns(cells[0].engine, cells[0].target)
    placements, errors = [], []
    for cell, table in zip(cells, tables, strict=True):
        placements.append(best := best_placement(at_rate(table, rates[0], measured)))
        solved = simulator_of(cell.engine).solve(cell.coil, cell.placements.poses[best], allow_collision=True)
        errors.append([errors_of(solved * (rate / UNIT_DIDT), cell.target, measured) for rate in rates])
    which = ("1", f"number of the best placement, of which the variables ...{_ERROR} are")
    found: dict[str, Any] = {
        "mesh_error_placement": (shape.dims, shape.stack([*map(np.asarray, placements)]), _meaning(which))
    }
    dims = (*shape.dims, *(("didt",) if shape.several_rates else ()))
    for name, one in measured.items():
        values = [np.array([scaled[name] for scaled in each]) for each in errors]
        note = (one.unit, f"error of {name} by the mesh, estimated at the placement mesh_error_placement")
        values = values if shape.several_rates else [value[0] for value in values]
        found[name + _ERROR] = (dims, shape.stack(values), _meaning(note))
    return found


def _shifted(tell: Tell, before: int, total: int) -> Tell:
    return lambda done, _, note: tell(before + done, total, note)


def _dataset(
    shape: _Shape,
    cells: list[_Cell],
    tables: list[Table],
    notes: list[dict[str, Any]],
    rates: NDArray[np.float64],
) -> "xarray.Dataset":
    import xarray

    meanings = columns(cells[0].engine, cells[0].target)
    variables: dict[str, Any] = {}
    for name in tables[0]:
        inner = ("placement", "tet", "axis") if name == "e" else ("placement",)
        at_each = [np.stack([at_rate(table, rate, [name])[name] for rate in rates]) for table in tables]
        dims = (*shape.dims, *(("didt",) if shape.several_rates else ()), *inner)
        values = shape.stack(at_each if shape.several_rates else [array[0] for array in at_each])
        variables[name] = (dims, values, _FIELD_NOTE if name == "e" else meanings[name].notes)
    coordinates, attributes = _notes(shape, notes)
    variables |= _places(shape, cells, coordinates)
    if shape.several_rates:
        coordinates["didt"] = ("didt", rates, {"units": "A/s", "long_name": "rate of change of the coil current"})
    else:
        attributes |= {"didt": float(rates[0]), "didt_units": "A/s"}
    if "e" in variables and cells[0].region is not None:
        coordinates["tet"] = ("tet", cells[0].region.tets(head_of(cells[0].engine)))
        coordinates["axis"] = ("axis", ["x", "y", "z"])
    return xarray.Dataset(variables, coordinates | shape.labels, attributes)


def _places(shape: _Shape, cells: list[_Cell], coordinates: dict[str, Any]) -> dict[str, Any]:
    """Poses, and the plane of a grid; what is known of each placement is added to the coordinates."""
    first = cells[0].placements
    shared = all(cell.placements is first for cell in cells)
    for name in first.coordinates:
        parts = [cell.placements.coordinates[name] for cell in cells]
        same = all(np.array_equal(parts[0], part) for part in parts)
        dims = ("placement",) if same else (*shape.dims, "placement")
        note = _meaning(COORDINATES.get(name, ("", name)))
        coordinates[name] = (dims, parts[0] if same else shape.stack(parts), note)
    found: dict[str, Any] = {}
    dims = () if shared else shape.dims
    matrices = [cell.placements.matrices for cell in cells]
    values = matrices[0] if shared else shape.stack(matrices)
    found["pose"] = ((*dims, "placement", "row", "column"), values, _meaning(_POSE))
    planes = [cell.placements.plane for cell in cells if cell.placements.plane is not None]
    if planes:
        found["plane"] = ((*dims, "row", "column"), planes[0] if shared else shape.stack(planes), _meaning(_PLANE))
    return found


def _notes(shape: _Shape, notes: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is the same for all heads and coils as attributes, the rest as coordinates over them."""
    coordinates: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name in dict.fromkeys(key for note in notes for key in note):
        values = [note.get(name, "") for note in notes]
        if all(value == values[0] for value in values):
            attributes[name] = values[0]
        elif name != "coil_name":
            texts = [str(value) if isinstance(value, list) else value for value in values]
            label = f"{name}_hash" if name in ("head", "coil") else name
            coordinates[label] = (shape.dims, shape.stack([np.asarray(text) for text in texts]))
    return coordinates, attributes


def _meaning(meaning: tuple[str, str]) -> dict[str, str]:
    return {"units": meaning[0], "long_name": meaning[1]}
