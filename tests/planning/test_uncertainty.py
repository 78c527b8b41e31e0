"""How sure a field is: reduced models against full solves, shares against known functions, and placements."""

import json

import numpy as np
import pytest
from scipy.special import roots_jacobi

import efield as ef
from efield.ground.errors import InputError
from efield.planning import uncertainty as module
from efield.planning.belief import PUBLISHED, Range, ranges_in
from efield.planning.conductivity_model import ConductivityModel
from efield.planning.displaced import AGREED, displaced_measures
from efield.planning.misplacement import TECHNIQUES, Misplacement, misplacement
from efield.planning.sobol import Design, shares
from efield.planning.uncertain_measures import Uncertainty
from efield.targeting.measures import TargetMeasures, UnknownMeasureError

RANGES = {"gray matter": (0.1, 0.6), "CSF": (1.2, 1.8), "bone": (0.003, 0.012), "scalp": (0.2, 0.5)}


@pytest.fixture(scope="module")
def egg(head):
    """Not a sphere, whose field does not hear of conductivity."""
    return ef.HeadMesh(head.points * (1.15, 0.85, 1.0), head.tets, head.tissue)


@pytest.fixture(scope="module")
def egg_sim(egg):
    return ef.Simulator(egg, solver="multigrid", tol=1e-9)


@pytest.fixture(scope="module")
def spot():
    return ef.Target.sphere(center_mm=(-30, 10, 55), radius_mm=12, direction=(1, 1, 0), name="spot")


@pytest.fixture(scope="module")
def pose(egg, light, spot):
    return ef.place_coil(egg, spot, 45, coil=light)


@pytest.fixture(scope="module")
def model(egg_sim, light, pose, spot):
    return ConductivityModel.build(egg_sim, light, pose, spot, RANGES)


def solved(sim, light, pose, spot, values, ranges=RANGES):
    """(m,) measures of a simulator that was made for some conductivities."""
    own = ef.Conductivity().with_values(dict(zip(ranges, values.tolist(), strict=True)))
    field = ef.Simulator(sim.head, own, solver="multigrid", tol=1e-9).solve(light, pose)
    return TargetMeasures.at(sim.head, spot).of_field(field, spot)


def test_the_model_equals_full_solves_at_conductivities_it_has_not_seen(egg_sim, light, pose, spot, model):
    values = model.sampled(np.random.default_rng(7).random((3, 4)))
    full = np.array([solved(egg_sim, light, pose, spot, one) for one in values])
    found = model.measured(values)
    magnitude = model.measures.names.index("mean_magnitude")
    assert np.abs(found / full - 1)[:, magnitude].max() < 1e-4
    assert model.field_error < 1e-4
    assert np.ptp(full[:, magnitude]) > 1e-3 * full[0, magnitude]


def test_its_stated_error_is_that_of_solves_it_was_not_made_from(model):
    assert set(model.error) == set(model.measures.names)
    assert 0 < model.field_error < 1e-4
    assert model.solves < 30


def test_spread_and_shares_equal_those_of_full_solves(egg_sim, light, pose, spot, model):
    """Gauss quadrature of full solves, a tissue at a time: their variances are the shares of what is nearly a sum."""
    sure = ef.uncertainty(egg_sim, light, pose, spot, RANGES, samples=4096)
    magnitude = model.measures.names.index("mean_magnitude")
    nodes, weights = roots_jacobi(3, 2, 2)  # the weight (1 - x)^2 (1 + x)^2 of Beta(3, 3)
    variances = {}
    for tissue, (name, (low, high)) in enumerate(RANGES.items()):
        values = np.tile(model.sampled(np.full((1, 4), 0.5)), (3, 1))
        values[:, tissue] = low + (high - low) * (nodes + 1) / 2
        found = [solved(egg_sim, light, pose, spot, one)[magnitude] for one in values]
        variances[name] = np.cov(found, aweights=weights, ddof=0)
    total = sum(variances.values())
    assert sure.sd["mean_magnitude"] == pytest.approx(np.sqrt(total), rel=0.1)
    for name in RANGES:
        assert sure.sobol["mean_magnitude"][name].first == pytest.approx(variances[name] / total, abs=0.06)


