"""Parts of a scene are where they should be: arrows on crowns, the handle behind the coil, the current above it."""

from dataclasses import replace

import numpy as np
import pytest

import efield as ef
from efield.coils.casing import Casing
from efield.coils.model import Coil, SampledField
from efield.ground.errors import InputError
from efield.viz.coil_shapes import casing_rim
from efield.viz.field_shapes import crown_vertices, outer_surface
from efield.viz.overview import field_scene
from efield.viz.render import plain_words
from efield.viz.scene import Scene
from efield.viz.views import View


def shape_of(scene, name):
    found = [shape for shape in scene.shapes if shape.name == name]
    assert found, [shape.name for shape in scene.shapes]
    return found[0]


def test_arrows_stand_apart_on_vertices_that_face_outward(case):
    field, target, _, pose = case
    surface = outer_surface(field.head, 2)
    chosen = crown_vertices(surface, target.center_mm, -pose.z)
    view = View(target.center_mm, -pose.z, np.array([0.0, 1, 0]), 30.0)
    placed = view.in_picture(surface.points_mm[chosen])[:, :2]
    apart = np.linalg.norm(placed[:, None] - placed[None], axis=2) + 1e3 * np.eye(len(chosen))
    assert len(chosen) > 20
    assert apart.min() > 3.0
    assert (surface.normals[chosen] @ -pose.z > 0.5).all()


def test_the_cortex_has_the_field_of_the_gray_side(case):
    field, target, *_ = case
    cortex = shape_of(Scene(field.head).cortex(field).target(target), "cortex")
    expected = np.linalg.norm(field.recovered.vectors[outer_surface(field.head, 2).nodes], axis=1)
    np.testing.assert_allclose(cortex.values, expected)


def test_the_mark_is_above_the_cortex_and_its_arrow_along_the_field(case):
    _, target, _, pose = case
    _, close = field_scene(*case)
    ball, arrow = [shape for shape in close.shapes if shape.name == "target"]
    assert ball.on_top
    assert arrow.on_top
    assert (ball.surface.points_mm.mean(axis=0) - target.center_mm) @ -pose.z > 0
    spread = arrow.surface.points_mm - ball.surface.points_mm.mean(axis=0)
    along = spread @ (np.array([1.0, 1, 0]) / np.sqrt(2))
    assert along.max() == pytest.approx(14.0, abs=0.1)


def test_the_handle_is_behind_the_coil_and_the_current_points_forward(case):
    _, _, coil, pose = case
    scene = Scene(case[0].head, field=case[0]).coil(coil, pose)
    handle = pose.to_coil(shape_of(scene, "handle").surface.points_mm)
    windings = pose.to_coil(shape_of(scene, "windings").surface.points_mm)
    assert handle[:, 1].max() < windings[:, 1].min()
    assert abs(handle[:, 0].mean()) < 1e-9
    assert _points_along_y(scene, pose) == 1
    assert _points_along_y(replace(scene, field=-case[0]), pose) == -1


def _points_along_y(scene, pose):
    """+1 if the arrow's tip, which is wider than its shaft, is in front."""
    arrow = pose.to_coil(shape_of(scene, "induced current").surface.points_mm)
    assert arrow[:, 2].max() < 0  # above the coil, where it can be seen
    width = np.hypot(arrow[:, 0], arrow[:, 2] - arrow[:, 2].mean())
    return np.sign(arrow[np.argmax(width), 1])


def test_a_coil_that_is_wound_the_other_way_says_so(case):
    pose = case[3]
    scene = Scene(case[0].head).coil(ef.load_coil("mc-b70"), pose)
    assert _points_along_y(scene, pose) == -1


def test_a_round_coil_has_no_current_arrow_and_the_target_gets_it(case):
    field, target, _, pose = case
    scene = Scene(field.head).cortex(field).coil(ef.load_coil("circular-90mm"), pose).target(target)
    names = [shape.name for shape in scene.shapes]
    assert "induced current" not in names
    assert names.count("target") == 2


def test_the_order_of_parts_does_not_matter(case):
    field, target, coil, pose = case
    one = Scene(field.head).cortex(field).target(target).coil(coil, pose)
    other = Scene(field.head).coil(coil, pose).target(target).cortex(field)
    for name in ("cortex", "target", "windings"):
        np.testing.assert_array_equal(shape_of(one, name).surface.points_mm, shape_of(other, name).surface.points_mm)
    assert one.scales == other.scales


def test_the_rim_is_the_outermost_casing_points(case):
    rim = casing_rim(case[2])
    assert sorted(map(tuple, rim)) == [(x, y, 0.0) for x in (-42, 42) for y in (-22, 22)]


