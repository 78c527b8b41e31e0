"""Diffusion tensors from files: the same field whoever wrote it, and no guess about order, axes or units."""

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from efield.ground.errors import FileFormatError, InputError
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head
from efield.head.tensor_field import TensorField, positive_share
from efield.io.volumes.tensor import read_tensors, write_tensors

#: Files hold 32-bit floats; turning them adds a few roundings.
SINGLE = 1e-6

SHAPE = (5, 6, 7)
ROTATION = Rotation.from_euler("xyz", (12.0, -20.0, 31.0), degrees=True).as_matrix()


def affine_of(axes):
    """Voxels of 20 x 18 x 16 mm along the columns of `axes`, the middle of the grid at the origin."""
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.diag((20.0, 18.0, 16.0))
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return affine


AFFINES = {
    "neurological": affine_of(np.eye(3)),
    "radiological": affine_of(np.diag((-1.0, 1.0, 1.0))),
    "oblique": affine_of(ROTATION),
    "oblique mirrored": affine_of(ROTATION @ np.diag((-1.0, 1.0, 1.0))),
    "axes exchanged": affine_of(np.eye(3)[[1, 2, 0]]),
}


def field():
    """(5, 6, 7, 3, 3) symmetric tensors in the head's axes, mm^2/s, positive definite and all different."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(*SHAPE, 3, 3))
    return 1e-4 * (half @ half.swapaxes(3, 4)) + 3e-4 * np.eye(3)


def six(tensors, order):
    """Components in the order of a program, written out."""
    xx, xy, xz = tensors[..., 0, 0], tensors[..., 0, 1], tensors[..., 0, 2]
    yy, yz, zz = tensors[..., 1, 1], tensors[..., 1, 2], tensors[..., 2, 2]
    return np.stack((xx, xy, xz, yy, yz, zz) if order == "fsl" else (xx, yy, zz, xy, xz, yz), axis=-1)


def fsl_axes(affine):
    """Columns: the directions in the head along which dtifit's components are; a left-handed set always."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return axes * (-1, 1, 1) if np.linalg.det(axes) > 0 else axes


def save(path, values, affine):
    nibabel.save(nibabel.Nifti1Image(np.asarray(values, dtype=np.float32), affine), path)
    return path


def fsl_file(path, tensors, affine):
    axes = fsl_axes(affine)
    return save(path, six(axes.T @ tensors @ axes, "fsl"), affine)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
def test_files_of_fsl_and_mrtrix_of_one_field_give_the_same_conductivities(tmp_path, affine):
    head, tensors = sphere_head((40.0,), (2,), edge_mm=20.0), field()
    ours = TensorField(tensors, affine)
    fsl = read_tensors(fsl_file(tmp_path / "fsl.nii.gz", tensors, affine), "fsl")
    mrtrix = read_tensors(save(tmp_path / "mrtrix.nii", six(tensors, "mrtrix"), affine), "mrtrix")
    wanted = Conductivity().with_tensors(ours).per_tet(head)
    assert np.abs(wanted[:, 0, 1]).max() > 0.02
    for read in (fsl, mrtrix):
        found = Conductivity().with_tensors(read).per_tet(head)
        assert np.abs(found - wanted).max() < 10 * SINGLE * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["neurological", "radiological"])
def test_along_the_axes_of_the_head_only_the_signs_of_xy_and_xz_are_fsls(tmp_path, name):
    """Written by hand: in both images dtifit's x points to the left, y forward and z up."""
    values = np.zeros((*SHAPE, 6))
    values[:] = (1e-3, 1e-4, 2e-4, 7e-4, 3e-4, 8e-4)
    read = read_tensors(save(tmp_path / "a.nii", values, AFFINES[name]), "fsl").values
    wanted = (1e-3, -1e-4, -2e-4, 7e-4, 3e-4, 8e-4)
    np.testing.assert_allclose(read, np.broadcast_to(wanted, read.shape), rtol=10 * SINGLE, atol=1e-3 * SINGLE)


def test_mrtrix_components_stand_along_the_head_whatever_the_voxels(tmp_path):
    values = np.zeros((*SHAPE, 6))
    values[:] = (1e-3, 7e-4, 8e-4, 1e-4, 2e-4, 3e-4)
    read = read_tensors(save(tmp_path / "a.nii", values, AFFINES["oblique"]), "mrtrix").values
    wanted = (1e-3, 1e-4, 2e-4, 7e-4, 3e-4, 8e-4)
    np.testing.assert_allclose(read, np.broadcast_to(wanted, read.shape), rtol=SINGLE)


@pytest.mark.parametrize("order", ["fsl", "mrtrix"])
@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
def test_what_is_written_is_read_again(tmp_path, affine, order):
    tensors = field()
    tensors[0, 0, 0] = 0
    tensors[1, 0, 0] = np.nan
    given = TensorField(tensors, affine)
    write_tensors(tmp_path / "a.nii.gz", given, order)
    found = read_tensors(tmp_path / "a.nii.gz", order)
    np.testing.assert_allclose(found.affine, affine, atol=1e-4)
    assert not found.values[0, 0, 0].any()
    assert np.isnan(found.values[1, 0, 0]).all()
    error = np.nanmax(np.abs(found.values - given.values))
    assert error < 10 * SINGLE * np.nanmax(given.values)