def test_shares_are_those_of_full_solves_at_the_same_points(egg_sim, light, pose, spot):
    """Quasi-Monte Carlo of few points: its own error is large, but the same for both."""
    two = {"gray matter": (0.1, 0.6), "CSF": (1.2, 1.8)}
    reduced = ConductivityModel.build(egg_sim, light, pose, spot, two, held_out=1)
    design, magnitude = Design.of(2, 4), reduced.measures.names.index("mean_magnitude")

    def both(quantiles):
        values = reduced.sampled(quantiles)
        full = [solved(egg_sim, light, pose, spot, one, two)[magnitude] for one in values]
        return np.column_stack([full, reduced.measured(values)[:, magnitude]])

    first, second = both(design.first), both(design.second)
    of_full, of_model = shares(first, second, np.array([both(one) for one in design.mixed]), list(two))
    spread = np.concatenate([first, second]).std(axis=0)
    assert spread[1] == pytest.approx(spread[0], rel=1e-3)
    for tissue in two:
        assert of_model[tissue] == pytest.approx(of_full[tissue], abs=5e-3)


def test_a_basis_answers_displaced_placements(basis, sim, coil, target, head, monkeypatch):
    """Its measures are those of full solves within its certificate, for many more placements."""
    held, pose = Misplacement(position_mm=0.5, yaw_deg=5.0), ef.place_coil(head, target, 45, coil=coil)
    given = {"placement": held, "samples": 64}
    by_basis = ef.uncertainty(basis, coil, pose, target, {"CSF": (1.6, 1.7)}, **given, placements=16)
    solved_ones = ef.uncertainty(sim, coil, pose, target, {"CSF": (1.6, 1.7)}, **given, placements=5)
    for name in ("mean_magnitude", "along"):
        assert np.allclose(by_basis.by_placement[name][:5], solved_ones.by_placement[name], rtol=0.02)
    assert len(by_basis.by_placement["along"]) == 16
    monkeypatch.setattr(module, "_OUTSIDE", 3)
    far = given | {"placement": Misplacement(position_mm=30)}
    with pytest.raises(InputError, match="certified"):
        ef.uncertainty(basis, coil, pose, target, {"CSF": (1.6, 1.7)}, **far, placements=6)


def test_displaced_placements_are_sums_of_few_that_were_solved(egg_sim, light, pose, spot):
    """All measures are those of full solves, whether a placement was solved or not, and they differ."""
    poses = TECHNIQUES["navigated"].placements(egg_sim.head, light, pose, 40)
    found, solves = displaced_measures(egg_sim, light, poses, spot, 1e6)
    measures = TargetMeasures.at(egg_sim.head, spot)
    full = np.array([measures.of_field(one, spot) for one in egg_sim.solve_many(light, poses, allow_collision=True)])
    assert solves <= 24
    magnitude = measures.names.index("mean_magnitude")
    assert np.abs(found / full - 1)[:, magnitude].max() < 0.5 * AGREED
    assert np.ptp(full[:, magnitude]) > 4 * AGREED * full[0, magnitude]
    largest = measures.names.index("max_magnitude")
    assert np.abs(found - full)[:, : largest + 1].max() < 5 * AGREED * full[:, largest].max()


def test_a_map_is_of_full_solves(egg_sim, light, pose, spot):
    """With one conductivity that varies uniformly, the mean over the map's samples is that of a few solves."""
    sure = ef.uncertainty(egg_sim, light, pose, spot, {"CSF": Range(0.8, 2.4, "uniform")}, samples=64, region_mm=20)
    tets = sure.map["tet"].values
    nodes, weights = np.polynomial.legendre.leggauss(4)
    found = []
    for value in 1.6 + 0.8 * nodes:
        own = ef.Simulator(egg_sim.head, ef.Conductivity().with_values({"CSF": value}), solver="multigrid", tol=1e-9)
        found.append(np.linalg.norm(own.solve(light, pose).in_tets(tets), axis=1))
    mean = np.average(found, axis=0, weights=weights)
    sd = np.sqrt(np.average((np.array(found) - mean) ** 2, axis=0, weights=weights))
    assert np.abs(sure.map["mean"].values - mean).max() < 1e-3 * mean.max()
    assert np.abs(sure.map["sd"].values - sd).max() < 0.03 * sd.max()


