"""The finite-element potential: identities, an independent implementation, and bad inputs."""

import numpy as np
import pytest

from efield.fem.problem import FemProblem
from efield.ground.errors import InputError, SolverError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head

TOL = 1e-10


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=12.0)


@pytest.fixture(scope="module")
def problem(head):
    return FemProblem(head, Conductivity().per_tet(head), tol=TOL, solver="multigrid")


@pytest.fixture(scope="module")
def dadt(head, coil):
    return coil.dadt(head.points)


def field(problem, dadt):
    return problem.element_field(problem.solve(dadt).phi, dadt)


def size(array):
    return np.abs(array).max()


def box(n=6, size_mm=60.0):
    """A cube of Kuhn tetrahedra; its left half is tissue 2, its right half tissue 3."""
    ticks = np.linspace(0, size_mm, n + 1)
    points = np.array([(x, y, z) for x in ticks for y in ticks for z in ticks])
    strides = np.array([(n + 1) ** 2, n + 1, 1])
    cell = np.array([(x, y, z) for x in range(n) for y in range(n) for z in range(n)]) @ strides
    steps = [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)]
    tets = np.concatenate(
        [
            np.column_stack([cell, cell + strides[a], cell + strides[a] + strides[b], cell + strides.sum()])
            for a, b, c in steps
        ]
    )
    odd = np.repeat(np.arange(6) >= 3, len(cell))
    tets[odd] = tets[odd][:, [1, 0, 2, 3]]
    tissue = np.where(points[tets].mean(axis=1)[:, 0] < size_mm / 2, 2, 3)
    return HeadMesh(points=points, tets=tets, tissue=tissue)


def test_potential_satisfies_the_equation_to_the_tolerance(problem, dadt):
    solution = problem.solve(dadt)
    assert 0 < solution.iterations < 40
    assert solution.residual <= TOL
    assert abs(solution.phi.mean()) < 1e-12 * size(solution.phi)


def test_field_matches_scikit_fem_on_a_two_conductor_box():
    from scipy.sparse.linalg import spsolve
    from skfem import Basis, BilinearForm, ElementTetP1, ElementVector, LinearForm, MeshTet
    from skfem.helpers import dot, grad

    head = box()
    sigma = np.where(head.tissue == 2, 0.3, 1.7)
    dadt = np.cross((0.3, -0.5, 1.0), head.points / 30 - 1) + (head.points[:, [1, 2, 0]] / 60) ** 2
    mesh = MeshTet(head.points.T / 1e3, head.tets.T.astype(np.int64))
    basis = Basis(mesh, ElementTetP1(), intorder=2)
    vector = basis.with_element(ElementVector(ElementTetP1()))
    primary = vector.interpolate(dadt.ravel())
    per_point = np.repeat(sigma[:, None], basis.X.shape[-1], axis=1)
    matrix = BilinearForm(lambda u, v, w: w.s * dot(grad(u), grad(v))).assemble(basis, s=per_point)
    load = LinearForm(lambda v, w: -w.s * dot(w.a, grad(v))).assemble(basis, s=per_point, a=primary)
    phi = np.zeros(len(load))
    phi[1:] = spsolve(matrix[1:, 1:].tocsc(), load[1:])
    theirs = -(dadt[head.tets].mean(axis=1)) - basis.interpolate(phi).grad[:, :, 0].T
    ours = field(FemProblem(head, sigma, tol=1e-11, solver="multigrid"), dadt)
    assert size(ours - theirs) < 1e-8 * size(theirs)


def test_a_uniform_primary_field_drives_no_current(problem, head):
    uniform = np.broadcast_to([1.0, -2.0, 0.5], head.points.shape)
    assert size(field(problem, uniform)) < 100 * TOL


def test_a_gradient_primary_field_is_canceled_by_the_potential(problem, head):
    # dA/dt = grad(psi), psi quadratic: zero field up to the O(h^2) of a linear potential; the potential is -psi.
    x = head.points / 85
    gauge = np.column_stack([x[:, 1], x[:, 0], 0 * x[:, 2]])
    phi = problem.solve(gauge).phi
    psi = 85e-3 * x[:, 0] * x[:, 1]
    assert size(phi + psi - (phi + psi).mean()) < 0.02 * size(psi)


def test_field_is_linear_in_the_primary_field(problem, dadt, head):
    other = np.cross((1.0, 2.0, 3.0), head.points / 85)
    both = field(problem, 2 * dadt - 3 * other)
    np.testing.assert_allclose(both, 2 * field(problem, dadt) - 3 * field(problem, other), atol=1e3 * TOL * size(both))


def test_several_primary_fields_give_the_same_bits_as_one_at_a_time(problem, dadt, head):
    other = np.cross((1.0, 2.0, 3.0), head.points / 85)
    block = np.stack([dadt, other, 0 * dadt], axis=2)
    solution = problem.solve(block)
    together = problem.element_field(solution.phi, block)
    assert not solution.phi[:, 2].any()
    for column, one in enumerate((dadt, other)):
        assert np.array_equal(solution.phi[:, column], problem.solve(one).phi)
        assert np.array_equal(together[:, :, column], field(problem, one))


