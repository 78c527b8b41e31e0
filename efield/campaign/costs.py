"""What the parts of a study's work cost: as timed here, else by a rule of thumb. All estimates of time are from it."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter
from typing import Final

from efield.campaign.study import Chunk, Study
from efield.campaign.survey import Survey

#: Seconds a unit of each kind of work on 2 cores (`python -m benchmarks`, docs/placements.md). Per node of the head:
#: preparing it, one full solve in a block, three adjoint solves, one direct sum over a coil's wires. The potential of a
#: target's adjoint solves took 12 to 18 s whatever the head. Per placement: laying it, expanding a basis, reciprocity.
RULES: Final = {
    "head": 1e-5,
    "solve": 1e-6,
    "adjoint": 2e-5,
    "potential": 15.0,
    "sum": 1e-5,
    "laying": 1e-4,
    "expanding": 1 / 300,
    "fast": 1 / 3000,
}

#: Order 2 has 7 times the unknowns; a solve then takes about 10 times as long (docs/accuracy.md).
_ORDER_2: Final = 10.0

#: Held-out solves of a basis, beside those that it is made of.
BASIS_TESTS: Final = 48


def unknowns(nodes: int, order: int) -> float:
    """Nodes of first order that take as long as those of a head in this order."""
    return nodes * (_ORDER_2 if order == 2 else 1.0)


@dataclass
class Costs:
    """Seconds of the work that was timed, by kind, and what it was done on.

    Parameters
    ----------
    seconds, units : dict of str to float
        Per kind of `RULES`: what was timed, and how many nodes, placements or placements times nodes that were.
    made : set
        What was prepared in this process and need not be again: (kind, head, ...).
    """

    seconds: dict[str, float] = field(default_factory=dict)
    units: dict[str, float] = field(default_factory=dict)
    made: set[Hashable] = field(default_factory=set)

    def add(self, kind: str, units: float, seconds: float) -> None:
        """Note work that was done."""
        self.seconds[kind] = self.seconds.get(kind, 0.0) + seconds
        self.units[kind] = self.units.get(kind, 0.0) + units

    @contextmanager
    def timing(self, kind: str, units: float, *what: Hashable) -> Iterator[None]:
        """Time a block of work."""
        begun = perf_counter()
        yield
        self.add(kind, units, perf_counter() - begun)
        self.made.add((kind, *what))

    def rate(self, kind: str) -> float:
        """Seconds a unit."""
        return self.seconds[kind] / self.units[kind] if self.units.get(kind) else RULES[kind]

    def of(self, study: Study, facts: Survey, chunks: Iterable[Chunk]) -> float:
        """Seconds that chunks take, with all that has to be prepared for them."""
        found = work(study, facts, chunks, self)
        return sum(units * self.rate(kind) for kind, units in found.items())


def work(study: Study, facts: Survey, chunks: Iterable[Chunk], costs: Costs) -> dict[str, float]:
    """Units of each kind of work in some chunks, without what was made already."""
    needed: dict[tuple[Hashable, ...], float] = {}
    found: dict[str, float] = {}
    for chunk in chunks:
        cell = chunk.cell
        nodes = unknowns(facts.heads[cell.head].nodes, study.engine.order)
        needed["head", cell.head] = nodes
        if study.grid is not None:
            needed["laying", cell] = study.count
        kind, units = evaluation(study, nodes, costs)
        found[kind] = found.get(kind, 0.0) + units * chunk.count
        if study.engine.kind == "reciprocal":
            needed["adjoint", cell.head, cell.target] = nodes
            if kind == "fast":
                needed["potential", cell.head, cell.target] = 1.0
        if study.engine.kind == "reduced" and study.engine.basis is None:
            needed["solve", cell] = nodes * (study.engine.max_solves + BASIS_TESTS)
    for what, units in needed.items():
        if what not in costs.made:
            found[str(what[0])] = found.get(str(what[0]), 0.0) + units
    return found


def evaluation(study: Study, nodes: float, costs: Costs) -> tuple[str, float]:
    """The kind of work that answers a placement on a head, and its units."""
    kind = study.engine.kind
    if kind == "full":
        return "solve", nodes
    if kind == "reduced":
        return "expanding", 1.0
    return ("sum", nodes) if _summed(study, nodes, costs) else ("fast", 1.0)


def _summed(study: Study, nodes: float, costs: Costs) -> bool:
    """Whether reciprocity sums over the nodes: as it did so far, else where that takes less time."""
    if study.engine.exact:
        return True
    if "sum" in costs.units or "fast" in costs.units:
        return costs.units.get("sum", 0.0) > 0.0 and "fast" not in costs.units
    placements = study.count * len(study.coils)
    return RULES["sum"] * nodes * placements < RULES["potential"] + RULES["fast"] * placements


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
