"""The recovered field: exact where it must be, one-sided at interfaces, honest outside."""

import numpy as np
import pytest

from efield.fem.answers import Places
from efield.fem.assembly import LinearElements
from efield.fem.recovery import Patches
from efield.fem.stencils import Stencils
from efield.ground.errors import InputError


@pytest.fixture(scope="module")
def solved(solve_sphere):
    return solve_sphere(9.0)


def harmonic(points_m):
    """A quadratic potential without sources and its gradient."""
    x, y, z = points_m.T
    value = 3 * x - y + 40 * (x * y + 2 * x * z) + 25 * (x**2 - y**2) - 10 * (2 * z**2 - x**2 - y**2)
    gradient = np.column_stack([3 + 40 * (y + 2 * z) + 50 * x + 20 * x, -1 + 40 * x - 50 * y + 20 * y, 80 * x - 40 * z])
    return value, gradient


def test_a_linear_field_comes_out_exactly_in_every_tissue_up_to_the_interface(solved):
    # A different linear field in each tissue would be possible only with charge on the interface; the fit is
    # one-sided, so one field suffices to show that no tissue is spoiled.
    points = solved.head.points
    phi, gradient = harmonic(points / 1e3)
    primary = np.cross((1.0, 2.0, -1.0), points / 85)
    recovered = solved.problem.recovered_field(phi, primary)
    truth = -primary - gradient
    for tag in solved.head.tags:
        found = recovered.at_nodes(tag)
        here = ~np.isnan(found[:, 0])
        assert np.array_equal(np.flatnonzero(here), np.unique(solved.head.tets[solved.head.tissue == tag]))
        np.testing.assert_allclose(found[here], truth[here], atol=1e-9 * np.abs(truth).max())
    inside = np.random.default_rng(0).uniform(-45, 45, (500, 3))
    wanted = -np.cross((1.0, 2.0, -1.0), inside / 85) - harmonic(inside / 1e3)[1]
    np.testing.assert_allclose(recovered.at(inside), wanted, atol=1e-9 * np.abs(truth).max())


def test_the_gauge_of_the_primary_field_does_not_matter(solved):
    # phi = -psi cancels dA/dt = grad(psi), psi quadratic with a Laplacian of its own.
    x, y, z = solved.head.points.T / 1e3
    primary = np.column_stack([2 * x + y, x, 6 * z])
    recovered = solved.problem.recovered_field(-(x**2 + x * y + 3 * z**2), primary)
    assert np.nanmax(np.abs(recovered.field)) < 1e-10


def test_a_tissue_is_recovered_from_its_own_side_only(solved):
    # The gradient of |r| - 70 jumps at the brain's surface; one-sided fits keep both sides clean.
    points = solved.head.points / 1e3
    phi, _ = harmonic(points)
    outside = np.linalg.norm(points, axis=1) > 0.0700001
    jumped = np.where(outside, phi + 7.0, phi)
    zero = np.zeros_like(points)
    brain = solved.problem.recovered_field(phi, zero).at_nodes(2)
    assert np.array_equal(solved.problem.recovered_field(jumped, zero).at_nodes(2), brain, equal_nan=True)


def test_tangential_field_is_continuous_across_the_brain_surface(solve_sphere):
    solved = solve_sphere(4.5)
    recovered = solved.problem.recovered_field(solved.phi, solved.dadt)
    brain, csf = recovered.at_nodes(2), recovered.at_nodes(3)
    shared = ~np.isnan(brain[:, 0]) & ~np.isnan(csf[:, 0])
    normal = solved.head.points[shared] / 70
    jump = brain[shared] - csf[shared]
    jump -= np.einsum("ij,ij->i", jump, normal)[:, None] * normal
    assert np.sqrt((jump**2).mean() / (brain[shared] ** 2).mean()) < 0.003


