"""A number for each row says what the rows say."""

import numpy as np
import pytest

from efield.ground.arrays import row_keys


@pytest.mark.parametrize("reach", [1, 1 << 40])
def test_rows_are_told_apart_and_keep_their_order(reach):
    """Also where there is no number of 64 bits for each place of their grid."""
    rows = np.random.default_rng(0).integers(-3, 3, (500, 3)) * reach
    wanted = np.unique(rows, axis=0, return_index=True, return_inverse=True)[1:]
    _, first, which = np.unique(row_keys(rows), return_index=True, return_inverse=True)
    assert np.array_equal(first, wanted[0])
    assert np.array_equal(which, wanted[1].ravel())


def test_no_rows_have_no_numbers():
    assert row_keys(np.empty((0, 3))).shape == (0,)
