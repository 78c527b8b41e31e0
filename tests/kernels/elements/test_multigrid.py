"""Block products and updates against scipy, in both precisions."""

import numpy as np
import pytest
from scipy.sparse import diags, random

from efield.kernels.elements import multigrid as kernels


@pytest.fixture(scope="module", params=[(np.float32, 1e-5), (np.float64, 1e-13)], ids=["float32", "float64"])
def case(request):
    precision, rounding = request.param
    rng = np.random.default_rng(0)
    matrix = (random(5000, 5000, density=2e-3, random_state=1, format="csr") + diags(np.ones(5000))).tocsr()
    matrix = matrix.astype(precision)
    csr = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
    return matrix, csr, rng.normal(size=(2, 5000, 3)).astype(precision), rounding


def test_products_match_scipy(case):
    matrix, csr, (x, load), rounding = case
    out = load.copy()
    kernels.add_product(*csr, x, x.dtype.type(-0.5), out)
    np.testing.assert_allclose(out, load - 0.5 * (matrix @ x), atol=20 * rounding)


def test_smoothing_steps_match_the_formula(case):
    matrix, csr, (x, load), rounding = case
    inverse = np.linspace(0.5, 1, 5000).astype(x.dtype)
    rate, keep = x.dtype.type(0.7), x.dtype.type(0.2)
    start, out = 2 * load, np.empty_like(x)
    step = start.copy()
    kernels.smoothing_step(*csr, inverse, load, x, keep, rate, step, out)
    wanted = x + 0.2 * start + 0.7 * inverse[:, None] * (load - matrix @ x)
    np.testing.assert_allclose(out, wanted, atol=20 * rounding)


def test_sums_match_numpy_and_do_not_depend_on_threads():
    import numba

    a, b = np.random.default_rng(3).normal(size=(2, 10_000, 3))
    whole = kernels.dots(a, b)
    np.testing.assert_allclose(whole, (a * b).sum(axis=0), rtol=1e-11)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert np.array_equal(kernels.dots(a, b), whole)
    finally:
        numba.set_num_threads(before)


def test_conjugate_gradient_updates_match_the_formulas():
    rng = np.random.default_rng(4)
    direction, image, x, remainder, preconditioned = rng.normal(size=(5, 5000, 2))
    alpha, scale = np.array([0.3, -2.0]), np.array([2.0, 0.5])
    moved, left = x + alpha * direction, remainder - alpha * image
    scaled = np.empty(x.shape, np.float32)
    square = kernels.descend(alpha, direction, image, x, remainder, scale, scaled)
    np.testing.assert_allclose(x, moved)
    np.testing.assert_allclose(remainder, left)
    np.testing.assert_allclose(scaled, scale * left, rtol=1e-6)
    np.testing.assert_allclose(square, (left**2).sum(axis=0), rtol=1e-12)
    turned = preconditioned + alpha * direction
    kernels.turn(alpha, preconditioned, direction)
    np.testing.assert_allclose(direction, turned)
