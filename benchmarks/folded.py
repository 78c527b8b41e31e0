"""How accurate is the field in a folded cortex? Fills the folded table of docs/accuracy.md.

    python benchmarks/folded.py --factor 0.24       the shipped head
    python benchmarks/folded.py --factor 0.48 --labels labels.nii.gz
    python benchmarks/folded.py --factor 0.16 --labels labels.nii.gz

Each run fills the rows of one mesh (the shipped one: six minutes on two busy cores, 4 GB). The factor is that of the
edges around the left hand knob, as in `meshes/build_mni152.py`; other factors than the shipped one are meshed from the
same label volume (`meshes/make_labels.py`). There is no closed form, so the truth is the solution of second order on
the same head with every edge around the target cut into four: the polyhedra that stand for gray matter are the same.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from accuracy import PAGE, fill
from scipy.spatial import cKDTree

import efield as ef
from efield.coils.compressed import compress
from efield.fem.problem import FemProblem
from efield.ground.units import mm_to_m
from efield.head.conductivity import Conductivity
from efield.head.lattice import Refinement, mesh_labels
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.refinement import refined_head
from efield.head.spheres import sphere_head
from efield.head.tissue import GRAY_MATTER

DIDT = 1e6
SHIPPED_FACTOR = 0.24
#: As `meshes/build_mni152.py`, with one sphere in place of both strips.
EDGE_MM = {1: 11.0, 2: 7.2, 3: 8.0, 4: 8.0, 5: 10.0}
HAND_KNOB = np.array([-37.0, -21.0, 58.0])
FINE_MM = 14.0
#: Gray matter within this distance of the target is compared; edges are halved within the second distance, and halved
#: again within the third.
COMPARED_MM, HALVED_MM, QUARTERED_MM = 6.0, 10.0, 7.0
POINTS = 20_000
EDGES = tuple(combinations(range(4), 2))

Primary = Callable[[np.ndarray], np.ndarray]


def base_head(factor: float, labels: Path | None) -> HeadMesh:
    """The shipped head, or the same label volume with other edges around the hand knob."""
    if factor == SHIPPED_FACTOR:
        return ef.load_head("mni152")
    if labels is None:
        raise SystemExit(f"--labels must be given for factor {factor}: python meshes/make_labels.py labels.nii.gz")
    from efield.io.volumes.labels import read_labels

    return mesh_labels(*read_labels(labels), edge_mm=EDGE_MM, refine=[Refinement(HAND_KNOB, FINE_MM, factor)])


def halved(head: HeadMesh, center_mm: np.ndarray, radius_mm: float) -> HeadMesh:
    """Every edge of the tetrahedra around a place cut in two, however short."""
    return refined_head(head, center_mm, (radius_mm,), surface_mm=0.0, shortest_mm=1e-3).head


def gray_points(head: HeadMesh, center_mm: np.ndarray) -> np.ndarray:
    """Points spread evenly over the gray matter within `COMPARED_MM` of the center."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(8 * POINTS, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = center_mm + COMPARED_MM * np.cbrt(rng.random((8 * POINTS, 1))) * direction
    tet, _ = Locator(head).find(points)
    return points[head.tissue[tet] == GRAY_MATTER][:POINTS]


@dataclass(frozen=True)
class Solved:
    """The field at the points, per element and recovered, and what it took."""

    element: np.ndarray
    recovered: np.ndarray | None
    unknowns: int
    iterations: int
    setup_s: float
    solve_s: float


def solve(head: HeadMesh, order: int, primary: Primary, points: np.ndarray, *, recover: bool = True) -> Solved:
    """First or second order, evaluated inside the element that holds each point."""
    start = time.perf_counter()
    problem = FemProblem(head, Conductivity().per_tet(head), order=order, solver="multigrid")
    setup = time.perf_counter() - start
    dadt = primary(problem.nodes_mm)
    start = time.perf_counter()
    solution = problem.solve(dadt)
    seconds = time.perf_counter() - start
    tet, weights = Locator(head).find(points)
    if order == 1:
        element = problem.element_field(solution.phi, dadt)[tet]
    else:
        element = quadratic_field(problem, solution.phi, dadt, head.tets[tet], weights)
    recovered = problem.recovered_field(solution.phi, dadt).at(points) if recover else None
    return Solved(element, recovered, len(dadt), solution.iterations, setup, seconds)


