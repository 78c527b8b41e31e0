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


def test_changing_the_given_arrays_later_does_not_change_the_coil():
    points, moments, more = POINTS.copy(), UP.copy(), np.ones(2)
    coil, wire = Coil.from_dipoles(points, moments), Coil.from_segments(points, points + moments, more)
    for array in (points, moments, more):
        array *= 2
    assert np.array_equal(coil.casing_points_mm, POINTS)
    assert np.array_equal(coil.sources[0].points_mm, POINTS)
    assert np.array_equal(coil.sources[0].moments_am2, UP)
    assert np.array_equal(wire.sources[0].starts_mm, POINTS)
    assert wire.sources[0].turns.tolist() == [1, 1]


def test_places_in_meters_are_refused():
    with pytest.raises(InputError, match="multiply by 1000"):
        Coil.from_dipoles(POINTS / 1000, UP)
    with pytest.raises(InputError, match="multiply by 1000"):
        Coil.from_segments(POINTS / 1000, (POINTS + UP) / 1000)


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
