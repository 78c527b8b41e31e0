"""Every coil of the catalog and of given files: direction, placement, casing gap, and fast against exact reciprocity.

    python benchmarks/coils.py [--head NAME | --edge-mm MM] [--files-only] [FILE ...]

Placements lie within 20 mm of the target's scalp point, at all angles, tilted by up to 8 degrees, 3 to 10 mm off.
Laying is timed on a grid of 5 positions and 24 angles, three times, of which the least is told.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from efield.basis.scalp_patch import ScalpPatch
from efield.coils.catalog import names
from efield.coils.polarity import induced_words
from efield.ground.errors import InputError
from efield.head.spheres import sphere_head
from efield.io.load import load_coil, load_head
from efield.reciprocity.reciprocal import reciprocal
from efield.sweeping.grid import PlacementGrid
from efield.targeting.collision import clearance_mm
from efield.targeting.placement import gap_below_center, place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand

ROW = "| {:<30} | {:<11} | {:<7} | {:>5} | {:>6} | {:>6} | {:>7} | {:>5} | {:>6} |"
GRID = PlacementGrid(radius_mm=5.0, spacing_mm=5.0)


def timed(work):
    """What the work gives, and the CPU seconds it takes."""
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


def row(name, head, target, adjoint, count):
    """One coil's line of the table."""
    coil = load_coil(name)
    pose = place_coil(head, target, 45.0, 4.0, coil=coil)
    gap, below = clearance_mm(head, coil, pose), gap_below_center(head, pose)
    GRID.on(head, target, coil, numbers=np.arange(3))
    lay = min(timed(lambda: GRID.on(head, target, coil))[1] for _ in range(3))
    words = name if name in names() else Path(name).name, induced_words(coil) or "no one way", coil.shape_from
    placed = f"{gap:.2f}", f"{below:.1f}", f"{1e3 * lay / GRID.count:.1f}"
    if adjoint is None:
        print(ROW.format(*words, *placed, "", "", ""), flush=True)
        return
    poses = ScalpPatch.around(head, target, 20.0, 8.0, (3.0, 10.0)).poses(count, (5,), head, coil)
    exact, summed = timed(lambda: adjoint.mean(coil, poses, exact=True))
    slow, why = adjoint.route(coil, 10**6, False)
    adjoint.mean(coil, poses[:1], exact=False)
    fast, quick = timed(lambda: adjoint.mean(coil, poses, exact=False))
    error = "exact" if slow else f"{np.abs(fast - exact).max() / np.abs(exact).max():.1e}"
    print(ROW.format(*words, *placed, error, f"{1e3 * quick / count:.1f}", f"{summed / count:.2g}"), flush=True)
    if slow:
        print(f"  {why}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--edge-mm", type=float)
    parser.add_argument("--placements", type=int, default=4, help="0 looks at laying only")
    parser.add_argument("--cache", type=Path, help="folder that keeps the adjoint solves for the next run")
    parser.add_argument("--files-only", action="store_true", help="leave the catalog out")
    options = parser.parse_args()
    head = sphere_head(edge_mm=options.edge_mm) if options.edge_mm else load_head(options.head)
    target = m1_hand(head)
    adjoint = None
    if options.placements:
        sim = Simulator(head)
        adjoint, solving = timed(lambda: reciprocal(sim, target, axes=True, cache=options.cache))
        print(f"three adjoint solves {solving:.0f} CPU s, storing their potential {timed(adjoint.store)[1]:.0f}")
    print(f"{len(head.points)} nodes")
    print("gap, center: mm, of place_coil(angle 45, distance 4); lay, fast: CPU ms a placement; sum: CPU s")
    print(ROW.format("coil", "induces", "casing", "gap", "center", "lay ms", "error", "ms", "sum s"))
    for name in [*([] if options.files_only else names()), *options.files]:
        try:
            row(name, head, target, adjoint, options.placements)
        except InputError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main()
