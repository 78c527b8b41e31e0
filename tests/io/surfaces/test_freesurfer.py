"""FreeSurfer's binary surfaces land where the image is, whatever way its volume lies; others are refused."""

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.freesurfer import io as freesurfer
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.head.spheres import sphere_head
from efield.head.surface import scalp
from efield.io.surfaces.gifti import read_surface

#: The file holds float32: half a unit in the last place at 100 mm.
FLOAT32_MM = 1e-5


@pytest.fixture(scope="module")
def surface():
    return scalp(sphere_head((60.0, 70.0), (2, 5), edge_mm=25.0))


def volume(affine, shape=(8, 10, 12)):
    return nibabel.freesurfer.MGHImage(np.zeros(shape, np.uint8), affine)


def write(path, surface, image, **changes):
    """As FreeSurfer does: vertices in the surface RAS of a volume, whose geometry follows them."""
    header = image.header
    to_surface_ras = header.get_vox2ras_tkr() @ np.linalg.inv(image.affine)
    points = surface.points_mm @ to_surface_ras[:3, :3].T + to_surface_ras[:3, 3]
    directions = np.asarray(header["Mdc"])
    geometry = {
        "head": np.array([2, 0, 20]),
        "valid": "1  # volume info valid",
        "filename": "orig.mgz",
        "volume": np.array(header["dims"][:3]),
        "voxelsize": np.array(header["delta"]),
        "xras": directions[0],
        "yras": directions[1],
        "zras": directions[2],
        "cras": np.asarray(header["Pxyz_c"]),
    } | changes
    freesurfer.write_geometry(path, points, surface.triangles, "made by a test", geometry)
    return path


ANGLE = 0.3
OBLIQUE = np.array(
    [[np.cos(ANGLE), -np.sin(ANGLE), 0, -9], [np.sin(ANGLE), np.cos(ANGLE), 0, 4], [0, 0, 1, 30], [0, 0, 0, 1.0]]
)
VOLUMES = {
    "coronal, as conformed": np.array([[-1.0, 0, 0, 20], [0, 0, 1, -30], [0, -1, 0, 41], [0, 0, 0, 1]]),
    "axial RAS": np.array([[2.0, 0, 0, -7], [0, 2, 0, 11], [0, 0, 2, 3], [0, 0, 0, 1]]),
    "oblique": OBLIQUE,
}


@pytest.mark.parametrize("name", VOLUMES)
def test_vertices_land_in_the_scanners_millimeters(tmp_path, surface, name):
    affine = VOLUMES[name]
    if np.linalg.det(affine[:3, :3]) > 0:  # FreeSurfer's volumes are left-handed in voxels
        affine = affine @ np.diag([-1.0, 1, 1, 1])
    read = read_surface(write(tmp_path / "lh.pial", surface, volume(affine)))
    assert_allclose(read.points_mm, surface.points_mm, atol=FLOAT32_MM)
    assert_array_equal(read.triangles, surface.triangles)


def test_vertices_in_the_scanners_frame_stay(tmp_path, surface):
    """As of mris_convert --to-scanner: a word in the file says so; vouching does the same for any other."""
    path = write(tmp_path / "lh.pial.scanner", surface, volume(OBLIQUE @ np.diag([-1.0, 1, 1, 1])))
    moved = freesurfer.read_geometry(path)[0]
    assert np.abs(moved - surface.points_mm).max() > 10
    assert_allclose(read_surface(path, in_image_mm=True).points_mm, moved, atol=FLOAT32_MM)
    data = path.read_bytes()
    assert data.count(np.array([2, 0, 20], ">i4").tobytes()) == 1
    path.write_bytes(data.replace(np.array([2, 0, 20], ">i4").tobytes(), np.array([2, 1, 20], ">i4").tobytes()))
    assert_allclose(read_surface(path).points_mm, moved, atol=FLOAT32_MM)


@pytest.mark.parametrize("name", ["lh.inflated", "rh.sphere", "lh.sphere.reg", "lh.qsphere.nofix"])
def test_what_freesurfer_inflates_is_refused(tmp_path, surface, name):
    with pytest.raises(FileFormatError, match="white, pial or central"):
        read_surface(write(tmp_path / name, surface, volume(VOLUMES["coronal, as conformed"])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": "0  # volume info invalid"}, "mris_convert --to-scanner"),
        ({"xras": np.array([1.0, 1, 0])}, "perpendicular"),
        ({"cras": np.array([np.nan, 0, 0])}, "cras of the volume"),
    ],
)
def test_a_surface_that_does_not_say_where_it_lies_is_refused(tmp_path, surface, changes, message):
    path = write(tmp_path / "lh.pial", surface, volume(VOLUMES["coronal, as conformed"]), **changes)
    with pytest.raises(FileFormatError, match=message):
        read_surface(path)


def test_a_surface_without_geometry_is_refused(tmp_path, surface):
    freesurfer.write_geometry(tmp_path / "lh.pial", surface.points_mm, surface.triangles)
    with pytest.raises(FileFormatError, match="where its volume lies"):
        read_surface(tmp_path / "lh.pial")


@given(cut=st.integers(3, 5000), place=st.integers(3, 200), byte=st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_surfaces_are_refused_or_read_in_bounded_memory(tmp_path, surface, survives, cut, place, byte):
    good = write(tmp_path / "lh.pial", surface, volume(VOLUMES["oblique"] @ np.diag([-1.0, 1, 1, 1]))).read_bytes()
    flipped = bytearray(good)
    flipped[place] = byte
    for data in (good[:cut], bytes(flipped)):
        (tmp_path / "lh.bad").write_bytes(data)
        survives(lambda: read_surface(tmp_path / "lh.bad"))


def test_a_signaling_nan_is_an_error_and_no_warning(tmp_path, surface):
    data = write(tmp_path / "lh.pial", surface, volume(VOLUMES["oblique"] @ np.diag([-1.0, 1, 1, 1]))).read_bytes()
    first = data.index(b"\n\n") + 2 + 8
    (tmp_path / "lh.bad").write_bytes(data[:first] + b"\x7f\xa0\0\0" + data[first + 4 :])
    with pytest.raises(InputError, match="finite"):
        read_surface(tmp_path / "lh.bad")
