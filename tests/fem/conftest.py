"""A figure-8 coil as dipole discs, and its primary field, independent of the coils package."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from efield.fem.problem import FemProblem
from efield.fem.sphere import electric_field
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


@dataclass(frozen=True)
class Dipoles:
    """Dipoles in mm, A m^2 per ampere, driven at 1 A/us."""

    positions: np.ndarray
    moments: np.ndarray
    didt: float = 1e6

    def dadt(self, points_mm: np.ndarray) -> np.ndarray:
        out = np.empty_like(points_mm)
        turned = np.cross(self.moments, self.positions)
        # m x (r - p) / d^3, summed as two matrix products.
        for rows in np.array_split(np.arange(len(points_mm)), max(1, len(points_mm) // 1000)):
            distance = cdist(points_mm[rows], self.positions)
            inverse_cube = 1 / (distance * distance * distance)
            out[rows] = np.cross(inverse_cube @ self.moments, points_mm[rows]) - inverse_cube @ turned
        # 1e-7 is mu0 / 4 pi; 1e6 turns 1/mm^2 into 1/m^2.
        return 1e-7 * 1e6 * self.didt * out

    def truth(self, points_mm: np.ndarray) -> np.ndarray:
        return electric_field(points_mm, self.positions, self.moments, self.didt)


def _disc(center_x: float, radius: float, height: float, sign: float) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(5)
    r, w = (nodes + 1) / 2 * radius, weights / 2 * radius
    angle = (np.arange(16) + 0.5) * np.pi / 8
    x, y = np.outer(r, np.cos(angle)).ravel(), np.outer(r, np.sin(angle)).ravel()
    area = np.repeat(w * r * np.pi / 8, 16) * 1e-6
    place = np.column_stack([center_x + x, y, np.full_like(x, height)])
    return place, np.outer(sign * area, (0.0, 0.0, 1.0))


def figure_eight(height: float = 95.0, turns: int = 9) -> Dipoles:
    """70 mm figure-8: two wings of nine turns, radii 28 to 43.5 mm, wing centers 43.5 mm from the middle.

    Of fewer turns with the current of nine where only the truth of these same dipoles matters: they are summed sooner.
    """
    radii = np.linspace(28, 43.5, turns)
    discs = [_disc(sign * 43.5, radius, height, 9 / turns * sign) for sign in (-1.0, 1.0) for radius in radii]
    return Dipoles(np.concatenate([d[0] for d in discs]), np.concatenate([d[1] for d in discs]))


def under_coil(points_mm: np.ndarray) -> np.ndarray:
    """Within 30 mm of the coil's axis, on its side."""
    return (np.hypot(points_mm[:, 0], points_mm[:, 1]) < 30) & (points_mm[:, 2] > 40)


def relative_error(field: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    return float(np.sqrt((weight @ ((field - truth) ** 2).sum(1)) / (weight @ (truth**2).sum(1))))


@dataclass(frozen=True)
class Solved:
    """A sphere head with its field solved and the truth at the tetrahedra in the brain under the coil."""

    head: HeadMesh
    problem: FemProblem
    dadt: np.ndarray
    phi: np.ndarray
    iterations: int
    chosen: np.ndarray

    def errors(self, coil: Dipoles) -> tuple[float, float]:
        """Relative L2 error of the element field and of the recovered field."""
        centers = self.head.barycenters[self.chosen]
        truth, weight = coil.truth(centers), self.head.volumes[self.chosen]
        raw = self.problem.element_field(self.phi, self.dadt)[self.chosen]
        smooth = self.problem.recovered_field(self.phi, self.dadt).at(centers)
        return relative_error(raw, truth, weight), relative_error(smooth, truth, weight)


@pytest.fixture(scope="session")
def coil() -> Dipoles:
    return figure_eight(turns=3)


@pytest.fixture(scope="session")
def solve_sphere(coil):
    """A function edge_mm -> Solved, each mesh solved once."""
    known: dict[float, Solved] = {}

    def solve(edge_mm: float) -> Solved:
        if edge_mm not in known:
            head = sphere_head(edge_mm=edge_mm)
            problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid")
            dadt = coil.dadt(head.points)
            solution = problem.solve(dadt)
            chosen = (head.tissue == 2) & under_coil(head.barycenters)
            known[edge_mm] = Solved(head, problem, dadt, solution.phi, solution.iterations, chosen)
        return known[edge_mm]

    return solve
