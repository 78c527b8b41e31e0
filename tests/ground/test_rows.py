"""Rows that are equal are found as NumPy finds them."""

import numpy as np
import pytest

from efield.ground.rows import distinct_rows


@pytest.mark.parametrize("rows", [0, 1, 500])
@pytest.mark.parametrize("kind", [np.int32, np.float64])
def test_they_are_those_of_numpy(rows, kind):
    given = np.random.default_rng(rows).integers(-3, 3, (rows, 3)).astype(kind)
    first, which = distinct_rows(given)
    wanted = np.unique(given, axis=0, return_index=True, return_inverse=True)
    assert np.array_equal(given[first], wanted[0])
    assert np.array_equal(first, wanted[1])
    assert np.array_equal(which, wanted[2].ravel())
