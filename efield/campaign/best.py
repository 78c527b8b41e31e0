"""The best placements of a store."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from efield.campaign.store import Store
from efield.campaign.study import Study
from efield.ground import checks
from efield.ground.errors import InputError
from efield.targeting.measures import unknown


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
        raise InputError(f"{store.zarr} cannot be read ({error}): see `efield sweep check {store.folder}`") from error


def default_measure(store: Store) -> str:
    """What placements are ranked by unless asked otherwise: the size of the field at the target."""
    preferred = ("mean_magnitude", "mean_vector", "along")
    return next((name for name in preferred if name in store.study.measures), store.study.measures[0])


def best(
    store: Store, measure: str | None = None, top: int = 10, *, among: Mapping[str, str | None] | None = None
) -> list[dict[str, Any]]:
    """The placements with the largest value of a measure, at the first drive.

    Parameters
    ----------
    store : Store
    measure : str, optional
        One of the study's.
    top : int
        How many, at least 1.
    among : mapping of str to str or None, optional
        Labels that `head`, `target` and `coil` must have; all cells where none is given.

    Returns
    -------
    list of dict
        Head, target, coil, number of the placement, the grid's coordinates, all measures, and the pose as ``matrix``.

    Raises
    ------
    InputError
        If the measure or a label is not in the store, or nothing is finished.
    """
    name = measure or default_measure(store)
    if name not in store.study.measures:
        raise unknown(name, store.study.measures)
    if top < 1:
        raise InputError(f"top must be at least 1; instead received {top}")
    data = dataset(store)
    found: list[tuple[float, int, int]] = []
    cells = _chosen(store.study, among or {})
    for number in cells:
        cell = store.study.cells[number]
        values = data[name][cell.head, cell.target, cell.coil, 0].values
        order = np.argsort(-values, kind="stable")[:top]  # nan last
        found += [(float(values[k]), number, int(k)) for k in order if np.isfinite(values[k])]
    if not found:
        what = f"nothing of {store.folder}" if len(cells) == len(store.study.cells) else "none of these cells"
        raise InputError(f"{what} is finished yet: run `efield sweep` first")
    found.sort(key=lambda row: (-row[0], row[1], row[2]))
    return [_row(store, data, number, placement) for _, number, placement in found[:top]]


def _chosen(study: Study, among: Mapping[str, str | None]) -> list[int]:
    """Numbers of the cells with these labels."""
    numbers = list(range(len(study.cells)))
    for kind, label in among.items():
        if label is not None:
            labels = [entry.label for entry in getattr(study, f"{kind}s")]
            wanted = labels.index(checks.choice(kind, label, labels))
            numbers = [number for number in numbers if getattr(study.cells[number], kind) == wanted]
    return numbers


def _row(store: Store, data: Any, number: int, placement: int) -> dict[str, Any]:
    cell = store.study.cells[number]
    here = data.isel(head=cell.head, target=cell.target, coil=cell.coil, placement=placement)
    here = here.isel({store.study.drive.dimension: 0})
    row: dict[str, Any] = {name: str(here[name].values) for name in ("head", "target", "coil")}
    row |= {"placement": placement, "didt": float(here["didt"])}
    names = [name for name, values in data.coords.items() if values.dims == ("placement",)]
    names += [name for name in ("lifted_mm",) if name in data]
    row |= {str(name): float(here[name]) for name in (*names, *store.study.measures)}
    return row | {"matrix": here["matrix"].values.tolist()}


def cell_dataset(store: Store, row: dict[str, Any]) -> Any:
    """The results of the cell of one row of `best`, at the first drive, as `efield.sweeping.sweep` would give them."""
    data = dataset(store)
    number = {name: list(data[name].values).index(row[name]) for name in ("head", "target", "coil")}
    return data.isel({**number, store.study.drive.dimension: 0}).load()


def text_map(store: Store, row: dict[str, Any], measure: str, width: int) -> list[str]:
    """The largest value at each position of a cell's grid as lines of text, anterior up and medial right.

    Parameters
    ----------
    store : Store
    row : dict
        Of `best`: says which cell.
    measure : str
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
    values = cell_dataset(store, row)[measure].values.reshape(len(grid.offsets_mm), -1)
    with np.errstate(invalid="ignore"):
        largest = np.where(np.isnan(values).all(axis=1), np.nan, np.max(np.nan_to_num(values, nan=-np.inf), axis=1))
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
