"""Tensors as conductivity: closed forms, an independent assembly, and what symmetry demands."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import ortho_group

from efield.basis.scalp_patch import ScalpPatch
from efield.fem.assembly import LinearElements
from efield.fem.problem import FemProblem
from efield.fem.recovery import Patches
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.reciprocity.reciprocal import reciprocal
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, m1_hand
from tests.small import light_coil

#: Sums in another order.
ROUNDING = 1e-12

#: The solver stops at a relative residual of `TOL`; the field's error is a few hundred times that at most.
TOL = 1e-11
SOLVER = 1e-8

#: Solves of 1e-10 forward and adjoint.
RECIPROCITY = 1e-6

#: A tensor with eigenvalues of white matter (ratio 8) and axes along none of the coordinates.
TURN = Rotation.from_rotvec((0.4, -0.7, 0.3)).as_matrix()
SIGMA = TURN @ np.diag((0.6, 0.15, 0.075)) @ TURN.T

#: Turns the ball into an ellipsoid with semi-axes of 35, 50 and 65 mm that lies askew.
STRETCH = Rotation.from_rotvec((-0.2, 0.5, 0.9)).as_matrix() @ np.diag((0.7, 1.0, 1.3))

#: T/s of a uniform magnetic field.
DBDT = np.array((3e3, -2e3, 5e3))


def spin(vector):
    """The matrix W with W r = vector x r."""
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def potential_of_ellipsoid(metric, sigma, turn):
    """The symmetric Q of phi = x^T Q x / 2 in the ellipsoid x^T metric x < 1 under dA/dt = turn x.

    The current -sigma (Q + turn) x must run along the surface, whose normal is metric x, everywhere on it: the
    symmetric part of metric sigma (Q + turn) is zero. These are six equations for the six entries of Q. The divergence
    is then the trace of an antisymmetric matrix times metric^-1: zero.
    """
    pairs = [(a, b) for a in range(3) for b in range(a, 3)]
    rows, columns = np.transpose(pairs)

    def conditions(matrix):
        product = metric @ sigma @ matrix
        return (product + product.T)[rows, columns]

    units = []
    for a, b in pairs:
        unit = np.zeros((3, 3))
        unit[a, b] = unit[b, a] = 1.0
        units.append(unit)
    entries = np.linalg.solve(np.transpose([conditions(unit) for unit in units]), -conditions(turn))
    return np.tensordot(entries, units, axes=1)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid of one tensor in a uniform dB/dt, at one mesh size and order."""

    head: HeadMesh
    problem: FemProblem
    dadt: np.ndarray
    phi: np.ndarray
    matrix: np.ndarray

    def truth(self, points_mm):
        return points_mm / 1e3 @ self.matrix.T

    def error(self, field):
        """Relative L2 error over the whole ellipsoid, its surface included."""
        truth, weight = self.truth(self.head.barycenters), self.head.volumes
        return np.sqrt(weight @ ((field - truth) ** 2).sum(axis=1) / (weight @ (truth**2).sum(axis=1)))


def ellipsoid(edge_mm, order=1):
    ball = sphere_head((50.0,), (2,), edge_mm=edge_mm)
    head = HeadMesh(points=ball.points @ STRETCH.T, tets=ball.tets, tissue=ball.tissue)
    problem = FemProblem(head, np.tile(SIGMA, (len(head.tets), 1, 1)), tol=TOL, order=order, solver="multigrid")
    turn = spin(DBDT) / 2
    metric = np.linalg.inv(STRETCH @ STRETCH.T) / 0.05**2
    dadt = problem.nodes_mm / 1e3 @ turn.T
    matrix = -(turn + potential_of_ellipsoid(metric, SIGMA, turn))
    return Ellipsoid(head, problem, dadt, problem.solve(dadt).phi, matrix)


@pytest.fixture(scope="module")
def coarse():
    return ellipsoid(12.0)


@pytest.fixture(scope="module")
def fine():
    return ellipsoid(6.0)


def element(case):
    return case.problem.element_field(case.phi, case.dadt)


def recovered(case):
    return case.problem.recovered_field(case.phi, case.dadt).at(case.head.barycenters)


