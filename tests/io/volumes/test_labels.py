"""What is a label volume and where it lies: by values, by the two affines of NIfTI, in FreeSurfer's format."""

import gzip

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.io.volumes.labels import read_label_image, read_labels
from efield.io.volumes.nifti import read_grid, write_scalar_nifti

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0]) + np.array([[0, 0, 0, -20.0], [0, 0, 0, -30], [0, 0, 0, 5], [0, 0, 0, 0]])


@pytest.fixture
def labels():
    return np.random.default_rng(3).integers(0, 6, (7, 8, 9)).astype(np.uint8)


def save(path, values, *, sform=(AFFINE, 1), qform=(AFFINE, 1), zooms=None):
    image = nibabel.Nifti1Image(values, np.eye(4))
    image.set_sform(*sform)
    image.set_qform(*qform)
    if zooms is not None:
        image.header.set_zooms(zooms)
    nibabel.save(image, path)
    return path


def test_labels_saved_through_floats_are_labels(tmp_path, labels):
    image = nibabel.Nifti1Image(labels.astype(np.float64), AFFINE)
    image.set_data_dtype(np.int16)  # nibabel picks a scale factor, and labels come back as 2.00000007
    nibabel.save(image, tmp_path / "a.nii.gz")
    stored = nibabel.load(tmp_path / "a.nii.gz").get_fdata()
    assert 0 < np.abs(stored - labels).max() < 1e-3
    assert_array_equal(read_labels(tmp_path / "a.nii.gz")[0], labels)
    nibabel.save(nibabel.Nifti1Image(labels * np.float32(1.00000004), AFFINE), tmp_path / "b.nii")
    assert_array_equal(read_labels(tmp_path / "b.nii")[0], labels)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("t1", "an image such as a T1"), ("percent", "probability map"), ("bytes", "probability map")],
)
def test_images_in_whole_numbers_are_named(tmp_path, kind, words):
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(30) - 15.0] * 3, indexing="ij"), axis=-1)
    r = np.linalg.norm(grid, axis=-1)
    full = {"t1": 0, "percent": 100, "bytes": 255}[kind]
    if kind == "t1":
        values = np.where(r < 14, 90 + 30 * (r < 9) + rng.normal(size=r.shape) * 12, 0).clip(0, 255)
    else:
        values = full * np.clip((13 - r) / 4, 0, 1)
    save(tmp_path / "a.nii.gz", np.round(values).astype(np.int16))
    with pytest.raises(FileFormatError, match=words):
        read_labels(tmp_path / "a.nii.gz")


def test_an_atlas_of_many_labels_is_a_label_volume(tmp_path):
    blocks = np.kron(np.arange(1, 65).reshape(4, 4, 4), np.ones((6, 6, 6), int)).astype(np.int16)
    assert_array_equal(read_labels(save(tmp_path / "a.nii.gz", blocks))[0], blocks)


MOVED = AFFINE + np.array([[0, 0, 0, 40.0], *np.zeros((3, 4))])
MIRRORED = np.diag([-1.0, 1, 1, 1]) @ AFFINE
UNIT = np.eye(4)


@pytest.mark.parametrize(
    ("forms", "words"),
    [
        ({"sform": (MOVED, 1)}, "40 mm apart: set both"),
        ({"sform": (MIRRORED, 2)}, "apart, mirrored"),
        ({"sform": (UNIT, 1), "qform": (AFFINE, 0)}, r"2 x 2 x 2 mm; instead those of its sform are 1 x 1 x 1"),
        ({"sform": (AFFINE, 0), "qform": (AFFINE, 0)}, "both codes are 0, so that left and right"),
    ],
)
def test_headers_that_do_not_say_where_voxels_are_are_refused(tmp_path, labels, forms, words):
    path = save(tmp_path / "a.nii", labels, **forms)
    for read in (read_labels, read_grid):
        with pytest.raises(FileFormatError, match=words) as caught:
            read(path)
        assert "--affine" in str(caught.value)


def test_the_choice_of_an_affine_is_taken(tmp_path, labels):
    path = save(tmp_path / "a.nii", labels, sform=(MOVED, 1))
    assert_allclose(read_labels(path, affine="sform")[1], MOVED)
    assert_allclose(read_labels(path, affine="qform")[1], AFFINE, atol=1e-5)
    with pytest.raises(InputError, match="affine"):
        read_labels(path, affine="best")


def test_one_affine_or_two_that_agree_but_for_rounding_are_taken(tmp_path, labels):
    near = AFFINE + np.array([[0, 0, 0, 0.3], *np.zeros((3, 4))])
    for number, forms in enumerate(
        ({"sform": (near, 1)}, {"sform": (AFFINE, 0)}, {"qform": (UNIT, 0), "zooms": (2,) * 3})
    ):
        path = save(tmp_path / f"{number}.nii", labels, **forms)
        assert_allclose(read_labels(path)[1], AFFINE, atol=0.31)


def test_a_file_that_says_mni_is_known_to_be(tmp_path, labels):
    assert read_label_image(save(tmp_path / "a.nii", labels, sform=(AFFINE, 4), qform=(AFFINE, 4))).in_mni
    assert not read_label_image(save(tmp_path / "b.nii", labels)).in_mni


def test_what_is_written_with_a_shear_is_read_again(tmp_path):
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.6
    write_scalar_nifti(tmp_path / "a.nii", np.zeros((20, 30, 20)), sheared)
    assert_allclose(read_grid(tmp_path / "a.nii")[1], sheared, atol=1e-5)


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "float32"])
@pytest.mark.parametrize("name", ["aseg.mgz", "aseg.mgh"])
def test_volumes_of_freesurfer_are_read_where_nibabel_puts_them(tmp_path, labels, kind, name):
    turned = np.array([[-1.0, 0, 0, 90], [0, 0, 1.5, -110], [0, -2, 0, 70], [0, 0, 0, 1]])
    nibabel.save(nibabel.MGHImage(labels.astype(kind), turned), tmp_path / name)
    found, affine = read_labels(tmp_path / name)
    assert_array_equal(found, labels)
    assert_allclose(affine, turned, atol=1e-4)


def test_a_damaged_volume_of_freesurfer_is_refused(tmp_path, labels):
    nibabel.save(nibabel.MGHImage(labels, AFFINE), tmp_path / "good.mgh")
    good = (tmp_path / "good.mgh").read_bytes()
    no_ras = good[:28] + b"\0\0" + good[30:]
    huge = good[:4] + b"\0\0\x7f\xff" * 3 + good[16:]
    for data, words in ((good[:200], "header"), (good[:300], "complete"), (no_ras, "RAS flag"), (huge, "voxels")):
        (tmp_path / "bad.mgz").write_bytes(gzip.compress(data))
        with pytest.raises(FileFormatError, match=words):
            read_labels(tmp_path / "bad.mgz")
