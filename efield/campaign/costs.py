"""What the parts of a study's work cost: as timed here, else by a rule of thumb. All estimates of time are from it."""

from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Final

from efield.campaign.files import BASES, COILS, POTENTIALS
from efield.campaign.routes import Routes
from efield.campaign.study import Cell, Chunk, Study
from efield.campaign.survey import Survey
from efield.reciprocity.equivalent_points import stand_ins
from efield.targeting.prepared import kept_coil

#: Seconds a unit of each kind of work on 2 cores (`python -m benchmarks estimates`). Per node of the
#: head: preparing it, one full solve in a block, three adjoint solves, one direct sum over a wire of the coil. The
#: potential of a target's adjoint solves took 12 to 18 s whatever the head, that of a coil some seconds. Per
#: placement: laying it, expanding a basis; reciprocity per point that stands for the coil.
RULES: Final = {
    "head": 1e-5,
    "compress": 1.5,
    "solve": 1e-6,
    "adjoint": 2e-5,
    "potential": 15.0,
    "sum": 3e-10,
    "laying": 1e-3,
    "expanding": 1 / 300,
    "fast": 5e-7,
}

#: What the time of a unit depends on beside its kind: the head, or the coil.
_OF_A_HEAD: Final = ("head", "solve", "adjoint", "potential")

#: Measuring at a target takes as long as a solve on so many nodes, whatever the head.
MEASURING: Final = 5e4

#: Order 2 has 7 times the unknowns; a solve then takes about 10 times as long (docs/accuracy.md).
_ORDER_2: Final = 10.0

#: Held-out solves of a basis, beside those that it is made of; what laying, sampling and fitting take for each solve is
#: that of a solve on so many nodes (heads of 2,869 and 8,217 nodes: 20 and 7 ms beside solves of 3 and 8).
BASIS_TESTS: Final = 48
_BASIS_WORK: Final = 1.2e4


def unknowns(nodes: int, order: int) -> float:
    """Nodes of first order that take as long as those of a head in this order."""
    return nodes * (_ORDER_2 if order == 2 else 1.0)


def of_a_basis(nodes: float, max_solves: int) -> float:
    """Units of a basis, of the kind "solve", if it needs all the solves that are allowed."""
    return (nodes + _BASIS_WORK) * (max_solves + BASIS_TESTS)


@dataclass
class Costs:
    """Seconds of the work that was timed, by kind, and what it was done on.

    Parameters
    ----------
    seconds, units : dict of str to float
        Per kind of `RULES`, and per kind and head or coil: what was timed, and how many units that were.
    made : set
        What was prepared in this process or kept by an earlier one: (kind, head, ...).
    """

    seconds: dict[Hashable, float] = field(default_factory=dict)
    units: dict[Hashable, float] = field(default_factory=dict)
    made: set[tuple[Hashable, ...]] = field(default_factory=set)

    def add(self, kind: str, units: float, seconds: float, of: int | None = None) -> None:
        """Note work that was done, on a head or for a coil."""
        for key in (kind, (kind, of)):
            self.seconds[key] = self.seconds.get(key, 0.0) + seconds
            self.units[key] = self.units.get(key, 0.0) + units

    def forget(self, kind: str) -> None:
        """Drop what was timed of a kind, for better."""
        for key in [key for key in self.units if key == kind or (isinstance(key, tuple) and key[0] == kind)]:
            del self.units[key], self.seconds[key]

    @contextmanager
    def timing(self, kind: str, units: float, *what: Hashable, of: int | None = None) -> Iterator[None]:
        """Time a block of work."""
        begun = perf_counter()
        yield
        self.add(kind, units, perf_counter() - begun, of)
        self.made.add((kind, *what))

    def rate(self, kind: str, of: int | None = None) -> float:
        """Seconds a unit: as timed on this head or for this coil, else on any, else by rule."""
        for key in ((kind, of), kind):
            if self.units.get(key):
                return self.seconds[key] / self.units[key]
        return RULES[kind]

    def of(self, routes: Routes, facts: Survey, chunks: Iterable[Chunk]) -> float:
        """Seconds that chunks take, with all that has to be prepared for them."""
        found = work(routes, facts, chunks, self.made)
        return sum(units * self.rate(kind, of) for (kind, of), units in found.items())


def kept(routes: Routes, folder: Path) -> set[tuple[Hashable, ...]]:
    """What need not be made again, because earlier runs kept it in the folder of the store."""
    study, found = routes.study, set[tuple[Hashable, ...]]()
    for number in range(len(study.coils)) if (folder / POTENTIALS / COILS).is_dir() else ():
        if kept_coil(routes.coil(number), folder / POTENTIALS / COILS).path.is_file():
            found.add(("compress", number))
    for cell in study.cells:
        place = folder / POTENTIALS / place_name(study, cell)
        for kind, file in (("adjoint", "adjoint"), ("potential", "outside")):
            if any(place.glob(f"{file}-*")):
                found.add((kind, cell.head, cell.target))
        if (folder / BASES / study.cell_name(cell)).exists():
            found.add(("solve", cell))
    return found


def place_name(study: Study, cell: Cell) -> str:
    """Labels of the head and the target of a cell."""
    return study.cell_name(cell).rsplit(".", 1)[0]


def whose(kind: str, cell: Cell) -> int:
    """The head or the coil that the time of a kind of work depends on."""
    return cell.head if kind in _OF_A_HEAD else cell.coil


def work(
    routes: Routes, facts: Survey, chunks: Iterable[Chunk], made: Collection[tuple[Hashable, ...]] = ()
) -> dict[tuple[str, int], float]:
    """Units of each kind of work in some chunks, by head or coil, without what was made already."""
    study = routes.study
    once: dict[tuple[Hashable, ...], tuple[str, int, float]] = {}
    found: dict[tuple[str, int], float] = {}

    def needs(kind: str, cell: Cell, units: float, *what: Hashable) -> None:
        if (kind, *what) not in made:
            once[kind, *what] = kind, whose(kind, cell), units

    def add(kind: str, of: int, units: float) -> None:
        found[kind, of] = found.get((kind, of), 0.0) + units

    for chunk in chunks:
        cell = chunk.cell
        nodes = unknowns(facts.heads[cell.head].nodes, study.engine.order)
        needs("head", cell, nodes, cell.head)
        if study.grid is not None:
            add("laying", cell.coil, chunk.count)
        kind, units = evaluation(routes, cell, nodes)
        add(kind, whose(kind, cell), units * chunk.count)
        if kind in ("sum", "fast") and study.engine.kind == "reciprocal":
            needs("adjoint", cell, nodes, cell.head, cell.target)
        if kind == "fast":
            needs("potential", cell, 1.0, cell.head, cell.target)
        if kind == "solve" and not routes.exact(cell, facts.heads[cell.head].nodes):
            needs("compress", cell, 1.0, cell.coil)
        if study.engine.kind == "reduced" and study.engine.basis is None:
            needs("solve", cell, of_a_basis(nodes, study.engine.max_solves), cell)
    for kind, of, units in once.values():
        add(kind, of, units)
    return found


def evaluation(routes: Routes, cell: Cell, nodes: float) -> tuple[str, float]:
    """The kind of work that answers a placement of a cell on a head of so many nodes, and its units."""
    kind = routes.study.engine.kind
    if kind == "full":
        return "solve", nodes + MEASURING
    if kind == "reduced":
        return "expanding", 1.0
    coil = routes.coil(cell.coil)
    if routes.exact(cell, int(nodes)):
        return "sum", nodes * len(coil)
    return "fast", stand_ins(coil)


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
