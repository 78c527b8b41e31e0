"""What a study will take, before it is run: counts, disk, and a time that says where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from efield.campaign.compute import Bench
from efield.campaign.costs import BASIS_TESTS, Costs, kept
from efield.campaign.layout import variables
from efield.campaign.routes import Routes
from efield.campaign.study import Chunk, EngineChoice, Study
from efield.campaign.survey import Survey

#: Bytes of a row of the two tables together; of the least file or folder; of the store without results.
_ROW: Final = 640
_BLOCK: Final = 4096
_EMPTY: Final = 160 * _BLOCK

#: Bytes of a potential around a head, and around a coil.
_POTENTIAL: Final = 150_000_000
_COIL_POTENTIAL: Final = 20_000_000

#: Of `max_solves` solves, about a third are kept as modes of 16-bit numbers; the solves themselves (32 bits) are there
#: until the basis is complete. See docs/placements.md.
_MODES: Final = 1 / 3


@dataclass(frozen=True)
class Estimate:
    """What a study takes.

    Parameters
    ----------
    cells, placements, there, chunks, rows : int
        Placements of all cells, and how many of them are computed already; chunks; rows of the table.
    solves : int
        Full or adjoint solves, at most.
    bytes : int
        On disk, uncompressed: an upper bound, but for reduced bases, whose size is guessed from the target's.
    seconds : float
        For what is not computed yet, on this machine with all its cores in one process.
    source : str
        Where the seconds come from.
    """

    cells: int
    placements: int
    there: int
    chunks: int
    rows: int
    solves: int
    bytes: int
    seconds: float
    source: str


def estimate(study: Study, facts: Survey, chunks: list[Chunk] | None = None) -> Estimate:
    """An estimate from figures measured on another machine.

    Parameters
    ----------
    study : Study
    facts : Survey
    chunks : list of Chunk, optional
        What is left to do, as `efield.campaign.store.left` says; all of it by default.
    """
    costs = Costs(made=kept(Routes(study), Path(study.output)))
    source = "a rule of thumb from a machine with 2 cores, within a factor of three or so; --probe measures here"
    return _estimate(study, facts, costs, chunks, source)


def probe(
    study: Study, facts: Survey, chunks: list[Chunk] | None = None, say: Callable[[str], None] | None = None
) -> Estimate:
    """An estimate from the first placements of the first cell, timed here with their preparation; nothing is stored.

    Bases are not built, whose building is most of the work: their estimate times full solves.

    Parameters
    ----------
    study, facts, chunks
        As in `estimate`.
    say : callable, optional
        Called with what is being prepared.
    """
    timed = study if study.engine.kind != "reduced" else _full(study)
    count = min(32 if timed.engine.kind == "full" else 2048, study.count)
    bench = Bench(timed, None, say)
    bench.chunk(Chunk(study.cells[0], 0, 0, count))
    took = sum(seconds for kind, seconds in bench.costs.seconds.items() if isinstance(kind, str))
    # A run prepares all of it again.
    costs = replace(bench.costs, made=kept(bench.routes, Path(study.output)))
    source = f"{count} placements on head {study.heads[0].label}, timed here with their preparation: {took:.2g} s"
    return _estimate(study, facts, costs, chunks, source)


def _full(study: Study) -> Study:
    given = study.engine
    return replace(study, engine=EngineChoice("full", given.tol, given.order, device=given.device))


def _estimate(study: Study, facts: Survey, costs: Costs, left: list[Chunk] | None, source: str) -> Estimate:
    cells, kind = len(study.cells), study.engine.kind
    left = list(study.chunks()) if left is None else left
    seconds = costs.of(Routes(study), facts, left)
    there = cells * study.count - sum(chunk.count for chunk in left)
    chunks, rows = cells * study.chunks_per_cell, cells * study.count * len(study.drive.values)
    size = _stored(study, facts) + rows * _ROW + _bases(study, facts) + _potentials(study, facts)
    solves = {
        "full": cells * study.count,
        "reciprocal": 3 * len(study.heads) * len(study.targets),
        "reduced": cells * (study.engine.max_solves + BASIS_TESTS),
    }[kind]
    return Estimate(cells, cells * study.count, there, chunks, rows, solves, size, seconds, source)


def _stored(study: Study, facts: Survey) -> int:
    """Bytes of the Zarr store and the markers: each file and folder takes blocks of the disk."""
    found = variables(study, facts)
    # A file per array and chunk, in folders of its own but for the last dimension of placements; and a marker.
    per_chunk = sum(2 if "placement" in variable.dims else 1 for variable in found if variable.cell is None) + 1
    fields = 4 if study.fields else 0
    entries = len(study.cells) * study.chunks_per_cell * (per_chunk + fields)
    return sum(variable.nbytes for variable in found) + (entries + 4 * len(found)) * _BLOCK + _EMPTY


def _potentials(study: Study, facts: Survey) -> int:
    """Bytes of what is kept of adjoint solves (three currents at each node and a potential), or of coils."""
    if study.engine.kind != "reciprocal":
        routes = Routes(study)
        stored = {cell.coil for cell in study.cells if not routes.exact(cell, facts.heads[cell.head].nodes)}
        return _COIL_POTENTIAL * len(stored)
    return sum(len(study.targets) * (72 * head.nodes + _POTENTIAL) for head in facts.heads)


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
    return round(kept + max(sizes) * 3 * 4 * (engine.max_solves + BASIS_TESTS))
