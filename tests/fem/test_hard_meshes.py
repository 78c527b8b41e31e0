"""The solver on meshes and conductivities that are not a head's: it converges, or helps itself and says so."""

from threading import Thread

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags
from scipy.spatial import Delaunay

from efield.fem import coarsening, solvers
from efield.fem.problem import FemProblem
from efield.fem.smoothing import has_slivers, incomplete_factor
from efield.fem.solvers import MultigridCG
from efield.ground.errors import EfieldWarning, SolverError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head


def delaunay(count=4000):
    """Random points in a ball: dihedral angles down to thousandths of a degree."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return meshed(85 * np.cbrt(rng.random((count, 1))) * direction)


def meshed(points):
    """Their Delaunay tetrahedra, except the flattest."""
    tets = Delaunay(points).simplices
    volume = np.linalg.det(points[tets[:, 1:]] - points[tets[:, :1]])
    tets[volume < 0] = tets[volume < 0][:, [1, 0, 2, 3]]
    return HeadMesh(points=points, tets=tets[np.abs(volume) > 1e-5], tissue=np.full((np.abs(volume) > 1e-5).sum(), 2))


def nearly_a_grid(count=13):
    """A cubic grid moved by a thousandth of its edge: four corners of nearly every square become a sliver."""
    ticks = np.linspace(-60, 60, count)
    points = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    return meshed(points + 1e-3 * (ticks[1] - ticks[0]) * np.random.default_rng(0).normal(size=points.shape))


def below(up, values):
    """What on the coarser grid comes nearest to values above."""
    return np.linalg.lstsq((up.T @ up).toarray(), up.T @ values, rcond=1e-12)[0]


def primary(problem):
    x = problem.nodes_mm / 85
    return np.cross((1.0, 2.0, 3.0), x) + x[:, [1, 2, 0]] ** 2


@pytest.fixture(scope="module")
def slivers():
    head = delaunay()
    return FemProblem(head, Conductivity().per_tet(head), solver="multigrid")


@pytest.fixture(scope="module")
def sphere():
    head = sphere_head(edge_mm=12.0)
    return FemProblem(head, Conductivity().per_tet(head), solver="multigrid")


def test_slivers_are_seen_and_take_few_iterations(slivers):
    assert slivers._solver.preconditioner.strong
    solution = slivers.solve(primary(slivers))
    assert solution.iterations <= 25
    assert solution.residual <= 1e-8


def test_a_mesh_in_which_nearly_every_square_is_a_sliver_takes_few_iterations():
    head = nearly_a_grid()
    problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid")
    solution = problem.solve(primary(problem))
    assert solution.iterations <= 60
    assert solution.residual <= 1e-8


def test_the_ways_up_of_slivers_hold_linear_functions(slivers):
    grids = slivers._solver.preconditioner.grids
    given = slivers.head.points if slivers._solver.order is None else slivers.head.points[slivers._solver.order]
    wanted = np.column_stack([np.ones(len(given)), given])
    np.testing.assert_allclose(grids.ups[0] @ below(grids.ups[0], wanted), wanted, atol=1e-6 * np.abs(wanted).max())


def test_making_grids_leaves_the_matrix_as_it_is(slivers):
    """Sorted in passing, a solver's sums would be in another order than before."""
    turned = slivers.linear.stiffness()[::-1]
    matrix = csr_matrix((turned.data[::-1], turned.indices[::-1], turned.nnz - turned.indptr[::-1]))
    before = matrix.indices.copy()
    assert not matrix.has_sorted_indices
    coarsening.coarsened(matrix, slivers.head.points)
    assert np.array_equal(matrix.indices, before)


def test_an_unknown_that_is_strongly_coupled_to_none_joins_the_aggregate_it_hangs_on():
    conductors = -1.0 * np.ones((2, 2)) + 2 * np.eye(2)
    matrix = np.zeros((5, 5))
    matrix[:2, :2] += conductors
    matrix[2:4, 2:4] += conductors
    for row, conducts in ((0, 1e-6), (2, 3e-6)):  # the fifth hangs more on the second pair
        matrix[np.ix_([row, 4], [row, 4])] += conducts * conductors
    aggregates = csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]], np.int8))
    joined = coarsening.with_lone_unknowns(aggregates, csr_matrix(matrix))
    assert np.array_equal(joined.toarray(), [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])


def test_constants_come_up_from_every_grid_whatever_the_contrast(sphere, monkeypatch):
    """A node of air among saline only is strongly coupled to none: it was left out, and the solver stalled."""
    monkeypatch.setattr(coarsening, "_COARSEST", 20)
    head = sphere.head
    problem = FemProblem(head, np.array((1e-6, 30, 1e-6, 30))[head.tissue - 2], solver="multigrid")
    held = np.ones(len(head.points))
    for up in problem._solver.preconditioner.grids.ups:
        coarse = below(up, held)
        np.testing.assert_allclose(up @ coarse, held, atol=1e-6 * np.abs(held).max())
        held = coarse
    assert 0 < problem.solve(primary(problem)).iterations <= 25


def test_a_sphere_is_smoothed_over_its_diagonal(sphere):
    assert not sphere._solver.preconditioner.strong
    assert not has_slivers(sphere.linear.stiffness())


