"""A reduced basis: seconds to build, certified error, and placements per second against full solves, in one run.

    python benchmarks/reduced_basis.py [--head NAME | --edge-mm MM] [--coil NAME] [--tol TOL] [--radius-mm MM]
        [--checkpoint FOLDER]

`--edge-mm` takes a layered sphere of that edge length instead of a head.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from efield.head.spheres import sphere_head
from efield.io.load import load_coil, load_head
from efield.search.basis import ReducedBasis
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand


def milliseconds(run, arguments):
    """Median and least time of one call, after one that compiles."""
    run(arguments[0])
    times = []
    for argument in arguments:
        start = time.perf_counter()
        run(argument)
        times.append(1e3 * (time.perf_counter() - start))
    return f"{np.median(times):.2f} ms (least {min(times):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--edge-mm", type=float)
    parser.add_argument("--coil", default="magstim-70mm-figure8")
    parser.add_argument("--tol", type=float, default=1e-3)
    parser.add_argument("--radius-mm", type=float, default=25.0)
    parser.add_argument("--checkpoint")
    options = parser.parse_args()
    head = sphere_head(edge_mm=options.edge_mm) if options.edge_mm else load_head(options.head)
    coil, target = load_coil(options.coil), m1_hand(head)
    sim = Simulator(head)
    start = time.perf_counter()
    basis = ReducedBasis.build(
        sim,
        coil,
        target,
        tol=options.tol,
        radius_mm=options.radius_mm,
        checkpoint=options.checkpoint,
        progress=lambda p: print(f"{p.solves:4d} solves, {p.seconds_left:.0f} s left at most, {p.error}", flush=True),
    )
    print(
        f"{len(head.points)} nodes, {len(basis.tets)} tets in the region, built in {time.perf_counter() - start:.0f} s"
    )
    print(basis.certificate)
    poses = [p for p in basis.region.poses(256, (99,), head, coil) if not basis.region.outside(p)]
    modes = basis.model.modes
    print(f"{modes.shape[1]} modes, {modes.nbytes / 1e6:.1f} MB")
    print("field, one placement     ", milliseconds(basis.field, poses))
    print("  of it, coil at samples ", milliseconds(lambda p: basis._evaluate(p, basis.points_mm, 1e6), poses))
    coefficients = np.ones(modes.shape[1], np.float32)
    print("  of it, modes           ", milliseconds(lambda _: basis.model.expand(coefficients), poses))
    start = time.perf_counter()
    basis.metrics(poses)
    print(f"metrics                   {len(poses) / (time.perf_counter() - start):.0f} placements/s")
    start = time.perf_counter()
    full = list(sim.solve_many(coil, poses[:8]))
    print(f"full solves               {8 / (time.perf_counter() - start):.2f} placements/s in a block of 8")
    print(f"{full[0].iterations} iterations")
    with TemporaryDirectory() as folder:
        basis.save(Path(folder) / "basis")
        size = sum(file.stat().st_size for file in (Path(folder) / "basis").iterdir())
        start = time.perf_counter()
        ReducedBasis.load(Path(folder) / "basis", sim, coil)
        print(f"file {size / 1e6:.1f} MB, loaded in {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
