"""The store of a study before it grew: its results are taken over by what they are of, not by where they lie.

A result is the same where head, conductivities, target, coil with its casing and drive, engine and route are, and the
placement has the same place in the grid or the same pose. What a placement gives depends on nothing else, to the last
bit, so that a study that grew ends in the same bytes as one that was begun large.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.campaign.files import COMPLETE, EARLIER, MARKERS, NOTE, TABLES, ZARR
from efield.campaign.layout import Variable
from efield.campaign.markers import Markers
from efield.campaign.note import differences, read_note, settings
from efield.campaign.study import Cell, Chunk, Study
from efield.campaign.survey import Survey
from efield.ground.errors import InputError
from efield.sweeping.grid import PlacementGrid

#: Settings that may change when a study grows.
_GROWING: Final = ("heads", "coils", "targets", "grid.", "output.chunk")

#: What a grid's placements are told apart by.
_PLACE: Final = ("u_mm", "v_mm", "angle_deg", "tilt_x_deg", "tilt_y_deg", "distance_mm")

#: A basis covers a part of the scalp, tilts and distances: where these grow, it is another.
_OF_A_BASIS: Final = ("grid.radius_mm", "grid.tilts_deg", "grid.distances_mm")


@dataclass(frozen=True, eq=False)
class Part:
    """What is known of a chunk.

    Parameters
    ----------
    known : (n,) bool
        Which of its placements.
    sources : list of (Earlier, Cell, (n,) int)
        Where from: the number of each placement there, -1 for those that another gives or none.
    """

    known: NDArray[np.bool_]
    sources: list[tuple["Earlier", Cell, NDArray[np.intp]]]

    @property
    def made_of(self) -> dict[str, str]:
        """What the first known placement was computed with."""
        earlier, cell, numbers = self.sources[0]
        found = earlier.markers.made_of(earlier.chunk(cell, int(numbers[numbers >= 0][0])))
        return found or {}

    def arrays(self, variables: Iterable[Variable], chunk: Chunk) -> dict[str, NDArray[Any]]:
        """Values for the variables of a chunk; those of placements that are not known mean nothing."""
        return {one.name: self._values(one, chunk) for one in variables if one.of(chunk)}

    def _values(self, variable: Variable, chunk: Chunk) -> NDArray[Any]:
        if (axis := variable.placement_axis) is None:
            earlier, cell, _ = self.sources[0]
            return earlier.values(variable, earlier.chunk(cell, 0))
        found = np.zeros(variable.shape_of(chunk), variable.dtype)
        rows = np.moveaxis(found, axis, 0)
        for earlier, cell, numbers in self.sources:
            for first in np.unique(numbers[numbers >= 0] // earlier.size):
                old = earlier.chunk(cell, int(first) * earlier.size)
                here = np.flatnonzero(numbers // earlier.size == first)
                rows[here] = np.moveaxis(earlier.values(variable, old), axis, 0)[numbers[here] - old.first]
        return found


@dataclass(frozen=True, eq=False)
class Earlier:
    """A store that is read for its results; made by `read`.

    Parameters
    ----------
    folder : Path
    settings : dict
        As in its note, see `efield.campaign.note.settings`.
    facts : Survey
    made_with : dict of str to str
    """

    folder: Path
    settings: dict[str, Any]
    facts: Survey
    made_with: dict[str, str]
    _good: dict[tuple[str, str], bool] = field(default_factory=dict)
    _arrays: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Earlier":
        """The store in a folder, whatever its study file says today."""
        note = read_note(folder / NOTE)
        return cls(folder, note["settings"], Survey.from_json(note["survey"]), note["made_with"])

    @cached_property
    def markers(self) -> Markers:
        """Of its finished chunks."""
        return Markers(self.folder, self.facts)

    @property
    def size(self) -> int:
        """Placements of a chunk."""
        return int(self.settings["output.chunk"])

    @cached_property
    def _root(self) -> Any:
        import zarr

        return zarr.open_group(str(self.folder / ZARR), mode="r", zarr_format=3)

    @cached_property
    def _count(self) -> int:
        return int(self._root["pose"].shape[3])

    def chunk(self, cell: Cell, placement: int) -> Chunk:
        """The chunk that holds a placement of a cell."""
        number = placement // self.size
        first = number * self.size
        return Chunk(cell, number, first, min(self.size, self._count - first))

    def values(self, variable: Variable, chunk: Chunk) -> NDArray[Any]:
        """What a chunk of this store holds of a variable."""
        if variable.path not in self._arrays:
            self._arrays[variable.path] = self._root[variable.path]
        return np.asarray(self._arrays[variable.path][variable.index(chunk)])

    def changed(self, study: Study) -> list[str]:
        """Settings that must not differ, and do."""
        return [n for n in differences(self.settings, settings(study)) if not n.startswith(_GROWING)]

    def lost(self, study: Study, facts: Survey) -> str:
        """Something finished that a study has no place for, in words; empty if there is nothing."""
        kept = set(self._numbers(study).tolist())
        mine = {cell for one in study.cells if (cell := self._same(study, facts, one)) is not None}
        for name in sorted(self.markers.names()):
            cell, first = self._place(name)
            if cell not in mine:
                return f"the results of {self._label(cell)}"
            chunk = self.chunk(cell, first)
            if not kept.issuperset(range(chunk.first, chunk.first + chunk.count)):
                return f"placements of {self._label(cell)}"
        return ""

    def _place(self, name: str) -> tuple[Cell, int]:
        """Cell and first placement of a chunk, from its name."""
        head, target, coil, number = map(int, name.split("-"))
        return Cell(head, target, coil), number * self.size

    def _label(self, cell: Cell) -> str:
        numbers = {"heads": cell.head, "targets": cell.target, "coils": cell.coil}
        return ".".join(self.settings[kind][number] for kind, number in numbers.items())

    def known(self, study: Study, facts: Survey, chunk: Chunk, route: str) -> tuple[Cell, NDArray[np.intp]] | None:
        """The cell of a chunk here, and the numbers of its placements, -1 where they are not known; None for none."""
        cell = self._same(study, facts, chunk.cell)
        # What belongs to the whole cell lies in its first chunk.
        if cell is None or (chunk.number == 0 and not self._is_good(self.chunk(cell, 0), route)):
            return None
        numbers = self._numbers(study)[chunk.first : chunk.first + chunk.count].copy()
        for number in np.unique(numbers[numbers >= 0] // self.size):
            if not self._is_good(self.chunk(cell, int(number) * self.size), route):
                numbers[numbers // self.size == number] = -1
        return (cell, numbers) if (numbers >= 0).any() else None

    def _is_good(self, chunk: Chunk, route: str) -> bool:
        """Whether a chunk is finished, as it was written, and computed by a route."""
        if (chunk.name, route) not in self._good:
            made_of = self.markers.made_of(chunk)
            good = made_of is not None and made_of.get("route") == route and not self.markers.damage(chunk)
            self._good[chunk.name, route] = good
        return self._good[chunk.name, route]

    def _same(self, study: Study, facts: Survey, cell: Cell) -> Cell | None:
        """The cell here that is a cell of a study; None if it is not here, or is other than it was."""
        numbers = []
        for kind, number in (("heads", cell.head), ("targets", cell.target), ("coils", cell.coil)):
            label = getattr(study, kind)[number].label
            if label not in self.settings[kind]:
                return None
            numbers.append(self.settings[kind].index(label))
        found, was = Cell(*numbers), self.facts
        head, mine = was.heads[found.head], facts.heads[cell.head]
        pairs: list[tuple[Any, Any]] = [
            (head.digest, mine.digest),
            (head.conductivity, mine.conductivity),
            (head.targets[found.target].digest, mine.targets[cell.target].digest),
            (was.coils[found.coil], facts.coils[cell.coil]),
        ]
        if study.engine.kind == "reduced" and study.engine.basis is None:
            now = settings(study)
            pairs += [(self.settings.get(name), now.get(name)) for name in _OF_A_BASIS]
        return found if all(one == other for one, other in pairs) else None

    def _numbers(self, study: Study) -> NDArray[np.intp]:
        """(count,) number here of each placement of a study's cells, -1 where there is none."""
        mine, others = _keys(study.grid, study.poses), _keys(*self._placements)
        number_of = {key: number for number, key in enumerate(others)}
        return np.array([number_of.get(key, -1) for key in mine], dtype=np.intp)

    @cached_property
    def _placements(self) -> tuple[PlacementGrid | None, NDArray[np.float64] | None]:
        if "grid.poses" not in self.settings:
            parts = {name.removeprefix("grid."): value for name, value in self.settings.items() if name[:5] == "grid."}
            return PlacementGrid(**parts), None
        poses = np.full((self._count, 4, 4), np.nan)
        for name in self.markers.names():
            chunk = self.chunk(*self._place(name))
            at = chunk.cell.head, chunk.cell.target, chunk.cell.coil, slice(chunk.first, chunk.first + chunk.count)
            poses[at[3]] = self._root["pose"][at]
        return None, poses


