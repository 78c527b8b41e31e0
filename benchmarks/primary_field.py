"""Seconds to evaluate the primary field of one placement: direct sum against stored polynomials.

    python benchmarks/primary_field.py [--coil NAME] [--dipoles SPACING_MM] [--points N] [--repeats N]

Prints one line per method. The points fill a ball of 95 mm, as the nodes of a head mesh would; the coil's casing is
4 mm from its surface. The ratio is of the two times of this very run.
"""

import argparse
import time

import numba
import numpy as np

from efield.coils import catalog
from efield.coils.compressed import compress
from efield.coils.model import Coil
from efield.coils.primary import dadt
from efield.ground.pose import Pose


def seconds(run, repeats):
    """Shortest of several runs, after one that compiles."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def ball(count):
    """Points in a ball of 95 mm in the order a mesh has them: neighbors close in memory."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(count, 3))
    points *= (95 * rng.uniform(0, 1, count) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    return points[np.lexsort((points[:, 0] // 4, points[:, 1] // 4, points[:, 2] // 4))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coil", default="magstim-70mm-figure8")
    parser.add_argument("--dipoles", type=float, help="replace the wires by dipoles this many mm apart")
    parser.add_argument("--points", type=int, default=674_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    coil = catalog.load_named(options.coil)
    if options.dipoles:
        assembly = catalog.assembly(options.coil)
        coil = Coil(
            name=f"{coil.name} as dipoles",
            sources=(assembly.dipoles(spacing_mm=options.dipoles),),
            casing_points_mm=coil.casing_points_mm,
        )
    points = ball(options.points)
    reach = np.asarray(coil.casing_points_mm)
    lateral = np.hypot(reach[:, 0], reach[:, 1])
    height = (reach[:, 2] + np.sqrt(np.maximum(99.0**2 - lateral**2, 0)))[lateral < 99].max()
    pose = Pose.from_axes((0, 0, height), y=(0.3, 1, 0), z=(0, 0, -1))

    compress(Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]))  # compiles
    start = time.perf_counter()
    stored = compress(coil)
    build = time.perf_counter() - start
    fast = seconds(lambda: stored.dadt(pose, points, 1e6), options.repeats)
    slow = seconds(lambda: dadt(coil, pose, points, 1e6), 1)
    exact = dadt(coil, pose, points, 1e6)
    error = np.linalg.norm(stored.dadt(pose, points, 1e6) - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max()
    pairs = len(points) * len(coil) / slow / numba.get_num_threads() / 1e6
    print(f"{coil.name}: {len(coil)} sources, {len(points)} points, {numba.get_num_threads()} threads")
    print(f"direct sum          {slow:8.3f} s per placement, {pairs:.0f} M pairs/s per thread")
    print(f"stored polynomials  {fast:8.3f} s per placement, largest error {error:.1e} of the peak")
    print(f"stored once in      {build:8.3f} s, {stored.leaves} leaves, {stored.nbytes / 1e6:.1f} MB")
    print(f"ratio               {slow / fast:8.1f}")


if __name__ == "__main__":
    main()
