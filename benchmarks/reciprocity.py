"""Reciprocity: placements per second of the fast and the exact route and of full solves, and errors, in one run.

    python benchmarks/reciprocity.py [--head NAME | --edge-mm MM] [--coil NAME] [--placements N]

`--edge-mm` takes a layered sphere of that edge length instead of a head. Placements lie within 40 mm of the target's
scalp point, at all angles, tilted by up to 8 degrees, 2 to 10 mm from the scalp.
"""

import argparse
import time

import numpy as np

from efield.basis.scalp_patch import ScalpPatch
from efield.head.spheres import sphere_head
from efield.io.load import load_coil, load_head
from efield.reciprocity.equivalent_points import skeleton
from efield.reciprocity.reciprocal import reciprocal
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand


def timed(run):
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--edge-mm", type=float)
    parser.add_argument("--coil", default="magstim-70mm-figure8")
    parser.add_argument("--placements", type=int, default=50_000)
    options = parser.parse_args()
    head = sphere_head(edge_mm=options.edge_mm) if options.edge_mm else load_head(options.head)
    coil, target = load_coil(options.coil), m1_hand(head)
    sim = Simulator(head)
    adjoint, seconds = timed(lambda: reciprocal(sim, target))
    print(f"{len(head.points)} nodes; adjoint solve {seconds:.1f} s")
    poses = ScalpPatch.around(head, target, 40.0, 8.0, (2.0, 10.0)).poses(16, (0,), head, coil)
    fast, seconds = timed(lambda: adjoint.along(coil, poses, exact=False))
    bones = skeleton(coil)
    print(f"first fast call, which stores what is needed: {seconds:.1f} s")
    print(f"{len(bones.points)} points and {len(bones.dipoles)} dipoles stand for the coil")
    exact, seconds = timed(lambda: adjoint.along(coil, poses, exact=True))
    print(f"exact route     {len(poses) / seconds:10.1f} placements/s")
    tets = target.tets(head)
    weight = head.volumes[tets] / head.volumes[tets].sum()
    few = poses[:3]
    solved, seconds = timed(lambda: [weight @ sim.solve(coil, p).in_tets(tets) @ target.direction for p in few])
    print(f"full solves     {len(few) / seconds:10.2f} placements/s, one at a time")
    many = [poses[k % len(poses)] for k in range(options.placements)]
    rate = max(len(many) / timed(lambda: adjoint.along(coil, many, exact=False))[1] for _ in range(3))
    print(f"fast route      {rate:10.0f} placements/s, {60 * rate / 1e6:.2f} M per minute")
    peak = np.abs(exact).max()
    print(f"exact against full solves: largest difference {np.abs(exact[:3] - solved).max() / peak:.1e} of the peak")
    errors = np.abs(fast - exact) / peak
    print(f"fast against exact: median {np.median(errors):.1e}, largest {errors.max():.1e} of the peak")


if __name__ == "__main__":
    main()