def test_outside_the_head_there_is_no_value(solved):
    recovered = solved.problem.recovered_field(solved.phi, solved.dadt)
    found = recovered.at([[0, 0, 84.0], [0, 0, 90.0], [1e6, 0, 0]])
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()


def test_locator_can_be_shared(solved):
    from efield.head.locate import Locator

    recovered = solved.problem.recovered_field(solved.phi, solved.dadt)
    points = np.random.default_rng(0).uniform(-40, 40, (50, 3))
    assert np.array_equal(recovered.at(points), recovered.at(points, Locator(solved.head)))


def test_what_is_recovered_does_not_depend_on_what_else_is(solved):
    problem, chosen = solved.problem, np.random.default_rng(1).choice(len(solved.head.tets), 40, replace=False)
    whole = problem.recovered_field(solved.phi, solved.dadt)
    assert not np.isnan(whole.field).any()
    part = problem.recovered_field(solved.phi, solved.dadt)
    assert np.array_equal(part.in_tets(chosen), whole.in_tets(chosen))
    assert 4 * 40 >= part._known.sum() > 40
    points = solved.head.barycenters[chosen] + 0.1
    assert np.array_equal(part.at(points), whole.at(points), equal_nan=True)
    nodes = np.unique(solved.head.tets[chosen][solved.head.tissue[chosen] == 2])
    assert np.array_equal(part.on_nodes(nodes, 2), whole.at_nodes(2)[nodes])
    # Also where the tissue does not reach.
    every = np.arange(len(solved.head.points))
    assert np.isnan(whole.at_nodes(5)).any()
    assert np.array_equal(part.on_nodes(every, 5), whole.at_nodes(5), equal_nan=True)


def test_fields_recovered_together_have_the_bits_of_each_alone(solved):
    problem, pairs = solved.problem, np.arange(0, len(solved.problem.patches.tags), 7)
    fields = [(solved.phi, solved.dadt), (-2 * solved.phi, 0.5 * solved.dadt), (0 * solved.phi, solved.dadt)]
    phi, dadt = (np.stack(arrays, axis=-1) for arrays in zip(*fields, strict=True))
    together, _ = problem.field_at(phi, dadt, Places(pairs, np.empty(0, np.intp)))
    for k, one in enumerate(fields):
        assert np.array_equal(together[..., k], problem.recovered_field(*one).field[pairs])


def test_unknown_tissue_and_bad_points_are_refused(solved):
    recovered = solved.problem.recovered_field(solved.phi, solved.dadt)
    with pytest.raises(InputError, match=r"tissue of this head \(2, 3, 4, 5\)"):
        recovered.at_nodes(1)
    with pytest.raises(InputError, match="points_mm"):
        recovered.at([1.0, 2.0, 3.0])


@pytest.mark.parametrize("kind", ["numbers", "tensors"])
def test_sums_of_nodal_values_give_the_recovered_field(solved, kind):
    rng = np.random.default_rng(3)
    head, linear = solved.head, solved.problem.linear
    root = rng.standard_normal((len(head.tets), 3, 3))
    sigma = linear.sigma if kind == "numbers" else root @ root.transpose(0, 2, 1) + np.eye(3)
    of_head = Patches(head, LinearElements(linear.points, linear.tets, sigma))
    pairs = rng.choice(len(of_head.tags), 2500)
    phi, primary = rng.standard_normal((len(head.points), 2)), rng.standard_normal((len(head.points), 3, 2))
    s = Stencils.of(of_head, pairs)
    slopes = np.add.reduceat(s.slopes[:, :, None] * phi[s.members][:, None], s.row[:-1])
    divergence = np.add.reduceat(np.einsum("rc,rck->rk", s.bends, primary[s.ring]), s.ring_row[:-1])
    found = slopes + s.shares[:, :, None] * divergence[:, None] - primary[s.nodes]
    expected = of_head.recover(phi, primary, pairs)
    np.testing.assert_allclose(found, expected, atol=1e-13 * np.abs(expected).max())