def quadratic_field(
    problem: FemProblem, phi: np.ndarray, dadt: np.ndarray, tets: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """E (n, 3) of second order at barycentric coordinates (n, 4) in the tetrahedra (n, 4)."""
    corners = problem.head.points[tets]
    places = np.concatenate([corners, np.stack([corners[:, e].mean(axis=1) for e in map(list, EDGES)], axis=1)], axis=1)
    # The unknowns sit at corners and middles of edges; found by place, among those around.
    low, high = places.min(axis=(0, 1)) - 1e-6, places.max(axis=(0, 1)) + 1e-6
    near = np.flatnonzero(((problem.nodes_mm >= low) & (problem.nodes_mm <= high)).all(axis=1))
    distance, found = cKDTree(problem.nodes_mm[near]).query(places)
    assert distance.max() < 1e-6
    dofs = near[found]
    inverse = np.linalg.inv(mm_to_m(corners[:, 1:] - corners[:, :1]))
    slope = np.concatenate([-inverse.sum(axis=2, keepdims=True), inverse], axis=2).transpose(0, 2, 1)
    w = weights[:, :, None]
    gradient = [(4 * w[:, k] - 1) * slope[:, k] for k in range(4)]
    gradient += [4 * (w[:, a] * slope[:, b] + w[:, b] * slope[:, a]) for a, b in EDGES]
    shape = np.concatenate([w * (2 * w - 1), np.stack([4 * w[:, a] * w[:, b] for a, b in EDGES], axis=1)], axis=1)
    return -np.einsum("ni,nid->nd", phi[dofs], np.stack(gradient, axis=1)) - (shape * dadt[dofs]).sum(axis=1)


def row(name: str, what: str, found: Solved, field: np.ndarray, truth: np.ndarray) -> str:
    """One line of the table: relative L2 error, and errors of the mean and of the 99th percentile of |E|."""
    off = 100 * np.sqrt(((field - truth) ** 2).sum() / (truth**2).sum())
    size, true_size = (np.linalg.norm(e, axis=1) for e in (field, truth))
    mean = 100 * (size.mean() / true_size.mean() - 1)
    top = 100 * (np.percentile(size, 99) / np.percentile(true_size, 99) - 1)
    cost = f"{found.iterations} | {found.setup_s:.1f} | {found.solve_s:.2f}"
    line = f"| {name} | {what} | {found.unknowns:,} | {off:.1f} | {mean:+.1f} | {top:+.1f} | {cost} |"
    print(line, flush=True)
    return line


def measure(head: HeadMesh, center_mm: np.ndarray, primary: Primary) -> Iterator[str]:
    """The rows of one mesh, as they come."""
    points = gray_points(head, center_mm)
    name = f"{gray_edge_mm(head, center_mm):.2f}"
    once = halved(head, center_mm, HALVED_MM)
    twice = halved(once, center_mm, QUARTERED_MM)
    print(f"{len(head.tets):,}, {len(once.tets):,}, {len(twice.tets):,} tetrahedra; {len(points):,} points", flush=True)
    truth = solve(twice, 2, primary, points, recover=False)
    reference = row(name, "2, element, edges quartered: the reference", truth, truth.element, truth.element)
    size = np.linalg.norm(truth.element, axis=1)
    print(f"mean {size.mean():.3f}, 99th percentile {np.percentile(size, 99):.3f} V/m; {peak_gb():.1f} GB", flush=True)
    usual = refined_head(head, center_mm).head
    compare = [("", head, 1), ("", head, 2), (", edges quartered", twice, 1), (", edges halved", once, 2)]
    compare += [(", refined as simulate does", usual, 1)]
    for suffix, mesh, order in compare:
        found = solve(mesh, order, primary, points, recover=mesh is not once)
        for kind, field in (("element", found.element), ("recovered", found.recovered)):
            if field is not None:
                yield row(name, f"{order}, {kind}{suffix}", found, field, truth.element)
    yield reference


def gray_edge_mm(head: HeadMesh, center_mm: np.ndarray) -> float:
    """Median edge of the gray tetrahedra within `COMPARED_MM`."""
    near = np.linalg.norm(head.barycenters - center_mm, axis=1) < COMPARED_MM
    corners = head.points[head.tets[near & (head.tissue == GRAY_MATTER)]]
    return float(np.median([np.linalg.norm(corners[:, a] - corners[:, b], axis=1) for a, b in EDGES]))


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def edge(line: str) -> float:
    """First cell of a row."""
    return float(line.split("|")[1])


def other_rows(edge_mm: float) -> list[str]:
    """The table's rows of the other meshes."""
    table = PAGE.read_text().split("<!-- folded -->\n", 1)[1].split("\n\n", 1)[0]
    return [line for line in table.split("\n")[2:] if edge(line) != edge_mm]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factor", type=float, default=SHIPPED_FACTOR)
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args()
    shipped = ef.load_head("mni152")
    coil, target = ef.load_coil("magstim-70mm-figure8"), ef.m1_hand(shipped, variant="mayka")
    pose = ef.place_coil(shipped, over=target, coil=coil)
    stored = compress(coil)
    small = sphere_head(edge_mm=14.0)
    for order in (1, 2):
        # Compiles the kernels, so that the seconds below are without it.
        solve(small, order, lambda p: stored.dadt(pose, p, DIDT), small.barycenters[:100])
    head = base_head(options.factor, options.labels)
    rows = list(measure(head, target.center_mm, lambda p: stored.dadt(pose, p, DIDT)))
    rows += other_rows(edge(rows[0]))
    fill("folded", sorted(rows, key=edge, reverse=True))
    print(f"peak memory {peak_gb():.1f} GB")


if __name__ == "__main__":
    main()