def test_the_writer_agrees_with_a_file_made_by_hand(tmp_path):
    affine, tensors = AFFINES["oblique"], field()
    write_tensors(tmp_path / "a.nii", TensorField(tensors, affine), "fsl")
    stored = nibabel.load(tmp_path / "a.nii").get_fdata()
    axes = fsl_axes(affine)
    np.testing.assert_allclose(stored, six(axes.T @ tensors @ axes, "fsl"), atol=1e-3 * SINGLE)


@pytest.mark.parametrize("order", [None, "ants", "FSL", ""])
def test_an_order_that_is_missing_or_unknown_is_refused_before_the_file_is_opened(tmp_path, order):
    with pytest.raises(InputError, match="fsl"):
        read_tensors(tmp_path / "none.nii", order)


def plain(change):
    """A good array in fsl's order, changed."""

    def make():
        values = six(field(), "fsl")
        return change(values), AFFINES["oblique"]

    return make


def sheared():
    affine = AFFINES["oblique"].copy()
    affine[:3, :3] = affine[:3, :3] @ [[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]
    return six(field(), "fsl"), affine


WRONG = {
    "seven components": (plain(lambda v: v[..., [0, 1, 2, 3, 4, 5, 5]]), r"\(nx, ny, nz, 6\); instead received .*7"),
    "three axes": (plain(lambda v: v[..., 0]), r"\(nx, ny, nz, 6\)"),
    "matrix as of ANTs": (plain(lambda v: v[..., None, :]), "ANTs"),
    "all zeros": (plain(lambda v: 0 * v), "must not all be empty"),
    "all nan": (plain(lambda v: np.nan * v), "must not all be empty"),
    "all infinite": (plain(lambda v: np.full_like(v, np.inf)), "must not all be empty"),
    "sheared": (sheared, "must not be sheared"),
    "um^2/ms": (plain(lambda v: 1e3 * v), r"um\^2/ms: multiply the values by 1e-3"),
    "m^2/s": (plain(lambda v: 1e-6 * v), "multiply the values by 1e6"),
    "um^2/s": (plain(lambda v: 1e6 * v), "multiply the values by 1e-6"),
    "no unit at all": (plain(lambda v: 1e12 * v), "median diffusivity near 1e-3"),
    "negative": (plain(lambda v: -v), "median diffusivity near 1e-3"),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_file_that_holds_no_tensors_is_refused_with_its_name(tmp_path, make, message):
    path = save(tmp_path / "wrong.nii.gz", *make())
    with pytest.raises(FileFormatError, match=rf"wrong\.nii\.gz: .*{message}"):
        read_tensors(path, "fsl")


def noisy():
    """Tensors as of a brain; a sixth of the voxels hold noise, with negative eigenvalues."""
    values = field()
    values[:, 0] -= 3e-4 * np.eye(3) * np.trace(values[:, 0], axis1=-2, axis2=-1)[..., None, None] / 1e-3
    return values


@pytest.mark.parametrize(
    ("written", "read", "named"),
    [("fsl", "mrtrix", "give fsl"), ("mrtrix", "fsl", "give mrtrix"), ("ants", "fsl", "NIfTI")],
)
def test_a_wrong_order_is_refused_and_the_right_one_named(tmp_path, written, read, named):
    tensors = noisy()
    values = six(tensors, written) if written != "ants" else six(tensors, "fsl")[..., [0, 1, 3, 2, 4, 5]]
    path = save(tmp_path / "d.nii.gz", values, AFFINES["oblique"])
    with pytest.raises(FileFormatError, match=rf"given, {read}; .*{named}"):
        read_tensors(path, read)
    if written != "ants":
        assert read_tensors(path, written).values.shape == (*SHAPE, 6)


@pytest.mark.parametrize(
    ("name", "order", "wrong"), [("fsl_small_101D", "fsl", "mrtrix"), ("mr_small_101D", "mrtrix", "fsl")]
)
def test_files_of_the_programs_are_read_in_their_own_order_only(foreign, name, order, wrong):
    path = foreign(f"{name}.nii.gz")
    assert positive_share(read_tensors(path, order).values) > 0.965
    with pytest.raises(FileFormatError, match=f"--tensor-order {order}"):
        read_tensors(path, wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("order", ["fsl", "mrtrix"])
def test_one_component_that_is_not_finite_spoils_its_voxel_only(tmp_path, order, value):
    values = six(field(), order)
    values[2, 3, 3, 4] = value
    read = read_tensors(save(tmp_path / "a.nii", values, AFFINES["oblique"]), order).values
    finite = np.isfinite(read).all(axis=3)
    assert not finite[2, 3, 3]
    assert finite.sum() == finite.size - 1


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"none\.nii"):
        read_tensors(tmp_path / "none.nii", "fsl")
    path = save(tmp_path / "short.nii", six(field(), "fsl"), AFFINES["oblique"])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match=r"short\.nii"):
        read_tensors(path, "fsl")


def test_the_writer_refuses_what_the_reader_would(tmp_path):
    given = TensorField(field(), AFFINES["oblique"])
    with pytest.raises(InputError, match="mrtrix"):
        write_tensors(tmp_path / "a.nii", given, "ants")
    with pytest.raises(InputError, match="must not be sheared"):
        write_tensors(tmp_path / "a.nii", TensorField(field(), sheared()[1]), "fsl")
    assert not list(tmp_path.iterdir())