def _keys(grid: PlacementGrid | None, poses: NDArray[np.float64] | None) -> list[bytes]:
    """What tells placements apart: their places in the grid, or their poses."""
    if grid is not None:
        known = grid.coordinates()
        rows = np.column_stack([known[name] for name in _PLACE]) + 0.0  # no negative zeros
    else:
        assert poses is not None  # noqa: S101 - a study has a grid or poses
        rows = poses.reshape(len(poses), -1)
    return [row.tobytes() for row in np.ascontiguousarray(rows)]


def earlier_stores(folder: Path) -> tuple[Earlier, ...]:
    """The stores of a study before it grew, the latest first."""
    return tuple(Earlier.read(place) for place in _places(folder)[::-1] if (place / NOTE).exists())


def _places(folder: Path) -> list[Path]:
    found = [path for path in (folder / EARLIER).glob("*") if path.name.isdigit()]
    return sorted(found, key=lambda path: int(path.name))


def set_aside(folder: Path) -> None:
    """Move what a store holds into a folder of earlier ones; its note goes last and says that all is there."""
    places = _places(folder)
    place = folder / EARLIER / f"{int(places[-1].name) + 1 if places else 0}"
    place.mkdir(parents=True)
    _move(folder, place)


def finish_moving(folder: Path) -> None:
    """Go on with `set_aside` where a kill stopped it."""
    places = _places(folder)
    if places and not (places[-1] / NOTE).exists() and (folder / NOTE).exists():
        _move(folder, places[-1])


