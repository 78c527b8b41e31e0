"""Reciprocity: what full solves give, without solving."""

import numpy as np
import pytest

from efield.basis.scalp_patch import ScalpPatch
from efield.coils.model import Coil, SampledField
from efield.fem.problem import FemProblem
from efield.ground.errors import CollisionError, InputError
from efield.ground.pose import Pose
from efield.io.load import load_coil
from efield.reciprocity import route, sums
from efield.reciprocity.equivalent_points import skeleton
from efield.reciprocity.reciprocal import reciprocal
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: Both solvers stop at a relative residual of 1e-9; the field's error is a few hundred times that at most.
SOLVER = 1e-6

#: Stated errors of the fast route over the peak, with a margin: of coils with windings, and of some dipoles or one thin
#: ring, whose field is the rougher one.
FAST, ROUGH = 5e-6, 2e-4

#: Of all coils (docs/coils.md).
STATED = 1e-5

#: Of the slopes of the stored polynomials, which 150 dipoles with random moments do not average out (4e-5); models of
#: coils do (3e-6, docs/coils.md).
DIPOLES = 1e-4


@pytest.fixture(scope="module")
def poses(head, target, coil):
    return ScalpPatch.around(head, target, 20, 8, (3, 10)).poses(24, (5,), head, coil)


@pytest.fixture(scope="module")
def solved(sim, head, target, coil, poses):
    tets = target.tets(head)
    weight = head.volumes[tets] / head.volumes[tets].sum()
    return np.array([weight @ sim.solve(coil, pose, -3e6).in_tets(tets) for pose in poses[:4]])


def test_the_exact_route_is_the_full_solve(by_axes, solved, coil, poses):
    mean = by_axes.mean(coil, poses[:4], -3e6, exact=True)
    assert np.abs(mean - solved).max() < SOLVER * np.abs(solved).max()
    size = by_axes.magnitude(coil, poses[:4], -3e6, exact=True)
    assert np.allclose(size, np.linalg.norm(solved, axis=1), rtol=SOLVER)


def test_one_direction_is_one_solve_and_the_same_number(one, target, by_axes, solved, coil, poses):
    assert len(one.directions) == 1
    along = one.along(coil, poses[:4], -3e6, exact=True)
    assert np.abs(along - solved @ target.direction).max() < SOLVER * np.abs(solved).max()
    assert np.allclose(by_axes.along(coil, poses[:4], -3e6, exact=True), along, rtol=SOLVER, atol=SOLVER)
    with pytest.raises(InputError, match="axes=True"):
        one.magnitude(coil, poses)


def test_with_conductivity_tensors_it_is_the_full_solve_too(head, target, coil, poses):
    simulator, random = Simulator(head, tol=1e-9), np.random.default_rng(1)
    skewed = 0.05 * random.normal(size=(len(head.tets), 3, 3))
    tensors = 0.3 * np.eye(3) + skewed @ skewed.transpose(0, 2, 1)
    simulator.problem = FemProblem(head, tensors, tol=1e-9, solver="multigrid")
    tets = target.tets(head)
    mean = np.average(simulator.solve(coil, poses[0]).in_tets(tets), axis=0, weights=head.volumes[tets])
    full = mean @ target.direction
    assert reciprocal(simulator, target).along(coil, poses[:1], exact=True) == pytest.approx(full, rel=SOLVER)


def test_the_fast_route_is_within_its_error(one, coil, poses):
    exact = one.along(coil, poses, exact=True)
    assert np.abs(one.along(coil, poses, exact=False) - exact).max() < FAST * np.abs(exact).max()


@pytest.mark.thorough
def test_three_axes_are_as_fast_and_as_near(sim, target, coil, poses):
    three = reciprocal(sim, target, axes=True)
    exact = three.mean(coil, poses, exact=True)
    fast = three.mean(coil, poses, exact=False)
    assert not np.array_equal(fast, exact)
    assert np.abs(fast - exact).max() < FAST * np.abs(exact).max()
    assert np.allclose(three.magnitude(coil, poses, exact=False), np.linalg.norm(fast, axis=1), rtol=1e-12)


