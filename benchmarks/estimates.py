"""Estimates of a study's time against the truth: before, by a probe, and after its first chunk, for each engine.

    python -m benchmarks estimates [--edge-mm MM] [ENGINE ...]

Two layered spheres, three coils (flat, bent, small): the parts of the work that come again are those that are learned.
All seconds are of the processor, so that other work on the machine does not count.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from efield.campaign import compute, costs
from efield.campaign.compute import Bench
from efield.campaign.estimate import estimate, probe
from efield.campaign.plan import parse_study
from efield.campaign.survey import survey
from efield.head.spheres import sphere_head
from efield.io.meshes.gmsh import write_head

COILS = {"flat": "magstim-70mm-figure8", "bent": "magstim-double-cone", "small": "magstim-25mm-figure8"}

#: Per engine: its options, radius and angles of the grid, and placements of a chunk.
STUDIES = {
    "full": ({}, 0.0, {"start": 0, "stop": 345, "step": 15}, 24),
    "reciprocal": ({}, 15.0, {"start": 0, "stop": 345, "step": 15}, 256),
    "reduced": (
        {"max_solves": 64, "basis_tol": 0.02, "region_radius_mm": 20.0},
        5.0,
        {"start": 0, "stop": 345, "step": 15},
        64,
    ),
}


def study_of(kind, head, folder):
    """A study of one engine."""
    options, radius, angles, chunk = STUDIES[kind]
    coils = COILS if kind != "reduced" else {name: COILS[name] for name in ("flat", "small")}
    document = {
        "heads": {"one": str(head), "two": {"path": str(head), "conductivity": {"bone": 0.02}}},
        "coils": coils,
        "targets": {"hand": "m1-hand-left"},
        "grid": {"radius_mm": radius, "spacing_mm": 5.0, "angles_deg": angles},
        "engine": {"kind": kind, **options},
        "output": {"folder": str(folder / kind), "chunk": chunk},
    }
    return parse_study(document, folder)


def row(kind, head, folder):
    """Runs a study and prints what was said of it, and what it took."""
    study = study_of(kind, head, folder)
    facts = survey(study)
    before, probed = estimate(study, facts).seconds, probe(study, facts).seconds
    place = folder / kind
    place.mkdir()
    bench, (first, *rest) = Bench(study, place), list(study.chunks())
    begun = process_time()
    bench.chunk(first)
    after_first = process_time()
    said = bench.costs.of(bench.routes, facts, rest)
    for chunk in rest:
        bench.chunk(chunk)
    ended = process_time()
    whole, left = ended - begun, ended - after_first
    words = f"{len(study.cells)} x {study.count}", f"{before:.0f}", f"{probed:.0f}", f"{whole:.0f}"
    print(ROW.format(kind, *words, f"{said:.1f}", f"{left:.1f}", f"{said / left:.2f}"), flush=True)


ROW = "{:<11} {:>10} {:>8} {:>8} {:>8} {:>18} {:>9} {:>7}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="*", choices=[*STUDIES, []])
    parser.add_argument("--edge-mm", type=float, default=8.0)
    options = parser.parse_args()
    compute.perf_counter = costs.perf_counter = process_time
    with TemporaryDirectory() as name:
        folder = Path(name)
        head = sphere_head(edge_mm=options.edge_mm)
        write_head(folder / "sphere.msh", head)
        print(f"{len(head.points)} nodes; seconds")
        print(ROW.format("engine", "placements", "by rule", "probed", "whole", "left, after a chunk", "truth", "ratio"))
        for kind in options.engines or STUDIES:
            row(kind, folder / "sphere.msh", folder)


if __name__ == "__main__":
    main()
