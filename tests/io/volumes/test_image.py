"""Images of a head: gray where it is asked for, in any orientation, and what is none is refused."""

import nibabel
import numpy as np
import pytest

from efield.ground.errors import FileFormatError
from efield.io.volumes.image import HeadImage, image_of


def ramp(affine, shape=(9, 11, 13)):
    """x + 100 mm at each voxel."""
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return (voxels @ affine[:3, :3].T + affine[:3, 3])[..., 0] + 100.0


@pytest.mark.parametrize("turn", [np.eye(3), np.array([[0, -2.0, 0], [0, 0, 2.0], [2.0, 0, 0]])])
def test_gray_is_interpolated_at_places_whatever_the_orientation(tmp_path, turn):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn, (5.0, -4.0, -6.0)
    nibabel.save(nibabel.Nifti1Image(ramp(affine).astype(np.float32), affine), tmp_path / "t1.nii.gz")
    image = HeadImage.read(tmp_path / "t1.nii.gz")
    low, high = image.window
    middle = affine @ [4.0, 5.0, 6.0, 1.0]
    points = middle[:3] + np.array([[0.0, 0.0, 0.0], [0.7, 0.0, 0.0], [0.7, 0.5, -0.5], [900.0, 0.0, 0.0]])
    exact = 255 * np.clip((points[:, 0] + 100.0 - low) / (high - low), 0, 1)
    assert image.gray(points[:3]) == pytest.approx(exact[:3], abs=1.0)
    assert image.gray(points)[3] == 0
    assert image_of(image) is image


@pytest.mark.parametrize("background", [0.0, np.nan])
def test_what_lies_around_the_head_is_black_whatever_a_program_writes_there(tmp_path, background):
    values = ramp(np.eye(4)).astype(np.float32)
    values[:, :3] = background
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "t1.nii")
    image = HeadImage.read(tmp_path / "t1.nii")
    low, high = image.window
    assert (low, high) == pytest.approx((100.0, 108.0), abs=1.0)  # the ramp's ends
    assert image.gray([(4.0, 1.0, 6.0)])[0] == 0
    assert image.gray([(4.0, 6.0, 6.0)])[0] == pytest.approx(255 * (104.0 - low) / (high - low), abs=1)


@pytest.mark.parametrize(("shape", "words"), [((4, 4), "3 axes"), ((4, 4, 4, 2), "3 axes"), ((4, 4, 4), "one value")])
def test_what_shows_nothing_is_refused(tmp_path, shape, words):
    nibabel.save(nibabel.Nifti1Image(np.full(shape, 7, np.int16), np.eye(4)), tmp_path / "t1.nii")
    with pytest.raises(FileFormatError, match=words):
        HeadImage.read(tmp_path / "t1.nii")
