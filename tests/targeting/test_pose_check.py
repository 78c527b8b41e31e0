"""Poses on a head are recognized as such, and each common mistake about frames, axes and units is named."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.io.poses.axes import from_theirs, to_theirs
from efield.io.poses.pose_table import PoseTable
from efield.targeting.placement import place_coil
from efield.targeting.pose_check import check_poses

#: A head is longer than wide, and its origin is not in its middle: else a frame turned by 180 degrees looks right.
STRETCH = np.array([0.85, 1.15, 1.0])
SHIFT = np.array([3.0, -14.0, 6.0])


@pytest.fixture(scope="module")
def egg(one_thread):
    sphere = sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=12.0)
    return HeadMesh(sphere.points * STRETCH + SHIFT, sphere.tets, sphere.tissue)


@pytest.fixture(scope="module")
def held(egg):
    """Coils all over the upper left of the head, handles back."""
    places = [(-40, -30, 70), (-50, 10, 60), (-60, -45, 50), (-30, 40, 70), (-10, -20, 80)]
    return np.array([place_coil(egg, np.array(place) * STRETCH + SHIFT, 45.0, 5.0).matrix for place in places])


def names(found):
    return " | ".join(reading.mistake for reading in found.mistakes)


def test_coils_on_the_scalp_are_on_the_scalp(egg, held):
    found = check_poses(held, egg)
    assert found.good
    assert found.on_scalp.all()
    # place_coil measures along the smoothed normal; the nearest place of an egg of 12 mm triangles is a little nearer.
    assert_allclose(found.distance_mm, 5.0, atol=0.5)
    assert found.tilt_deg.max() < 5
    assert set(found.side[:4]) == {"left"}
    mirrored = held.copy()
    mirrored[:, 0, 3] = 2 * SHIFT[0] - held[:, 0, 3]
    assert set(check_poses(mirrored, egg).side[:4]) == {"right"}
    assert "5 of 5" in repr(found)


@pytest.mark.parametrize(
    ("wrong", "says", "remedy"),
    [
        (lambda m: from_theirs(m, "simnibs", "LPS"), "LPS were taken for RAS", "--frame LPS"),
        (lambda m: to_theirs(m, "brainsight"), "axes are Brainsight's", "--axes brainsight"),
        (lambda m: to_theirs(m, "localite"), "axes are Localite's", "--axes localite"),
        (
            lambda m: to_theirs(m, "localite", "LPS"),
            "LPS were taken for RAS and the coil's axes are Localite's",
            "--frame",
        ),
        (lambda m: to_theirs(m, "invesalius"), "axes are InVesalius'", "--axes invesalius"),
        (lambda m: to_theirs(m, "handle"), "turned by 180 degrees", "--axes handle"),
        (lambda m: scaled(m, 1e-3), "meters", "by 1000"),
        (lambda m: scaled(m, 0.1), "centimeters", "by 10"),
        (lambda m: shifted(m, (8, 40, -12)), "another origin", "this head's image"),
    ],
)
def test_the_mistake_is_named(egg, held, wrong, says, remedy):
    found = check_poses(wrong(held), egg)
    assert not found.good
    named = [reading for reading in found.mistakes if says in reading.mistake]
    assert remedy in named[0].remedy
    assert says in " ".join(found.lines())
    # Brainsight's and InVesalius' z point out of the head alike: where the scalp is does not tell one from the other.
    assert len(found.mistakes) <= 2
    assert found.mistakes[0] is named[0] or "InVesalius" in says


def scaled(matrices, factor):
    found = matrices.copy()
    found[:, :3, 3] *= factor
    return found


def shifted(matrices, shift):
    found = matrices.copy()
    found[:, :3, 3] += shift
    return found


def test_a_file_read_the_wrong_way_is_answered_with_the_right_one(egg, held):
    # Read as Brainsight's, but they are ours.
    table = PoseTable(from_theirs(held, "brainsight", "LPS"), axes="brainsight", frame="LPS")
    reading = check_poses(table, egg).mistakes[0]
    assert reading.remedy == "read with --frame RAS --axes simnibs"
    assert reading.fraction == 1.0


def test_voxels_are_tried_with_the_image_and_suspected_without(egg, held):
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = 90, -126, -72
    voxels = held.copy()
    voxels[:, :3, 3] = (held[:, :3, 3] - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    found = check_poses(voxels, egg, affine)
    assert "voxels" in found.mistakes[0].mistake
    for some in (voxels[:1], voxels):  # all of them look shifted, too
        assert "--image" in check_poses(some, egg).lines()[-1]


def test_what_nothing_explains_is_said(egg):
    far = Pose.from_axes((-300, 200, 250), (0, 1, 0), (0.5, 0.5, -1))
    found = check_poses([far], egg)
    assert (found.good, found.mistakes) == (False, ())
    assert "no common mistake" in found.hints[0]
    assert "are these meters" in check_poses(scaled(to_theirs(far.matrix[None], "brainsight"), 1e-3), egg).hints[0]
    with pytest.raises(InputError, match="at least one"):
        check_poses([], egg)


def test_a_verdict_holds_for_one_pose_too(egg, held):
    for pose in held:
        assert check_poses(pose[None], egg).good
        assert "Brainsight" in names(check_poses(to_theirs(pose[None], "brainsight"), egg))
