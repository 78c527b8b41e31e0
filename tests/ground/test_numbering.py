"""Items given numbers of their own."""

import numpy as np
import pytest

from efield.ground.numbering import renumbered


@pytest.mark.parametrize("shape", [(0, 4), (1, 3), (500, 4)])
def test_it_is_numpys_unique(shape):
    numbers = np.random.default_rng(0).integers(0, 700, shape).astype(np.int32)
    used, place = renumbered(numbers)
    assert np.array_equal(used, np.unique(numbers))
    assert place.shape == shape
    assert np.array_equal(used[place], numbers)
