"""A coil validates what it is made of."""

import numpy as np
import pytest

from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.ground.errors import InputError

POINTS = np.array([[0.0, 0.0, -5.0], [10.0, 0.0, -5.0]])
UP = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


def test_coils_can_be_made_from_plain_lists():
    assert len(Coil.from_dipoles([[0, 0, -5]], [[0, 0, 1]])) == 1
    coil = Coil.from_segments([[0, 0, 0], [1, 0, 0]], [[1, 0, 0], [0, 0, 0]], turns=3)
    assert coil.sources[0].turns.tolist() == [3.0, 3.0]


def test_arrays_of_a_coil_cannot_be_changed():
    coil = Coil.from_dipoles(POINTS, UP)
    for array in (coil.sources[0].points_mm, coil.sources[0].moments_am2, coil.casing_points_mm):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_changing_the_given_array_later_does_not_matter_to_the_shape_of_the_casing():
    assert np.array_equal(Coil.from_dipoles(POINTS, UP).casing_points_mm, POINTS)


def test_without_a_casing_the_sources_themselves_are_tested_for_collision():
    coil = Coil(name="two kinds", sources=(Dipoles(POINTS, UP), Segments(POINTS, POINTS + UP)))
    assert len(coil.casing_points_mm) == 6
    sampled = SampledField(np.eye(4), np.zeros((2, 2, 2, 3)))
    assert Coil(name="sampled", sources=(sampled,)).casing_points_mm.shape == (0, 3)


@pytest.mark.parametrize(
    ("points", "moments", "message"),
    [
        ([[0, 0]], [[0, 0, 1]], r"points_mm must have shape \(n, 3\)"),
        ([[0, 0, np.nan]], [[0, 0, 1]], "points_mm must be finite"),
        ([[0, 0, 0]], [[0, np.inf, 1]], "moments_am2 must be finite"),
        ([[0, 0, 0]], UP, "same length"),
        (np.empty((0, 3)), np.empty((0, 3)), "at least 1 row"),
        ("coil", UP, "must be an array of numbers"),
    ],
)
def test_bad_dipoles_are_refused(points, moments, message):
    with pytest.raises(InputError, match=message):
        Coil.from_dipoles(points, moments)


@pytest.mark.parametrize(
    ("starts", "ends", "turns", "message"),
    [
        (POINTS, POINTS[:1], 1, "same length"),
        (POINTS, POINTS, 1, "segment 0 starts where it ends"),
        (POINTS, POINTS + UP, [1, 2, 3], "turns must be one number or 2"),
        (POINTS, POINTS + UP, np.nan, "turns must be finite"),
    ],
)
def test_bad_segments_are_refused(starts, ends, turns, message):
    with pytest.raises(InputError, match=message):
        Coil.from_segments(starts, ends, turns)


@pytest.mark.parametrize(
    ("affine", "samples", "message"),
    [
        (np.eye(4), np.zeros((2, 2, 2)), "must have shape"),
        (np.eye(4), np.zeros((1, 2, 2, 3)), "at least 2 samples"),
        (np.eye(3), np.zeros((2, 2, 2, 3)), "4x4"),
        (np.diag([1, 1, 0, 1]), np.zeros((2, 2, 2, 3)), "invertible"),
    ],
)
def test_bad_sampled_fields_are_refused(affine, samples, message):
    with pytest.raises(InputError, match=message):
        SampledField(affine, samples)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"sources": ()}, "one or more of"),
        ({"sources": (POINTS,)}, "one or more of"),
        ({"casing_mm": -1}, "casing_mm must be between"),
        ({"max_didt": 0}, "max_didt must be > 0"),
        ({"windings": (POINTS[:1],)}, "at least 2 row"),
        ({"casing_points_mm": np.zeros((2, 2))}, "shape"),
    ],
)
def test_bad_coils_are_refused(about, message):
    with pytest.raises(InputError, match=message):
        Coil(**{"name": "bad", "sources": (Dipoles(POINTS, UP),), **about})
