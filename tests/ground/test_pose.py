"""Poses are rigid, and the axes mean what the convention says."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from efield.ground.errors import EfieldWarning, InputError
from efield.ground.pose import Pose, given_poses, pose_matrices
from efield.ground.rigid import put_right

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


@given(quaternion, st.integers(3, 12))
def test_rounded_files_are_made_exactly_rigid(q, decimals):
    exact = rigid(q, (1, 2, 3))
    pose = Pose(np.round(exact, decimals))
    assert np.allclose(pose.rotation.T @ pose.rotation, np.eye(3), atol=1e-14)
    # The nearest rotation is no farther from the exact one than twice the rounding (in the Frobenius norm).
    assert np.linalg.norm(pose.matrix - exact) <= 2 * 3 * 0.5 * 10.0**-decimals + ROUNDING


@given(quaternion)
def test_two_decimals_are_put_right_and_said(q):
    exact = rigid(q, (1, 2, 3))
    matrix = np.round(exact, 2)
    found, turned = put_right("pose", matrix)
    assert np.linalg.norm(found - exact) <= 2 * 3 * 0.5e-2 + ROUNDING
    # An axis moves by at most the rounding of its own three numbers and what the two others make of theirs.
    assert turned.shape == (1,)
    assert 0 <= turned[0] <= np.degrees(2 * 3 * 0.5e-2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert Pose(matrix).matrix.tobytes() == found.tobytes()
    hundredths = np.rint(100 * matrix[:3, :3]).astype(int)
    rough = np.abs(hundredths.T @ hundredths - 10_000 * np.eye(3, dtype=int)).max() > 19
    assert [f"turned by up to {turned[0]:.2g} degrees" in str(w.message) for w in caught] == [True] * int(rough)


@pytest.mark.parametrize(
    "axes",
    [
        [[-0.21, 0.96, -0.18], [-0.38, -0.25, -0.89], [-0.9, -0.12, 0.42]],
        [[0.56, -0.75, 0.35], [-0.75, -0.28, 0.6], [-0.35, -0.6, -0.72]],
    ],
)
def test_axes_that_miss_by_two_thousandths_are_two_decimals_whatever_the_last_bit(axes):
    matrix = np.eye(4)
    matrix[:3, :3] = axes
    assert abs(np.abs(matrix[:3, :3].T @ axes - np.eye(3)).max() - 2e-3) < 1e-12
    with pytest.warns(EfieldWarning, match="fewer than three decimals"):
        Pose(matrix)
    with pytest.warns(EfieldWarning, match="fewer than three decimals"):
        Pose(matrix[[1, 0, 2, 3]][:, [1, 0, 2, 3]])


def test_how_far_axes_were_turned_is_in_degrees():
    # x leans 0.5 degrees toward y: the nearest rotation shares it, a quarter of a degree each.
    sheared = np.eye(4)
    sheared[:2, 0] = np.cos(np.radians(0.5)), np.sin(np.radians(0.5))
    matrix, turned = put_right("pose", sheared)
    assert np.allclose(matrix[:2, 0], (np.cos(np.radians(0.25)), np.sin(np.radians(0.25))), atol=1e-12)
    assert np.allclose(turned, 0.25, atol=1e-9)


@given(st.lists(quaternion, min_size=1, max_size=5), st.sampled_from([3, 5, 17]))
def test_every_door_gives_the_same_bits_and_gives_them_again(turns, decimals):
    stack = np.array([np.round(rigid(q, (1, 2, 3)), decimals) for q in turns])
    poses = [Pose(matrix) for matrix in stack]
    alone = np.array([pose.matrix for pose in poses])
    for found in (
        pose_matrices(stack),
        pose_matrices(poses),
        pose_matrices(alone),
        np.array([pose.matrix for pose in given_poses(stack)]),
        np.array([Pose(matrix).matrix for matrix in alone]),
        np.array([pose_matrices(matrix[None])[0] for matrix in stack]),
    ):
        assert found.tobytes() == alone.tobytes()


def test_a_stack_is_its_own_and_says_which_matrix_is_wrong():
    stack = np.array([np.eye(4)] * 3)
    found = pose_matrices(stack)
    found[0] = 7
    assert np.array_equal(stack[0], np.eye(4))
    stack[2] = MIRROR
    with pytest.raises(InputError, match=r"pose 2 of poses must be rigid and right-handed.*mirrored"):
        pose_matrices(stack)
    assert pose_matrices(np.empty((0, 4, 4))).shape == (0, 4, 4)
    assert pose_matrices([]).shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Pose(np.eye(4)), "a list of Pose"),
        ("poses.txt", "a list of Pose"),
        (3, "a list of Pose"),
        ([Pose(np.eye(4)), np.eye(4)], "number 1 is a ndarray"),
        (np.zeros((3, 16)), "shape"),
        (np.eye(4), "shape"),
        (np.full((2, 4, 4), np.nan), "finite"),
    ],
)
def test_what_is_no_list_of_poses_is_refused(value, says):
    for door in (given_poses, pose_matrices):
        with pytest.raises(InputError, match=says):
            door(value)


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
        (SHEAR, r"sheared \(5\.7 degrees"),
        (np.diag([2.0, 2, 2, 1]), r"are scaled \(lengths 2, 2, 2\):"),
        (np.diag([1e-3, 1e-3, 1e-3, 1]), r"are scaled \(lengths 0\.001"),
        (np.diag([0.0, 1, 1, 1]), r"scaled \(lengths 0, 1, 1\)"),
        (MIRROR, r"are mirrored \(determinant below 0\): check the axis"),
        (np.diag([1.0, 1, -1.5, 1]), "scaled .* and mirrored"),
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


def test_a_pose_is_its_matrix_to_numpy():
    pose = Pose.from_axes((1, 2, 3), (0, 1, 0), (0, 0, -1))
    assert np.array_equal(np.asarray(pose), pose.matrix)
    assert np.asarray(pose, dtype=np.float32).dtype == np.float32
    assert np.shares_memory(np.asarray(pose), pose.matrix)
    assert not np.asarray(pose).flags.writeable
    own = np.array(pose)
    own[0, 0] = 7
    assert pose.matrix[0, 0] != 7
    assert np.stack([pose, pose]).shape == (2, 4, 4)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(pose, dtype=np.float32, copy=False)
