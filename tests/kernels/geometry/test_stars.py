"""Cells and nodes around a node, for cells of either order, against sets."""

import numpy as np
import pytest

from efield.ground import checks
from efield.kernels.geometry import stars


@pytest.mark.parametrize("width", [4, 10])
def test_stars_and_neighbors_are_those_that_sets_give(width):
    rng = np.random.default_rng(width)
    cells = np.array([rng.choice(40, width, replace=False) for _ in range(60)], dtype=np.int32)
    cells = checks.plain(cells)
    start, star = stars.node_stars(cells, 41)
    counts = stars.neighbor_counts(cells, start, star)
    for node in range(41):  # the last one is in no cell
        around = star[start[node] : start[node + 1]]
        assert np.array_equal(around, np.flatnonzero((cells == node).any(axis=1)))
        near = np.empty(counts[node], dtype=np.int32)
        for least in (0, node + 1):
            expected = np.unique(cells[around][cells[around] >= least])
            assert stars.nodes_around(cells, start, star, node, least, near) == len(expected)
            assert np.array_equal(near[: len(expected)], expected)
