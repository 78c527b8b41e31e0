"""How many iterations does the solver take on meshes that are not our lattice? The table of docs/benchmarks.md.

    python benchmarks/hard_meshes.py [--only "jittered" "second order"]

Every case is solved by multigrid to a true residual of 1e-8, |b - K phi| <= 1e-8 |b|, for one placement and for a
block of eight. One is compared with pyamg's Ruge-Stuben multigrid in the same run. Seconds are of all cores, with
compiled kernels. All cases take about five minutes on two cores and 4 GB.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from folded import EDGES, halved
from scipy.spatial import Delaunay
from solver import primary_fields

import efield as ef
from efield.fem.problem import FemProblem
from efield.head.conductivity import Conductivity
from efield.head.lattice import mesh_labels
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head

RADII, TAGS = np.array([70.0, 73.0, 79.0, 85.0]), np.array([2, 3, 4, 5])
BLOCK = 8
#: A radius around any place that holds all of a head.
EVERYWHERE_MM = 1e4
TOL = 1e-8


def layered(points: np.ndarray) -> HeadMesh:
    """The Delaunay tetrahedra of points in the ball, except flat ones on its hull, with the shells' tags."""
    tets = Delaunay(points).simplices
    corners = points[tets]
    volume = np.linalg.det(corners[:, 1:] - corners[:, :1]) / 6
    tets[volume < 0] = tets[volume < 0][:, [1, 0, 2, 3]]
    longest = np.max([np.linalg.norm(corners[:, a] - corners[:, b], axis=1) for a, b in EDGES], axis=0)
    tets = tets[np.abs(volume) > 1e-9 * longest**3]
    depth = np.linalg.norm(points[tets].mean(axis=1), axis=1)
    return HeadMesh(points, tets, TAGS[np.minimum(np.searchsorted(RADII, depth), 3)].astype(np.uint16))


def random_points(count: int, seed: int = 0) -> np.ndarray:
    """Points spread evenly over the ball: between them Delaunay tetrahedra of every shape, slivers among them."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return RADII[-1] * np.cbrt(rng.random((count, 1))) * direction


def shells(count: int) -> HeadMesh:
    """Random points on a few dozen spheres: what a program puts on nested surfaces."""
    rng = np.random.default_rng(0)
    points = random_points(count)
    depth = np.linalg.norm(points, axis=1, keepdims=True)
    layer = np.round(depth / RADII[-1] * 28) / 28 * RADII[-1]
    return layered(points * layer / depth * (1 + 1e-4 * rng.normal(size=(count, 1))))


def jittered_grid(edge_mm: float, jitter: float = 1e-3) -> HeadMesh:
    """A cubic grid with its points moved a little: four corners of nearly every square become a sliver."""
    ticks = np.arange(-RADII[-1], RADII[-1] + edge_mm, edge_mm)
    points = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    points += jitter * edge_mm * np.random.default_rng(0).normal(size=points.shape)
    return layered(points[np.linalg.norm(points, axis=1) <= RADII[-1]])


def graded(halvings: int) -> HeadMesh:
    """A sphere head whose edges are 2^halvings times shorter under the coil than elsewhere."""
    head = sphere_head(edge_mm=8.0)
    top = head.points[np.argmax(head.points[:, 2])] - [0.0, 0.0, 15.0]
    for number in range(halvings):
        head = halved(head, top, 26.0 * 0.5**number)
    return head


def specks() -> HeadMesh:
    """A label volume of a sphere head with two blobs of 8 mm that touch nothing."""
    grid = np.stack(np.meshgrid(*3 * [np.arange(-100.0, 101.0, 2.0)], indexing="ij"), axis=-1)
    depth = np.linalg.norm(grid, axis=-1)
    labels = np.append(TAGS, 0)[np.searchsorted(RADII, depth)].astype(np.uint8)
    for center in ([70.0, 70.0, 0.0], [-70.0, 0.0, 70.0]):
        labels[np.linalg.norm(grid - center, axis=-1) < 4.0] = 5
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -100.0
    return mesh_labels(labels, affine, scale=1.5)


def folded_part(radius_mm: float = 48.0) -> HeadMesh:
    """The shipped head within a distance of its hand knob, every edge cut in two."""
    head = ef.load_head("mni152")
    center = ef.m1_hand(head).center_mm
    near = np.linalg.norm(head.barycenters - center, axis=1) < radius_mm
    nodes, tets = np.unique(head.tets[near], return_inverse=True)
    part = HeadMesh(head.points[nodes], tets.reshape(-1, 4), head.tissue[near])
    return halved(part, center, EVERYWHERE_MM)


def tensors(head: HeadMesh, ratio: float) -> np.ndarray:
    """(m, 3, 3) conductivities with a random axis along which they are `ratio` times those across."""
    axis = np.random.default_rng(0).normal(size=(len(head.tets), 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    along = axis[:, :, None] * axis[:, None, :]
    return Conductivity().per_tet(head)[:, None, None] * (np.eye(3) + (ratio - 1) * along) / ratio ** (1 / 3)


def contrasts(head: HeadMesh, values: tuple[float, ...]) -> np.ndarray:
    """(m,) the shells' conductivities from the center outwards."""
    return np.asarray(values)[np.searchsorted(TAGS, head.tissue)]


def scattered(head: HeadMesh) -> np.ndarray:
    """(m,) a conductivity between 1e-6 and 30 S/m for every tetrahedron, evenly by its logarithm."""
    return 10 ** np.random.default_rng(0).uniform(-6, np.log10(30), len(head.tets))


