"""Full solves, a reduced basis and reciprocity on the same placements: rates and errors, in one run.

    python benchmarks/engines.py [--head NAME | --edge-mm MM] [--coil NAME] [--placements N] [--tol TOL]

The placements are a grid of 10 mm radius over the hand area, 72 angles, 4 mm from the scalp; the basis is made for
them. `--edge-mm` takes a layered sphere of that edge length (7 unless a head is named).
"""

import argparse
import time

import numpy as np

import efield as ef
from efield.head.spheres import sphere_head
from efield.sweeping.engines import measure

CHECKED = 16


def timed(run):
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def laid_out(head, target, coil, count):
    """At least `count` placements of a grid."""
    spacing = 10.0 * np.sqrt(np.pi * 72 / count)
    grid = ef.PlacementGrid(radius_mm=10.0, spacing_mm=float(spacing), angles_deg=tuple(range(0, 360, 5)))
    laid, seconds = timed(lambda: grid.on(head, target, coil))
    print(f"{len(laid)} placements laid on the head at {len(laid) / seconds:.0f} per second")
    return laid


def line(name, prepare, rate, errors):
    """One row of the table."""
    print(f"| {name} | {prepare:.1f} | {rate:.3g} | {60 * rate / 1e6:.2g} | {errors} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head")
    parser.add_argument("--edge-mm", type=float, default=7.0)
    parser.add_argument("--coil", default="magstim-70mm-figure8")
    parser.add_argument("--placements", type=int, default=20_000)
    parser.add_argument("--tol", type=float, default=1e-3)
    options = parser.parse_args()
    head = ef.load_head(options.head) if options.head else sphere_head(edge_mm=options.edge_mm)
    coil, target = ef.load_coil(options.coil), ef.m1_hand(head)
    sim, setup = timed(lambda: ef.Simulator(head))
    print(f"{len(head.points)} nodes, {coil.name}")
    laid = laid_out(head, target, coil, options.placements)
    few = laid[np.linspace(0, len(laid) - 1, CHECKED).astype(int)]
    exact = measure(sim, coil, few, target, exact=True)
    vector = np.hypot(exact["along"], exact["across"])
    print("| engine | s to prepare | placements/s | M per minute | largest error of the mean field, of its peak |")
    print("|---|---|---|---|---|")

    measure(sim, coil, few[:CHECKED], target)  # stores the coil's potential
    found, seconds = timed(lambda: measure(sim, coil, few, target))
    error = np.abs(found["mean_magnitude"] / exact["mean_magnitude"] - 1).max()
    line("full, blocks of 8", setup, CHECKED / seconds, f"{error:.1e} (stored potential)")

    basis, seconds = timed(
        lambda: ef.ReducedBasis.build(
            sim, coil, target, radius_mm=14.0, tilt_deg=3.0, distance_mm=(3.0, 6.0), tol=options.tol, max_solves=256
        )
    )
    part = laid[: min(len(laid), 4096)]
    measure(basis, coil, part[:64], target)
    rate = len(part) / timed(lambda: measure(basis, coil, part, target))[1]
    error = np.abs(measure(basis, coil, few, target)["mean_magnitude"] / exact["mean_magnitude"] - 1).max()
    line(f"reduced, {basis.certificate.solves} solves", seconds, rate, f"{error:.1e}")

    def store():
        made = ef.reciprocal(sim, target, axes=True)
        measure(made, coil, few, target)
        return made

    adjoint, seconds = timed(store)
    rate = len(laid) / timed(lambda: measure(adjoint, coil, laid, target))[1]
    error = np.abs(measure(adjoint, coil, few, target)["mean_vector"] - vector).max() / vector.max()
    line("reciprocal, 3 axes", seconds, rate, f"{error:.1e}")
    one, seconds = timed(lambda: ef.reciprocal(sim, target, axes=False))
    measure(one, coil, few, target)
    rate = len(laid) / timed(lambda: measure(one, coil, laid, target))[1]
    error = np.abs(measure(one, coil, few, target)["along"] - exact["along"]).max() / vector.max()
    line("reciprocal, one direction", seconds, rate, f"{error:.1e}")
    error = np.abs(measure(one, coil, few, target, exact=True)["along"] - exact["along"]).max() / vector.max()
    print(f"reciprocal, exact: {error:.1e}")


if __name__ == "__main__":
    main()
