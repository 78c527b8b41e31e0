"""A pose at which nobody holds a coil is refused, with the mistake that explains it; names stand for things."""

import numpy as np
import pytest

from efield.ground.errors import CollisionError, EfieldWarning, InputError
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.sweeping.grid import PlacementGrid
from efield.sweeping.sweep import sweep
from efield.targeting import simulate
from efield.targeting.held import check_held
from efield.targeting.named import the_coil, the_conductivity, the_head
from efield.targeting.placement import place_coil

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pose(head, coil, target):
    return place_coil(head, target, coil=coil)


def changed(pose, center=1.0, frame=(1, 1, 1), axes=(1, 1, 1)):
    matrix = pose.matrix.copy()
    matrix[:3, 3] *= center
    matrix[:3] *= np.array(frame)[:, None]
    matrix[:3, :3] *= axes
    return Pose(matrix)


def lps(pose):
    return changed(pose, frame=(-1, -1, 1))


FAULTS = {
    "meters": (lambda pose: changed(pose, 1e-3), "inside by .* meters were taken for millimeters"),
    "centimeters": (lambda pose: changed(pose, 0.1), "centimeters were taken for millimeters"),
    "deep": (lambda pose: pose.moved((0, 0, 26)), "inside by 2[0-9] mm: move the pose"),
    "away": (lambda pose: changed(pose, axes=(-1, 1, -1)), "turned away by 180 degrees: .* Brainsight"),
    "far": (lambda pose: pose.moved((0, 0, -2000)), "2004 mm away"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_where_nobody_holds_a_coil_nothing_is_solved_unless_one_insists(sim, coil, pose, fault):
    make, words = FAULTS[fault]
    with pytest.raises(CollisionError, match=words):
        sim.solve(coil, make(pose))
    with pytest.raises(CollisionError, match=f"pose 1: .*{words}.*allow_collision=True"):
        list(sim.solve_many(coil, [pose, make(pose)]))
    if fault != "meters":
        assert sim.solve(coil, make(pose), allow_collision=True).pose is not None


def test_each_of_several_coils_is_looked_at(sim, coil, pose):
    drives = [simulate.Drive(coil, pose), simulate.Drive(coil, pose.moved((0, 0, 26)))]
    with pytest.raises(CollisionError, match="drive 1: "):
        sim.solve_together(drives)
    assert len(sim.solve_together(drives, allow_collision=True).drives) == 2


def test_a_pose_in_lps_lies_on_the_scalp_and_misses_its_target(sim, head, coil, pose, target):
    with pytest.raises(
        CollisionError, match=r"passes it by .* LPS were taken for RAS .*--frame LPS by `efield poses convert`"
    ):
        sim.solve(coil, lps(pose), target=target)
    field = sim.solve(coil, lps(pose))
    with pytest.warns(EfieldWarning, match="LPS were taken for RAS"):
        field.summary(target)


def test_a_look_at_the_other_half_of_the_head_is_no_mistake_but_said(head, coil, target):
    over_the_right = place_coil(head, (40, 40, 50), coil=coil)
    with pytest.warns(EfieldWarning, match="other half of the head"):
        check_held(head, coil, over_the_right, target.center_mm)


@pytest.mark.parametrize("degrees", [0, 45, 90])
def test_a_sham_coil_on_its_edge_is_held(head, coil, pose, degrees):
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    check_held(head, coil, Pose(pose.moved((0, 0, -60)).matrix @ turn))


def test_a_coil_is_held_at_the_gap_of_a_cap_and_beyond(head, coil, target):
    for gap in (0.5, 30.0, 100.0):
        check_held(head, coil, place_coil(head, target, 45, gap, coil=coil), target.center_mm)


def test_a_grid_is_not_looked_at_again_and_given_poses_are(monkeypatch, sim, coil, target, pose):
    asked = []
    monkeypatch.setattr(simulate, "check_held", lambda *held: asked.append(held))
    sweep(sim, coil, PlacementGrid(radius_mm=0.0, angles_deg=(0.0, 90.0)), target=target)
    assert not asked
    sweep(sim, coil, [pose], target=target)
    assert len(asked) == 1


def test_reciprocity_refuses_poses_in_meters_too(by_axes, coil, target, pose):
    with pytest.raises(CollisionError, match=r"pose 1: .*meters were taken"):
        sweep(by_axes, coil, [pose, changed(pose, 1e-3)], target=target)
    wrong = sweep(by_axes, coil, [pose, changed(pose, 0.1)], target=target, exact=True, allow_collision=True)
    assert wrong.sizes["placement"] == 2


def test_names_and_single_poses_stand_for_the_thing(sim, head, target):
    pose = place_coil(head, target, coil="d70")
    assert np.array_equal(pose.matrix, place_coil(head, target, coil=the_coil("d70")).matrix)
    (alone,) = sim.solve_many("d70", pose)
    assert np.array_equal(alone.e, sim.solve(the_coil("d70"), pose).e)
    table = sweep(sim, "d70", [pose], target=target)
    assert table.attrs["coil_name"] == "magstim-70mm-figure8"
    assert set(sweep(sim, ["d70", "circular-90mm"], [pose.moved((0, 0, -20))], target=target).coil.values) == {
        "magstim-70mm-figure8",
        "circular-90mm",
    }
    assert the_head("sphere").tags == (2, 3, 4, 5)
    assert the_conductivity({"skull": 0.012}).values == Conductivity().with_values({"bone": 0.012}).values


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: the_head(5), "HeadMesh, a name"),
        (lambda: the_head("m2m_nobody"), "folder that exists"),
        (lambda: the_coil(None), "list_coils"),
        (lambda: the_coil("d71"), "did you mean 'd70'"),
        (lambda: the_conductivity([0.1]), "mapping of tissues"),
        (lambda: the_conductivity({"bne": 0.1}), "did you mean 'bone'"),
    ],
)
def test_what_stands_for_nothing_is_one_error(call, words):
    with pytest.raises(InputError, match=words):
        call()
