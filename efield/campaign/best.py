"""The best placements of a store."""

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final

import numpy as np

from efield.campaign.layout import CELL
from efield.campaign.store import Store
from efield.campaign.study import Cell, Study
from efield.ground import checks
from efield.ground.errors import InputError
from efield.sweeping.mesh_errors import usual_measure as preferred
from efield.sweeping.sweep import HEAD
from efield.targeting.measures import sense, turns, unknown

#: What tells the placements of a grid apart.
_OF_A_TWIN: Final = ("position", "distance_mm", "angle_deg", "tilt_x_deg", "tilt_y_deg")

#: Twins are the same within this share: casings that are not symmetric lift a coil and its twin by different amounts.
_SAME: Final = 0.01


def dataset(store: Store) -> Any:
    """The results as an `xarray.Dataset`, opened lazily; what is not finished is nan.

    Raises
    ------
    InputError
        If the Zarr store cannot be read.
    """
    import xarray

    try:
        return xarray.open_zarr(str(store.zarr), chunks=None)
    except Exception as error:
        # Whatever a damaged file makes Zarr or its codecs raise.
        raise InputError(
            f"{store.zarr} cannot be read ({error}): see `efield sweep check {quote(str(store.folder))}`"
        ) from error


@dataclass(frozen=True)
class Block:
    """The best placements of one cell: one head with one target and one coil.

    Parameters
    ----------
    head, target, coil : str
        Labels of the study.
    measure : str
        What they are ranked by.
    rows : list of dict
        Best first: number of the placement, dI/dt, the grid's coordinates, all measures, and the pose as ``pose``.
    notes : list of str
        What a reader of the ranking must know: twins that are left out, an optimum at the edge of the grid.
    mesh_errors : dict or None
        What the mesh does to each measure (``errors``, in its unit) at the placement (``placement``) that is best by
        the usual measure (``measure``), solved fully; of other placements about the same share. None where it was not
        asked for.
    """

    head: str
    target: str
    coil: str
    measure: str
    rows: list[dict[str, Any]]
    notes: list[str]
    mesh_errors: dict[str, Any] | None = None

    @property
    def value(self) -> float:
        """The best value."""
        return float(self.rows[0][self.measure])


def usual_measure(store: Store, cell: Cell) -> str:
    """What placements of a cell are ranked by unless asked otherwise.

    E along the target's preferred direction, which is what excites; without a direction the size of the field there.
    """
    facts = store.facts.heads[cell.head].targets[cell.target]
    known = [name for name in store.study.measures if name != "along" or facts.direction is not None]
    return preferred(known or store.study.measures)


def best(
    store: Store, measure: str | None = None, top: int = 10, *, among: Mapping[str, str | None] | None = None
) -> list[Block]:
    """The placements with the best value of a measure in each cell, at the first drive.

    The best is the largest value, of `angle` the smallest. Of a measure without a sign the twin of a placement, the
    coil turned by 180 degrees at the same place, is left out where its value is the same.

    Parameters
    ----------
    store : Store
    measure : str, optional
        One of the study's; `usual_measure` of each cell unless given.
    top : int
        How many of each cell, at least 1.
    among : mapping of str to str or None, optional
        Labels that `head`, `target` and `coil` must have; all cells where none is given.

    Returns
    -------
    list of Block
        Of the cells in which something is finished: heads and targets in the study's order, for each the better coil
        first.

    Raises
    ------
    InputError
        If the measure or a label is not in the store, or nothing is finished.
    """
    if measure is not None and measure not in store.study.measures:
        raise unknown(measure, store.study.measures)
    if top < 1:
        raise InputError(f"top must be at least 1; instead received {top}")
    data, cells = dataset(store), _chosen(store.study, among or {})
    found = [(cell, block) for cell in cells if (block := _block(store, data, cell, measure, top)) is not None]
    if not found:
        what = f"nothing of {store.folder}" if len(cells) == len(store.study.cells) else "none of these cells"
        raise InputError(f"{what} is finished yet: run `efield sweep` first")
    found.sort(key=lambda pair: (pair[0].head, pair[0].target, -sense(pair[1].measure) * pair[1].value))
    return [block for _, block in found]


def labels(study: Study, cell: Cell) -> dict[str, str]:
    """Of the head, the target and the coil of a cell."""
    return {kind: getattr(study, f"{kind}s")[getattr(cell, kind)].label for kind in ("head", "target", "coil")}


def _chosen(study: Study, among: Mapping[str, str | None]) -> list[Cell]:
    """The cells with these labels."""
    cells = list(study.cells)
    for kind, label in among.items():
        if label is not None:
            known = [entry.label for entry in getattr(study, f"{kind}s")]
            wanted = known.index(checks.choice(kind, label, known))
            cells = [cell for cell in cells if getattr(cell, kind) == wanted]
    return cells