def test_the_truth_has_no_sources_and_no_current_through_the_surface(coarse):
    assert abs(np.trace(SIGMA @ coarse.matrix)) < ROUNDING * np.linalg.norm(SIGMA @ coarse.matrix)
    curl = np.array([coarse.matrix[c, b] - coarse.matrix[b, c] for b, c in ((1, 2), (2, 0), (0, 1))])
    np.testing.assert_allclose(curl, -DBDT, rtol=1e-12)
    direction = np.random.default_rng(0).normal(size=(50, 3))
    unit = direction / np.linalg.norm(direction, axis=1)[:, None]
    current = unit @ STRETCH.T @ (SIGMA @ coarse.matrix).T
    normal = unit @ np.linalg.inv(STRETCH)
    assert np.abs((current * normal).sum(axis=1)).max() < ROUNDING * np.linalg.norm(current, axis=1).max()


def test_tensors_change_the_truth_a_lot(coarse):
    """Else the tests below would not notice if they were left out."""
    metric = np.linalg.inv(STRETCH @ STRETCH.T) / 0.05**2
    turn = spin(DBDT) / 2
    without = -(turn + potential_of_ellipsoid(metric, np.eye(3), turn))
    assert np.linalg.norm(without - coarse.matrix) > 0.2 * np.linalg.norm(coarse.matrix)


def test_the_element_field_converges_to_the_closed_form_with_first_order(coarse, fine):
    # The edge is halved: twice, less what the facets of the surface take.
    assert coarse.error(element(coarse)) / fine.error(element(fine)) > 1.7
    assert fine.error(element(fine)) < 0.1


def test_recovery_with_tensors_gains_on_the_element_field(coarse, fine):
    assert coarse.error(recovered(coarse)) < 0.5 * coarse.error(element(coarse))
    assert fine.error(recovered(fine)) < 0.4 * fine.error(element(fine))


def test_recovery_needs_the_tensors(fine):
    """Fitted with the Laplacian of an isotropic tissue, the same potential gives a worse field."""
    plain = LinearElements(fine.problem.linear.points, fine.head.tets, np.ones(len(fine.head.tets)))
    isotropic = Patches(fine.head, plain).recovered(fine.phi, fine.dadt).at(fine.head.barycenters)
    assert fine.error(recovered(fine)) < 0.7 * fine.error(isotropic)


def test_second_order_is_much_closer(coarse):
    second = ellipsoid(12.0, order=2)
    assert second.error(element(second)) < 0.2 * coarse.error(element(coarse))


def test_recovery_is_exact_for_the_quadratic_potential_itself(coarse):
    """Every patch can hold phi = x^T Q x / 2, as sigma : (Q + grad dA/dt) = 0: E is exact at the nodes."""
    q = -(coarse.matrix + spin(DBDT) / 2)
    x = coarse.head.points / 1e3
    phi = 0.5 * np.einsum("ni,ij,nj->n", x, q, x)
    found = coarse.problem.recovered_field(phi, coarse.dadt)
    truth = coarse.truth(coarse.head.points)
    np.testing.assert_allclose(found.at_nodes(2), truth, atol=1e-9 * np.abs(truth).max())
    # The gradient of E is stored as [d, c]: dE_c / dx_d.
    np.testing.assert_allclose(found.gradient, np.tile(coarse.matrix.T, (len(x), 1, 1)), atol=1e-6 * DBDT.max())


def random_tensors(count, seed=0):
    axes = ortho_group.rvs(3, size=count, random_state=seed)
    values = np.random.default_rng(seed).uniform(0.1, 1.0, (count, 1, 3))
    return (axes * values) @ axes.transpose(0, 2, 1)


@pytest.fixture(scope="module")
def shells():
    return sphere_head((40.0, 50.0), (2, 4), edge_mm=12.0)


