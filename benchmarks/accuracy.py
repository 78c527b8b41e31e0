"""How accurate is the field, and what does it cost? Fills the sphere's table of docs/accuracy.md.

python benchmarks/accuracy.py   sphere against the closed form (about two minutes)
python benchmarks/folded.py     a folded cortex against a refined mesh (see there)
"""

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np

from efield.fem.problem import FemProblem
from efield.fem.sphere import electric_field
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
DIDT = 1e6


def figure_eight() -> tuple[np.ndarray, np.ndarray]:
    """70 mm figure-8 about the origin: 2 x 9 turns of radii 28 to 43.5 mm as dipole discs (mm, A m^2 per A)."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    angle = (np.arange(24) + 0.5) * np.pi / 12
    places, moments = [], []
    for sign in (-1.0, 1.0):
        for radius in np.linspace(28, 43.5, 9):
            r, w = (nodes + 1) / 2 * radius, weights / 2 * radius
            x, y = sign * 43.5 + np.outer(r, np.cos(angle)).ravel(), np.outer(r, np.sin(angle)).ravel()
            places.append(np.column_stack([x, y, 0 * x]))
            area = np.repeat(w * r, 24) * np.pi / 12 * 1e-6
            moments.append(np.outer(sign * area, (0.0, 0.0, 1.0)))
    return np.concatenate(places), np.concatenate(moments)


def primary(points_mm: np.ndarray, coil: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """dA/dt (n, 3) in V/m."""
    from efield.kernels.coils.dipoles import vector_potential

    sources = np.ascontiguousarray(np.vstack([coil[0].T / 1e3, coil[1].T]))
    return DIDT * vector_potential(np.ascontiguousarray(points_mm) / 1e3, sources)


def error(field: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Relative L2 error in percent."""
    return 100 * float(np.sqrt((weight @ ((field - truth) ** 2).sum(1)) / (weight @ (truth**2).sum(1))))


def solve(head: HeadMesh, coil: tuple[np.ndarray, np.ndarray], order: int) -> dict:
    """Element field and recovered field, and the seconds of each phase."""
    start = time.perf_counter()
    problem = FemProblem(head, Conductivity().per_tet(head), order=order, solver="multigrid")
    ready = time.perf_counter()
    dadt = primary(problem.nodes_mm, coil)
    begin = time.perf_counter()
    solution = problem.solve(dadt)
    solved = time.perf_counter()
    recovered = problem.recovered_field(solution.phi, dadt)
    _ = recovered.field  # nothing is recovered before it is asked for
    end = time.perf_counter()
    return {
        "element": problem.element_field(solution.phi, dadt),
        "recovered": recovered,
        "unknowns": len(dadt),
        "iterations": solution.iterations,
        "seconds": (ready - start, solved - begin, end - solved),
    }


def sphere_rows(edges: list[float]) -> list[str]:
    places, moments = figure_eight()
    coil = (places + np.array([0.0, 0, 95.0]), moments)
    rows = []
    for edge in edges:
        head = sphere_head(edge_mm=edge)
        centers = head.barycenters
        brain = (head.tissue == 2) & (np.hypot(centers[:, 0], centers[:, 1]) < 30) & (centers[:, 2] > 40)
        anywhere = random_points(head, brain)
        truth, truth_anywhere = (electric_field(p, *coil, DIDT) for p in (centers[brain], anywhere))
        for order in (1, 2):
            found = solve(head, coil, order)
            at_centers = error(found["element"][brain], truth, head.volumes[brain])
            at_points = error(found["recovered"].at(anywhere), truth_anywhere, np.ones(len(anywhere)))
            setup, seconds, recovery = found["seconds"]
            rows.append(
                f"| {edge:g} | {len(head.tets):,} | {order} | {found['unknowns']:,} | {at_centers:.2f} | "
                f"{at_points:.2f} | {found['iterations']} | {setup:.1f} | {seconds:.2f} | {recovery:.2f} |"
            )
            print(rows[-1], flush=True)
    return rows


def random_points(head: HeadMesh, chosen: np.ndarray) -> np.ndarray:
    """20,000 points spread evenly over the chosen tetrahedra."""
    rng = np.random.default_rng(0)
    tets = np.flatnonzero(chosen)
    volume = head.volumes[tets]
    drawn = rng.choice(tets, 20_000, p=volume / volume.sum())
    return np.einsum("ij,ijk->ik", rng.dirichlet(np.ones(4), len(drawn)), head.points[head.tets[drawn]])


def fill(mark: str, rows: list[str]) -> None:
    """Replaces the rows between the marks of docs/accuracy.md, and the line that says where they were measured."""
    text = PAGE.read_text()
    head, rest = text.split(f"<!-- {mark} -->\n", 1)
    _, tail = rest.split(f"<!-- end {mark} -->", 1)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, one-minute load "
    where = f"\nMeasured on {machine}{os.getloadavg()[0]:.1f}.\n"
    table = "\n".join(rest.split("\n", 2)[:2] + rows)
    PAGE.write_text(f"{head}<!-- {mark} -->\n{table}\n{where}<!-- end {mark} -->{tail}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=float, nargs="+", default=[8.0, 5.66, 4.0])
    options = parser.parse_args()
    places, moments = figure_eight()
    for order in (1, 2):
        # Compiles the kernels, so that the seconds below are without it.
        small = sphere_head(edge_mm=14.0)
        solve(small, (places + np.array([0.0, 0, 95.0]), moments), order)["recovered"].at([[0.0, 0, 50.0]])
    fill("sphere", sphere_rows(options.edges))


if __name__ == "__main__":
    main()