def _move(folder: Path, place: Path) -> None:
    for name in (COMPLETE, *TABLES, MARKERS, ZARR, NOTE):
        if (folder / name).exists():
            (folder / name).replace(place / name)


def check_grows(folder: Path, study: Study, facts: Survey, earlier: Iterable[Earlier]) -> None:
    """Refuse a study that has no place for what is finished.

    Raises
    ------
    InputError
        With what changed, and what would be lost.
    """
    for one in earlier:
        changed, lost = one.changed(study), ""
        if not changed and not (lost := one.lost(study, facts)):
            continue
        was, now = one.settings, settings(study)
        names = changed or differences(was, now) or ["a head, a coil or a target, whose file changed"]
        raise InputError(
            f"{folder} must be the store of this study; instead it was begun with other settings "
            f"({describe(names, was, now)}){f', and {lost} would be lost' if lost else ''}: a study may grow by heads, "
            "coils, targets, angles, positions and poses, but nothing else of it may change. Give another output "
            "folder, delete this one, or put the study back as it was"
        )


def describe(names: Iterable[str], was: dict[str, Any], now: dict[str, Any]) -> str:
    """Settings that changed, in words."""
    return "; ".join(
        f"{name} was {json.dumps(was.get(name))}, is {json.dumps(now.get(name))}" if name in {*was, *now} else name
        for name in names
    )
