"""What is computed side by side comes in the order of what it was computed of."""

import numba
import pytest

from efield.ground.turns import side_by_side


@pytest.mark.parametrize("threads", [1, min(2, numba.config.NUMBA_NUM_THREADS)])
@pytest.mark.parametrize("items", [[], [3], [5, 1, 4, 2]])
def test_answers_have_the_order_of_the_items(threads, items):
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        assert side_by_side(lambda one: 10 * one, iter(items)) == [10 * one for one in items]
    finally:
        numba.set_num_threads(before)
