"""Arrows stand apart on what faces the viewer, and the casing's rim goes around the casing."""

import numpy as np

from efield.coils.casing import Casing
from efield.coils.model import Coil, SampledField
from efield.viz.actors import add_coil, casing_outline, casing_rim, crown_vertices, vtk_text
from efield.viz.scene import set_stage
from efield.viz.views import close_view


def test_arrows_stand_apart_on_vertices_that_face_the_viewer(case):
    field, target, _, pose = case
    stage = set_stage(field, target, pose)
    view = close_view(stage.center_mm, stage.outward)
    chosen = crown_vertices(stage.surface, view, aspect=1.0)
    placed = view.in_picture(stage.surface.points_mm[chosen])[:, :2]
    apart = np.linalg.norm(placed[:, None] - placed[None], axis=2) + 1e3 * np.eye(len(chosen))
    assert len(chosen) > 20
    assert apart.min() > 3.0
    assert (stage.surface.normals[chosen] @ view.toward > 0.5).all()
    assert np.abs(placed).max() < view.half_height_mm


def test_the_rim_is_the_outermost_casing_points(case):
    rim = casing_rim(case[2])
    assert sorted(map(tuple, rim)) == [(x, y, 0.0) for x in (-42, 42) for y in (-22, 22)]


def test_a_coil_of_unknown_shape_has_no_rim():
    sampled = SampledField(np.eye(4), np.zeros((2, 2, 2, 3)))
    assert casing_rim(Coil(name="file", sources=(sampled,))) is None
    assert casing_rim(Coil.from_dipoles([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.ones((3, 3)))) is None


class Recorder:
    """Stands in for a plotter: keeps what is added."""

    def __init__(self):
        self.added = []

    def add_mesh(self, mesh, **style):
        self.added.append((mesh, style))


def test_a_casing_surface_is_glass_where_the_coil_is_held(case):
    field, target, coil, pose = case
    corners = np.array([[-40.0, -20, 0], [40, -20, 0], [0, 30, 0], [0, 0, -15]])
    cased = coil.with_casing(Casing(corners, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]))
    stage = set_stage(field, target, pose)
    recorder = Recorder()
    add_coil(recorder, cased, pose, close_view(stage.center_mm, stage.outward))
    assert len(recorder.added) == len(coil.windings) + 1
    walls, style = recorder.added[-1]
    np.testing.assert_allclose(walls.points, pose.to_head(corners), atol=1e-9)
    assert style["rgba"]
    assert walls["glass"][:, 3].max() < 255 * 0.75  # what lies under it shows through
    assert [line.shape for line in casing_outline(cased)] == [(4, 3)]


def test_without_a_surface_the_rim_is_drawn(case):
    field, target, coil, pose = case
    stage = set_stage(field, target, pose)
    recorder = Recorder()
    add_coil(recorder, coil, pose, close_view(stage.center_mm, stage.outward))
    assert len(recorder.added) == len(coil.windings) + 1
    assert recorder.added[-1][1]["line_width"] > 0
    assert len(casing_outline(coil)) == 1


def test_vtk_gets_no_bars():
    assert "|" not in vtk_text("a: |E| 1 V/m | b")
