"""Poses are rigid, and the axes mean what the convention says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from efield.ground.errors import InputError
from efield.ground.pose import Pose

coordinate = st.floats(-200, 200)
quaternion = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)

ROUNDING = 1e-9


def rigid(q, center):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(q).as_matrix()
    matrix[:3, 3] = center
    return matrix


@given(quaternion, st.tuples(coordinate, coordinate, coordinate))
def test_to_head_and_to_coil_are_inverse(q, center):
    pose = Pose(rigid(q, center))
    points = np.array([[0.0, 0, 0], [10, -20, 30]])
    assert np.allclose(pose.to_coil(pose.to_head(points)), points, atol=ROUNDING)


@given(quaternion)
def test_axes_follow_x_is_y_cross_z(q):
    pose = Pose(rigid(q, (0, 0, 0)))
    assert np.allclose(pose.x, np.cross(pose.y, pose.z), atol=ROUNDING)


def test_from_axes_keeps_z_and_straightens_y():
    pose = Pose.from_axes((1, 2, 3), y=(0, 1, 0.5), z=(0, 0, -2))
    assert np.allclose(pose.z, (0, 0, -1))
    assert np.allclose(pose.y, (0, 1, 0))
    assert np.allclose(pose.center_mm, (1, 2, 3))


def test_rounded_files_are_made_exactly_rigid():
    matrix = np.round(rigid((0.1, 0.2, 0.3, 0.9), (1, 2, 3)), 4)
    pose = Pose(matrix)
    assert np.allclose(pose.rotation.T @ pose.rotation, np.eye(3), atol=1e-14)


def test_moved_goes_along_own_axes():
    pose = Pose.from_axes((0, 0, 100), y=(0, 1, 0), z=(0, 0, -1)).moved((0, 0, -5))
    assert np.allclose(pose.center_mm, (0, 0, 105))


SHEAR = np.eye(4)
SHEAR[0, 1] = 0.1
MIRROR = np.diag([-1.0, 1, 1, 1])
BAD_ROW = np.eye(4)
BAD_ROW[3, 0] = 1


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (SHEAR, "sheared"),
        (np.diag([2.0, 2, 2, 1]), "scaled"),
        (MIRROR, "mirrored"),
        (BAD_ROW, "last row"),
        (np.full((4, 4), np.nan), "finite"),
        (np.eye(3), "shape"),
        ("pose", "numbers"),
    ],
)
def test_a_matrix_that_is_not_a_rigid_pose_is_refused(matrix, words):
    with pytest.raises(InputError, match=words):
        Pose(matrix)


def test_the_matrix_cannot_be_changed():
    pose = Pose(np.eye(4))
    with pytest.raises(ValueError, match="read-only"):
        pose.matrix[0, 0] = 2


def test_parallel_axes_are_refused():
    with pytest.raises(InputError, match="parallel"):
        Pose.from_axes((0, 0, 0), y=(0, 0, 1), z=(0, 0, 1))