@pytest.mark.parametrize("order", [1, 2])
def test_a_gradient_that_the_potential_can_hold_is_canceled_for_any_tensors(shells, order):
    """dA/dt = grad psi with psi linear (order 1) or quadratic (order 2): phi = -psi and E = 0."""
    bend = np.array([[2.0, 1.0, -0.5], [1.0, -3.0, 4.0], [-0.5, 4.0, 0.7]]) if order == 2 else np.zeros((3, 3))
    problem = FemProblem(shells, random_tensors(len(shells.tets)), tol=TOL, order=order)
    x = problem.nodes_mm / 1e3
    dadt = x @ bend * 20 + (0.3, -1.0, 0.5)
    solution = problem.solve(dadt)
    assert np.abs(problem.element_field(solution.phi, dadt)).max() < SOLVER * np.abs(dadt).max()
    assert np.abs(problem.recovered_field(solution.phi, dadt).field).max() < SOLVER * np.abs(dadt).max()


def curved(points_mm):
    x = points_mm / 50
    return np.cross((0.3, -0.5, 1.0), x) + x[:, [1, 2, 0]] ** 2


@pytest.mark.parametrize("order", [1, 2])
def test_tensors_alike_in_all_directions_give_the_isotropic_answer(shells, order):
    scalar = np.where(shells.tissue == 2, 0.3, 0.01)
    plain = FemProblem(shells, scalar, tol=TOL, order=order)
    tensors = FemProblem(shells, scalar[:, None, None] * np.eye(3), tol=TOL, order=order)
    dadt = curved(plain.nodes_mm)
    phi = plain.solve(dadt).phi
    other = tensors.solve(dadt).phi
    assert np.abs(other - phi).max() < SOLVER * np.abs(phi).max()
    wanted, found = plain.element_field(phi, dadt), tensors.element_field(other, dadt)
    assert np.abs(found - wanted).max() < SOLVER * np.abs(wanted).max()
    # From the same potential only rounding differs, which the fits multiply.
    wanted, found = plain.recovered_field(phi, dadt).field, tensors.recovered_field(phi, dadt).field
    assert np.abs(found - wanted).max() < 100 * ROUNDING * np.abs(wanted).max()


def test_isotropic_tensors_assemble_the_same_matrix_up_to_rounding(shells):
    scalar = np.where(shells.tissue == 2, 0.3, 0.01)
    points = shells.points / 1e3
    plain = LinearElements(points, shells.tets, scalar).stiffness()
    tensors = LinearElements(points, shells.tets, scalar[:, None, None] * np.eye(3)).stiffness()
    assert np.array_equal(plain.indices, tensors.indices)
    assert np.abs(plain.data - tensors.data).max() < ROUNDING * np.abs(plain.data).max()


@pytest.mark.parametrize("order", [1, 2])
def test_turning_mesh_tensors_and_source_turns_the_field(shells, order):
    turn = Rotation.from_rotvec((1.0, -0.4, 2.0)).as_matrix()
    turned = HeadMesh(points=shells.points @ turn.T, tets=shells.tets, tissue=shells.tissue)
    sigma = random_tensors(len(shells.tets), seed=1)
    here = FemProblem(shells, sigma, tol=TOL, order=order)
    there = FemProblem(turned, turn @ sigma @ turn.T, tol=TOL, order=order)
    dadt = curved(here.nodes_mm)
    e = here.element_field(here.solve(dadt).phi, dadt)
    other = there.element_field(there.solve(dadt @ turn.T).phi, dadt @ turn.T)
    assert np.abs(other - e @ turn.T).max() < SOLVER * np.abs(e).max()


