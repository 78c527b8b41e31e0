"""Sums and small factors of fits are those of NumPy, whatever fills up the last vector."""

import numpy as np
import pytest
from numba import njit

from efield.kernels.elements import fits

_LOWER = np.tril_indices(8)


@njit
def summed(places, scale, size, basis, matrix, values, sums):
    fits.harmonic_sums(places, scale, size, basis, matrix)
    fits.row_sums(basis, values, size, sums)


@njit
def solved(matrix, rhs, begin):
    """rhs becomes the solution; returns how many unknowns were left out."""
    left_out = fits.factor(matrix, 8, 3)
    fits.substitute(matrix, 8, rhs, begin)
    return left_out


@njit
def solved_of_three(matrix, rhs, begin):
    fits.factor(matrix, 3, 3)
    fits.substitute(matrix, 3, rhs, begin)


@pytest.mark.parametrize("size", [2, 8, 9, 61])
def test_harmonic_sums_are_those_of_the_polynomials(size):
    rng = np.random.default_rng(size)
    x, y, z = places = rng.normal(size=(3, size))
    places[:, 0] = 0.0  # the center, which has no say
    rows = np.array([x, y, z, x * y, y * z, x * z, x**2 - y**2, 2 * z**2 - x**2 - y**2])
    square, values = (places**2).sum(axis=0), rng.normal(size=64)
    weighted = np.concatenate([np.zeros((8, 1)), rows[:, 1:] / square[1:]], axis=1)
    given, basis, matrix, sums = np.zeros((3, 64)), np.full((9, 64), np.nan), np.empty(fits.PACKED), np.empty(8)
    given[:, :size] = 2.0 * places
    summed(given, 0.5, size, basis, matrix, values, sums)
    np.testing.assert_allclose(basis[:8, :size], weighted, rtol=1e-13)
    np.testing.assert_allclose(basis[8, :size], square, rtol=1e-13)
    np.testing.assert_allclose(matrix[:36], (weighted @ rows.T)[_LOWER], atol=1e-13 * size)
    np.testing.assert_allclose(sums, weighted @ values[:size], atol=1e-13 * size)


def test_a_factor_solves():
    root, rhs = np.random.default_rng(0).normal(size=(20, 8)), np.arange(24.0)
    full = root.T @ root
    wanted = np.concatenate([rhs[:8], np.linalg.solve(full, rhs[8:16]), rhs[16:]])
    assert solved(full[_LOWER], rhs, 8) == 0
    np.testing.assert_allclose(rhs, wanted, rtol=1e-12)
    few = np.arange(9.0)
    solved_of_three(full[np.tril_indices(3)], few, 6)
    np.testing.assert_allclose(few, [*range(6), *np.linalg.solve(full[:3, :3], [6.0, 7.0, 8.0])], rtol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-34, 1e-9])
def test_a_quadratic_term_that_is_rounding_on_its_patch_is_left_out(size):
    """Neighbors along the axes have x y = 0 up to rounding; its coefficient would be noise over nothing."""
    matrix, rhs = np.eye(8), np.ones(8)
    matrix[4, 4], rhs[4] = size, 1e-17
    assert solved(matrix[_LOWER], rhs, 0) == 1
    assert rhs[4] == 0
    assert rhs[[0, 1, 2, 3, 5, 6, 7]] == pytest.approx(1)


def test_a_term_that_the_others_nearly_make_up_is_left_out():
    """Its pivot, not its size, is a thousandth; but the first three unknowns stay whatever they are."""
    matrix = np.eye(8)
    matrix[5, 3] = matrix[3, 5] = matrix[2, 1] = matrix[1, 2] = np.sqrt(1 - 0.5e-3)
    rhs = np.ones(8)
    assert solved(matrix[_LOWER], rhs, 0) == 1
    keep = [0, 1, 2, 3, 4, 6, 7]
    assert rhs[5] == 0
    np.testing.assert_allclose(rhs[keep], np.linalg.solve(matrix[np.ix_(keep, keep)], np.ones(7)), rtol=1e-9)
