"""Checks return usable values or say what to do."""

import numpy as np
import pytest

from efield.ground import checks
from efield.ground.errors import InputError


def test_vectors_become_contiguous_float64():
    result = checks.vectors("p", [[1, 2, 3]])
    assert result.dtype == np.float64
    assert result.flags.c_contiguous


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2, 3], r"shape \(n, 3\)"),
        ([[1, 2, np.nan]], "row 0"),
        ([["a", "b", "c"]], "numbers"),
        (np.zeros((0, 3)), "at least 1"),
    ],
)
def test_bad_vectors_are_refused(value, words):
    with pytest.raises(InputError, match=words):
        checks.vectors("p", value, minimum=1)


@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan, "x", None])
def test_positive_refuses(value):
    with pytest.raises(InputError, match="distance"):
        checks.positive("distance", value)


def test_choice_suggests_the_nearest():
    with pytest.raises(InputError, match="did you mean 'left'"):
        checks.choice("side", "lefft", ["left", "right"])


def test_unit_vector_refuses_zero():
    with pytest.raises(InputError, match="zero"):
        checks.unit_vector("d", (0, 0, 0))


def test_in_range_names_the_range():
    assert checks.in_range("i", 3, 0, 5) == 3
    with pytest.raises(InputError, match="between 0 and 5"):
        checks.in_range("i", 6, 0, 5)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.eye(3), "shape"),
        (np.diag([1.0, 1, 1, 2]), "last row is"),
        (np.diag([1.0, 1, 0, 1]), "singular"),
        (np.zeros((4, 4)), "last row is"),
        (np.eye(4) * np.nan, "finite"),
    ],
)
def test_an_affine_is_invertible_and_says_what_it_is_not(value, says):
    with pytest.raises(InputError, match=says):
        checks.affine("affine", value)
    skewed = np.array([[-1e-3, 2e-4, 0, 5], [0, 2e-3, 0, 6], [0, 0, 3e-3, 7], [0, 0, 0, 1]])
    assert np.array_equal(checks.affine("affine", skewed), skewed)


@pytest.mark.parametrize(("value", "low", "high"), [(0, 1, None), (5, 0, 4), (1.0, 0, 4), ("1", 0, 4), (True, 0, 4)])
def test_whole_takes_whole_numbers_within_the_limits_only(value, low, high):
    with pytest.raises(InputError, match="n must be a whole number"):
        checks.whole("n", value, low, high)
    assert checks.whole("n", np.int64(3), low, high) == 3
