"""A basis for any coil: made of loops, as good as its certificate for coils it has never seen, refused where not."""

import numpy as np
import pytest

from efield.basis import any_coil as loops
from efield.basis import build as building
from efield.basis import primary
from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil, SampledField
from efield.coils.primary import vector_potential
from efield.ground.errors import InputError
from efield.targeting.collision import scalp_distance
from efield.targeting.placement import place_coil

#: Placements that are not among the certificate's miss it by this factor at most.
UNSEEN = 2.0
CLEARANCE = 6.0
#: The area of a circle by its polygon is exact; what is left of the second moment of 48 corners, seen from far.
POLYGON = 5e-3


@pytest.fixture(scope="module")
def any_basis(sim, target):
    """Few snapshots and coils, so that it takes seconds: an error of percents."""
    primary.evaluator.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "CHECK_COILS", ("circular-90mm",))
        patch.setattr(loops, "TEST_COILS", ("magstim-70mm-circular", "magstim-25mm-figure8"))
        # Direct sums on this coarse head cost less than storing three coils.
        patch.setattr(primary, "_FEW_SOURCES", 10**6)
        patch.setattr(building, "_HELD_OUT_EACH", 5)
        small = {"radius_mm": 8.0, "tilt_deg": 4.0, "distance_mm": (3.0, 8.0), "region_radius_mm": 20.0}
        basis = ReducedBasis.build(sim, "any", target, tol=0.05, clearance_mm=CLEARANCE, max_solves=160, **small)
        yield basis
    primary.evaluator.cache_clear()


@pytest.fixture(scope="module")
def over(head, target, coil, any_basis):
    """A placement of the figure-8 of few wires, which nothing was made or tuned with."""
    pose = place_coil(head, target, 30, 4, coil=coil)
    return loops.lifted(head, coil, pose, CLEARANCE)


@pytest.fixture(scope="module")
def nearer(coil):
    """The figure-8 with its dipoles 1 mm behind the casing's face instead of 10."""
    source = coil.sources[0]
    return Coil.from_dipoles(source.points_mm + np.array([0.0, 0.0, 9.0]), source.moments_am2)


def relative(fast, full):
    return np.linalg.norm(fast - full) / np.linalg.norm(full)


def test_its_certificate_is_of_coils_it_was_not_made_from(any_basis):
    assert set(any_basis.certificate.coils) == {"magstim-70mm-circular", "magstim-25mm-figure8"}
    assert any_basis.certificate.met
    assert any_basis.certificate.held_out == 10
    assert any_basis.coil is None


def test_it_gives_the_field_of_another_coil(any_basis, sim, coil, over):
    full = sim.solve(coil, over, -2e6)
    fast = any_basis.field(over, -2e6, coil=coil)
    assert relative(fast.e, full.e[any_basis.tets]) < UNSEEN * any_basis.certificate.field.max
    table = any_basis.measures([over], -2e6, coil=coil)
    assert table["mean_magnitude"][0] > 0


def test_a_coil_given_as_samples_is_served(any_basis, sim, head, coil, over):
    step = 4.0
    corner = over.to_coil(head.points).min(axis=0) - step
    count = np.ceil((over.to_coil(head.points).max(axis=0) + step - corner) / step).astype(int) + 1
    grid = np.moveaxis(np.indices(count), 0, -1).reshape(-1, 3) * step + corner
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = corner
    # Within the head A is needed; the lattice beyond it may hit a wire.
    values = np.zeros_like(grid)
    near = scalp_distance(head)(over.to_head(grid)) < 1.9 * step
    values[near] = vector_potential(coil, grid[near])
    sampled = Coil(name="samples", sources=(SampledField(affine, values.reshape(*count, 3)),))
    # Trilinear interpolation of the samples is the larger error.
    assert relative(any_basis.field(over, coil=sampled).e, any_basis.field(over, coil=coil).e) < 0.02


def test_what_it_does_not_serve_is_refused(any_basis, coil, nearer, over):
    with pytest.raises(InputError, match="coil must be given"):
        any_basis.field(over)
    with pytest.raises(InputError, match="a wire is"):
        any_basis.field(over, coil=nearer)
    # Nothing like a loop of 8 mm or more: four dipoles side by side that almost cancel.
    corners = [[-1.0, 0, -8], [1.0, 0, -8], [1.0, 2, -8], [-1.0, 2, -8]]
    tiny = Coil.from_dipoles(corners, [[0, 0, sign] for sign in (1.0, -1.0, 1.0, -1.0)])
    with pytest.raises(InputError, match="is not what the basis was made from"):
        any_basis.measures([over], coil=tiny)
    assert "beyond the edge" in any_basis.outside(over.moved((40, 0, 0)), coil)
    assert not any_basis.outside(over, coil)


def test_refused_placements_can_be_solved(any_basis, sim, nearer, over):
    solved = any_basis.field(over, coil=nearer, outside="solve")
    assert np.array_equal(solved.e, sim.solve(nearer, over, allow_collision=True).e[any_basis.tets])


def test_it_is_stored_with_its_limits_and_not_taken_for_one_coil(any_basis, sim, coil, nearer, over, tmp_path):
    any_basis.save(tmp_path / "basis")
    loaded = ReducedBasis.load(tmp_path / "basis", sim, "any")
    assert np.array_equal(loaded.field(over, coil=coil).e, any_basis.field(over, coil=coil).e)
    assert loaded.any_coil.limit == any_basis.any_coil.limit
    with pytest.raises(InputError, match="a wire is"):
        loaded.field(over, coil=nearer)
    with pytest.raises(InputError, match=r"for any coil.*the coil differ"):
        ReducedBasis.load(tmp_path / "basis", sim, coil)


def test_loops_keep_their_clearance_and_begin_alike(head, any_basis):
    placed = loops.loops(head, any_basis.patch, 7.5, 64, (3,))
    gaps = [scalp_distance(head)(pose.to_head(coil.sources[0].extent_mm)).min() for coil, pose in placed]
    assert min(gaps) >= 7.5
    assert len({coil.name for coil, _ in placed}) == 8
    fewer = loops.loops(head, any_basis.patch, 7.5, 32, (3,))
    assert all(np.array_equal(a[1].matrix, b[1].matrix) for a, b in zip(fewer, placed, strict=False))


def test_a_loop_has_the_field_of_a_round_coil_of_its_area():
    loop = loops.loop(20.0)
    ring = 20.0 * np.exp(2j * np.pi * np.arange(721) / 720)
    points = np.column_stack([ring.real, ring.imag, 0 * ring.real])
    fine = Coil.from_segments(points[:-1], points[1:])
    probe = np.array([[5.0, 3.0, 20.0], [30.0, 0.0, 15.0], [-10.0, 40.0, 30.0]])
    exact = vector_potential(fine, probe)
    assert np.abs(vector_potential(loop, probe) - exact).max() < POLYGON * np.abs(exact).max()


def test_the_distance_of_wires_is_that_of_the_nearest_one(head, coil, over):
    ends = np.concatenate([source.extent_mm for source in coil.sources])
    exact = scalp_distance(head)(over.to_head(ends)).min()
    assert loops.wire_distance(head, coil, over, 100.0) == pytest.approx(exact, rel=1e-12)
    # A bound is enough where all are far.
    assert 1.0 <= loops.wire_distance(head, coil, over, 1.0) <= exact
    assert loops.wire_distance(head, Coil("s", (SampledField(np.eye(4), np.zeros((2, 2, 2, 3))),)), over, 1.0) == np.inf
