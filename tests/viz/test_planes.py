"""Slices over an image, streamlines and maps of uncertainty: exact fields in, exact places and colors out."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray

from efield.ground.errors import InputError
from efield.head.locate import locator_of
from efield.io.volumes.image import HeadImage
from efield.viz.nodal import magnitudes
from efield.viz.planes import Plane
from efield.viz.scene import Scene
from efield.viz.slices import slice_figure
from efield.viz.streamlines import streamlines
from efield.viz.uncertainty_map import on_nodes
from efield.viz.voxels import Voxels
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


def test_an_image_beside_the_head_is_refused(case, gray):
    field, head = case[0], case[0].head
    beside = HeadImage(gray.values, gray.affine + np.outer([40.0, 0, 0, 0], [0, 0, 0, 1]), gray.window, "beside.nii")
    for use in (lambda: Scene(head).slices(field, image=beside), lambda: slice_figure(field, image=beside)):
        with pytest.raises(InputError, match=r"cover the head .* % of its brain lie outside beside.nii"):
            use()


def test_a_figure_shows_the_image_in_the_head_and_the_field_where_it_is_strong(case, gray):
    field, target, *_ = case
    figure = slice_figure(field, target, image=gray, dpi=60)
    sagittal = figure.axes[0]
    (picture,) = sagittal.images
    shown, (left, right, low, high) = picture.get_array(), picture.get_extent()
    rows, columns = np.mgrid[: shown.shape[0], : shown.shape[1]]
    y = left + (columns + 0.5) * (right - left) / shown.shape[1]
    z = low + (rows + 0.5) * (high - low) / shown.shape[0]
    assert (left, low) == (pytest.approx(np.floor(field.head.points[:, 1].min()) - 0.25), pytest.approx(low))
    outside = np.hypot(y, z) > 49.0
    assert (shown[outside, 3] == 0).all()
    bone = (np.hypot(y, z) > 35.0) & (np.hypot(y, z) < 44.0)
    expected = np.clip((y[bone] + 60.0) / 120.0 * 255, 1, 255)
    np.testing.assert_allclose(shown[bone][:, :3], np.repeat(expected[:, None], 3, axis=1), atol=1.0)
    near = np.hypot(y - target.center_mm[1], z - target.center_mm[2]) < 2.0
    assert np.ptp(shown[near][:, :3].astype(int), axis=1).min() > 40  # colors, not grays


@pytest.fixture(scope="module")
def located(case):
    """Centers of voxels from their number and their corner, and where in the head they are."""

    def at(shape, corner_mm):
        place = np.indices(shape[::-1])[::-1].reshape(3, -1).T + corner_mm
        return place, *locator_of(case[0].head).find(place)

    return cache(at)


@pytest.mark.parametrize("with_image", [False, True])
def test_voxels_hold_the_tissue_and_the_field_of_each_place(case, gray, located, with_image):
    field, head = case[0], case[0].head
    scale, nodal = Scene(head).cortex(field).scales[0], magnitudes(field)
    voxels = Voxels.of(head, nodal, scale, gray if with_image else None)
    place, tet, weights = located(voxels.shape, tuple(voxels.corner_mm))
    tissue = np.where(tet >= 0, head.tissue[tet], 0)
    np.testing.assert_array_equal(voxels.anatomy > 0, tissue > 0)
    if with_image:
        level = np.array([int(color[1:3], 16) for color in voxels.colors])[voxels.anatomy]
        assert np.abs(level - gray.gray(place).astype(int))[tissue > 0].max() <= 4  # 48 grays
    else:
        fills = {voxels.colors[voxels.anatomy[tissue == tag][0]] for tag in (1, 2, 3, 4, 5)}
        assert len(fills) == 5
    own = tissue == 2
    exact = np.einsum("nc,nc->n", weights[own], nodal[2][head.tets[tet[own]]])
    np.testing.assert_allclose(voxels.steps[own] * voxels.step, exact, atol=0.51 * voxels.step)
    assert (voxels.steps[~np.isin(tissue, (1, 2))] == -1).all()


def test_voxels_grow_where_a_page_would_be_too_large(case, monkeypatch):
    monkeypatch.setattr("efield.viz.voxels._MOST_BYTES", 1000)
    field = case[0]
    voxels = Voxels.of(field.head, magnitudes(field), Scene(field.head).cortex(field).scales[0])
    assert voxels.spacing_mm == 2.0
    assert len(voxels.anatomy) == np.prod(voxels.shape)


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