def test_the_incomplete_factor_bounds_the_spectrum_by_one():
    head = delaunay(800)
    matrix = FemProblem(head, Conductivity().per_tet(head)).linear.stiffness()
    indptr, columns, values = incomplete_factor(matrix, 1 / matrix.diagonal())
    upper = csr_matrix((values.astype(float), columns, indptr), shape=matrix.shape)
    excess = (upper.T @ upper - matrix).toarray()
    root = 1 / np.sqrt(matrix.diagonal())
    assert np.linalg.eigvalsh(root[:, None] * excess * root)[0] > -1e-5  # of float32
    kept = np.abs(matrix.toarray()) > 0
    np.fill_diagonal(kept, False)
    assert np.abs(root[:, None] * excess * root)[kept].max() < 1e-5


def test_specks_whose_coarse_unknown_is_rounding_are_left_alone(sphere, monkeypatch):
    """A part that touches nothing becomes one coarse unknown, with a diagonal of rounding, of either sign."""
    monkeypatch.setattr(coarsening, "_COARSEST", 20)
    head, speck = sphere.head, sphere_head((40.0,), (5,), edge_mm=40.0)
    places = np.array([[90.0, 90, 10 * k] for k in range(6)])
    first = len(head.points) + len(speck.points) * np.arange(6)
    apart = HeadMesh(
        points=np.concatenate([head.points, *(0.1 * speck.points + place for place in places)]),
        tets=np.concatenate([head.tets, *(speck.tets + number for number in first)]),
        tissue=np.concatenate([head.tissue, np.tile(speck.tissue, 6)]),
    )
    problem = FemProblem(apart, Conductivity().per_tet(apart), solver="multigrid")
    inverses = problem._solver.preconditioner.grids.inverse_diagonals()
    assert all(inverses[0] > 0)
    assert sum(inverses[1] == 0) == 6
    solution = problem.solve(primary(problem))
    assert solution.iterations <= 25
    ours, alone = solution.phi[: len(head.points)], sphere.solve(primary(problem)[: len(head.points)]).phi
    np.testing.assert_allclose(ours, alone, atol=1e-6 * np.abs(alone).max())


@pytest.mark.parametrize("sigma", [(1e-6, 30, 1e-6, 30), (30, 1e-6, 30, 1e-6)])
def test_air_beside_saline_takes_no_more_than_a_head(sphere, sigma):
    head = sphere.head
    problem = FemProblem(head, np.array(sigma)[head.tissue - 2], solver="multigrid")
    assert 0 < problem.solve(primary(problem)).iterations <= 25


def test_where_it_stalls_the_smoother_gets_stronger_and_says_so(sphere, monkeypatch):
    usual = sphere.solve(primary(sphere))
    monkeypatch.setattr(MultigridCG, "patience", 4)
    with pytest.warns(EfieldWarning, match="converged slowly"):
        slow = sphere.solve(primary(sphere))
    assert slow.residual <= 1e-8
    np.testing.assert_allclose(slow.phi, usual.phi, atol=1e-6 * np.abs(usual.phi).max())


def test_columns_that_need_the_stronger_smoother_have_the_same_bits_alone(sphere, monkeypatch):
    monkeypatch.setattr(MultigridCG, "patience", 9)
    hard = primary(sphere)
    easy = 0 * hard
    with pytest.warns(EfieldWarning):
        together, alone = sphere.solve(np.stack([easy, hard], axis=2)).phi[:, 1], sphere.solve(hard).phi
    assert np.array_equal(together, alone)


def test_the_last_resort_is_direct_where_it_is_installed(sphere, monkeypatch):
    class Direct:
        def __init__(self, matrix):
            self.matrix = matrix

        def solve(self, load, tol):
            from scipy.sparse.linalg import spsolve

            # One unknown is tied to the ground, as nothing flows through the tie.
            tied = self.matrix + diags(np.eye(1, self.matrix.shape[0])[0] * self.matrix.diagonal()[0])
            phi = spsolve(tied.tocsc(), load).reshape(load.shape)
            return solvers.Solution(phi - phi.mean(axis=0), 0, 1e-12)

    usual = sphere.solve(primary(sphere)).phi
    monkeypatch.setattr(MultigridCG, "patience", 1)
    monkeypatch.setattr(MultigridCG, "round_length", 1)
    monkeypatch.setattr(MultigridCG, "least_progress", 1e-6)
    monkeypatch.setattr(solvers, "fits", lambda n: False)
    with pytest.raises(SolverError, match=r"--tol 1e-6\) or solver='direct'"):
        sphere.solve(primary(sphere))
    monkeypatch.setattr(solvers, "fits", lambda n: True)
    monkeypatch.setattr(solvers, "DirectSolver", Direct)
    with pytest.warns(EfieldWarning, match="gave way to the direct one"):
        found = sphere.solve(primary(sphere)).phi
    np.testing.assert_allclose(found, usual, atol=1e-6 * np.abs(usual).max())


def test_threads_that_share_a_problem_get_what_each_would_alone(sphere):
    fields = [primary(sphere) * scale + shift for scale, shift in ((1.0, 0.0), (-2.0, 1.0), (0.5, 0.3), (3.0, -1.0))]
    alone = [sphere.element_field(sphere.solve(field).phi, field) for field in fields]
    found = [None] * len(fields)

    def work(number):
        found[number] = sphere.element_field(sphere.solve(fields[number]).phi, fields[number])

    threads = [Thread(target=work, args=(number,)) for number in range(len(fields))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(alone, found, strict=True))
