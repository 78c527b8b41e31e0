"""Seconds of each phase of the finite elements, warm, on sphere heads.

    python benchmarks/solver.py [--edges 4 1.95] [--width 16] [--direct]

Edges of 4 mm give 69 thousand nodes, 1.95 mm about 600 thousand. Compilation is done on a small head first and
reported apart. With --direct the optional direct solver (pip install 'efield[mkl]') is timed on the first head too.
"""

import argparse
import os
import resource
import time

import numpy as np

from efield.fem.assembly import LinearElements
from efield.fem.solvers import make_solver
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


def primary_fields(points_mm: np.ndarray, width: int) -> np.ndarray:
    """dA/dt (n, 3, width) at points (n, 3) of one dipole each, spread over the upper half of the head."""
    rng = np.random.default_rng(0)
    fields = np.empty((len(points_mm), 3, width))
    for column in range(width):
        place = rng.normal(size=3)
        place *= 100 / np.linalg.norm(place)
        place[2] = abs(place[2])
        gap = (points_mm - place) / 1e3
        fields[:, :, column] = 0.1 * np.cross(place / 100, gap) / np.linalg.norm(gap, axis=1)[:, None] ** 3
    return fields


def timed(label: str, run, repeats: int = 3):
    """Shortest of a few runs; returns the last result."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - start)
    if label:
        print(f"  {label:<34} {best:8.3f} s", flush=True)
    return result


def measure(head: HeadMesh, width: int, kinds: list[str], quiet: bool = False) -> None:
    def say(text: str) -> str:
        return "" if quiet else text

    sigma = Conductivity().per_tet(head)

    def elements() -> LinearElements:
        return LinearElements(head.points / 1e3, np.ascontiguousarray(head.tets), sigma)

    mesh = elements()
    matrix = timed(say("assembly"), lambda: elements().stiffness())
    dadt = primary_fields(head.points, width)
    one = np.ascontiguousarray(dadt[:, :, :1])
    mesh.around  # noqa: B018 (built once, part of the assembly above)
    load = timed(say("right-hand side, one"), lambda: mesh.load(one))
    block = timed(say(f"right-hand side, {width}"), lambda: mesh.load(dadt))
    for kind in kinds:
        solver = timed(say(f"{kind}: set-up"), lambda kind=kind: make_solver(kind, matrix, head.points), 1)
        found = timed(say(f"{kind}: solve one"), lambda solver=solver: solver.solve(load, 1e-8))
        many = timed(say(f"{kind}: solve {width}"), lambda solver=solver: solver.solve(block, 1e-8), 1)
        if not quiet:
            print(f"  iterations {found.iterations}, {many.iterations}; residual {many.residual:.1e}")
    phi = found.phi
    timed(say("field per tetrahedron, one"), lambda: mesh.field(phi, one))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=float, nargs="+", default=[4.0, 1.95])
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--direct", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    measure(sphere_head(edge_mm=14.0), 2, ["multigrid"], quiet=True)
    print(f"compilation or loading of compiled kernels {time.perf_counter() - start:.1f} s")
    for number, edge in enumerate(options.edges):
        head = sphere_head(edge_mm=edge)
        print(f"{len(head.points):,} nodes, {len(head.tets):,} tetrahedra; one-minute load {os.getloadavg()[0]:.1f}")
        measure(head, options.width, ["multigrid"] + ["direct"] * (options.direct and number == 0))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"  peak memory of the process so far  {peak:8.2f} GB")


if __name__ == "__main__":
    main()