def _block(store: Store, data: Any, cell: Cell, measure: str | None, top: int) -> Block | None:
    """The best of a cell; None if nothing of it is known."""
    study, name = store.study, measure or usual_measure(store, cell)
    values = data[name][cell.head, cell.target, cell.coil, 0].values
    order = np.argsort(-sense(name) * values, kind="stable")  # nan last
    order = order[: np.count_nonzero(np.isfinite(values))]
    if not len(order):
        return None
    chosen, twins = _without_twins(study, values, order, top) if not turns(name) else (list(order[:top]), 0)
    rows = [_row(store, data, cell, int(k)) for k in chosen]
    where = labels(study, cell)
    notes = [*_twin_notes(name, twins, study), *_edge_notes(study, rows[0])]
    return Block(where["head"], where["target"], where["coil"], name, rows, notes)


def _without_twins(study: Study, values: Any, order: Any, top: int) -> tuple[list[int], int]:
    """The first placements of an order that are not the same as one before but for half a turn, and how many are."""
    if study.grid is None:
        return list(order[:top]), 0
    known = study.grid.coordinates()
    keys = np.column_stack([known[name] for name in _OF_A_TWIN])
    taken: dict[tuple[float, ...], float] = {}
    chosen: list[int] = []
    twins = 0
    for k in order:
        position, distance, angle, x, y = keys[k]
        twin = taken.get((position, distance, (angle + 180.0) % 360.0, -x, -y))
        if twin is not None and abs(values[k] - twin) <= _SAME * abs(twin):
            twins += 1
            continue
        if len(chosen) == top:
            break
        taken[position, distance, angle % 360.0, x, y] = float(values[k])
        chosen.append(int(k))
    return chosen, twins


def _twin_notes(measure: str, twins: int, study: Study) -> list[str]:
    if twins:
        noun = "placement that is" if twins == 1 else "placements that are"
        return [f"not shown: {twins} {noun} one above but for half a turn of the coil; {measure} has no sign"]
    if measure == "along" and study.grid is not None:
        return ["of a biphasic pulse both directions count: then the coil turned by 180 degrees does as well"]
    return []


def _edge_notes(study: Study, row: Mapping[str, Any]) -> list[str]:
    grid = study.grid
    if grid is None or len(grid.offsets_mm) < 2:
        return []
    if np.hypot(row["u_mm"], row["v_mm"]) <= grid.radius_mm - grid.spacing_mm:
        return []
    return [f"the best position lies at the edge of the grid: one beyond radius_mm = {grid.radius_mm:g} may be better"]


def _row(store: Store, data: Any, cell: Cell, placement: int) -> dict[str, Any]:
    here = data.isel({HEAD: cell.head}, drop=True).isel(target=cell.target, coil=cell.coil, placement=placement)
    here = here.isel({store.study.drive.dimension: 0})
    row: dict[str, Any] = {"placement": placement, "didt": float(here["didt"])}
    if store.study.drive.dimension != "didt":
        row[store.study.drive.dimension] = store.study.drive.values[0]
    names = [name for name, values in data.coords.items() if values.dims == ("placement",)]
    names += [name for name in ("lifted_mm",) if name in data]
    row |= {str(name): here[name].item() for name in (*names, *store.study.measures)}
    return row | {"pose": here["pose"].values.tolist()}


def cell_dataset(store: Store, block: Block) -> Any:
    """The results of the cell of a block, at the first drive, as `efield.sweeping.sweep` would give them."""
    data = dataset(store)
    named = zip(CELL, (block.head, block.target, block.coil), strict=True)
    number = {name: list(data[name].values).index(label) for name, label in named}
    return data.isel({**number, store.study.drive.dimension: 0}).load()


def text_map(store: Store, block: Block, width: int) -> list[str]:
    """The best value at each position of a cell's grid as lines of text, anterior up and medial right.

    Parameters
    ----------
    store : Store
    block : Block
        Of `best`: says which cell, and which measure.
    width : int
        Characters of a line; a wider map is left out.

    Returns
    -------
    list of str
        Empty if the study has no grid, a single position, or too many for the width.
    """
    grid = store.study.grid
    if grid is None or len(grid.offsets_mm) < 2:
        return []
    sign = sense(block.measure)
    values = sign * cell_dataset(store, block)[block.measure].values.reshape(len(grid.offsets_mm), -1)
    known = np.isfinite(values).any(axis=1)
    largest = np.where(known, sign * np.max(np.nan_to_num(values, nan=-np.inf), axis=1), np.nan)
    columns, column = np.unique(np.round(grid.offsets_mm[:, 0], 6), return_inverse=True)
    rows, line = np.unique(np.round(grid.offsets_mm[:, 1], 6), return_inverse=True)
    cell = 8 if len(columns) * 8 + 8 <= width else 5
    if len(columns) * cell + 8 > width:
        return []
    place = {(int(v), int(u)): value for v, u, value in zip(line, column, largest, strict=True)}
    lines = []
    for v in range(len(rows))[::-1]:
        texts = (_short(place.get((v, u)), cell - 1) for u in range(len(columns)))
        lines.append(f"{rows[v]:7.1f} " + " ".join(texts))
    return [*lines, f"{'v / u':>7} " + " ".join(f"{u:{cell - 1}.{1 if cell > 5 else 0}f}" for u in columns)]


def _short(value: float | None, width: int) -> str:
    if value is None:
        return " " * width
    return f"{'-' if np.isnan(value) else f'{value:.3g}':>{width}}"
