"""Surfaces in GIFTI: read as nibabel writes them, written as nibabel reads them, refused where frames differ."""

import zlib
from base64 import b64encode

import nibabel
import numpy as np
import pytest
from nibabel import gifti
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.head.spheres import sphere_head
from efield.head.surface import scalp
from efield.io.surfaces.gifti import read_surface, read_values, write_surface, write_values


@pytest.fixture(scope="module")
def surface():
    return scalp(sphere_head((60.0, 70.0), (2, 5), edge_mm=25.0))


def write_with_nibabel(path, points, triangles, *, space=0, meta=None, encoding="GIFTI_ENCODING_B64GZ"):
    arrays = [
        gifti.GiftiDataArray(
            points.astype(np.float32),
            "NIFTI_INTENT_POINTSET",
            "NIFTI_TYPE_FLOAT32",
            encoding=encoding,
            coordsys=gifti.GiftiCoordSystem(space, space),
            meta=gifti.GiftiMetaData(meta or {}),
        ),
        gifti.GiftiDataArray(
            triangles.astype(np.int32), "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32", encoding=encoding
        ),
    ]
    nibabel.save(gifti.GiftiImage(darrays=arrays), path)
    return path


@pytest.mark.parametrize("encoding", ["GIFTI_ENCODING_ASCII", "GIFTI_ENCODING_B64BIN", "GIFTI_ENCODING_B64GZ"])
def test_every_encoding_is_read(tmp_path, surface, encoding):
    path = write_with_nibabel(tmp_path / "lh.central.gii", surface.points_mm, surface.triangles, encoding=encoding)
    found = read_surface(path)
    assert_allclose(found.points_mm, surface.points_mm, atol=1e-5)
    assert_array_equal(found.triangles, surface.triangles)


def test_a_surface_that_is_inside_out_is_turned(tmp_path, surface):
    path = write_with_nibabel(tmp_path / "a.gii", surface.points_mm + 40.0, surface.triangles[:, ::-1])
    found = read_surface(path)
    assert (np.einsum("ij,ij->i", found.normals, found.points_mm - 40.0) > 0).all()


def test_surfaces_and_values_come_back(tmp_path, surface):
    values = {
        "E_magn": np.linspace(0, 100, len(surface.points_mm)),
        "E_normal": np.full(len(surface.points_mm), np.nan),
    }
    write_values(tmp_path / "both.gii", values, surface)
    assert_array_equal(read_surface(tmp_path / "both.gii").triangles, surface.triangles)
    found = read_values(tmp_path / "both.gii")
    assert_allclose(found["E_magn"], values["E_magn"], rtol=1e-6)
    assert np.isnan(found["E_normal"]).all()
    write_values(tmp_path / "only.func.gii", values, surface)
    assert [array.meta["Name"] for array in nibabel.load(tmp_path / "only.func.gii").darrays] == list(values)
    with pytest.raises(FileFormatError, match="one POINTSET"):
        read_surface(tmp_path / "only.func.gii")


def test_a_viewer_finds_scanner_coordinates(tmp_path, surface):
    write_surface(tmp_path / "a.gii", surface)
    points, triangles = nibabel.load(tmp_path / "a.gii").agg_data(("pointset", "triangle"))
    assert_allclose(points, surface.points_mm, atol=1e-5)
    assert_array_equal(triangles, surface.triangles)
    assert nibabel.load(tmp_path / "a.gii").darrays[0].coordsys.dataspace == 1
    with pytest.raises(FileFormatError, match="must hold values"):
        read_values(tmp_path / "a.gii")


def test_freesurfers_shifted_frame_is_refused_unless_vouched_for(tmp_path, surface):
    meta = {"VolGeomC_R": "-4.5", "VolGeomC_A": "12.0", "VolGeomC_S": "30"}
    path = write_with_nibabel(tmp_path / "lh.pial.gii", surface.points_mm, surface.triangles, meta=meta)
    with pytest.raises(FileFormatError, match=r"shifted from them by \(-4.5, 12.0, 30.0\) mm.*--to-scanner"):
        read_surface(path)
    assert len(read_surface(path, in_image_mm=True).points_mm) == len(surface.points_mm)
    scanner = write_with_nibabel(tmp_path / "b.gii", surface.points_mm, surface.triangles, meta=meta, space=1)
    assert len(read_surface(scanner).points_mm) == len(surface.points_mm)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, t: (p / 1000, t), "meters"),
        (lambda p, t: (np.where(p > 69, np.nan, p), t), "finite"),
        (lambda p, t: (p[:, :2], t), "finite, shape"),
        (lambda p, t: (p, t + 1), "refer to"),
        (lambda p, t: (p, t - 1), "refer to"),
        (lambda p, t: (p, t[:, :2]), r"shape \(t, 3\)"),
    ],
)
def test_what_is_no_surface_is_refused(tmp_path, surface, change, words):
    with pytest.raises(FileFormatError, match=words):
        read_surface(write_with_nibabel(tmp_path / "a.gii", *change(surface.points_mm, surface.triangles)))


def test_entities_other_files_and_bombs_are_refused(tmp_path, surface, refuses):
    good = write_with_nibabel(tmp_path / "a.gii", surface.points_mm, surface.triangles).read_bytes()
    bomb = b64encode(zlib.compress(bytes(1 << 28), 9))
    start, end = good.index(b"<Data>") + 6, good.index(b"</Data>")
    for data, words in (
        (good.replace(b"GZipBase64Binary", b"ExternalFileBinary"), "names another file"),
        (good.replace(b"<GIFTI", b'<!DOCTYPE GIFTI [<!ENTITY a "b">]><GIFTI', 1), "entities"),
        (good[:start] + bomb + good[end:], "far too many"),
        (good.replace(b'Dimensionality="2"', b'Dimensionality="4294967295"', 1), "1 to 6 axes"),
        (good[: len(good) // 2], "complete|POINTSET"),
        (b"<svg/>", "starts with <GIFTI>"),
        (b"", "empty"),
    ):
        (tmp_path / "b.gii").write_bytes(data)
        message = refuses(lambda: read_surface(tmp_path / "b.gii"))
        assert any(word in message for word in words.split("|"))


@pytest.mark.filterwarnings("default")
def test_damaged_files_are_refused_or_read_in_bounded_memory(tmp_path, surface, damaged, survives):
    good = write_with_nibabel(tmp_path / "a.gii", surface.points_mm, surface.triangles).read_bytes()
    for data in damaged(good, 80):
        (tmp_path / "b.gii").write_bytes(data)
        survives(lambda: read_surface(tmp_path / "b.gii"))


def test_what_cannot_be_written_is_said(tmp_path, surface):
    with pytest.raises(InputError, match=r"end in \.gii"):
        write_surface(tmp_path / "a.vtk", surface)
    with pytest.raises(InputError, match="must have values"):
        write_values(tmp_path / "a.func.gii", {}, surface)
    with pytest.raises(InputError, match="must have a surface"):
        write_values(tmp_path / "a.gii", {"E": np.ones(3)})
    with pytest.raises(InputError, match="one number per vertex"):
        write_values(tmp_path / "a.gii", {"E": np.ones(3)}, surface)
    assert not list(tmp_path.iterdir())
