"""Targets and places take the same words in every call."""

import numpy as np
import pytest

from efield import coils as coils_door
from efield import head as head_door
from efield.coils.drive import Drive
from efield.delivered.pulses import pulses
from efield.ground.errors import EfieldWarning, InputError
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.io.load import load_coil
from efield.reciprocity.reciprocal import reciprocal
from efield.sweeping.grid import PlacementGrid
from efield.sweeping.mesh_errors import mesh_errors
from efield.sweeping.sweep import sweep
from efield.targeting.electrodes import electrode_place
from efield.targeting.naming import list_targets, place_of, target_of
from efield.targeting.placement import place_coil
from efield.targeting.targets import NAMES, Target, m1_hand, named_target

POINT = (0.0, 0.0, 68.0)
POSE = Pose.from_axes((0, 0, 92), (0, 1, 0), (0, 0, -1))


class Cap:
    """One electrode with a name that only its cap knows."""

    origin = "a cap"

    def __init__(self, point):
        self.positions = {"E 17": np.asarray(point)}


@pytest.fixture(scope="module")
def capped(head):
    return HeadMesh(head.points, head.tets, head.tissue, caps=(Cap((0, 0, 85)),))


def same(one, other):
    return np.allclose(one.center_mm, other.center_mm) and np.allclose(one.direction, other.direction)


def test_a_word_a_text_a_point_and_a_target_mean_the_same_target(head):
    hand = m1_hand(head)
    assert target_of(head, hand) is hand
    assert same(target_of(head, "m1-hand-left"), hand)
    assert same(target_of(head, "M1-Hand-Left"), hand)
    around = target_of(head, "0,0,68")
    assert same(around, target_of(head, POINT))
    assert same(around, target_of(head, np.array(POINT)))
    assert same(around, named_target(head, "0,0,68"))


def test_a_place_may_be_a_target_a_name_an_electrode_or_a_point(head):
    hand = m1_hand(head)
    assert np.array_equal(place_of(head, hand), hand.center_mm)
    assert np.allclose(place_of(head, "m1-hand-left"), hand.center_mm)
    assert np.allclose(place_of(head, "0,0,68"), POINT)
    assert np.array_equal(place_of(head, POINT), POINT)
    # An electrode lies on the scalp; as a target it stands for the gray matter below.
    assert np.array_equal(place_of(head, "c3"), electrode_place(head, "C3")[0])
    assert np.linalg.norm(place_of(head, "C3")) > np.linalg.norm(target_of(head, "C3").center_mm) + 10


def test_an_electrode_that_only_the_heads_cap_knows_is_a_target_and_a_place(capped):
    assert np.allclose(place_of(capped, "e 17"), (0, 0, 85))
    assert target_of(capped, "E 17").name.startswith("E 17")


@pytest.mark.parametrize("name", ["C3", "m1-hand-left", "0,0,68", POINT])
def test_all_calls_take_the_words(head, sim, coil, name):
    target = target_of(head, name)
    pose = place_coil(head, name, 45, 4, coil=coil)
    assert np.allclose(pose.matrix, place_coil(head, place_of(head, name), 45, 4, coil=coil).matrix)
    grid = PlacementGrid(radius_mm=0, angles_deg=(0,))
    assert np.allclose(grid.on(head, name, coil).matrices, grid.on(head, place_of(head, name), coil).matrices)
    field = sim.solve(coil, pose)
    assert field.summary(name) == field.summary(target)
    by_name, by_target = (sweep(sim, coil, [pose], target=one) for one in (name, target))
    assert by_name.equals(by_target)
    assert np.array_equal(reciprocal(sim, name).directions, reciprocal(sim, target).directions)


def test_the_fields_of_a_sweep_are_those_of_the_place_that_is_named(head, sim, coil):
    named = sweep(sim, coil, [POSE], target="m1-hand-left", fields="0,0,68")
    assert np.array_equal(named.tet, target_of(head, POINT).tets(head))


@pytest.mark.parametrize("call", [target_of, lambda head, value, name="over": place_of(head, value, name)])
@pytest.mark.parametrize("value", ["m1-hnd-left", "nowhere", None, 5, (1, 2), object()])
def test_what_cannot_be_understood_is_answered_with_what_is_known(head, call, value):
    with pytest.raises(InputError, match=r"(target|over) must be .*m1-hand-left.*C3.*x,y,z"):
        call(head, value)


def test_the_argument_at_fault_is_named(head, sim, coil):
    with pytest.raises(InputError, match="over must be"):
        place_coil(head, "nowhere")
    with pytest.raises(InputError, match="fields must be"):
        sweep(sim, coil, [POSE], target="m1-hand-left", fields="nowhere")


def test_every_target_that_is_listed_is_one(head):
    assert tuple(list_targets()) == NAMES
    assert target_of(head, list_targets()[0]).name == "m1-hand-left"


@pytest.mark.parametrize("point", [(0.037, -0.021, 0.058), "0.037,-0.021,0.058"])
def test_points_in_meters_are_refused_with_the_remedy(head, point):
    for call in (target_of, place_of):
        with pytest.raises(InputError, match="multiply by 1000"):
            call(head, point)


