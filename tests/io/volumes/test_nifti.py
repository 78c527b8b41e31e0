"""NIfTI volumes: label volumes in, sampled fields out."""

import gzip

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import InputError
from efield.io.volumes import nifti
from efield.io.volumes.labels import read_labels

OBLIQUE = np.array([[-1.9, 0.3, 0.1, 90.0], [0.2, 0.1, 2.5, -126.0], [0.4, 1.8, -0.2, -72.0], [0, 0, 0, 1]])


@pytest.fixture
def reader(tmp_path):
    def of(data, name="bad.nii"):
        (tmp_path / name).write_bytes(data)
        return lambda: read_labels(tmp_path / name)

    return of


@pytest.fixture
def good(tmp_path):
    labels = np.random.default_rng(0).integers(0, 6, (5, 6, 7), dtype=np.uint8)
    nibabel.save(nibabel.Nifti1Image(labels, np.diag([1, 1, 2, 1])), tmp_path / "good.nii")
    return (tmp_path / "good.nii").read_bytes()


@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_sample_grid_coincides_with_the_mni_templates(spacing):
    origin = np.array([-90.0, -126.0, -72.0])
    shape, affine = nifti.sample_grid([(-63.2, -99.9, 0.1), (63.2, 71, 80)], spacing)
    assert_array_equal((affine[:3, 3] - origin) % spacing, 0)
    last = affine @ (*(np.array(shape) - 1), 1)
    assert (affine[:3, 3] <= (-63.2, -99.9, 0.1)).all()
    assert (last[:3] >= (63.2, 71, 80)).all()


@pytest.mark.parametrize(
    "bounds", [[(0, 0, 0)], [(0, 0, 1), (1, 1, 0)], [(0, 0, np.nan), (1, 1, 1)], [(0, 0, 0), (1e6,) * 3]]
)
def test_senseless_boxes_are_refused(bounds):
    with pytest.raises(InputError):
        nifti.sample_grid(bounds, 1.0)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_sampled_function_stands_where_it_was_asked(tmp_path, name):
    nifti.write_scalar_nifti(tmp_path / name, lambda p: p @ (1, 20, 300), OBLIQUE, shape=(4, 5, 6), mni=True)
    image = nibabel.load(tmp_path / name)
    for index in [(0, 0, 0), (3, 4, 5), (1, 2, 3)]:
        expected = (image.affine @ (*index, 1))[:3] @ (1, 20, 300)
        assert_allclose(image.get_fdata()[index], expected, rtol=1e-6)
    assert_allclose(image.affine, OBLIQUE, rtol=1e-6)
    assert image.header["sform_code"] == 4
    assert image.get_data_dtype() == np.float32


def test_scanner_coordinates_have_code_1_and_nan_survives(tmp_path):
    values = np.full((2, 3, 4), np.nan)
    values[1, 1, 1] = 5
    nifti.write_scalar_nifti(tmp_path / "a.nii", values, np.eye(4))
    image = nibabel.load(tmp_path / "a.nii")
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    assert_array_equal(image.get_fdata(), values)


def test_qform_equals_sform_for_a_grid_without_shear(tmp_path):
    nifti.write_scalar_nifti(tmp_path / "a.nii", np.zeros((2, 2, 2)), np.diag([2.0, 2.0, 2.0, 1.0]))
    image = nibabel.load(tmp_path / "a.nii")
    assert_allclose(image.get_qform(), image.get_sform())


@pytest.mark.parametrize(
    ("values", "kwargs", "message"),
    [
        (np.zeros((2, 2)), {}, "nx, ny, nz"),
        (lambda p: p[:, 0], {}, "shape"),
        (lambda p: p, {"shape": (2, 2, 2)}, "one number per point"),
    ],
)
def test_senseless_values_are_refused_and_nothing_is_written(tmp_path, values, kwargs, message):
    with pytest.raises(InputError, match=message):
        nifti.write_scalar_nifti(tmp_path / "a.nii", values, np.eye(4), **kwargs)
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.nii"):
        nifti.write_scalar_nifti(tmp_path / "a.mgz", np.zeros((2, 2, 2)), np.eye(4))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    dtype=st.sampled_from(["u1", "<i2", ">i2", "<u2", "<f4", ">f8", "<i4"]),
    second=st.booleans(),
    zipped=st.booleans(),
    seed=st.integers(0, 99),
)
def test_labels_of_any_type_and_byte_order_are_read_as_stored(tmp_path, shape, dtype, second, zipped, seed):
    labels = np.random.default_rng(seed).integers(0, 30, shape)
    labels.flat[0] = 5
    header_class = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    endian = ">" if dtype.startswith(">") else "<"
    header = header_class.header_class(endianness=endian)
    header.set_data_dtype(dtype)
    name = "l.nii.gz" if zipped else "l.nii"
    nibabel.save(header_class(labels.astype(dtype), OBLIQUE, header), tmp_path / name)
    read, affine = read_labels(tmp_path / name)
    assert read.dtype == np.uint16
    assert_array_equal(read, labels)
    assert_allclose(affine, OBLIQUE, rtol=1e-6)


