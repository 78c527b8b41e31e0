"""What a study will take, before it is run: counts, disk, and a time that says where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from efield.campaign.compute import Bench
from efield.campaign.layout import variables
from efield.campaign.study import Chunk, Study
from efield.campaign.survey import Survey

#: Seconds per node of the head on 2 cores: preparing it, and one placement of a full solve in a block (first order).
#: From `python -m benchmarks`: 6 and 0.62 s at 634 thousand nodes. Below some ten thousand nodes it is a second.
_PREPARE: Final = 1e-5
_PREPARE_LEAST: Final = 1.0
_SOLVE: Final = 1e-6

#: Order 2 has 7 times the unknowns; a solve then takes about 10 times as long (docs/accuracy.md).
_ORDER_2: Final = 10.0

#: Placements per second on 2 cores, whatever the head (docs/placements.md).
_EXPANDED: Final = 300.0
_RECIPROCAL: Final = 3000.0

#: Storing the potential of a target's three adjoint solves, seconds, whatever the head: 12 to 18 s on spheres of 15 to
#: 21 thousand nodes. An exact sum over the wires instead, seconds per placement and node.
_STORED: Final = 15.0
_EXACT: Final = 1e-5

#: Iterations of three adjoint solves, and the solves of a basis, in full solves.
_ADJOINT: Final = 20
_BASIS_TESTS: Final = 48

#: Bytes of a row of the two tables together; of the least file or folder; of the store without results.
_ROW: Final = 640
_BLOCK: Final = 4096
_EMPTY: Final = 160 * _BLOCK

#: Of `max_solves` solves, about a third are kept as modes of 16-bit numbers; the solves themselves (32 bits) are there
#: until the basis is complete. See docs/placements.md.
_MODES: Final = 1 / 3


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
        On disk, uncompressed: an upper bound, but for reduced bases, whose size is guessed from the target's.
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
    # Of adjoint solves there are some for each target.
    prepared = len(study.targets) if study.engine.kind == "reciprocal" else 1
    for head in facts.heads:
        size = head.nodes / nodes
        cells = len(study.targets) * len(study.coils)
        each = rate * size
        if study.engine.kind == "reduced":
            seconds += cells * (each * (study.engine.max_solves + _BASIS_TESTS) + study.count / _EXPANDED)
        else:
            seconds += cells * study.count * (each if study.engine.kind == "full" else rate)
        seconds += prepared * prepare * size
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
    solve, prepare = _SOLVE * nodes * order, max(_PREPARE_LEAST, _PREPARE * nodes * order)
    cells, targets = len(study.targets) * len(study.coils), len(study.targets)
    if study.engine.kind == "full":
        return prepare + cells * study.count * solve
    if study.engine.kind == "reciprocal":
        each = _EXACT * nodes if study.engine.exact else 1 / _RECIPROCAL
        stored = 0.0 if study.engine.exact else _STORED
        return prepare + targets * (_ADJOINT * solve + stored) + cells * study.count * each
    return prepare + cells * ((study.engine.max_solves + _BASIS_TESTS) * solve + study.count / _EXPANDED)


def _estimate(study: Study, facts: Survey, seconds: float, source: str) -> Estimate:
    cells, kind = len(study.cells), study.engine.kind
    chunks, rows = cells * study.chunks_per_cell, cells * study.count * len(study.drive.values)
    size = _stored(study, facts) + rows * _ROW + _bases(study, facts)
    solves = {
        "full": cells * study.count,
        "reciprocal": 3 * len(study.heads) * len(study.targets),
        "reduced": cells * (study.engine.max_solves + _BASIS_TESTS),
    }[kind]
    return Estimate(cells, cells * study.count, chunks, rows, solves, size, seconds, source)


def _stored(study: Study, facts: Survey) -> int:
    """Bytes of the Zarr store and the markers: each file and folder takes blocks of the disk."""
    found = variables(study, facts)
    # A file per array and chunk, in folders of its own but for the last dimension of placements; and a marker.
    per_chunk = sum(2 if "placement" in variable.dims else 1 for variable in found if variable.cell is None) + 1
    fields = 4 if study.fields else 0
    entries = len(study.cells) * study.chunks_per_cell * (per_chunk + fields)
    return sum(variable.nbytes for variable in found) + (entries + 4 * len(found)) * _BLOCK + _EMPTY


def _bases(study: Study, facts: Survey) -> int:
    """Bytes of the reduced bases and of the solves of the one that is being built."""
    engine = study.engine
    if engine.kind != "reduced" or engine.basis is not None:
        return 0
    sizes = []
    for head in facts.heads:
        for target in head.targets:
            # As dense everywhere as at the target.
            share = max(1.0, engine.region_radius_mm / target.radius_mm) ** 3
            sizes.append(min(head.tets, target.tets * share))
    kept = sum(sizes) * len(study.coils) * 3 * 2 * engine.max_solves * _MODES
    return round(kept + max(sizes) * 3 * 4 * (engine.max_solves + _BASIS_TESTS))


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