def test_a_sphere_does_not_hear_of_its_conductivities(sim, light, target, head):
    pose = ef.place_coil(head, target, 45, coil=light)
    sure = ef.uncertainty(sim, light, pose, target, RANGES, samples=256)
    assert sure.sd["mean_magnitude"] < 0.01 * sure.mean["mean_magnitude"]


def test_shares_of_a_known_function():
    """y = 3 a + b + 4 a b for a, b uniform on (-1, 1): variances 9/3, 1/3 and 16/9."""
    design = Design.of(2, 4096)

    def y(quantiles):
        p, q = 2 * quantiles.T - 1
        return np.column_stack([3 * p + q + 4 * p * q, np.ones(len(p))])

    found = shares(y(design.first), y(design.second), np.array([y(one) for one in design.mixed]), ["a", "b"])
    total = 9 / 3 + 1 / 3 + 16 / 9
    assert found[0]["a"].first == pytest.approx(3 / total, abs=0.06)
    assert found[0]["b"].first == pytest.approx(1 / 3 / total, abs=0.06)
    assert found[0]["b"].total == pytest.approx((1 / 3 + 16 / 9) / total, abs=0.06)
    assert found[1]["a"] == (0.0, 0.0)


def made(**given):
    sample = np.linspace(0.9, 1.1, 2001)
    values = {"nominal": {"mean_magnitude": 1.0}, "by_conductivity": {"mean_magnitude": sample}, "by_placement": {}}
    values |= {"mesh_error": {}, "sobol": {"mean_magnitude": {}}, "ranges": {}, "placement": None, "model_error": {}}
    return Uncertainty(**values | given)


def test_causes_add_up():
    """A uniform spread of +-0.1 has the variance 0.01 / 3; the mesh adds 0.05^2."""
    alone, both = made(), made(mesh_error={"mean_magnitude": 0.05})
    assert alone.sd["mean_magnitude"] == pytest.approx(0.1 / np.sqrt(3), rel=1e-2)
    assert both.sd["mean_magnitude"] == pytest.approx(np.sqrt(0.01 / 3 + 0.0025), rel=0.05)
    assert both.causes("mean_magnitude")["mesh"] == pytest.approx(0.0025 / (0.0025 + 0.01 / 3), rel=1e-2)
    assert alone.percentile(5)["mean_magnitude"] == pytest.approx(0.91, abs=1e-3)


def test_sizes_are_not_negative_and_intervals_have_two_digits():
    """What the mesh adds to a size may be more than it is; along a direction E may be negative."""
    wide = {
        "nominal": {"across": 0.02, "along": 0.02},
        "by_conductivity": dict.fromkeys(("across", "along"), [0.02] * 999),
    }
    sure = made(
        **{name: {k: np.array(v) for k, v in one.items()} for name, one in wide.items()},
        mesh_error=dict.fromkeys(wide["nominal"], 0.1),
    )
    assert sure.percentile(5)["across"] == 0 > sure.percentile(5)["along"]
    assert made().text("mean_magnitude") == "1.00 V/m (0.91 to 1.09)"


def test_unknown_measures_are_refused():
    with pytest.raises(UnknownMeasureError, match="mean_magnitude"):
        made().together("target_mean")


def test_an_error_of_an_unknown_measure_is_refused(egg_sim, light, pose, spot):
    with pytest.raises(UnknownMeasureError, match="mean_magnitude"):
        ef.uncertainty(egg_sim, light, pose, spot, mesh_error={"target_mean": 0.1})


