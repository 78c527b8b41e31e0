"""Slices over an image, streamlines and maps of uncertainty: exact fields in, exact places and colors out."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray

from efield.ground.errors import InputError
from efield.io.volumes.image import HeadImage
from efield.viz.planes import Plane
from efield.viz.scene import Scene
from efield.viz.streamlines import streamlines
from efield.viz.uncertainty_map import on_nodes
from tests.viz.conftest import Recovered


@pytest.fixture(scope="module")
def gray():
    """An image that is as bright as it is far anterior: 0 at y = -60, white at y = 60."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -60.0
    y = -60.0 + 2.0 * np.arange(61)
    return HeadImage(np.broadcast_to(y[None, :, None], (61, 61, 61)), affine, (-60.0, 60.0))


def test_the_pixels_of_a_plane_are_in_the_tissue_of_their_tetrahedron(halves):
    plane = Plane.through(halves, 2, 3.3)
    assert set(plane.points_mm[:, 2]) == {3.3}
    x = plane.points_mm[:, 0]
    assert (plane.tissue[x < -0.1] == 1).all()
    assert (plane.tissue[x > 0.1] == 2).all()
    corners = halves.points[halves.tets[plane.tet]]
    np.testing.assert_allclose(np.einsum("nc,ncd->nd", plane.weights, corners), plane.points_mm, atol=1e-9)


def test_a_slice_shows_the_image_where_the_field_is_weak_and_the_bar_where_it_is_strong(case, gray):
    field, target, *_ = case
    scene = Scene(field.head).slices(field, "x", image=gray).target(target)
    (shape,) = (one for one in scene.shapes if one.name == "slices")
    share, points = shape.values / shape.scale.high, shape.surface.points_mm
    used = np.zeros(len(points), bool)
    used[shape.surface.triangles] = True
    strong, none = used & (share > 0.45), used & np.isnan(share)
    assert strong.sum() > 50
    np.testing.assert_array_equal(shape.rgb[strong], shape.scale.rgb(shape.values[strong]))
    expected = np.clip((points[none, 1] + 60.0) / 120.0 * 255, 1, 255)
    np.testing.assert_allclose(shape.rgb[none], np.repeat(expected[:, None], 3, axis=1), atol=1.0)
    half = used & (share > 0.19) & (share < 0.21)
    mixed = 0.5 * shape.scale.rgb(shape.values[half]) + 0.5 * gray.gray(points[half])[:, None]
    np.testing.assert_allclose(shape.rgb[half], mixed, atol=10)


def test_streamlines_follow_circles_of_a_turning_field_and_stay_in_the_brain(case):
    field, target, *_ = case
    points = field.head.points
    turning = Recovered(field.head, np.cross([0.0, 0.0, 1.0], points))
    turning.at = lambda points_mm: np.cross([0.0, 0.0, 1.0], points_mm)
    turned = SimpleNamespace(head=field.head, recovered=turning, at=turning.at)
    lines = streamlines(turned, np.asarray(target.center_mm))
    assert len(lines) > 10
    for line in lines:
        radius = np.hypot(line[:, 0], line[:, 1])
        assert np.ptp(radius) < (0.01 * radius.max() if radius.max() > 10.0 else 0.5)  # steps are of a millimeter
        assert np.ptp(line[:, 2]) < 1e-9
        assert np.linalg.norm(line, axis=1).max() < 40.0  # the outer radius of the CSF, which is jagged
    assert Scene(field.head, field=field, place=target).streamlines(field).shapes[0].name == "streamlines"
    with pytest.raises(InputError, match="streamlines need a field"):
        assert Scene(field.head).streamlines().shapes


def sure_of(head, tets, mean):
    columns = {"mean": mean, "sd": 0.1 * mean, "p5": 0.8 * mean, "p95": 1.3 * mean}
    return SimpleNamespace(map=xarray.Dataset({name: ("tet", one) for name, one in columns.items()}, {"tet": tets}))


def test_a_map_of_uncertainty_is_what_the_tetrahedra_say_gray_before_white(halves):
    tets = np.arange(len(halves.tets))
    mean = np.where(halves.tissue == 2, 10.0, 4.0)
    sure = sure_of(halves, tets, mean)
    x = halves.points[:, 0]
    np.testing.assert_allclose(on_nodes(halves, sure, "mean"), np.where(x > -1e-9, 10.0, 4.0))
    np.testing.assert_allclose(on_nodes(halves, sure, "width"), np.where(x > -1e-9, 5.0, 2.0))
    np.testing.assert_allclose(on_nodes(halves, sure, "share"), 10.0)
    part = on_nodes(halves, sure_of(halves, tets[:6], mean[:6]), "sd")
    assert np.isfinite(part).sum() == len(np.unique(halves.tets[:6]))
    shape = Scene(halves).uncertainty(sure).shapes[0]
    assert shape.scale.words == "|E|, 5 to 95 %: width (V/m)"
    with pytest.raises(InputError, match="region_mm"):
        on_nodes(halves, SimpleNamespace(map=None))
    with pytest.raises(InputError, match="show must be one of"):
        on_nodes(halves, sure, "best")
