"""The tree that coils and reciprocity share: every point finds its own leaf, and fits are exact for polynomials."""

import numpy as np
from numpy.polynomial.chebyshev import chebval, chebval3d

from efield.kernels import octree

#: Single precision.
SINGLE = 1e-6


def leaves_by_place(octants, half):
    """Leaves of two sizes, and a hole: all octants at positive x are leaves at once, one at negative x stays empty."""
    numbers = np.arange(len(octants))
    here = octants[:, 0] > 0 if half > 1 else np.ones(len(octants), dtype=bool)
    hole = (octants < 0).all(axis=1) if half > 1 else np.zeros(len(octants), dtype=bool)
    described = np.column_stack([octants, np.full(len(octants), half)]).astype(np.float32)
    return numbers[here & ~hole], described[here & ~hole], numbers[~here & ~hole]


def test_every_point_finds_the_leaf_it_lies_in_and_its_place_there():
    children, cells = octree.grow(np.zeros(3), 4.0, leaves_by_place)
    assert set(cells[:, 3]) == {1.0, 2.0}
    points = np.random.default_rng(0).uniform(-4, 4, (2000, 3))
    holes = 0
    for point in points:
        leaf, *place, _ = octree.find(*point, 4.0, children)
        if (point < 0).all():
            assert leaf < 0
            holes += 1
            continue
        center, half = cells[leaf, :3], cells[leaf, 3]
        assert np.abs(place).max() <= 1
        np.testing.assert_allclose(center + half * np.array(place), point, atol=4 * SINGLE)
    assert holes > 100


def test_points_outside_the_root_and_nan_are_in_no_leaf():
    children, _ = octree.grow(np.zeros(3), 4.0, leaves_by_place)
    for point in ((4.1, 0.0, 0.0), (1.0, -4.1, 1.0), (1.0, 1.0, np.inf), (np.nan, 1.0, 1.0), (1.0, 1.0, np.nan)):
        assert octree.find(*point, 4.0, children)[0] < 0


def test_a_fit_gives_back_the_coefficients_of_a_polynomial():
    coefficients = np.random.default_rng(1).normal(size=(3, 8, 8, 8, 2))
    grid = np.meshgrid(octree.NODES, octree.NODES, octree.NODES, indexing="ij")
    values = np.array([[chebval3d(*grid, cell[..., q]) for q in range(2)] for cell in coefficients])
    np.testing.assert_allclose(octree.fit(np.moveaxis(values, 1, -1)), coefficients, atol=1e-12)


def test_powers_are_the_chebyshev_polynomials():
    for t in np.linspace(-1, 1, 21):
        np.testing.assert_allclose(octree.powers(t), chebval(t, np.eye(octree.DEGREE + 1)), atol=10 * SINGLE)
