"""A reduced basis: seconds to build, certified error, placements per second, and the memory's bandwidth beside it.

    python benchmarks/reduced_basis.py [--head NAME | --edge-mm MM] [--coil NAME | --coil any] [--tol TOL]
        [--radius-mm MM] [--region-mm MM] [--at tets|surface] [--max-solves N] [--checkpoint FOLDER]
    python benchmarks/reduced_basis.py --scaling [--edges 12 8] [--regions 15 25 35] [--solves 64 128]

`--edge-mm` takes a layered sphere of that edge length instead of a head; 1.9 mm gives about 650 thousand nodes.
`--region-mm 0` stands for the whole brain. `--scaling` builds on spheres of several edge lengths, with several radii of
the region, and with several numbers of snapshots, and prints one line for each.
"""

import argparse
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numba
import numpy as np

from efield.basis.any_coil import catalog_coil, lifted
from efield.basis.primary import sample
from efield.basis.reduced_basis import ReducedBasis
from efield.head.spheres import sphere_head
from efield.io.load import load_coil, load_head
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand

#: Large against any cache (doubles).
LONG = 50_000_000


def milliseconds(run, arguments):
    """Median and least time in ms of one call, after one that compiles."""
    run(arguments[0])
    times = []
    for argument in arguments:
        start = time.perf_counter()
        run(argument)
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times)), min(times)


@numba.njit(parallel=True, fastmath={"reassoc"})
def reading(values):
    """Sum of a long float64 array on all threads: what the memory gives when it is only read."""
    parts = np.zeros(64)
    size = values.shape[0] // 64
    for part in numba.prange(64):
        total = 0.0
        for i in range(part * size, (part + 1) * size):
            total += values[i]
        parts[part] = total
    return parts.sum()


def bandwidth(threads, count):
    """GB/s of reading an array of `count` doubles over and over: the best of several runs."""
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    values = np.ones(count)
    reading(values)
    best = np.inf
    for _ in range(10 if count == LONG else 200):
        start = time.perf_counter()
        reading(values)
        best = min(best, time.perf_counter() - start)
    numba.set_num_threads(before)
    return 8e-9 * count / best


def seconds(run):
    """Least time of three calls."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def build(sim, coil, target, options, **more):
    """Seconds, and the basis."""
    wanted = {
        "tol": options.tol,
        "radius_mm": options.radius_mm,
        "region_radius_mm": options.region_mm or None,
        "max_solves": options.max_solves,
        "at": options.at,
    }
    start = time.perf_counter()
    basis = ReducedBasis.build(sim, coil, target, **wanted | more)
    return time.perf_counter() - start, basis


def inside(basis, maker, head, count=256):
    """Placements of the region, of a coil that the basis serves."""
    poses = basis.patch.poses(count, (99,), head, maker)
    if basis.any_coil is not None:
        poses = [lifted(head, maker, pose, basis.any_coil.clearance_mm) for pose in poses]
    return [pose for pose in poses if not basis.outside(pose, maker)]


def online(basis, maker, head):
    """Print how long a field and the measures take, and how near the memory's bandwidth that is."""
    coil = maker if basis.any_coil is not None else None
    poses = inside(basis, maker, head)
    model = basis.model
    size = model.modes.nbytes
    print(f"{len(basis.outputs.numbers)} places, {model.modes.shape[1]} modes, {size / 1e6:.1f} MB")
    print("field, one placement      {:.2f} ms (least {:.2f})".format(
        *milliseconds(lambda pose: basis.field(pose, coil=coil), poses)
    ))  # fmt: skip
    print("  of it, coil at samples  {:.2f} ms (least {:.2f})".format(
        *milliseconds(lambda pose: sample(maker, pose, basis.points_mm, 1e6), poses)
    ))  # fmt: skip
    coefficients = np.ones(model.modes.shape[1], np.float32)
    median, least = milliseconds(lambda _: model.expand(coefficients), poses)
    print(f"  of it, modes            {median:.2f} ms (least {least:.2f})")
    threads = numba.config.NUMBA_NUM_THREADS
    count = LONG if size > 16e6 else size // 8
    one, all_threads = bandwidth(1, count), bandwidth(threads, count)
    reached = 1e-6 * size / least
    print(
        f"reading memory            {all_threads:.1f} GB/s on {threads} threads, {one:.1f} on one "
        f"({8e-6 * count:.0f} MB); modes are read at {reached:.1f} GB/s, {100 * reached / all_threads:.0f} % of it"
    )
    basis.measures(poses, coil=coil, focality=True)
    for name, more in (("measures", {}), ("measures with focality", {"focality": True})):
        rate = len(poses) / seconds(lambda more=more: basis.measures(poses, coil=coil, **more))
        print(f"{name:<25} {rate:.0f} placements/s")