def test_a_rough_cloud_of_dipoles_is_summed_as_what_it_is(one, poses):
    """As models fitted to measurements are: moments that alternate, dipoles wide of the head and before the origin."""
    random = np.random.default_rng(0)
    points = np.column_stack(
        [random.uniform(-110, 110, 150), random.uniform(-50, 50, 150), random.uniform(-16, 2, 150)]
    )
    coil = Coil.from_dipoles(points, 1e-4 * random.normal(size=(150, 3)))
    clear = [pose.moved((0, 0, -6)) for pose in poses[:8]]
    exact, fast = (one.along(coil, clear, exact=exact) for exact in (True, False))
    assert not np.array_equal(fast, exact)
    assert np.abs(fast - exact).max() < DIPOLES * np.abs(exact).max()


def test_dipoles_and_wires_of_one_coil_add(one, poses):
    random = np.random.default_rng(1)
    points = np.column_stack([random.uniform(-30, 30, (120, 2)), random.uniform(-12, -5, 120)])
    cloud = Coil.from_dipoles(points, np.tile([0.0, 0.0, 1e-4], (120, 1)))
    wires = load_coil("magstim-25mm-figure8")
    both = Coil("both", (*cloud.sources, *wires.sources))
    sums = sum(one.along(coil, poses[:4], exact=True) for coil in (cloud, wires))
    assert np.abs(one.along(both, poses[:4], exact=False) - sums).max() < FAST * np.abs(sums).max()


def test_wires_that_go_around_the_head_are_taken_in_pieces(one, head, target):
    """A hat: 9 turns on a ball around the head, which 600 points among the wires miss."""
    polar = np.concatenate([np.linspace(0.15, 1.6, 900), np.linspace(1.6, 0.15, 100)[1:-1]])
    around = np.concatenate([np.linspace(0, 18 * np.pi, 900), np.zeros(98)])
    wire = 95 * np.column_stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), 1 - np.cos(polar)])
    ends = np.roll(wire, -1, axis=0)
    hat = Coil.from_segments(wire, ends)
    bones = skeleton(hat)
    assert len(bones.points) > 2000
    # All of the wire is in its pieces.
    assert np.allclose(bones.strengths.sum(axis=0), 1e-10 * (ends - wire).sum(axis=0), atol=1e-18)
    held = [place_coil(head, target, angle, 5.0, coil=hat) for angle in (0, 70)]
    assert one.route(hat, 10**6) == (False, "fast")
    exact, fast = (one.along(hat, held, exact=exact) for exact in (True, False))
    assert not np.array_equal(fast, exact)
    assert np.abs(fast - exact).max() < STATED * np.abs(exact).max()


def test_the_route_is_the_one_that_takes_less_time_and_says_so(one, coil):
    assert one.route(coil, 1) == (True, "exact, which takes less time for so few placements")
    assert one.route(coil, 10**6) == (False, "fast")
    assert one.route(coil, 1, stored=True) == (False, "fast")
    assert one.route(coil, 10**6, True)[0]
    grid = Coil(name="grid", sources=(SampledField(np.diag([600.0, 600, 600, 1]), np.ones((2, 2, 2, 3))),))
    assert one.route(grid, 10**6, False) == (True, "exact: of a sampled field the wires are not known")


def test_a_coil_of_fewer_sources_is_summed_exactly(one, poses, monkeypatch):
    coil = Coil.from_dipoles([[0, 0, 2], [5, 0, -12]], [[0, 0, 1], [1, 0, 0]])
    exact = one.along(coil, poses[:4], exact=True)
    assert np.array_equal(one.along(coil, poses[:4], exact=False), exact)
    monkeypatch.setattr(route, "_FEW_SOURCES", 0)
    assert np.abs(one.along(coil, poses[:4], exact=False) - exact).max() > FAST * np.abs(exact).max()


def test_a_coil_with_its_back_to_the_head_is_summed_exactly(one, poses, monkeypatch):
    # Its skeleton is not fitted behind the casing.
    coil = load_coil("magstim-25mm-figure8")
    upright = [pose.moved((0, 0, -20)) for pose in poses[:2]]
    back = [Pose(pose.matrix @ np.diag([1.0, -1.0, -1.0, 1.0])) for pose in upright]
    anyhow = {"allow_collision": True}
    exact = one.along(coil, back, exact=True, **anyhow)
    assert np.array_equal(one.along(coil, back, exact=False, **anyhow), exact)
    assert not np.array_equal(one.along(coil, upright, exact=False), one.along(coil, upright, exact=True))
    monkeypatch.setattr(sums, "_LEAST_COSINE", -2.0)
    assert np.abs(one.along(coil, back, exact=False, **anyhow) - exact).max() > 2 * FAST * np.abs(exact).max()


