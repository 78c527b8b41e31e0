"""The recipe of the default head's label volume, checked on small phantoms (its source data are not needed)."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

RECIPES = Path(__file__).resolve().parents[2] / "meshes"


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(RECIPES), *sys.path])
    return importlib.import_module


@pytest.fixture
def brain(recipe):
    return recipe("labels_brain")


@pytest.fixture
def layers(recipe):
    return recipe("labels_layers")


def ball(shape, radius):
    grid = np.indices(shape) - (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    return (grid**2).sum(0) <= radius**2


def fold():
    """Two white slabs, gray between them, with a dark sheet one voxel thin in the middle: a blurred sulcus."""
    shape = (19, 14, 14)
    x = np.broadcast_to(np.arange(19).reshape(-1, 1, 1), shape)
    white = (x < 6) | (x > 12)
    t1 = np.where(white, 0.85, 0.75) - 0.2 * (x == 9) - 0.06 * ((x == 8) | (x == 10))
    return white, ~white, t1.astype(np.float32)


def test_a_dark_sheet_between_two_banks_is_opened_and_both_banks_stay(brain):
    white, gray, t1 = fold()
    fluid = brain.open_sulci(gray, white, t1)
    assert fluid[9].all()
    assert not (fluid & white).any()
    assert not fluid[6].any()
    assert not fluid[12].any()


def test_an_opened_sheet_is_wider_than_one_voxel(brain):
    white, gray, t1 = fold()
    assert brain.open_sulci(gray, white, t1).sum(0).min() >= 2


def test_uniform_gray_matter_is_left_closed(brain):
    white, gray, _ = fold()
    assert not brain.open_sulci(gray, white, np.full(white.shape, 0.75, np.float32)).any()


def test_fold_depth_is_the_contrast_of_a_narrow_sheet_and_zero_on_a_flat_image(brain):
    flat = np.full((15, 15, 15), 0.7)
    assert np.abs(brain.fold_depth(flat)).max() == 0.0
    flat[7] = 0.5
    assert brain.fold_depth(flat)[7, 7, 7] == pytest.approx(0.2)


@pytest.mark.parametrize(("purity", "expected"), [(0.95, 2), (0.55, 3)])
def test_impure_white_matter_yields_more_room_to_the_cortex(brain, purity, expected):
    white = np.zeros((12, 8, 8), bool)
    white[4:] = True
    fluid = np.zeros_like(white)
    fluid[:4] = True
    kept = brain.thicken_gray(white, fluid, np.full(white.shape, purity), np.ones_like(white))
    assert (white & ~kept)[:, 4, 4].sum() == expected


def test_white_matter_stays_where_there_is_no_cortex(brain):
    white = np.ones((8, 8, 8), bool)
    white[:3] = False
    kept = brain.thicken_gray(white, ~white, np.full(white.shape, 0.5), np.zeros_like(white))
    assert np.array_equal(kept, white)


def test_specks_and_pinholes_go_and_the_body_stays(brain):
    body = ball((25, 25, 25), 8)
    speckled = body.copy()
    speckled[1, 1, 1] = True
    speckled[12, 12, 12] = False
    assert np.array_equal(brain.without_specks(speckled, 10), body)


def test_merged_specks_take_the_label_around_them(brain):
    labels = np.full((20, 20, 20), 1, np.uint8)
    labels[:, :, 10:] = 2
    labels[5, 5, 3] = 2
    labels[5, 5, 15] = 4
    merged = brain.merge_specks(labels, 10)
    assert merged[5, 5, 3] == 1
    assert merged[5, 5, 15] == 2
    assert np.array_equal(merged == 1, np.indices(labels.shape)[2] < 10)


def test_fluid_joined_at_corners_is_one_body_and_survives(brain):
    labels = np.full((20, 20, 20), 2, np.uint8)
    steps = np.arange(20)
    labels[steps, steps, 10] = 3
    assert (brain.merge_specks(labels, 15) == 3).sum() == 20


def test_a_ball_with_probability_maps_becomes_white_wrapped_in_gray(brain):
    shape = (61, 61, 61)
    coordinates = list(np.meshgrid(*[np.arange(61.0) + 40.0] * 3, indexing="ij", sparse=True))
    inner, outer = ball(shape, 16), ball(shape, 20)
    white_map, gray_map = inner * 0.9, (outer & ~inner) * 0.9
    labels = brain.segment_brain(gray_map, white_map, np.where(inner, 0.85, outer * 0.75), coordinates)
    assert np.array_equal(labels > 0, outer)
    assert not (ndimage.binary_dilation(labels == 1) & (labels == 0)).any()


def test_the_signed_distance_vanishes_between_the_voxels_of_a_boundary(layers):
    mask = np.zeros((20, 5, 5), bool)
    mask[10:] = True
    assert layers.signed_distance(mask)[8:12, 2, 2].tolist() == [1.5, 0.5, -0.5, -1.5]


def test_closing_bridges_a_narrow_cleft_and_leaves_a_ball_as_it_is(layers):
    solid = ball((61, 61, 61), 15)
    cleft = solid.copy()
    cleft[29:32, :, 30:] = False
    assert layers.closed_hull(cleft, 8.0)[30, 30, 30:40].all()
    assert (layers.closed_hull(solid, 8.0) != solid).sum() <= 0.02 * solid.sum()


def test_the_mean_with_the_mirror_image_is_symmetric_and_halfway(layers):
    mask = np.zeros((31, 12, 12), bool)
    mask[8:27, 3:9, 3:9] = True
    mean = layers.mirrored_mean(mask)
    assert np.array_equal(mean, mean[::-1])
    assert mask[:, 6, 6].sum() - 4 <= mean[:, 6, 6].sum() <= mask[:, 6, 6].sum() + 1


@pytest.mark.parametrize("reference_radius", [10.0, 60.0])
def test_the_cavity_keeps_its_bounds_whatever_the_reference_says(layers, reference_radius):
    shape = (81, 81, 81)
    radius = 20.0
    cavity = layers.inner_skull(ball(shape, radius), ball(shape, reference_radius))
    reach = cavity[40:, 40, 40].sum() - 0.5  # mm from the center to the border between two voxels
    one_voxel = 1.0
    assert layers.MIN_GAP_MM - one_voxel <= reach - radius <= layers.MAX_GAP_MM + one_voxel


def test_the_skull_takes_its_share_of_a_thin_shell_and_no_more_than_its_maximum(layers):
    at = np.array([0.0, 2.0, 4.0])
    assert layers.skull_thickness(at, 8.0 - at) == pytest.approx(layers.SKULL_SHARE * 8.0)
    assert layers.skull_thickness(at, 30.0 - at) == pytest.approx(layers.SKULL_MM)
    assert layers.skull_thickness(at, 2.0 - at).min() >= layers.MIN_SKULL_MM


def test_a_wrapped_ball_has_nested_closed_layers_of_the_asked_thickness(layers, recipe):
    shape = (101, 101, 101)
    z = np.arange(101.0).reshape(1, 1, -1) - 20.0
    brain_labels = np.where(ball(shape, 22), np.uint8(2), np.uint8(0))
    brain_labels[ball(shape, 18)] = 1
    labels = layers.wrap_brain(brain_labels, ball(shape, 25), ball(shape, 38), z)
    for tag in range(1, 5):
        inside = (labels > 0) & (labels <= tag)
        around = ndimage.binary_dilation(inside) & ~inside
        assert set(np.unique(labels[around])) == {tag + 1}
    along = labels[50:, 50, 50].tolist()
    one_voxel = 1
    assert abs(along.count(4) - layers.SKULL_MM) <= one_voxel
    assert along.count(5) >= 4
    integrity = recipe("labels_report")._integrity(labels)
    assert integrity["air inside the head (voxels)"] == 0
    assert integrity["brain touching skull or air (voxels)"] == 0


def test_the_neck_is_cut_flat(layers):
    shape = (61, 61, 61)
    z = np.arange(61.0).reshape(1, 1, -1) + layers.NECK_Z_MM - 10.0
    everything = np.ones(shape, bool)
    scalp = layers.outer_scalp(everything, np.zeros(shape, np.float32), z)
    assert not scalp[:, :, :10].any()
    assert scalp[30, 30, 10:50].all()


def test_voxels_inside_a_surface_fill_its_volume(recipe):
    import pyvista

    surface = pyvista.Icosphere(radius=10.0, nsub=4, center=(1.0, 2.0, 3.0))
    triangles = surface.faces.reshape(-1, 4)[:, 1:]
    mask = recipe("labels_sources").inside_surface(
        surface.points, triangles, shape=(31, 31, 31), origin=np.array([-15.0, -15.0, -15.0])
    )
    assert mask.sum() == pytest.approx(4 / 3 * np.pi * 10.0**3, rel=0.02)  # staircase of 1 mm voxels
    assert np.argwhere(mask).mean(0) - 15.0 == pytest.approx([1.0, 2.0, 3.0], abs=0.05)


def test_the_grid_is_symmetric_about_the_midline(recipe):
    sources = recipe("labels_sources")
    x = sources.grid_coordinates()[0].ravel()
    assert np.array_equal(x, -x[::-1])
    assert sources.grid_affine()[:3, 3].tolist() == sources.ORIGIN_MM.tolist()


def test_the_affine_to_mni152_undoes_the_published_affine_to_mni305(recipe):
    to_mni305 = np.array(  # FreeSurfer wiki, CoordinateSystems, use case 8b
        [
            [1.0022, 0.0071, -0.0177, 0.0528],
            [-0.0146, 0.9990, 0.0027, -1.5519],
            [0.0129, 0.0094, 1.0027, -1.2012],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    there_and_back = recipe("labels_sources").MNI305_TO_MNI152 @ to_mni305
    four_printed_decimals = 2e-4
    assert np.abs(there_and_back - np.eye(4)).max() <= four_printed_decimals


def test_a_label_volume_survives_the_disk_whole(recipe, tmp_path):
    import nibabel

    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 6
    affine = recipe("labels_sources").grid_affine()
    recipe("make_labels").save_labels(tmp_path / "labels.nii.gz", labels, affine)
    image = nibabel.load(tmp_path / "labels.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), labels)
    assert np.array_equal(image.affine, affine)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.nii.gz"]
