"""What the solver's own order of unknowns saves, on a sphere head whose nodes are in random order.

    python benchmarks/ordering.py [--edge 2.93] [--width 16]

Edges of 2.93 mm give 176 thousand nodes, 2.03 mm 540 thousand. "kept": the order of the file; "local": as the package
solves. Set-up includes finding the order and moving the matrix into it.
"""

import argparse
import time
from unittest import mock

import numpy as np
from scipy.sparse import csr_matrix

from efield.fem import ordering, solvers
from efield.fem.assembly import LinearElements
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head


def shuffled(edge_mm: float) -> tuple[csr_matrix, np.ndarray]:
    """The stiffness matrix of a sphere head and its nodes, in random order."""
    head = sphere_head(edge_mm=edge_mm)
    elements = LinearElements(head.points / 1e3, np.ascontiguousarray(head.tets), Conductivity().per_tet(head))
    order = np.random.default_rng(0).permutation(len(head.points))
    return csr_matrix(elements.stiffness()[order][:, order]), head.points[order]


def measure(name: str, matrix: csr_matrix, points: np.ndarray, load: np.ndarray) -> None:
    start = time.perf_counter()
    solver = solvers.make_solver("multigrid", matrix, points)
    print(f"{name:<6} set-up {time.perf_counter() - start:6.2f} s", end="")
    for block in (load[:, :1], load):
        start = time.perf_counter()
        solver.solve(np.ascontiguousarray(block), 1e-8)
        print(f"   {block.shape[1]:>2} loads {time.perf_counter() - start:6.2f} s", end="", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=float, default=2.93)
    parser.add_argument("--width", type=int, default=16)
    options = parser.parse_args()
    matrix, points = shuffled(options.edge)
    load = np.random.default_rng(1).standard_normal((matrix.shape[0], options.width))
    small = shuffled(20.0)
    solvers.make_solver("multigrid", *small).solve(load[: len(small[1])], 1e-1)  # compiles
    print(f"{matrix.shape[0]} nodes, spread {ordering.spread(matrix):.1f}")
    with mock.patch.object(solvers, "local_order", return_value=None):
        measure("kept", matrix, points, load)
    measure("local", matrix, points, load)


if __name__ == "__main__":
    main()