def test_field_does_not_depend_on_the_numbering_of_nodes_and_tetrahedra(problem, head, dadt):
    rng = np.random.default_rng(0)
    node, tet = rng.permutation(len(head.points)), rng.permutation(len(head.tets))
    number = np.argsort(node)
    shuffled = HeadMesh(points=head.points[node], tets=number[head.tets][tet], tissue=head.tissue[tet])
    again = FemProblem(shuffled, problem.sigma[tet], tol=TOL, solver="multigrid")
    np.testing.assert_allclose(field(again, dadt[node]), field(problem, dadt)[tet], atol=1e-7 * size(dadt))


def test_field_has_the_same_bits_for_any_number_of_threads(head, dadt):
    import numba

    def phi():
        return FemProblem(head, Conductivity().per_tet(head), solver="multigrid").solve(dadt).phi

    before = numba.get_num_threads()
    whole = phi()
    numba.set_num_threads(1)
    try:
        assert np.array_equal(phi(), whole)
    finally:
        numba.set_num_threads(before)


def test_field_does_not_change_when_all_conductivities_are_scaled(head, problem, dadt):
    scaled = FemProblem(head, 1e6 * problem.sigma, tol=TOL, solver="multigrid")
    np.testing.assert_allclose(field(scaled, dadt), field(problem, dadt), atol=1e-7 * size(dadt))


@pytest.mark.parametrize("contrast", [1e-3, 1e3])
@pytest.mark.parametrize("tag", [2, 3, 4])
def test_solver_converges_for_contrasts_of_a_thousand(head, dadt, tag, contrast):
    sigma = np.where(head.tissue == tag, contrast, 1.0)
    assert 0 < FemProblem(head, sigma, solver="multigrid").solve(dadt).iterations < 30


def test_every_coarser_grid_is_reached_by_few_couplings(problem):
    """Smoothing along weak couplings as well takes 4.9 a node here, and 49 on the coarsest grid of the default head."""
    for level in problem._solver.preconditioner.levels:
        assert len(level.up[1]) < 4 * len(level.inverse_diagonal)


def test_solver_converges_for_conductivities_scattered_over_six_decades(head, dadt):
    sigma = 10 ** np.random.default_rng(0).uniform(-3, 3, len(head.tets))
    assert 0 < FemProblem(head, sigma, solver="multigrid").solve(dadt).iterations < 30


def test_separate_parts_and_unused_nodes_are_solved_side_by_side(head, problem, dadt):
    apart = HeadMesh(
        points=np.concatenate([head.points, [[500.0, 0, 0]], head.points + np.array([300.0, 0, 0])]),
        tets=np.concatenate([head.tets, head.tets + len(head.points) + 1]),
        tissue=np.tile(head.tissue, 2),
    )
    double = FemProblem(apart, np.tile(problem.sigma, 2), tol=TOL, solver="multigrid")
    found = field(double, np.concatenate([dadt, [[0.0, 0, 0]], -2 * dadt]))
    alone = field(problem, dadt)
    np.testing.assert_allclose(found, np.concatenate([alone, -2 * alone]), atol=1e-7 * size(alone))


def test_one_tetrahedron_is_a_head():
    corners = np.array([[0, 0, 0], [50, 0, 0], [0, 50, 0], [0, 0, 50.0]])
    problem = FemProblem(HeadMesh(points=corners, tets=[[0, 1, 2, 3]], tissue=[2]), [0.3], solver="multigrid")
    # The current through every face is zero, so is the field.
    assert size(field(problem, np.random.default_rng(0).normal(size=(4, 3)))) < 1e-12


def test_a_solver_out_of_iterations_says_what_to_try(head, dadt, monkeypatch):
    from efield.fem.solvers import MultigridCG

    problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid")
    monkeypatch.setattr(MultigridCG, "patience", 1)
    monkeypatch.setattr(MultigridCG, "round_length", 2)
    monkeypatch.setattr(MultigridCG, "least_progress", 1e-6)
    monkeypatch.setattr("efield.fem.solvers.fits", lambda size: False)
    with pytest.raises(SolverError, match=r"after 3 iterations: check the mesh .* larger tol"):
        problem.solve(dadt)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": 0.0}, "sigma must be > 0"),
        ({"sigma": -1.0}, "sigma must be > 0"),
        ({"sigma": np.nan}, "sigma must be finite"),
        ({"tol": 0.0}, "tol must be between"),
        ({"solver": "multigird"}, "did you mean 'multigrid'"),
        ({"order": 3}, "order must be 1 or 2"),
    ],
)
def test_unusable_problems_are_refused(head, change, message):
    sigma = Conductivity().per_tet(head)
    sigma[7] = change.get("sigma", sigma[7])
    with pytest.raises(InputError, match=message):
        FemProblem(head, sigma, **{k: v for k, v in change.items() if k != "sigma"})


def test_conductivities_must_match_the_tetrahedra(head):
    with pytest.raises(InputError, match="one conductivity per tetrahedron"):
        FemProblem(head, np.ones(3))


def test_primary_fields_and_potentials_of_the_wrong_shape_are_refused(problem, dadt):
    with pytest.raises(InputError, match="one vector per row of nodes_mm"):
        problem.solve(dadt[:-1])
    with pytest.raises(InputError, match="finite"):
        problem.solve(np.full_like(dadt, np.inf))
    with pytest.raises(InputError, match="phi must have shape"):
        problem.element_field(np.zeros(5), dadt)
    with pytest.raises(InputError, match="must be one field"):
        problem.recovered_field(np.zeros((len(dadt), 2)), np.stack([dadt, dadt], axis=2))