def saved(tmp_path, values, affine=None):
    image = nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine)
    nibabel.save(image, tmp_path / "x.nii")
    return (tmp_path / "x.nii").read_bytes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.linspace(0, 1, 27, dtype=np.float32).reshape(3, 3, 3), "probability map"),
        (np.linspace(0, 900, 27, dtype=np.float32).reshape(3, 3, 3), "T1"),
        (np.full((3, 3, 3), np.nan, np.float32), "nan"),
        (np.full((3, 3, 3), -1, np.int16), "0 to 65535"),
        (np.full((3, 3, 3), 70000, np.int32), "0 to 65535"),
        (np.zeros((3, 3, 3), np.uint8), "empty"),
        (np.ones((3, 3), np.uint8), "3 axes"),
        (np.ones((3, 3, 3, 2), np.uint8), "3 axes"),
    ],
)
def test_what_is_no_label_volume_is_named(tmp_path, values, message, refuses, reader):
    assert message in refuses(reader(saved(tmp_path, values)))


@pytest.mark.parametrize("affine", [np.diag([1.0, 1.0, 0.0, 1.0]), np.full((4, 4), np.nan), np.ones((4, 4))])
def test_unusable_affines_are_refused(tmp_path, affine, refuses, reader):
    data = bytearray(saved(tmp_path, np.ones((3, 3, 3), np.uint8)))
    data[252:256] = b"\0\0\1\0"  # qform_code 0, sform_code 1
    data[280:328] = np.asarray(affine[:3], "<f4").tobytes()
    assert "affine" in refuses(reader(bytes(data)))


@pytest.mark.parametrize("shape", [(32767, 32767, 3), (2000, 2000, 500), (0, 5, 5), (-3, 5, 5)])
@pytest.mark.parametrize("zipped", [True, False])
def test_sizes_the_file_cannot_have_are_refused_before_memory_is_taken(good, shape, zipped, refuses, reader):
    data = bytearray(good)
    data[42:48] = np.array(shape, "<i2").tobytes()
    refuses(reader(gzip.compress(bytes(data)), "bad.nii.gz") if zipped else reader(bytes(data)))


def test_damaged_bytes_only_ever_give_our_errors(good, damaged, survives, reader):
    assert not all(survives(reader(data)) for data in damaged(good, 400))
    assert not all(survives(reader(data, "bad.nii.gz")) for data in damaged(gzip.compress(good), 200))


def test_a_cut_anywhere_is_refused(good, refuses, reader):
    for length in [0, 1, 100, 347, 348, 351, 352, 400, len(good) - 1]:
        refuses(reader(good[:length]))
    packed = gzip.compress(good)
    for length in np.linspace(2, len(packed) - 20, 20).astype(int):
        refuses(reader(packed[:length], "bad.nii.gz"))


def test_the_mni_label_example_is_read(foreign):
    labels, affine = read_labels(foreign("../mni152_labels_example.nii.gz"))
    assert np.bincount(labels.ravel()).argmax() == 0
    assert_array_equal(affine[:3, :3], np.eye(3))


@pytest.mark.parametrize("name", ["t1.nii", "t1.nii.gz"])
def test_the_grid_of_an_image_is_read_without_its_values(tmp_path, name):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, 2), np.float32), OBLIQUE), tmp_path / name)
    shape, affine = nifti.read_grid(tmp_path / name)
    assert shape == (4, 5, 6)
    assert_allclose(affine, OBLIQUE, rtol=1e-6)


def test_an_image_with_two_axes_has_no_grid(tmp_path, refuses):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5), np.float32), np.eye(4)), tmp_path / "a.nii")
    assert "3 axes" in refuses(lambda: nifti.read_grid(tmp_path / "a.nii"))
    assert "does not exist" in refuses(lambda: nifti.read_grid(tmp_path / "b.nii"))


@pytest.mark.parametrize(("place", "new"), [(344, b"ni1\0"), (344, b"xyz\0"), (0, b"\x5d\x01\0\0"), (108, b"\0\0\0\0")])
def test_headers_are_not_repaired(good, place, new, refuses, reader, capfd):
    refuses(reader(good[:place] + new + good[place + len(new) :]))
    refuses(reader(b"\x1c\x02\0\0n+2\0" + bytes(400)))
    assert not capfd.readouterr().err


def test_a_long_header_extension_is_passed_over(tmp_path):
    labels = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    image = nibabel.Nifti1Image(labels, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 5000))
    nibabel.save(image, tmp_path / "a.nii.gz")
    assert_array_equal(read_labels(tmp_path / "a.nii.gz")[0], labels)
    assert nifti.read_grid(tmp_path / "a.nii.gz")[0] == (3, 4, 5)
