"""The nearest place on a surface, against geometry one can do by hand and against all triangles."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from efield.head.closest import ClosestPoints, closest_on_triangles
from efield.head.spheres import sphere_head
from efield.head.surface import scalp

TRIANGLE = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ((1, 1, 3), (1, 1, 0)),  # above the inside
        ((2, -5, 1), (2, 0, 0)),  # beside an edge
        ((5, 5, 0), (2, 2, 0)),  # beside the long edge
        ((-1, -2, 7), (0, 0, 0)),  # behind a corner
        ((9, -1, 0), (4, 0, 0)),
    ],
)
def test_each_region_of_a_triangle(point, place):
    assert_allclose(closest_on_triangles(np.array([point], float), TRIANGLE[None]), [place], atol=1e-12)


def test_a_triangle_without_area_is_its_longest_edge():
    flat = np.array([[[0.0, 0, 0], [4, 0, 0], [2, 0, 0]]])
    assert_allclose(closest_on_triangles(np.array([[3.0, 5, 0]]), flat), [[3, 0, 0]], atol=1e-12)


def test_no_triangle_is_nearer_than_the_one_found():
    surface = scalp(sphere_head((60.0, 70.0), (2, 5), edge_mm=15.0))
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)) * 50
    places, distance = ClosestPoints(surface).find(points)
    corners = surface.points_mm[surface.triangles]
    for point, away in zip(points, distance, strict=True):
        all_feet = closest_on_triangles(np.tile(point, (len(corners), 1)), corners)
        assert away == pytest.approx(np.linalg.norm(all_feet - point, axis=1).min())
    assert_allclose(np.linalg.norm(places - points, axis=1), distance)
