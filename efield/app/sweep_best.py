"""What `efield sweep show` prints and writes of the best placements of a store."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from rich.table import Table

from efield.app.console import OUT, aside, remark, say
from efield.campaign.best import Block, best, cell_dataset, text_map
from efield.campaign.layout import CELL
from efield.campaign.mesh_errors import read_mesh_errors
from efield.campaign.store import Store
from efield.campaign.tables import POSE, column_names
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.io.poses.pose_table import PoseTable
from efield.targeting.fingerprint import head_digest
from efield.targeting.measures import MEASURES
from efield.targeting.summary import with_error

#: Where a coil is, in the order of what is needed to put it there; the others only where they are not zero.
_PLACES: Final = ("angle_deg", "u_mm", "v_mm", "distance_mm", "tilt_x_deg", "tilt_y_deg", "lifted_mm")
_ALWAYS: Final = _PLACES[:4]

#: Placements that are shown of each cell, of one and of several.
_OF_ONE: Final = 10
_OF_SEVERAL: Final = 3


def shown(store: Store, measure: str | None, top: int | None, among: dict[str, str | None]) -> list[Block]:
    """The blocks that are asked for, with fewer placements of each where there are several."""
    blocks = best(store, measure, top or _OF_SEVERAL, among=among)
    if top is None and len(blocks) == 1:
        blocks = best(store, measure, _OF_ONE, among=among)
    errors = read_mesh_errors(store) or {}
    return [
        replace(block, mesh_errors=errors.get(".".join((block.head, block.target, block.coil)))) for block in blocks
    ]


def print_blocks(store: Store, blocks: Sequence[Block]) -> None:
    """A table for each cell; the map as text where it is one."""
    for block in blocks:
        OUT.print(_table(block))
        for note in [*block.notes, *_mesh_note(block)]:
            say(note)
    if len(blocks) == 1:
        _print_map(store, blocks[0])


def _table(block: Block) -> Table:
    """As many columns as the console is wide: the measure, then where the coil is, then the other measures."""
    rows = block.rows
    places = [name for name in _PLACES if name in rows[0] and (name in _ALWAYS or any(row[name] for row in rows))]
    shown = ["placement", block.measure, *places]
    hidden = {*shown, *_PLACES, "pose", "position", "didt", "intensity_percent", "recorded"}
    drive = f"dI/dt = {rows[0]['didt'] / 1e6:g} A/us (V/m, mm, degrees)"
    where = ", ".join([block.head, block.target, block.coil, drive])
    table = Table(title=f"Best placements by {block.measure}\n{where}")
    room, columns = OUT.width - 1, []
    for name in [*shown, *(name for name in rows[0] if name not in hidden)]:
        cells = [_cell(block, row, name) for row in rows]
        room -= max(len(name), *map(len, cells)) + 3
        if room < 0:
            break
        table.add_column(name, justify="right")
        columns.append(name)
    for row in rows:
        table.add_row(*(_cell(block, row, name) for name in columns))
    return table


def _cell(block: Block, row: dict[str, Any], name: str) -> str:
    found, value = block.mesh_errors, row[name]
    if found is not None and row["placement"] == found["placement"] and name in found["errors"]:
        return with_error(value, found["errors"][name])
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _mesh_note(block: Block) -> Iterator[str]:
    if (found := block.mesh_errors) is not None and block.measure in found["errors"]:
        yield (
            f"±: error by the mesh at placement {found['placement']} (the best by {found['measure']}), solved fully: "
            f"{block.measure} ± {found['errors'][block.measure]:.2g} {MEASURES[block.measure].unit}; elsewhere about "
            "the same share"
        )


def _print_map(store: Store, block: Block) -> None:
    if lines := text_map(store, block, OUT.width):
        say(f"{block.measure} at the best angle, tilt and distance of each position")
        say("u: mm toward medial, v: mm toward anterior, from the point over the target")
        say("\n".join(lines))


def print_csv(store: Store, blocks: Sequence[Block], to: IO[str]) -> None:
    """The placements with the columns of the study's own tables."""
    names = column_names(store)
    lines = csv.writer(to, lineterminator="\n")
    lines.writerow(names)
    for block in blocks:
        labels = dict(zip(CELL, (block.head, block.target, block.coil), strict=True))
        for row in block.rows:
            pose = dict(zip(POSE, np.ravel(row["pose"]), strict=False))
            lines.writerow([(labels | row | pose)[name] for name in names])


def write_poses(file: Path, blocks: Sequence[Block], format: str | None = None) -> None:
    """The best pose of each cell to a file that programs take poses from, and what that file has no place for.

    Raises
    ------
    InputError
        If the cells are of several heads, whose coordinates are not the same, or the suffix names no format.
    """
    if len(heads := list(dict.fromkeys(block.head for block in blocks))) > 1:
        raise InputError(
            f"a file of poses belongs to one head; instead there are {', '.join(heads)}: choose with --head"
        )
    best = [block.rows[0] for block in blocks]
    names = tuple(".".join((block.head, block.target, block.coil)) for block in blocks)
    rates = np.array([row["didt"] for row in best])
    table = PoseTable(np.array([row["pose"] for row in best]), names, {"didt": rates})
    lost = table.write(file, format)
    aside(f"written: {file}, the best pose of {', '.join(names)}")
    if lost:
        remark(f"{file.name} has no place for: {', '.join(lost)}")


def draw(file: Path, store: Store, blocks: Sequence[Block]) -> None:
    """The map of a cell, or a sheet of the maps of several, with the gyri of the heads where these can be read."""
    from efield.viz.map_sheet import MapPanel, save_map_sheet
    from efield.viz.maps import save_sweep_map

    heads = {label: _head(store, label) for label in dict.fromkeys(block.head for block in blocks)}
    if len(blocks) == 1:
        block = blocks[0]
        save_sweep_map(file, cell_dataset(store, block), measure=block.measure, head=heads[block.head])
    else:
        order = [coil.label for coil in store.study.coils]
        ordered = sorted(blocks, key=lambda block: order.index(block.coil))
        panels = [
            MapPanel(f"{one.head}, {one.target}", one.coil, cell_dataset(store, one), one.measure, heads[one.head])
            for one in ordered
        ]
        drive = f"dI/dt {blocks[0].rows[0]['didt'] / 1e6:g} A/µs" if not store.study.drive.percent else ""
        save_map_sheet(file, panels, ", ".join(filter(None, [store.study.document.get("title", ""), drive])))
    cells = "; ".join(f"{block.head}, {block.target}, {block.coil}" for block in blocks)
    aside(f"written: {file}, of {cells}")


def _head(store: Store, label: str) -> HeadMesh | None:
    """A head of the study; None, which is said, if it is no longer what the results are of."""
    number = [entry.label for entry in store.study.heads].index(label)
    try:
        head = store.study.heads[number].load(store.study.base)
    except InputError as error:
        remark(f"no gyri are drawn of {label}: {error}")
        return None
    if head_digest(head) == store.facts.heads[number].digest:
        return head
    remark(f"no gyri are drawn of {label}, whose file changed")
    return None