def stored(basis, sim, coil):
    """Print the size of the folder and how long loading takes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "basis"
        basis.save(path)
        size = sum(file.stat().st_size for file in path.iterdir())
        took = seconds(lambda: ReducedBasis.load(path, sim, coil))
        print(f"file {size / 1e6:.1f} MB, loaded and verified in {took:.2f} s")


def one(options):
    """Everything about one basis."""
    start = time.perf_counter()
    head = sphere_head(edge_mm=options.edge_mm) if options.edge_mm else load_head(options.head)
    target, sim = m1_hand(head), Simulator(head)
    maker = catalog_coil("magstim-70mm-figure8") if options.coil == "any" else load_coil(options.coil)
    coil = "any" if options.coil == "any" else maker
    print(f"{len(head.points)} nodes, ready in {time.perf_counter() - start:.0f} s; load {os.getloadavg()[0]:.1f}")
    begun = time.perf_counter()
    took, basis = build(
        sim,
        coil,
        target,
        options,
        checkpoint=options.checkpoint,
        progress=lambda done, planned, note: print(
            f"{time.perf_counter() - begun:5.0f} s: {done:4d} of {planned} solves {note}", flush=True
        ),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"built in {took:.0f} s, peak memory {peak:.2f} GB; load {os.getloadavg()[0]:.1f}")
    print(basis.certificate)
    online(basis, maker, head)
    poses = inside(basis, maker, head, 16)
    full = seconds(lambda: list(sim.solve_many(maker, poses)))
    print(f"full solves               {len(poses) / full:.2f} placements/s in blocks")
    stored(basis, sim, coil)


def scaling(options):
    """One line for each size."""
    maker = load_coil("magstim-25mm-figure8")
    base = {"radius_mm": 10.0, "tol": 1e-6}
    print("  nodes  solves  places  modes  build s   largest error  field ms  measures/s")
    cases = [(edge, options.regions[0], options.solves[0]) for edge in options.edges]
    cases += [(options.edges[0], radius, options.solves[0]) for radius in options.regions[1:]]
    cases += [(options.edges[0], options.regions[0], solves) for solves in options.solves[1:]]
    sims = {}
    for edge, radius, solves in cases:
        if edge not in sims:
            sims[edge] = Simulator(sphere_head(edge_mm=edge))
        sim = sims[edge]
        more = base | {"region_radius_mm": radius, "max_solves": solves}
        took, basis = build(sim, maker, m1_hand(sim.head), options, **more)
        poses = inside(basis, maker, sim.head, 128)
        field = milliseconds(basis.field, poses)[0]
        basis.measures(poses)
        rate = len(poses) / seconds(lambda basis=basis, poses=poses: basis.measures(poses))
        shown = (len(sim.head.points), basis.certificate.solves, len(basis.tets), basis.model.modes.shape[1])
        print(
            "{:7d} {:7d} {:7d} {:6d}".format(*shown)
            + f" {took:8.1f} {basis.certificate.field.max:15.1e} {field:9.2f} {rate:10.0f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--edge-mm", type=float)
    parser.add_argument("--coil", default="magstim-70mm-figure8")
    parser.add_argument("--tol", type=float, default=1e-3)
    parser.add_argument("--radius-mm", type=float, default=25.0)
    parser.add_argument("--region-mm", type=float, default=35.0)
    parser.add_argument("--at", default="tets")
    parser.add_argument("--max-solves", type=int, default=512)
    parser.add_argument("--checkpoint")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--edges", type=float, nargs="+", default=[12.0, 8.0])
    parser.add_argument("--regions", type=float, nargs="+", default=[20.0, 35.0])
    parser.add_argument("--solves", type=int, nargs="+", default=[64, 128])
    options = parser.parse_args()
    (scaling if options.scaling else one)(options)


if __name__ == "__main__":
    main()
