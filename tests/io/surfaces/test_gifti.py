"""Surfaces in GIFTI: read as nibabel writes them, written as nibabel reads them, refused where frames differ."""

import gzip
from base64 import b64encode

import nibabel
import numpy as np
import pytest
from nibabel import gifti
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.head.spheres import sphere_head
from efield.head.surface import TriangleSurface, scalp
from efield.io.surfaces.gifti import read_surface, read_values, write_surface, write_values
from tests.io.conftest import GZIP, packed_zeros


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


#: Directions of a conformed volume's columns, rows and slices, as mris_convert writes them.
CONFORMED = {"X": (-1.0, 0, 0), "Y": (0, 0, -1.0), "Z": (0, 1.0, 0)}
TURN = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1.0]])


def geometry(center, axes=CONFORMED):
    vectors = {"C": center, **axes}
    return {f"VolGeom{k}_{axis}": str(x) for k, v in vectors.items() for axis, x in zip("RAS", v, strict=True)}


@pytest.mark.parametrize("axes", [CONFORMED, {}])
def test_freesurfers_shifted_frame_is_moved_unless_vouched_for(tmp_path, surface, axes):
    center = (-4.5, 12.0, 30.0)
    meta = geometry(center, axes)
    path = write_with_nibabel(tmp_path / "lh.pial.gii", surface.points_mm, surface.triangles, meta=meta)
    assert_allclose(read_surface(path).points_mm, surface.points_mm + center, atol=1e-4)
    assert_allclose(read_surface(path, in_image_mm=True).points_mm, surface.points_mm, atol=1e-4)
    scanner = write_with_nibabel(tmp_path / "b.gii", surface.points_mm, surface.triangles, meta=meta, space=1)
    assert_allclose(read_surface(scanner).points_mm, surface.points_mm, atol=1e-4)


def test_freesurfers_frame_of_an_oblique_volume_is_turned(tmp_path, surface):
    axes = {letter: TURN @ axis for letter, axis in CONFORMED.items()}
    meta = geometry((1.0, 2, 3), axes)
    path = write_with_nibabel(tmp_path / "lh.pial.gii", surface.points_mm, surface.triangles, meta=meta)
    assert_allclose(read_surface(path).points_mm, surface.points_mm @ TURN.T + (1, 2, 3), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"VolGeomC_R": "middle"}, "VolGeomC must be numbers"),
        ({"VolGeomC_A": "nan"}, "VolGeomC must be finite"),
        ({"VolGeomX_A": "1.0"}, "perpendicular"),
    ],
)
def test_a_damaged_geometry_is_refused(tmp_path, surface, changes, words):
    meta = geometry((1.0, 2, 3)) | changes
    path = write_with_nibabel(tmp_path / "a.gii", surface.points_mm, surface.triangles, meta=meta)
    with pytest.raises(FileFormatError, match=words):
        read_surface(path)


@pytest.mark.parametrize("kind", ["Inflated", "VeryInflated", "Spherical", "Sphere", "SemiSpherical", "Flat"])
def test_surfaces_that_do_not_lie_where_the_cortex_is_are_refused(tmp_path, surface, kind):
    meta = {"GeometricType": kind}
    path = write_with_nibabel(tmp_path / "a.surf.gii", surface.points_mm, surface.triangles, meta=meta)
    with pytest.raises(FileFormatError, match=f"this one is {kind.lower()}"):
        read_surface(path)
    assert len(read_surface(path, in_image_mm=True).points_mm) == len(surface.points_mm)


@pytest.mark.parametrize("kind", ["Anatomical", "Reconstruction", "Hull", "Unknown", ""])
def test_surfaces_that_do_are_read(tmp_path, surface, kind):
    path = write_with_nibabel(tmp_path / "a.gii", surface.points_mm, surface.triangles, meta={"GeometricType": kind})
    assert_allclose(read_surface(path).points_mm, surface.points_mm, atol=1e-5)


def test_maps_and_freesurfers_names_are_refused_without_a_word_of_their_kind(tmp_path, surface):
    flat = surface.points_mm * [1.5, 1.2, 0.05]
    with pytest.raises(FileFormatError, match="this one is flat"):
        read_surface(write_with_nibabel(tmp_path / "a.gii", flat, surface.triangles))
    for name in ("lh.inflated.gii", "rh.sphere.reg.gii", "lh.very_inflated.gii"):
        with pytest.raises(FileFormatError, match=r"this one is (sphere|inflated|very_inflated)"):
            read_surface(write_with_nibabel(tmp_path / name, surface.points_mm, surface.triangles))
    read_surface(write_with_nibabel(tmp_path / "lh.pial_of_sphere3.gii", surface.points_mm, surface.triangles))


def test_a_file_packed_as_a_whole_is_read(tmp_path, surface, refuses):
    data = write_with_nibabel(tmp_path / "a.gii", surface.points_mm, surface.triangles).read_bytes()
    (tmp_path / "a.gii.gz").write_bytes(gzip.compress(data))
    assert_allclose(read_surface(tmp_path / "a.gii.gz").points_mm, surface.points_mm, atol=1e-5)
    write_values(tmp_path / "v.func.gii", {"E": np.arange(3.0)})
    (tmp_path / "v.func.gii.gz").write_bytes(gzip.compress((tmp_path / "v.func.gii").read_bytes()))
    assert read_values(tmp_path / "v.func.gii.gz")["E"].tolist() == [0, 1, 2]
    for packed in (gzip.compress(data)[:-2000], packed_zeros(256, GZIP)):
        (tmp_path / "b.gii.gz").write_bytes(packed)
        assert "unpack completely" in refuses(lambda: read_surface(tmp_path / "b.gii.gz"))


@pytest.mark.parametrize(("shift", "name"), [(-80, "CortexLeft"), (80, "CortexRight"), (0, "CortexRightAndLeft")])
def test_surfaces_and_values_say_of_which_hemisphere_they_are(tmp_path, surface, shift, name):
    """Workbench takes a surface's structure from its points, that of values from the whole file."""
    moved = TriangleSurface(surface.points_mm + np.array([shift, 0, 0]), surface.triangles)
    write_surface(tmp_path / "a.surf.gii", moved)
    geometry = nibabel.load(tmp_path / "a.surf.gii")
    assert [array.intent for array in geometry.darrays] == [1008, 1009]
    meta = geometry.darrays[0].meta
    assert (meta["AnatomicalStructurePrimary"], meta["GeometricType"]) == (name, "Anatomical")
    write_values(tmp_path / "a.func.gii", {"E": np.ones(len(moved.points_mm))}, moved)
    values = nibabel.load(tmp_path / "a.func.gii")
    assert values.meta["AnatomicalStructurePrimary"] == name
    assert [array.intent for array in values.darrays] == [0]
    with pytest.raises(InputError, match="surface alone"):
        write_values(tmp_path / "b.surf.gii", {"E": np.ones(len(moved.points_mm))}, moved)


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
    bomb = b64encode(packed_zeros(256))
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
