"""Arcs run over the scalp in the plane of three points, and their length is that of a taut tape."""

from dataclasses import replace

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.head.arcs import half_arcs, nearest_on_surface, whole_arc
from efield.head.spheres import sphere_head
from efield.head.surface import Surface, scalp

RADIUS = 85.0
TOP, FRONT, BACK, LEFT = RADIUS * np.array([[0.0, 0, 1], [0, 1, 0], [0, -1, 0], [-1, 0, 0]])
LONGEST_EDGE = 8.0
SAG = LONGEST_EDGE**2 / (8 * RADIUS)  # of a triangle's edge under its sphere, mm


@pytest.fixture(scope="module")
def ball():
    return scalp(sphere_head((75.0, RADIUS), (4, 5), edge_mm=6.0))


def wrinkled(surface, amplitude_mm, wavelength_mm):
    along = RADIUS * np.arctan2(surface.points_mm[:, 2], surface.points_mm[:, 1])
    wave = amplitude_mm * np.sin(2 * np.pi * along / wavelength_mm)
    return replace(surface, points_mm=surface.points_mm * (1 + wave / RADIUS)[:, None])


def test_half_a_great_circle_is_pi_times_the_radius_long(ball):
    arc = whole_arc(ball, FRONT, TOP, BACK)
    # The inscribed polygon of edges e is shorter than its circle by e^2 / (24 R^2) of the length.
    assert arc.length_mm == pytest.approx(np.pi * RADIUS, rel=LONGEST_EDGE**2 / (24 * RADIUS**2))
    assert arc.length_mm < np.pi * RADIUS


def test_the_third_point_chooses_the_side(ball):
    for via in (TOP, -TOP, LEFT):
        assert np.allclose(whole_arc(ball, FRONT, via, BACK).at(0.5), via, atol=2 * SAG)


def test_the_halves_of_a_small_circle_make_up_the_whole(ball):
    height = 30.0
    front, left, back = (
        np.array([0, 0, height]) + np.sqrt(1 - (height / RADIUS) ** 2) * p for p in (FRONT, LEFT, BACK)
    )
    points = [nearest_on_surface(ball, p) for p in (front, left, back)]
    halves = half_arcs(ball, *points)
    assert sum(h.length_mm for h in halves) == pytest.approx(whole_arc(ball, *points).length_mm, rel=1e-3)
    assert np.allclose([h.path_mm[:, 2].mean() for h in halves], height, atol=2 * SAG)


def test_marks_lie_at_their_share_of_the_length(ball):
    arc = whole_arc(ball, FRONT, TOP, BACK)
    for fraction in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        expected = RADIUS * np.array([0, np.cos(np.pi * fraction), np.sin(np.pi * fraction)])
        assert np.allclose(arc.at(fraction), expected, atol=2 * SAG)


def test_a_tape_stays_taut_over_wrinkles_that_lengthen_the_skin(ball):
    start, end = (nearest_on_surface(wrinkled(ball, 1.5, 25.0), p) for p in (FRONT, BACK))
    arc = whole_arc(wrinkled(ball, 1.5, 25.0), start, TOP, end)
    skin = np.linalg.norm(np.diff(arc.path_mm, axis=0), axis=1).sum()
    assert skin > 1.01 * arc.length_mm
    # Between the circles of the hollows and of the crests.
    assert np.pi * (RADIUS - 1.5) < arc.length_mm < np.pi * (RADIUS + 1.5)


def test_a_mark_over_a_hollow_is_put_on_the_skin(ball):
    surface = wrinkled(ball, 1.5, 25.0)
    arc = whole_arc(surface, nearest_on_surface(surface, FRONT), TOP, nearest_on_surface(surface, BACK))
    for fraction in np.linspace(0.05, 0.95, 19):
        mark = arc.at(fraction)
        assert np.linalg.norm(nearest_on_surface(surface, mark) - mark) < 1e-9  # rounding


@pytest.mark.parametrize("direction", [(0.3, -0.5, 0.8), (1.0, 0.0, 0.0), (-0.6, 0.6, -0.1)])
@pytest.mark.parametrize("radius", [60.0, 84.0, 95.0])
def test_the_nearest_point_is_as_near_as_a_dense_sampling_finds(ball, direction, radius):
    point = radius * np.array(direction) / np.linalg.norm(direction)
    foot = nearest_on_surface(ball, point)
    weights = np.array([(a, b, 12 - a - b) for a in range(13) for b in range(13 - a)]) / 12
    samples = np.einsum("sk,tkj->tsj", weights, ball.points_mm[ball.triangles]).reshape(-1, 3)
    sampled = np.linalg.norm(samples - point, axis=1).min()
    assert np.linalg.norm(foot - point) <= sampled + 1e-12
    assert np.linalg.norm(foot - point) >= sampled - LONGEST_EDGE / 12


def test_points_in_line_fix_no_arc(ball):
    with pytest.raises(InputError, match="three points out of line"):
        whole_arc(ball, FRONT, 0.5 * (FRONT + TOP), TOP)


def test_an_arc_does_not_jump_between_separate_pieces(ball):
    shifted = ball.points_mm + np.array([0.0, 0.0, 3 * RADIUS])
    pair = Surface(
        points_mm=np.vstack([ball.points_mm, shifted]),
        triangles=np.vstack([ball.triangles, ball.triangles + len(ball.points_mm)]),
        nodes=np.tile(ball.nodes, 2),
        owners=np.tile(ball.owners, 2),
    )
    with pytest.raises(InputError, match="separate pieces"):
        half_arcs(pair, FRONT, TOP + np.array([0.0, 0.0, 3 * RADIUS]), BACK)
