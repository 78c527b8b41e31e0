"""How a coil is held, in numbers, and back."""

import numpy as np
import pytest

from efield.explorer.placing import Ground, Placement, overlaps, together, wishes
from efield.ground.errors import InputError, OutsideHeadError
from efield.targeting.collision import clearance_mm
from efield.targeting.placement import place_coil


@pytest.fixture(scope="module")
def ground(head, coil, target):
    return Ground.over(head, coil, target)


def test_a_coil_that_was_placed_is_held_as_it_was_asked_for(ground, head, coil, target):
    found, gap = ground.placement(place_coil(head, target, 30.0, 4.5, coil=coil))
    assert found.angle_deg == pytest.approx(30.0, abs=1e-6)
    assert (found.tilt_x_deg, found.tilt_y_deg) == pytest.approx((0.0, 0.0), abs=0.05)
    assert gap == found.distance_mm == pytest.approx(4.5, abs=0.02)
    assert ground.along(found.foot_mm) == pytest.approx((0.0, 0.0), abs=0.05)


@pytest.mark.parametrize("tilts", [(0.0, 0.0), (6.0, 0.0), (0.0, -8.0), (5.0, 7.0)])
def test_a_placement_comes_back_from_its_pose(ground, target, tilts):
    start, _ = ground.placement(place_coil(ground.head, target, 0.0, 4.0, coil=ground.coil))
    asked = Placement(start.foot_mm, -70.0, *tilts, 3.0)
    found, _ = ground.placement(ground.pose(asked))
    np.testing.assert_allclose(found.foot_mm, asked.foot_mm, atol=0.02)
    given = (found.angle_deg, found.tilt_x_deg, found.tilt_y_deg, found.distance_mm)
    assert given == pytest.approx((-70.0, *tilts, 3.0), abs=0.05)


def test_a_step_along_the_scalp_is_as_long_as_asked(ground, head, coil, target):
    start, _ = ground.placement(place_coil(head, target, 45.0, 4.0, coil=coil))
    moved = ground.changed(ground.changed(start, {"u_mm": 7.0}), {"v_mm": -5.0, "angle_deg": 10.0})
    assert ground.along(moved.foot_mm) == pytest.approx((7.0, -5.0), abs=0.02)
    assert (moved.angle_deg, moved.distance_mm) == (10.0, start.distance_mm)
    dragged = ground.changed(moved, {"foot_mm": 1.2 * start.foot_mm})
    assert np.linalg.norm(dragged.foot_mm - start.foot_mm) < 1.0


def test_a_coil_can_be_pressed_into_the_head_and_is_seen_to_be(ground, head, coil, target):
    start, _ = ground.placement(place_coil(head, target, 45.0, 4.0, coil=coil))
    pose = ground.pose(ground.changed(start, {"distance_mm": -3.0}))
    assert clearance_mm(head, coil, pose) == pytest.approx(-3.0, abs=0.3)
    assert overlaps(clearance_mm(head, coil, pose))
    assert not overlaps(-0.01)


def test_beside_the_head_there_is_no_scalp(ground, head, coil, target):
    start, _ = ground.placement(place_coil(head, target, 45.0, 4.0, coil=coil))
    small = Ground(head, coil, ground.plane)
    small.plane[:3, 3] *= 3.0
    with pytest.raises(OutsideHeadError, match="held over the scalp"):
        small.changed(start, {"u_mm": 80.0, "v_mm": 80.0})
    small.plane[:3, 3] /= 3.0


@pytest.mark.parametrize(
    "given",
    [
        None,
        [1],
        {"angle_deg": "x"},
        {"distance_mm": 1e9},
        {"u_mm": float("nan")},
        {"foot_mm": [1, 2]},
        {"tilt_x_deg": []},
    ],
)
def test_wishes_are_numbers_in_range(given):
    with pytest.raises(InputError):
        wishes(given)


def test_of_two_wishes_the_later_place_counts_and_nothing_else_is_lost():
    assert together({"u_mm": 1.0, "angle_deg": 2.0}, {"foot_mm": 3.0}) == {"angle_deg": 2.0, "foot_mm": 3.0}
    assert together({"foot_mm": 3.0, "angle_deg": 2.0}, {"v_mm": 1.0}) == {"angle_deg": 2.0, "v_mm": 1.0}
    assert together({"angle_deg": 2.0}, {"angle_deg": 4.0, "tilt_x_deg": 1.0}) == {"angle_deg": 4.0, "tilt_x_deg": 1.0}
