"""Directions are said in the words of anatomy, the largest part first."""

import numpy as np
import pytest

from efield.ground.directions import in_words
from efield.ground.errors import InputError
from efield.ground.pose import Pose


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        ((0, -3, 0), "posterior"),
        ((-0.6, -0.8, 0), "posterior and left"),
        ((0.2, 0.1, -0.9), "inferior"),
        ((1, 1.1, 1.2), "superior and anterior and right"),
        # 22 and 23 degrees from anterior: only the second leans enough to be said.
        ((np.sin(np.radians(22)), np.cos(np.radians(22)), 0), "anterior"),
        ((np.sin(np.radians(23)), np.cos(np.radians(23)), 0), "anterior and right"),
    ],
)
def test_a_direction_in_words(direction, words):
    assert in_words(direction) == words


def test_no_direction_has_no_words():
    with pytest.raises(InputError, match="zero"):
        in_words((0, 0, 0))


def test_handle_and_current_of_a_pose_by_hand():
    # Coil on the vertex, front of the coil to the left: the handle points right. The current induced under it runs
    # along +y, to the left; for a coil wound the other way to the right, and the handle stays where it is.
    pose = Pose.from_axes((0, 0, 90), y=(-1, 0, 0), z=(0, 0, -1))
    assert pose.handle.tolist() == [1, 0, 0]
    assert pose.current().tolist() == [-1, 0, 0]
    assert pose.current((0, -1, 0)).tolist() == [1, 0, 0]
    assert "toward right" in repr(pose)
    assert "induced toward left" in repr(pose)
