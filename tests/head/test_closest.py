"""The nearest place on a surface, against geometry one can do by hand and against all triangles."""

import gc
from weakref import ref

import numpy as np
import pytest
from numpy.testing import assert_allclose

from efield.head.closest import signed_distance
from efield.head.spheres import sphere_head
from efield.head.surface import TriangleSurface, scalp

TRIANGLE = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])


def one(corners):
    return signed_distance(TriangleSurface(np.asarray(corners, float), np.array([[0, 1, 2]], np.int32)))


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
    assert_allclose(one(TRIANGLE).find(np.array([point], float))[0], [place], atol=1e-12)


@pytest.mark.parametrize(
    ("corners", "place"),
    [(((0, 0, 0), (4, 0, 0), (2, 0, 0)), (3, 0, 0)), (((1, 0, 0), (1, 0, 0), (1, 0, 0)), (1, 0, 0))],
)
def test_a_triangle_without_area_is_its_longest_edge_or_a_point(corners, place):
    assert_allclose(one(corners).find(np.array([[3.0, 5, 0]]))[0], [place], atol=1e-12)


def reference(point, corners):
    """Smallest distance to any of (t, 3, 3) triangles: to the planes where the foot is inside, and to the edges."""
    sides = np.roll(corners, -1, axis=1) - corners
    normal = np.cross(sides[:, 0], sides[:, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    height = np.einsum("tx,tx->t", point - corners[:, 0], normal)
    foot = point - height[:, None] * normal
    turn = np.einsum("tkx,tx->tk", np.cross(sides, foot[:, None] - corners), normal)
    share = np.einsum("tkx,tkx->tk", point - corners, sides) / (sides**2).sum(axis=2)
    on_edge = corners + np.clip(share, 0, 1)[..., None] * sides
    to_planes = np.abs(height[(turn >= 0).all(axis=1)])
    return min(np.linalg.norm(on_edge - point, axis=2).min(), to_planes.min(initial=np.inf))


def test_no_triangle_is_nearer_than_the_one_found():
    surface = scalp(sphere_head((60.0, 70.0), (2, 5), edge_mm=15.0))
    points = np.random.default_rng(0).normal(size=(200, 3)) * 50
    places, distance = signed_distance(surface).find(points)
    corners = surface.points_mm[surface.triangles]
    assert_allclose(distance, [reference(point, corners) for point in points], rtol=1e-12, atol=1e-12)
    assert_allclose(np.linalg.norm(places - points, axis=1), distance, rtol=1e-12, atol=1e-12)
    assert_allclose(np.abs(signed_distance(surface)(points)), distance, rtol=1e-12)


def test_a_surface_is_made_ready_once_and_not_kept_alive():
    surface = TriangleSurface(TRIANGLE, np.array([[0, 1, 2]], np.int32))
    assert signed_distance(surface) is signed_distance(surface)
    alive = ref(surface)
    del surface
    gc.collect()
    assert alive() is None