def test_lengths_in_meters_are_refused_with_the_remedy(head, sim, coil):
    calls = [
        lambda: place_coil(head, POINT, 45, 0.004),
        lambda: Target.sphere(center_mm=POINT, radius_mm=0.01),
        lambda: Target.sphere(center_mm=(0.03, 0, 0.05)),
        lambda: PlacementGrid(distances_mm=(0.004,)),
        lambda: sim.solve(coil, POSE).at([[0.0, 0.0, 0.06]]),
    ]
    for call in calls:
        with pytest.raises(InputError, match="multiply by 1000"):
            call()


def test_the_center_of_a_sphere_is_a_place(head, sim, coil):
    assert Target.sphere(center_mm=(0, 0, 0)).tets(head).size
    assert np.isfinite(sim.solve(coil, POSE).at([[0.0, 0.0, 0.0]])).all()


def test_rates_in_amperes_per_microsecond_are_refused_with_the_remedy(sim, coil, by_axes, basis):
    calls = [
        lambda didt: sim.solve(coil, POSE, didt=didt),
        lambda didt: sim.solve_together([Drive(coil, POSE, didt)]),
        lambda didt: sweep(sim, coil, [POSE], target="m1-hand-left", didt=didt),
        lambda didt: by_axes.mean(coil, [POSE], didt),
        lambda didt: basis.field(POSE, didt),
        lambda didt: basis.measures([POSE], didt),
    ]
    for call in calls:
        for didt in (1, -80.0, 999):
            with pytest.raises(InputError, match=r"1 A/us is 1e6 A/s, so give "):
                call(didt)
    assert Drive(coil, POSE, 0).didt == 0


@pytest.mark.parametrize("angle", [np.pi / 4, -np.pi / 2, 1.571, 0.785, 2 * np.pi])
def test_angles_in_radians_are_taken_with_a_warning(head, angle):
    with pytest.warns(EfieldWarning, match="looks like radians"):
        place_coil(head, POINT, angle)
    with pytest.warns(EfieldWarning, match="looks like radians"):
        PlacementGrid(angles_deg=(0, angle))


@pytest.mark.parametrize("angle", [0, 1, 1.5, 2, 3, -4, 5, 6, 6.25, 45, 90, 314.159])
def test_small_angles_in_degrees_are_taken_without(head, angle):
    place_coil(head, POINT, angle)


def test_a_matrix_is_no_pose_in_any_call(sim, coil, by_axes, basis):
    matrix = POSE.matrix.tolist()
    calls = [
        lambda: sim.solve(coil, matrix),
        lambda: next(sim.solve_many(coil, [matrix])),
        lambda: Drive(coil, matrix),
        lambda: sweep(sim, coil, [matrix], target="m1-hand-left"),
        lambda: by_axes.mean(coil, [matrix]),
        lambda: basis.field(matrix),
        lambda: basis.measures([matrix]),
    ]
    for call in calls:
        with pytest.raises(InputError, match=r"Pose\(matrix\)"):
            call()


def test_a_grid_takes_the_words_that_a_placement_takes(head, target):
    grid = PlacementGrid(radius_mm=5, spacing_mm=5, angles_deg=(0, 45))
    assert np.array_equal(grid.on(head, target, "d70").matrices, grid.on(head, target, load_coil("d70")).matrices)


def test_the_wrong_thing_is_named_and_is_no_traceback(sim, coil, target, head):
    field = sim.solve(coil, POSE)
    for wrong, asked in (
        (lambda: PlacementGrid().on(sim, target), "head must be a HeadMesh"),
        (lambda: PlacementGrid().on(head, target, target), "coil must be a Coil"),
        (lambda: pulses(head, coil, [POSE], target, didt=1e6), "sim must be a Simulator"),
        (lambda: mesh_errors(head, coil, POSE, target), "engine must be a Simulator"),
        (lambda: field.on_surface("lh.central.gii"), "surface must be a TriangleSurface"),
        (lambda: Conductivity().with_values([("bone", 0.01)]), "overrides must map"),
        (lambda: field.at([[10**400, 0, 0]]), "must be an array of numbers"),
    ):
        with pytest.raises(InputError, match=asked):
            wrong()


@pytest.mark.parametrize("wrong", ["sphere", None, 3])
def test_what_loads_nothing_says_how_a_head_and_a_coil_are_had(wrong, coil):
    of_heads = "boundary cortex cortical_thickness fiducials_of mesh_quality mid_surface register_to_mni scalp ten_ten"
    for name in of_heads.split():
        with pytest.raises(InputError, match=r"head must be a HeadMesh, such as load_head\('mni152'\)"):
            getattr(head_door, name)(wrong)
    with pytest.raises(InputError, match="head must be a HeadMesh"):
        head_door.electrode(wrong, "C3")
    calls = (
        lambda: coils_door.dadt(wrong, POSE, [[0, 0, 0]], 1e6),
        lambda: coils_door.b_field(wrong, POSE, [[0, 0, 0]], 1e3),
        lambda: coils_door.compress(wrong),
        lambda: coils_door.as_dipoles(wrong),
        lambda: coils_door.net_moment(wrong),
        lambda: coils_door.potential_error(coil, wrong),
    )
    for call in calls:
        with pytest.raises(InputError, match=r"coil must be a Coil, such as load_coil\("):
            call()
