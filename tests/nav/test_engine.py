"""One pose, one answer: the basis's own numbers, reasons for what is not answered, and distance from the plan."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from efield.basis.build import _widened
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.io.load import load_coil
from efield.nav.alerts import Alert
from efield.nav.engine import LiveEngine
from efield.nav.latest import Seen


def seen(matrix):
    return Seen(np.asarray(matrix), "test", "coil", 5)


def test_the_answer_is_what_the_basis_says_to_the_last_bit(engine, basis, poses):
    table = basis.measures(poses, 2e6)
    for number, pose in enumerate(poses):
        answer = engine.answer(number, seen(pose.matrix))
        assert answer.status == "ok"
        assert answer.engine == "reduced"
        assert answer.measures == {name: float(values[number]) for name, values in table.items()}


def test_single_precision_as_openigtlink_sends_it_changes_little_and_is_not_called_rounding(engine, pose):
    exact = engine.answer(1, seen(pose.matrix)).measures
    single = engine.answer(1, seen(pose.matrix.astype(np.float32).astype(float)))
    # Millimeters in single precision are off by up to 4e-6, axes by 6e-8.
    assert single.measures["mean_magnitude"] == pytest.approx(exact["mean_magnitude"], rel=1e-5)
    assert "turned_deg" not in single.to_json()
    assert engine.answer(1, seen(np.round(pose.matrix, 2))).to_json()["turned_deg"] > 1e-3


def test_a_pose_outside_is_not_answered_unless_it_is_to_be_solved(basis, coil, target, pose, engine):
    far = pose.moved((0.0, 0.0, -40.0))
    answer = engine.answer(1, seen(far.matrix))
    assert (answer.status, answer.measures) == ("outside", {})
    assert "farther from the scalp" in answer.reason
    solving = LiveEngine(basis, coil, target, 2e6, outside="solve")
    answer = solving.answer(1, seen(far.matrix))
    assert (answer.status, answer.engine) == ("ok", "full")
    assert 0 < answer.measures["mean_magnitude"] < engine.answer(1, seen(pose.matrix)).measures["mean_magnitude"]
    inside = solving.answer(1, seen(pose.moved((0.0, 0.0, 60.0)).matrix))
    assert (inside.status, inside.measures) == ("refused", {})
    assert "inside by" in inside.reason


@pytest.mark.parametrize("name", ["circular-90mm", "magstim-double-cone"])
def test_without_a_plan_coils_that_are_not_flat_are_held_within_the_distances_of_their_basis(
    basis, head, coil, target, name
):
    live, curved = LiveEngine(basis, coil, target), load_coil(name)
    patch = _widened(basis.patch, basis.patch.poses(32, (3,), head, curved))
    live.coil, live.basis = curved, SimpleNamespace(patch=patch, target=target)
    assert patch.outside(live.inside()) == ""


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.diag([1.0, 1, -1, 1]), "mirrored"),
        (np.diag([2.0, 1, 1, 1]), "scaled"),
        (np.full((4, 4), np.nan), "finite"),
        (np.zeros((4, 4)), "last row"),
    ],
)
def test_what_is_no_pose_is_refused_in_words(engine, matrix, reason):
    answer = engine.answer(1, seen(matrix))
    assert answer.status == "refused"
    assert reason in answer.reason
    json.dumps(answer.to_json(), allow_nan=False)


def test_distance_from_the_plan_and_alerts(basis, coil, target, pose):
    alerts = tuple(map(Alert.parse, ("mean_magnitude<0.999*plan", "off_plan_mm>2.5", "off_plan_deg>20")))
    planned = LiveEngine(basis, coil, target, 2e6, plan=pose, alerts=alerts)
    planned.rehearse()
    at_plan = planned.answer(1, seen(pose.matrix))
    assert at_plan.off_plan == {"off_plan_mm": 0.0, "off_plan_deg": pytest.approx(0.0, abs=1e-5)}
    assert at_plan.alerts == ()
    # 30 degrees about the coil's own axis, 3 mm along the scalp.
    c, s = np.cos(np.pi / 6), 0.5
    turned = pose.matrix.copy()
    turned[:3, :3] = pose.rotation @ [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    off = planned.answer(2, seen(Pose(turned).moved((3.0, 0.0, 0.0)).matrix))
    assert off.off_plan == {"off_plan_mm": pytest.approx(3.0), "off_plan_deg": pytest.approx(30.0)}
    assert set(off.alerts) >= {"off_plan_mm>2.5", "off_plan_deg>20"}
    # Where the field is not known, the place still is.
    outside = planned.answer(3, seen(pose.moved((0.0, 0.0, -40.0)).matrix))
    assert outside.alerts == ("off_plan_mm>2.5",)


def test_full_solves_give_the_measures_of_a_summary(sim, coil, target, pose):
    full = LiveEngine(sim, coil, target, 2e6)
    answer = full.answer(1, seen(pose.matrix))
    summary = sim.solve(coil, pose, 2e6).summary(target)
    assert answer.engine == "full"
    for name, value in answer.measures.items():
        assert value == summary[name]


def test_a_plan_that_cannot_be_answered_is_called_the_plan(basis, coil, target, pose):
    far, inside = (pose.moved((0.0, 0.0, z)) for z in (-40.0, 40.0))
    for wrong, outside, says in (
        (far, "refuse", "instead it is .* farther from the scalp"),
        (inside, "solve", "inside by"),
    ):
        with pytest.raises(InputError, match=f"the plan.*{says}"):
            LiveEngine(basis, coil, target, plan=wrong, outside=outside).rehearse()


def test_options_that_cannot_be_are_refused(basis, coil, target):
    with pytest.raises(InputError, match="outside"):
        LiveEngine(basis, coil, target, outside="maybe")
    with pytest.raises(InputError, match="didt"):
        LiveEngine(basis, coil, target, float("nan"))
    with pytest.raises(InputError, match="--plan"):
        LiveEngine(basis, coil, target, alerts=(Alert.parse("angle<plan"),))


@pytest.mark.parametrize("far", [1e6, 3e38, 1e300])
def test_places_out_of_this_world_are_answered_in_words(engine, pose, far):
    matrix = pose.matrix.copy()
    matrix[:3, 3] = far, -far, far
    answer = engine.answer(1, seen(matrix))
    assert answer.status in ("outside", "refused")
    assert answer.reason
