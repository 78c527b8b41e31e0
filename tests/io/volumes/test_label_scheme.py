"""Labels of other programs are not taken for tissue tags, though their numbers look the same."""

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.io.volumes.label_scheme import check_scheme

RADII = {5: 14.0, 4: 12.0, 3: 10.0, 2: 8.0, 1: 6.0}


@pytest.fixture(scope="module")
def head():
    grid = np.stack(np.meshgrid(*[np.arange(32) - 15.5] * 3, indexing="ij"), axis=-1)
    r = np.linalg.norm(grid, axis=-1)
    labels = np.zeros(r.shape, np.uint16)
    for tag, radius in RADII.items():
        labels[r < radius] = tag
    labels[(r < 9) & (np.abs(grid[..., 0]) < 1)] = 3  # a ventricle: white matter touches CSF, too
    return labels


def test_tissue_tags_are_taken(head):
    check_scheme(head, 1.0)
    check_scheme(np.where(head == 4, 7, head).astype(np.uint16), 1.0)
    check_scheme(np.where(head > 3, 0, head).astype(np.uint16), 1.0)
    check_scheme(np.full((3, 3, 3), 2, np.uint16), 1.0)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ((0, 3, 2, 1, 4, 5), "like 1 CSF, 2 gray matter, 3 white matter .* rows 1,3 2,2 3,1 4,4 5,5"),
        ((0, 3, 2, 1, 0, 0), "like 1 CSF, 2 gray matter, 3 white matter .* rows 1,3 2,2 3,1;"),
        ((0, 2, 1, 3, 4, 5), "like 1 gray matter, 2 white matter, 3 CSF .* rows 1,2 2,1 3,3 4,4 5,5"),
        ((0, 1, 2, 3, 5, 4), "like 4 scalp, 5 bone .* rows 1,1 2,2 3,3 4,5 5,4"),
        ((0, 41, 42, 3, 2, 10), "there are 41, 42; they look like FreeSurfer's"),
    ],
)
def test_other_schemes_are_named_with_the_map_that_helps(head, new, words):
    with pytest.raises(InputError, match=words):
        check_scheme(np.array(new, np.uint16)[head], 1.0)


def test_eyes_of_a_thousand_cubic_centimeters_are_air(head):
    air = np.where(head == 5, 6, head).astype(np.uint16)
    with pytest.raises(InputError, match=r"like 6 air .* 6,0"):
        check_scheme(air, 64.0)
