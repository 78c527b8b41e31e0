"""Regions of a reduced basis: the cortical surface, the recovered field, and the whole brain."""

import numpy as np
import pytest

from efield.basis.outputs import Outputs, Reader
from efield.basis.reduced_basis import ReducedBasis
from efield.coils.primary import dadt
from efield.dosing.site import DoseSite
from efield.fem.problem import FemProblem
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.midsurface import mid_surface
from efield.head.spheres import sphere_head
from efield.targeting.errors import estimated_errors
from efield.targeting.measures import MEASURES, on_midsurface
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, m1_hand

#: Placements that are not among the certificate's miss it by this factor at most.
UNSEEN = 2.0
#: Readers work in double precision with the same kernels; they agree to rounding.
SAME = 1e-12


@pytest.fixture(scope="module")
def layered():
    """With white matter under the gray, so that the cortex has a middle."""
    return sphere_head((60.0, 70.0, 73.0, 79.0, 85.0), (1, 2, 3, 4, 5), edge_mm=13.0)


@pytest.fixture(scope="module")
def engine(layered):
    simulator = Simulator(layered, tol=1e-9)
    simulator.problem = FemProblem(layered, simulator.problem.sigma, tol=1e-9, solver="multigrid")
    return simulator


@pytest.fixture(scope="module")
def hand(layered):
    found = m1_hand(layered)
    return Target("hand", found.center_mm, 16.0, direction=found.direction)


@pytest.fixture(scope="module")
def make(engine, coil, hand):
    few = {"radius_mm": 8.0, "tilt_deg": 4.0, "distance_mm": (3.0, 6.0), "tol": 0.01, "max_solves": 64}
    return lambda **options: ReducedBasis.build(engine, coil, hand, **few, **options)


@pytest.fixture(scope="module")
def on_cortex(make):
    return make(at="surface", region_radius_mm=None)


@pytest.fixture(scope="module")
def solved(engine, coil, on_cortex):
    pose = on_cortex.patch.poses(4, (5,), engine.head, coil)[1]
    return pose, engine.solve(coil, pose, -3e6)


def test_on_the_cortex_the_field_is_the_recovered_one_with_its_components(on_cortex, layered, solved):
    pose, field = solved
    exact, fast = field.on_surface(mid_surface(layered)), on_cortex.field(pose, -3e6)
    at = on_cortex.outputs.numbers
    assert np.array_equal(at, np.arange(len(exact.surface.points_mm)))
    allowed = UNSEEN * max(on_cortex.certificate.pointwise.max, on_cortex.certificate.field.max) * exact.magnitude.max()
    assert np.abs(fast.magnitude - exact.magnitude[at]).max() < allowed
    assert np.abs(fast.normal - exact.normal[at]).max() < allowed
    assert np.abs(fast.tangential - exact.tangential[at]).max() < allowed
    assert exact.magnitude.max() > 100 * allowed


def test_areas_of_the_vertices_add_to_the_surface(on_cortex, layered):
    assert on_cortex.outputs.weights.sum() == pytest.approx(mid_surface(layered).areas.sum(), rel=1e-12)


def test_measures_on_the_cortex_are_weighted_by_area(on_cortex, hand, solved):
    pose, _ = solved
    table, field = on_cortex.measures([pose], -3e6, focality=True), on_cortex.field(pose, -3e6)
    rows = np.linalg.norm(on_cortex.outputs.points_mm - hand.center_mm, axis=1) <= hand.radius_mm
    area = on_cortex.outputs.weights[rows]
    # No name is one of volumes: the numbers are others.
    assert all(name.startswith("midsurface_") and name in MEASURES for name in table)
    found = {name.removeprefix("midsurface_"): values[0] for name, values in table.items()}
    # Single precision.
    assert found["mean_magnitude"] == pytest.approx(np.average(field.magnitude[rows], weights=area), rel=1e-5)
    assert found["normal_mean"] == pytest.approx(np.average(np.abs(field.normal[rows]), weights=area), rel=1e-5)
    assert found["tangential_mean"] == pytest.approx(np.average(field.tangential[rows], weights=area), rel=1e-5)
    assert 0 < 100 * found["region_focality_50"] < on_cortex.outputs.weights.sum()
    assert MEASURES["midsurface_region_focality_50"].unit == "cm2"