def test_the_system_is_that_of_scikit_fem(shells):
    from skfem import Basis, BilinearForm, ElementTetP1, ElementTetP2, ElementVector, LinearForm, MeshTet
    from skfem.helpers import dot, grad, mul

    sigma = random_tensors(len(shells.tets), seed=2)
    mesh = MeshTet(shells.points.T / 1e3, shells.tets.T.astype(np.int64))
    dadt = curved(shells.points)
    linear = Basis(mesh, ElementTetP1(), intorder=2)
    s = np.repeat(sigma.transpose(1, 2, 0)[..., None], linear.X.shape[-1], axis=-1)
    stiffness = BilinearForm(lambda u, v, w: dot(mul(w.s, grad(u)), grad(v)))
    theirs = stiffness.assemble(linear, s=s)
    problem = FemProblem(shells, sigma, order=2)
    assert abs(problem.linear.stiffness() - theirs).max() < ROUNDING * abs(theirs).max()
    primary = linear.with_element(ElementVector(ElementTetP1())).interpolate(dadt.ravel())
    load = LinearForm(lambda v, w: -dot(mul(w.s, w.a), grad(v))).assemble(linear, s=s, a=primary)
    assert np.abs(problem.linear.load(dadt[..., None])[:, 0] - load).max() < ROUNDING * np.abs(load).max()
    # Of second order only numbers that do not depend on the numbering of the edges: energies of two potentials.
    quadratic = Basis(mesh, ElementTetP2(), intorder=2)
    s = np.repeat(sigma.transpose(1, 2, 0)[..., None], quadratic.X.shape[-1], axis=-1)
    theirs = stiffness.assemble(quadratic, s=s)
    ours, places = problem._quadratic.stiffness(), problem._quadratic.places

    def energy(matrix, points):
        x, y, z = points.T / 0.05
        u, v = x * y - z**2 + 0.5 * x, np.sin(3 * x) + y * np.cos(2 * z)
        return np.array([u @ (matrix @ u), u @ (matrix @ v), v @ (matrix @ v)])

    np.testing.assert_allclose(energy(ours, places), energy(theirs, quadratic.doflocs.T), rtol=1e-10)


def test_reciprocity_holds_with_tensors():
    head, coil = sphere_head(edge_mm=12.0), light_coil()
    hand = m1_hand(head)
    target = Target("hand", hand.center_mm, 12.0, direction=hand.direction)
    sim = Simulator(head)
    tensors = random_tensors(len(head.tets), seed=3)
    sigma = np.where(np.isin(head.tissue, (2,))[:, None, None], tensors, sim.problem.sigma[:, None, None] * np.eye(3))
    plain = reciprocal(sim, target, axes=True)
    sim.problem = FemProblem(head, sigma, tol=1e-10)
    poses = ScalpPatch.around(head, target, 20, 8, (3, 10)).poses(3, (5,), head, coil)
    tets = target.tets(head)
    weight = head.volumes[tets] / head.volumes[tets].sum()
    solved = np.array([weight @ sim.solve(coil, pose, -3e6).in_tets(tets) for pose in poses])
    found = reciprocal(sim, target, axes=True).mean(coil, poses, -3e6, exact=True)
    assert np.abs(found - solved).max() < RECIPROCITY * np.abs(solved).max()
    isotropic = plain.mean(coil, poses, -3e6, exact=True)
    assert np.abs(isotropic - solved).max() > 0.01 * np.abs(solved).max()


def spoiled(change):
    head = sphere_head((50.0,), (2,), edge_mm=25.0)
    sigma = np.tile(SIGMA, (len(head.tets), 1, 1))
    return head, change(sigma)


def with_tensor(number, tensor):
    def change(sigma):
        sigma[number] = tensor
        return sigma

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_tensor(7, [[1, 0.1, 0], [0.2, 1, 0], [0, 0, 1]]), "symmetric.*tetrahedron 7 is"),
        (with_tensor(3, np.diag([1.0, 1.0, 0.0])), "positive definite.*tetrahedron 3 has the eigenvalues 0, 1, 1"),
        (with_tensor(3, np.diag([1.0, -1.0, -1.0])), "positive definite.*tetrahedron 3"),
        (with_tensor(2, -np.eye(3)), "positive definite.*tetrahedron 2"),
        (with_tensor(4, [[1, 2, 0], [2, 1, 0], [0, 0, 1]]), "eigenvalues -1, 1, 3"),
        (with_tensor(5, np.full((3, 3), np.nan)), "finite.*row 5"),
        (lambda sigma: sigma[:-1], r"shape \(\d+, 3, 3\)"),
        (lambda sigma: sigma[:, :, :2], r"shape \(\d+, 3, 3\)"),
        (lambda sigma: sigma.reshape(-1, 9), r"shape \(\d+, 3, 3\)"),
    ],
)
def test_a_tensor_that_cannot_conduct_is_refused_and_named(change, message):
    head, sigma = spoiled(change)
    with pytest.raises(InputError, match=message):
        FemProblem(head, sigma)
