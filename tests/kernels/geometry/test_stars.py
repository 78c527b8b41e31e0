"""Cells and nodes around a node, for cells of either order, against sets."""

import numpy as np
import pytest

from efield.fem.assembly import nodes_around
from efield.ground import checks
from efield.kernels.geometry import stars


@pytest.mark.parametrize("width", [4, 10])
def test_stars_and_neighbors_are_those_that_sets_give(width):
    rng = np.random.default_rng(width)
    cells = np.array([rng.choice(40, width, replace=False) for _ in range(60)], dtype=np.int32)
    cells = checks.plain(cells)
    start, star = stars.node_stars(cells, 41)
    row, nodes = nodes_around(cells, (start, star))
    assert len(row) == 42
    for node in range(41):  # the last one is in no cell
        around = star[start[node] : start[node + 1]]
        assert np.array_equal(around, np.flatnonzero((cells == node).any(axis=1)))
        assert np.array_equal(nodes[row[node] : row[node + 1]], np.unique(cells[around]))