def default(head: HeadMesh) -> np.ndarray:
    return Conductivity().per_tet(head)


Sigma = Callable[[HeadMesh], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A mesh, its conductivities and the order of the elements."""

    name: str
    mesh: Callable[[], HeadMesh]
    sigma: Sigma = default
    order: int = 1
    compared: bool = False


def sphere() -> HeadMesh:
    return sphere_head(edge_mm=4.0)


CASES = (
    Case("the default head", lambda: ef.load_head("mni152")),
    Case("its hand area, every edge halved", folded_part, compared=True),
    Case("sphere, air within saline: 1e-6 and 30 S/m", sphere, lambda h: contrasts(h, (1e-6, 30, 1e-6, 30))),
    Case("sphere, 30 within 1e-6 S/m", sphere, lambda h: contrasts(h, (30, 1e-6, 30, 1e-6))),
    Case("sphere, 1e-6 to 30 S/m at random", sphere, scattered),
    Case("sphere, tensors of ratio 10", sphere, lambda h: tensors(h, 10)),
    Case("sphere, graded 128:1", lambda: graded(7)),
    Case("labels with two detached specks", specks),
    Case("sphere, second order", lambda: sphere_head(edge_mm=7.0), order=2),
    Case("Delaunay of random points", lambda: layered(random_points(60_000))),
    Case("the same, every edge halved", lambda: halved(layered(random_points(12_000)), np.zeros(3), EVERYWHERE_MM)),
    Case("Delaunay of points on shells", lambda: shells(60_000)),
    Case("Delaunay of a jittered grid, 1e-1", lambda: jittered_grid(3.5, 1e-1)),
    Case("Delaunay of a jittered grid, 1e-3", lambda: jittered_grid(3.5, 1e-3)),
    Case("Delaunay of random points, second order", lambda: layered(random_points(8_000)), order=2),
    Case("the same, tensors of ratio 10", lambda: layered(random_points(8_000)), lambda h: tensors(h, 10), order=2),
)


def smallest_dihedral_deg(head: HeadMesh) -> float:
    """Of all tetrahedra."""
    corners = head.points[head.tets]
    smallest = 180.0
    for a, b in EDGES:
        c, d = (k for k in range(4) if k not in (a, b))
        edge = corners[:, b] - corners[:, a]
        sides = [np.cross(edge, corners[:, k] - corners[:, a]) for k in (c, d)]
        sine = np.linalg.norm(np.cross(*sides), axis=1)
        angle = np.degrees(np.arctan2(sine, np.einsum("ni,ni->n", *sides)))
        smallest = min(smallest, float(angle.min()))
    return smallest


@dataclass(frozen=True)
class Row:
    """What a case took."""

    unknowns: int
    dihedral_deg: float
    set_up_s: float
    solve_s: float
    further_s: float
    iterations: int
    residual: float
    strong: bool
    ruge_stuben_s: float | None

    def line(self, name: str) -> str:
        """Of the table."""
        smoother = "factor" if self.strong else "diagonal"
        shape = f"{self.unknowns:,} | {self.dihedral_deg:.2g} | {smoother} | {self.iterations} | {self.residual:.1e}"
        return f"| {name} | {shape} | {self.set_up_s:.1f} | {self.solve_s:.2f} | {self.further_s:.2f} |"


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def ruge_stuben(problem: FemProblem, dadt: np.ndarray) -> float:
    """Seconds of one solve by pyamg's Ruge-Stuben CG to the same tolerance, without set-up."""
    import pyamg

    hierarchy = pyamg.ruge_stuben_solver(problem.linear.stiffness())
    load = problem.linear.load(np.ascontiguousarray(dadt[..., :1]))[:, 0]
    return timed(lambda: hierarchy.solve(load, tol=TOL, accel="cg", maxiter=1000))[1]


def measure(case: Case) -> Row:
    head = case.mesh()
    sigma = case.sigma(head)
    problem, set_up = timed(lambda: FemProblem(head, sigma, tol=TOL, solver="multigrid", order=case.order))
    dadt = primary_fields(problem.nodes_mm, BLOCK)
    one, seconds = timed(lambda: problem.solve(np.ascontiguousarray(dadt[..., 0])))
    block, together = timed(lambda: problem.solve(dadt))
    return Row(
        len(problem.nodes_mm),
        smallest_dihedral_deg(head),
        set_up,
        seconds,
        together / BLOCK,
        max(one.iterations, block.iterations),
        max(one.residual, block.residual),
        problem._solver.preconditioner.strong,
        ruge_stuben(problem, dadt) if case.compared else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="cases whose names hold one of these")
    options = parser.parse_args()
    for small in (sphere_head(edge_mm=14.0), layered(random_points(2_000))):
        for order in (1, 2):
            measure(Case("compiles", lambda small=small: small, order=order))
    print(
        "| case | unknowns | least dihedral | smoothed over | iterations | residual | set-up s | one s | each of 8 s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if any(text in case.name for text in options.only):
            row = measure(case)
            print(row.line(case.name), flush=True)
            if row.ruge_stuben_s is not None:
                ratio = row.further_s / row.ruge_stuben_s
                print(f"(pyamg Ruge-Stuben CG {row.ruge_stuben_s:.1f} s; each of {BLOCK} takes {ratio:.3f} of it)")
    print(f"{os.cpu_count()} cores, one-minute load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