def test_the_mean_of_a_full_solve_on_the_middle_of_the_cortex_is_that_of_the_basis(on_cortex, hand, solved):
    pose, field = solved
    fast = on_cortex.measures([pose], -3e6)["midsurface_mean_magnitude"][0]
    allowed = UNSEEN * on_cortex.certificate.pointwise.max
    assert on_midsurface(field, hand)["midsurface_mean_magnitude"] == pytest.approx(fast, rel=allowed)
    site = DoseSite.of(field, hand)
    assert site.measure == "midsurface_mean_magnitude"
    assert site.field == pytest.approx(on_midsurface(field, hand)["midsurface_mean_magnitude"] / 3)
    name = "midsurface_mean_magnitude"
    stated = estimated_errors(field, hand, {name: 3 * site.field})[name] / (3 * site.field)
    assert site.error == pytest.approx(stated)
    assert stated > 0
    # The target's center lies on the gray matter of a sphere: its depth is that of the surface below the scalp.
    assert site.depth_mm == pytest.approx(field.summary(hand)["target_depth"])


def test_a_target_that_misses_the_middle_of_the_cortex_is_refused(solved):
    with pytest.raises(OutsideHeadError, match="middle of the cortex"):
        on_midsurface(solved[1], Target.sphere(center_mm=(0, 0, 20)))


@pytest.mark.parametrize("at", ["surface", "tets"])
def test_readers_give_what_a_full_solve_gives(engine, layered, hand, coil, solved, at):
    pose, exact = solved
    outputs = Outputs.near(engine.problem, hand, 25.0, at)
    primary = np.stack([dadt(coil, pose, engine.problem.nodes_mm, -3e6)] * 2, axis=2)
    phi = engine.problem.solve(primary).phi
    found = Reader(engine.problem, outputs)(phi, primary)[:, :, 1]
    assert len(found) == outputs.rows
    if at == "surface":
        recovered = exact.on_surface(mid_surface(layered)).e[outputs.numbers]
    else:
        recovered, element = exact.in_tets(outputs.numbers), exact.e[outputs.numbers]
        assert np.abs(found[: len(element)] - element).max() < SAME * np.abs(element).max()
    assert np.abs(outputs.recovered(found) - recovered).max() < SAME * np.abs(recovered).max()


def test_recovery_on_second_order_elements_is_read_too(coil, layered, hand):
    sim = Simulator(layered, order=2)
    outputs = Outputs.near(sim.problem, hand, 17.0, "tets")
    pose = place_coil(layered, hand, 45, 4, coil=coil)
    primary = dadt(coil, pose, sim.problem.nodes_mm, 1e6)[..., None]
    found = Reader(sim.problem, outputs)(sim.problem.solve(primary).phi, primary)[:, :, 0]
    exact = sim.solve(coil, pose)
    assert np.abs(outputs.recovered(found) - exact.in_tets(outputs.numbers)).max() < 1e-9
    measures, rows = outputs.measured(layered, hand)
    table = dict(zip(measures.names, measures.of_rows(found[None, rows.numbers], rows)[0], strict=True))
    summary = exact.summary(hand)
    assert all(value == pytest.approx(summary[name], rel=1e-8) for name, value in table.items())


def test_what_a_region_cannot_give_is_refused(on_cortex, make, engine, layered, hand):
    problem = engine.problem
    with pytest.raises(InputError, match="basis of tetrahedra"):
        _ = on_cortex.tets
    with pytest.raises(InputError, match="no vertex"):
        Outputs.near(problem, Target.sphere(center_mm=hand.center_mm * 0.5, radius_mm=3.0), None, "surface")
    near = Outputs.near(problem, hand, 20.0, "surface")
    aside = hand.center_mm + 18.0 * np.cross(hand.direction, hand.center_mm) / np.linalg.norm(hand.center_mm)
    with pytest.raises(InputError, match="vertices do not: enlarge region_radius_mm"):
        near.measured(layered, Target.sphere(center_mm=aside, radius_mm=16.0))
    with pytest.raises(InputError, match="include gray matter"):
        near.measured(layered, Target("white", hand.center_mm, 16.0, tags=(1,)))
    with pytest.raises(InputError, match="at must be"):
        make(at="cortex")


def test_a_stored_surface_answers_with_the_same_bits(on_cortex, engine, coil, solved, tmp_path):
    on_cortex.save(tmp_path / "basis")
    loaded = ReducedBasis.load(tmp_path / "basis", engine, coil)
    assert np.array_equal(loaded.field(solved[0]).normal, on_cortex.field(solved[0]).normal)
    assert loaded.outputs.at == "surface"