def test_distance_is_felt_as_the_coil_feels_it(egg, egg_sim, light, pose, spot):
    """Only the distance varies: measures follow it with the slope between two full solves."""
    held, higher = Misplacement(distance_mm=0.5), pose.moved((0, 0, -3))
    given = {"placement": held, "placements": 3, "samples": 64}
    sure = ef.uncertainty(egg_sim, light, higher, spot, {"CSF": (1.6, 1.7)}, **given)
    near, far = (egg_sim.solve(light, pose.moved((0, 0, -gap))).summary(spot)["mean_magnitude"] for gap in (2.5, 3.5))
    slope = np.polyfit(held.offsets(3)[:, 2], sure.by_placement["mean_magnitude"], 1)[0]
    assert slope == pytest.approx(far - near, rel=0.02)
    assert sure.causes("mean_magnitude")["placement"] > 0.9


def test_displaced_placements_stay_on_the_scalp(egg, light, pose):
    from efield.targeting.collision import clearance_mm

    held = Misplacement(position_mm=6.0, yaw_deg=5.0)
    poses = held.placements(egg, light, pose, 24)
    gaps = [clearance_mm(egg, light, one) for one in poses]
    assert min(gaps) > 0
    assert np.ptp(gaps) < 2.5
    moved = np.array([one.center_mm - pose.center_mm for one in poses])
    assert np.sqrt((moved @ pose.x) ** 2).std() > 2.0
    assert np.abs(moved @ pose.x).mean() == pytest.approx(6.0 * np.sqrt(2 / np.pi), rel=0.25)


def test_techniques_give_back_what_was_measured():
    """Means and medians over many offsets are those of the papers."""
    cap = TECHNIQUES["cap"].offsets(4096)
    assert np.linalg.norm(cap[:, :2], axis=1).mean() == pytest.approx(10.66, rel=0.02)
    assert np.abs(cap[:, 5]).mean() == pytest.approx(5.99, rel=0.02)
    robot = TECHNIQUES["robot"].offsets(4096)
    assert np.median(np.linalg.norm(robot[:, :2], axis=1)) == pytest.approx(1.34, rel=0.02)
    assert np.median(np.linalg.norm(robot[:, 3:], axis=1)) == pytest.approx(3.48, rel=0.03)


def test_published_ranges_hold_the_default_and_say_what_was_not_read():
    for tag, one in PUBLISHED.items():
        assert one.low <= ef.Conductivity().values[tag] <= one.high
    assert {tag for tag, one in PUBLISHED.items() if one.source == "unverified"} == {3, 4, 5}


def test_ranges_follow_their_shape():
    uniform, bell = Range(0.1, 0.6, "uniform"), Range(0.1, 0.6)
    quantiles = (np.arange(1000) + 0.5) / 1000
    assert uniform.at(quantiles).std() == pytest.approx(0.5 / np.sqrt(12), rel=1e-3)
    assert bell.at(quantiles).std() == pytest.approx(0.5 * np.sqrt(9 / (36 * 7)), rel=1e-2)


def test_a_result_is_ready_for_json():
    sure = made(sobol={"mean_magnitude": {}}, mesh_error={"mean_magnitude": 0.01})
    text = json.dumps(sure.to_json())
    assert "belief" in text
    assert json.loads(text)["measures"]["mean_magnitude"]["unit"] == "V/m"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"blood": (0.1, 0.2)}, "has not"),
        ([("bone", (0.01, 0.02))], "must map"),
        ({"GM": (0.2, 0.4), 2: (0.2, 0.4)}, "each tissue once"),
        ({"gray matter": 0.3}, r"\(low, high\)"),
        ({"gray matter": (0.6, 0.1)}, "low to a higher"),
        ({"gray matter": (-0.1, 0.1)}, "low"),
    ],
)
def test_ranges_that_are_none_are_refused(egg, given, message):
    with pytest.raises(InputError, match=message):
        ranges_in(egg, given)


def test_unknown_techniques_are_refused():
    with pytest.raises(InputError, match="cap"):
        misplacement("by eye")
    with pytest.raises(InputError, match="above zero"):
        Misplacement()
