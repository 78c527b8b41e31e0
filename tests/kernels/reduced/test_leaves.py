"""Polynomials of a leaf: the sum over its terms, one by one."""

import numpy as np
import pytest
from numba import njit
from numpy.polynomial.chebyshev import chebval

from efield.kernels import octree
from efield.kernels.reduced import leaves

#: 120 products added in single precision.
SINGLE = 5e-6


@njit
def at(coefficients, turned, x, y, z):
    pairs = np.zeros(leaves.ROWS[0], np.float32)
    leaves.products(octree.powers(y), octree.powers(z), pairs)
    return leaves.value(coefficients, octree.powers(x), turned, pairs)


def chebyshev(degree, t):
    return chebval(t, np.eye(octree.DEGREE + 1)[degree])


def places():
    """Degrees of each coefficient of a component, and where it stands."""
    first = 0
    for i, (used, length) in enumerate(zip(leaves.USED, leaves.ROWS, strict=True)):
        for k in range(used):
            yield (i, *leaves.PAIRS[k]), first + k
        first += length


def test_the_terms_are_all_products_up_to_the_degree_once():
    degrees = [degree for degree, _ in places()]
    assert len(set(degrees)) == len(degrees) == 120
    assert {sum(degree) for degree in degrees} == set(range(octree.DEGREE + 1))


@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_the_sum_over_the_terms(seed):
    rng = np.random.default_rng(seed)
    coefficients, point = np.zeros((3, leaves.TERMS), np.float32), rng.uniform(-1, 1, 3)
    turned, exact = tuple(rng.normal(size=3).astype(np.float32)), 0.0
    for degrees, place in places():
        coefficients[:, place] = rng.normal(size=3)
        term = np.prod([chebyshev(d, t) for d, t in zip(degrees, point, strict=True)])
        exact += term * (coefficients[:, place] @ np.array(turned, float))
    size = np.abs(coefficients).sum()
    assert abs(at(coefficients, turned, *point) - exact) < SINGLE * size / np.sqrt(360)


def test_one_coefficient_is_one_polynomial():
    for degrees, place in list(places())[::7]:
        coefficients = np.zeros((3, leaves.TERMS), np.float32)
        coefficients[1, place] = 2.0
        x, y, z = 0.3, -0.7, 0.9
        exact = -6.0 * chebyshev(degrees[0], x) * chebyshev(degrees[1], y) * chebyshev(degrees[2], z)
        found = at(coefficients, (np.float32(5.0), np.float32(-3.0), np.float32(1.0)), x, y, z)
        assert found == pytest.approx(exact, abs=SINGLE)
