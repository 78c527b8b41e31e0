"""What a study will take, before it is run: counts, disk, and a time that says where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from efield.campaign.bench import Bench
from efield.campaign.layout import variables
from efield.campaign.study import Chunk, Study
from efield.campaign.survey import Survey

#: Seconds per node of the head on 2 cores: preparing it, and one placement of a full solve in a block (first order).
#: From `python -m benchmarks`: 6 and 0.62 s at 634 thousand nodes.
_PREPARE: Final = 1e-5
_SOLVE: Final = 1e-6

#: Order 2 has 7 times the unknowns; a solve then takes about 10 times as long (docs/accuracy.md).
_ORDER_2: Final = 10.0

#: Placements per second on 2 cores, whatever the head (docs/search.md).
_EXPANDED: Final = 300.0
_RECIPROCAL: Final = 3000.0

#: Iterations of three adjoint solves, and the solves of a basis, in full solves.
_ADJOINT: Final = 20
_BASIS_TESTS: Final = 48

#: Bytes of a row of the two tables together, and of a marker.
_ROW: Final = 300
_MARKER: Final = 2000


@dataclass(frozen=True)
class Estimate:
    """What a study takes.

    Parameters
    ----------
    cells, placements, chunks, rows : int
        Placements and chunks of all cells; rows of the table.
    solves : int
        Full or adjoint solves, at most.
    bytes : int
        On disk, uncompressed: an upper bound.
    seconds : float
        On this machine with all its cores in one process.
    source : str
        Where the seconds come from.
    """

    cells: int
    placements: int
    chunks: int
    rows: int
    solves: int
    bytes: int
    seconds: float
    source: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`."""
        return dict(vars(self))


def estimate(study: Study, facts: Survey) -> Estimate:
    """An estimate from figures measured on another machine."""
    seconds = sum(_head_seconds(study, head.nodes) for head in facts.heads)
    source = "a rule of thumb from a machine with 2 cores, within a factor of three or so; --probe measures here"
    return _estimate(study, facts, seconds, source)


def probe(study: Study, facts: Survey, say: Callable[[str], None] | None = None) -> Estimate:
    """An estimate from the first placements of the first cell, timed here; nothing is stored.

    Not for reduced bases, whose building is most of the work: their estimate times full solves.
    """
    seconds, rate, prepare = 0.0, 0.0, 0.0
    timed = study if study.engine.kind != "reduced" else _full(study)
    count = min(8 if timed.engine.kind == "full" else 256, study.count)
    with TemporaryDirectory() as folder:
        bench = Bench(timed, Path(folder), say)
        chunk = Chunk(study.cells[0], 0, 0, count)
        started = perf_counter()
        bench.chunk(chunk)
        first = perf_counter() - started
        started = perf_counter()
        bench.chunk(chunk)
        rate = (perf_counter() - started) / count
        prepare = max(0.0, first - rate * count)
    nodes = facts.heads[0].nodes
    for head in facts.heads:
        size = head.nodes / nodes
        cells = len(study.targets) * len(study.coils)
        each = rate * size
        if study.engine.kind == "reduced":
            seconds += cells * (each * (study.engine.max_solves + _BASIS_TESTS) + study.count / _EXPANDED)
        else:
            seconds += cells * study.count * (each if study.engine.kind == "full" else rate)
        seconds += prepare * size
    source = (
        f"{count} placements on head {study.heads[0].label}, timed here: {prepare:.2g} s to prepare, {rate:.2g} s each"
    )
    return _estimate(study, facts, seconds, source)


def _full(study: Study) -> Study:
    from dataclasses import replace

    from efield.campaign.study import EngineChoice

    return replace(study, engine=EngineChoice("full", study.engine.tol, study.engine.order))


def _head_seconds(study: Study, nodes: int) -> float:
    order = _ORDER_2 if study.engine.order == 2 else 1.0
    solve, prepare = _SOLVE * nodes * order, _PREPARE * nodes * order
    cells, targets = len(study.targets) * len(study.coils), len(study.targets)
    if study.engine.kind == "full":
        return prepare + cells * study.count * solve
    if study.engine.kind == "reciprocal":
        return prepare + targets * _ADJOINT * solve + cells * study.count / _RECIPROCAL
    return prepare + cells * ((study.engine.max_solves + _BASIS_TESTS) * solve + study.count / _EXPANDED)


def _estimate(study: Study, facts: Survey, seconds: float, source: str) -> Estimate:
    cells, kind = len(study.cells), study.engine.kind
    chunks, rows = cells * study.chunks_per_cell, cells * study.count * len(study.drive.values)
    size = sum(variable.nbytes for variable in variables(study, facts)) + rows * _ROW + chunks * _MARKER
    solves = {
        "full": cells * study.count,
        "reciprocal": 3 * len(study.heads) * len(study.targets),
        "reduced": cells * (study.engine.max_solves + _BASIS_TESTS),
    }[kind]
    return Estimate(cells, cells * study.count, chunks, rows, solves, size, seconds, source)


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
