"""Views keep directions, sizes and everything that must be seen."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.viz.probe import can_render
from efield.viz.render import image_of
from efield.viz.scene import Scene
from efield.viz.shapes import Shape, ball
from efield.viz.views import View, close_view, fitted_view, oblique, outward_at, turned

FROM_ABOVE = View(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 2.0]), np.array([0.0, 1, 1]), 30.0)


def test_from_above_with_the_front_up_right_is_right():
    np.testing.assert_allclose(FROM_ABOVE.right, [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(FROM_ABOVE.in_picture([[4.0, 7.0, 4.0]]), [[3, 5, 1]], atol=1e-14)


def test_up_along_the_line_of_sight_is_refused():
    with pytest.raises(InputError, match="up"):
        View(np.zeros(3), np.array([0, 0, 1.0]), np.array([0, 0, 3.0]), 30.0)


def test_the_compass_leaves_out_the_axis_that_points_at_the_viewer():
    compass = FROM_ABOVE.compass()
    assert set(compass) == {"R", "A"}
    np.testing.assert_allclose(compass["A"], [0, 1], atol=1e-15)


@pytest.mark.parametrize(("outward", "up"), [((-0.6, 0, 0.8), "A"), ((-0.95, 0, 0.3), "S")])
def test_the_close_up_has_the_front_up_on_top_of_the_head_and_the_top_up_on_its_side(outward, up):
    view = close_view(np.zeros(3), np.array(outward))
    assert view.compass()[up][1] > 0.7


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_fitted_view_shows_everything_from_the_stimulated_side(side):
    cloud = np.random.default_rng(1).normal(size=(300, 3)) * (70, 90, 80) + (5, -10, 20)
    view = fitted_view(cloud, oblique(np.array([0.6 * side, 0, 0.8])), np.array([0.0, 0, 1]), aspect=0.9)
    across, up, _ = np.abs(view.in_picture(cloud)).T
    assert up.max() <= view.half_height_mm
    assert across.max() <= 0.9 * view.half_height_mm
    assert view.toward[0] * side > 0


def test_a_turn_keeps_the_head_upright_and_comes_back():
    view = View(np.array([1.0, 2, 3]), oblique(np.array([-1.0, 0, 0])), np.array([0.0, 0, 1]), 80.0)
    quarter, whole = turned(view, 90.0), turned(view, 360.0)
    assert quarter.toward[2] == pytest.approx(view.toward[2])
    assert quarter.toward[:2] @ view.toward[:2] == pytest.approx(0.0, abs=1e-12)
    assert quarter.right[2] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(whole.toward, view.toward, atol=1e-12)


def test_outward_is_against_the_coils_axis_or_away_from_the_middle(case):
    field, target, _, pose = case
    np.testing.assert_allclose(outward_at(field.head, target.center_mm, pose), -pose.z)
    np.testing.assert_allclose(outward_at(field.head, np.array([-9.0, 0, 0]), None), [-1, 0, 0], atol=1e-12)
    assert np.linalg.norm(outward_at(field.head, np.zeros(3), None)) == 1.0


@pytest.mark.skipif(not can_render(), reason="no OpenGL: nothing is rendered, so nothing can have a wrong length")
def test_a_rendered_length_is_the_length_the_scale_bar_says(case):
    view = View(np.array([10.0, -20, 30]), np.array([-0.6, 0.2, 0.7]), np.array([0, 0, 1.0]), 40.0)
    balls = [ball(view.focus_mm + shift * view.right, 2.0) for shift in (-10.0, 10.0)]
    scene = Scene(case[0].head, parts=(lambda _: [Shape("ball", each, "#d81b60") for each in balls],))
    image = image_of(scene, view, (300, 200))
    columns = np.flatnonzero((image < 200).any(axis=(0, 2)))
    left, right = columns[columns < 150], columns[columns >= 150]
    mm_per_pixel = 2 * view.half_height_mm / 200
    # centers of blobs of whole pixels: half a pixel each
    assert (right.mean() - left.mean()) * mm_per_pixel == pytest.approx(20.0, abs=mm_per_pixel)
    assert (left.mean() + right.mean()) / 2 == pytest.approx(149.5, abs=1.0)