def test_a_stack_of_matrices_is_checked_as_poses_are(one, coil, poses):
    stack = np.array([pose.matrix for pose in poses[:3]])
    assert np.array_equal(one.along(coil, stack), one.along(coil, poses[:3]))
    assert one.along(coil, stack[0]).shape == (1,)
    wrong = {"mirrored": stack * np.array([-1.0, 1, 1, 1]), "rigid": stack * np.array([2.0, 1, 1, 1])}
    wrong |= {"finite": stack * np.nan, "shape": stack.reshape(3, 16), "last row": stack.transpose(0, 2, 1)}
    for says, given in wrong.items():
        with pytest.raises(InputError, match=says):
            one.along(coil, given)


def test_far_from_the_head_the_fast_route_sums_exactly(one, coil, poses):
    far = [poses[0].moved((0, 0, -400))]
    fast, exact = (one.along(coil, far, exact=exact, allow_collision=True) for exact in (False, True))
    assert np.array_equal(fast, exact)


def test_poses_at_which_nobody_holds_a_coil_are_refused(by_axes, coil, poses):
    inside, away = poses[0].moved((0, 0, 30)), poses[0].moved((0, 0, -400))
    turned = Pose(poses[0].matrix @ np.diag([1.0, -1.0, -1.0, 1.0]))
    for ask in (by_axes.along, by_axes.mean, by_axes.magnitude, by_axes.measures):
        for wrong, words in ((inside, "inside by"), (away, "mm away"), (turned, "turned away")):
            for many in (1, 1001):  # of many, centers and axes are looked at
                with pytest.raises(CollisionError, match=f"pose 2: .*{words}"):
                    ask(coil, [*poses[:2], wrong, *[poses[3]] * many], exact=True)
    assert np.isfinite(by_axes.mean(coil, [inside], exact=True, allow_collision=True)).all()


def test_no_placements_give_no_numbers(one, by_axes, coil):
    assert one.along(coil, []).shape == (0,)
    assert by_axes.mean(coil, [], exact=True).shape == (0, 3)


def test_what_is_not_what_is_wanted_is_named(sim, head, target, one, coil, poses):
    for says, call in {
        "sim must be a Simulator": lambda: reciprocal(head, target),
        "target must be a Target": lambda: reciprocal(sim, 5),
        "order 1 for reciprocity": lambda: reciprocal(Simulator(head, order=2), target),
        "coil must be a Coil": lambda: one.along(7, poses),
        "such as .pose.": lambda: one.along(coil, poses[0]),
        "number 0 is a ndarray": lambda: one.along(coil, [poses[0].matrix]),
        "didt must be finite": lambda: one.along(coil, poses, np.nan),
        "gray matter within": lambda: reciprocal(sim, Target("away", (200, 0, 0))),
    }.items():
        with pytest.raises(InputError, match=says):
            call()


def test_what_cannot_be_answered_is_refused(sim, target, one, poses):
    plain = Target("plain", target.center_mm, 12.0)
    assert len(reciprocal(sim, plain).directions) == 3
    with pytest.raises(InputError, match="direction"):
        reciprocal(sim, plain, axes=False)
    with pytest.raises(InputError, match="direction"):
        reciprocal(sim, plain).along(Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]), poses)
    grid = Coil(name="grid", sources=(SampledField(np.eye(4), np.zeros((2, 2, 2, 3))),))
    with pytest.raises(InputError, match="outside the coil's sampled field"):
        one.along(grid, poses[:1])


def test_a_ring_of_a_few_segments_is_seen_between_their_ends(one, poses):
    angle = np.linspace(0, 2 * np.pi, 121)
    ring = 35.0 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    coil = Coil.from_segments(ring[:-1], ring[1:])
    exact = one.along(coil, poses, exact=True)
    assert np.abs(one.along(coil, poses, exact=False) - exact).max() < ROUGH * np.abs(exact).max()
