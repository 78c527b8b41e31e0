"""The same anatomy in any storage order and orientation of its label volume gives the same answer."""

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from efield.coils.model import Coil
from efield.ground.pose import Pose
from efield.head.lattice import mesh_labels
from efield.io.volumes.labels import read_labels
from efield.targeting.simulate import Simulator

SPACING = 4.0
SHAPE = (40, 46, 38)
TURN = nibabel.eulerangles.euler2mat(z=0.35, y=-0.2, x=0.25)
#: A flat coil held at the left, and places in the gray matter below it, 12 mm apart and 15 to 40 mm deep (mm).
COIL = Coil.from_dipoles([[-20.0, 0, 0], [20, 0, 0]], [[0, 0, 1e-3], [0, 0, -1e-3]])
POSE = Pose.from_axes((-72.0, 10, 40), (0, 1, 0), (0.87, 0, -0.49))
PLACES = np.stack(np.meshgrid([-40, -28, -16], [-6, 6, 18], [6, 18], indexing="ij"), axis=-1).reshape(-1, 3) * 1.0


def tissues(world):
    """Labels at (..., 3) world mm: an egg of gray matter, off center, with a lump that tells left from right."""
    x, y, z = np.moveaxis(world, -1, 0)
    inner = (x / 52) ** 2 + ((y - 5) / 62) ** 2 + ((z + 4) / 45) ** 2
    outer = (x / 64) ** 2 + (y / 76) ** 2 + (z / 60) ** 2 - 0.5 * np.exp(-((x - 60) ** 2 + y**2 + z**2) / 300)
    return np.where(inner < 1, 2, np.where(outer < 1, 5, 0)).astype(np.uint8)


def sampled(turn=None, shift=0.0):
    """The labels and affine of a grid that is turned and shifted in world space."""
    affine = np.eye(4)
    affine[:3, :3] = SPACING * (np.eye(3) if turn is None else turn)
    affine[:3, 3] = shift - affine[:3, :3] @ (np.array(SHAPE) - 1) / 2
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    return tissues(index @ affine[:3, :3].T + affine[:3, 3]), affine


def meshed(path, labels, affine):
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return mesh_labels(*read_labels(path), edge_mm={2: 9.0, 5: 12.0})


def stored_as(labels, affine, axes):
    """The same volume with its axes in another order, such as LAS."""
    image = nibabel.Nifti1Image(labels, affine)
    ours, wanted = nibabel.orientations.io_orientation(affine), nibabel.orientations.axcodes2ornt(tuple(axes))
    turned = image.as_reoriented(nibabel.orientations.ornt_transform(ours, wanted))
    assert "".join(nibabel.aff2axcodes(turned.affine)) == axes
    return np.asarray(turned.dataobj), turned.affine


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return meshed(tmp_path_factory.mktemp("ras") / "labels.nii.gz", *sampled())


@pytest.mark.parametrize("axes", ["LAS", "PIR", "SLP"])
def test_the_order_of_storage_changes_no_node(tmp_path, straight, axes):
    head = meshed(tmp_path / "labels.nii.gz", *stored_as(*sampled(), axes))
    assert_array_equal(head.points, straight.points)
    assert_array_equal(head.tets, straight.tets)
    assert_array_equal(head.tissue, straight.tissue)


def test_an_oblique_grid_gives_the_field_to_the_error_of_the_mesh(tmp_path, straight):
    def field(head):
        return Simulator(head).solve(COIL, POSE, didt=1e6).at(PLACES)

    def difference(head):
        return np.sqrt(((field(head) - truth) ** 2).sum(axis=1).mean() / (truth**2).sum(axis=1).mean())

    truth = field(straight)
    # Half a voxel's shift of an unturned grid samples and meshes the same anatomy anew: that is the mesh's error.
    shifted = difference(meshed(tmp_path / "shifted.nii.gz", *sampled(shift=SPACING / 2)))
    oblique = difference(meshed(tmp_path / "oblique.nii.gz", *sampled(turn=TURN)))
    assert shifted < 0.05
    assert oblique < 2 * shifted
    # A volume whose turn is ignored would put the lump and the coil elsewhere.
    ignored = difference(meshed(tmp_path / "ignored.nii.gz", sampled(turn=TURN)[0], sampled()[1]))
    assert ignored > 3 * oblique