def test_a_coil_of_unknown_shape_has_neither_rim_nor_handle(case):
    sampled = Coil(name="file", sources=(SampledField(np.eye(4), np.zeros((2, 2, 2, 3))),))
    assert casing_rim(sampled) is None
    assert casing_rim(Coil.from_dipoles([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.ones((3, 3)))) is None
    assert not Scene(case[0].head).coil(sampled, case[3], current=False).shapes


def test_a_casing_is_glass_and_one_with_a_handle_gets_no_other(case):
    field, _, coil, pose = case
    corners = np.array([[-40.0, -20, 0], [40, -20, 0], [0, 30, 0], [0, 0, -15]])
    faces = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]
    scene = Scene(field.head).coil(coil.with_casing(Casing(corners, faces)), pose)
    walls = shape_of(scene, "casing")
    np.testing.assert_allclose(walls.surface.points_mm, pose.to_head(corners), atol=1e-9)
    assert max(walls.glass) < 0.75  # what lies under it shows through
    shape_of(scene, "handle")
    corners[0, 1] = -120.0
    longer = Scene(field.head).coil(coil.with_casing(Casing(corners, faces)), pose)
    assert "handle" not in [shape.name for shape in longer.shapes]


def test_slices_lie_in_their_planes_with_the_field_of_the_brain(case):
    field, target, *_ = case
    scene = Scene(field.head).slices(field, "xz").target(target)
    planes = [shape for shape in scene.shapes if shape.name == "slices"]
    axes = [int(np.flatnonzero(np.ptp(shape.surface.points_mm, axis=0) < 1e-9)[0]) for shape in planes]
    assert set(axes) == {0, 2}
    for shape, axis in zip(planes, axes, strict=True):
        np.testing.assert_allclose(shape.surface.points_mm[:, axis], target.center_mm[axis])
    assert {shape.scale is not None for shape in planes} == {True, False}


def test_a_difference_is_second_less_first(case):
    field = case[0]
    shape = shape_of(Scene(field.head).difference(field, 3 * field), "cortex")
    single = shape_of(Scene(field.head).cortex(field), "cortex")
    np.testing.assert_allclose(shape.values, 2 * single.values)
    assert shape.scale.low == -shape.scale.high


def test_a_map_on_the_scalp_is_linear_between_its_places_and_marks_the_best(case):
    head, pose = case[0].head, case[3]
    across, up = np.meshgrid(np.linspace(-12, 12, 5), np.linspace(-12, 12, 5))
    places = pose.to_head(np.column_stack([across.ravel(), up.ravel(), np.full(25, 5.0)]))
    scene = Scene(head).scalp_map(places, 30.0 + up.ravel(), "mean |E|", "V/m")
    shape = shape_of(scene, "map")
    local = pose.to_coil(shape.surface.points_mm)
    shown = np.unique(shape.surface.triangles)
    np.testing.assert_allclose(shape.values[shown], 30.0 + local[shown, 1], atol=1e-6)
    assert shape.scale.low == 0.0  # a map that hardly varies looks like one
    assert pose.to_coil(shape_of(scene, "best of the map").surface.points_mm).mean(axis=0)[1] > 6


def test_poses_are_arrows_away_from_the_handle_in_the_colors_of_their_values(case):
    head, pose = case[0].head, case[3]
    poses = [pose, pose.moved((10, 0, 0)), pose.moved((0, 10, 0))]
    shape = Scene(head).poses(poses, [1.0, 2.0, 3.0], "|E|", "V/m").shapes[0]
    each = len(shape.values) // 3
    np.testing.assert_array_equal(shape.values[::each], [1, 2, 3])
    first = pose.to_coil(shape.surface.points_mm[:each])
    assert first[:, 1].min() == pytest.approx(-4.5, abs=0.01)
    assert first[:, 1].max() == pytest.approx(4.5, abs=0.01)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda scene: scene.view("nowhere"), "view must be one of head, coil"),
        (lambda scene: scene.view("coil"), "needs a coil"),
        (lambda scene: scene.slices(None, "xq"), "planes"),
        (lambda scene: scene.layer(17), "tissue"),
        (lambda scene: scene.arrows().shapes, "need a field"),
        (lambda scene: scene.scalp(2.0), "opacity"),
        (lambda scene: scene.poses(np.zeros((0, 4, 4))).shapes, "no pose"),
        (lambda scene: scene.scalp_map([[0, 0, 60.0]], [1.0, 2.0]).shapes, "one for each"),
        (lambda scene: scene.scalp_map([[0, 0, 50.0], [1, 0, 50]], [1.0, 2.0]).shapes, "three places"),
        (lambda scene: scene.scalp_map(np.eye(3), [np.nan] * 3).shapes, "three places"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(case, wrong, match):
    with pytest.raises(InputError, match=match):
        wrong(Scene(case[0].head))


def test_a_field_of_another_head_is_refused(case, brainless_case):
    with pytest.raises(InputError, match="another"):
        Scene(case[0].head).cortex(brainless_case[0])


def test_vtk_gets_no_bars():
    assert "|" not in plain_words("a: |E| 1 V/m | b")
