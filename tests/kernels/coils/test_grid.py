"""Trilinear interpolation of a sampled vector potential."""

import numpy as np

from efield.kernels.coils import grid


def test_a_trilinear_field_is_reproduced_exactly_up_to_the_last_sample():
    rng = np.random.default_rng(3)
    coefficient = rng.normal(size=(8, 3))

    def field(p):
        x, y, z = p.T
        return np.stack([x * 0 + 1, x, y, z, x * y, y * z, z * x, x * y * z], axis=1) @ coefficient

    index = np.stack(np.meshgrid(*[np.arange(n) for n in (4, 5, 3)], indexing="ij"), axis=-1)
    samples = field(index.reshape(-1, 3).astype(float)).reshape(4, 5, 3, 3)
    points = np.vstack([rng.uniform(0, 1, (50, 3)) * (3, 4, 2), [[0, 0, 0], [3, 4, 2], [3, 0, 2]]])
    np.testing.assert_allclose(grid.trilinear(points, samples), field(points), atol=1e-12)


def test_outside_the_grid_the_value_is_nan_not_zero():
    samples = np.ones((2, 2, 2, 3))
    outside = np.array([[-0.01, 0.5, 0.5], [0.5, 1.01, 0.5], [0.5, 0.5, 9.0], [np.nan, 0.5, 0.5]])
    assert np.isnan(grid.trilinear(outside, samples)).all()


def test_rounding_at_the_border_counts_as_inside():
    samples = np.ones((2, 2, 2, 3))
    assert np.allclose(grid.trilinear(np.array([[-1e-12, 1 + 1e-12, 0.0]]), samples), 1.0)
