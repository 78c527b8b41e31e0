"""A field is linear in the rate of change of the current, and so are its multiples."""

import numpy as np
import pytest

from efield.coils.drive import Drive
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.targeting.targets import m1_hand

POSE = Pose.from_axes((0, 0, 92), (0, 1, 0), (0, 0, -1))
OTHER = Pose.from_axes((0, 40, 84), (1, 0, 0), (0, -40, -84))
POINTS = np.array([[0.0, 0.0, 65.0], [10.0, 5.0, 60.0], [0.0, 0.0, 500.0]])


@pytest.fixture(scope="module")
def field(sim, coil):
    return sim.solve_together([Drive(coil, POSE, 1e6), Drive(coil, OTHER, -2e6)])


def test_a_multiple_is_what_solving_at_that_rate_gives(sim, coil, field):
    solved = sim.solve_together([Drive(coil, POSE, -3e6), Drive(coil, OTHER, 6e6)])
    scaled = field * -3
    # The solver stops at 1e-9 of the residual.
    assert np.abs(scaled.e - solved.e).max() < 1e-7 * np.abs(solved.e).max()
    assert [drive.didt for drive in scaled.drives] == [drive.didt for drive in solved.drives]
    found, expected = scaled.at(POINTS), solved.at(POINTS)
    assert np.isnan(found[2]).all()
    assert np.abs(found - expected)[:2].max() < 1e-6 * np.abs(expected[:2]).max()
    hand = m1_hand(sim.head)
    ours, theirs = scaled.summary(hand), solved.summary(hand)
    for name, value in theirs.items():
        if isinstance(value, float):
            assert ours[name] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("factor", [2, 2.0, np.float64(2), np.float32(2), np.int64(2)])
def test_numbers_may_stand_on_either_side(field, factor):
    for scaled in (field * factor, factor * field, field / (1 / factor)):
        assert np.allclose(scaled.e, 2 * field.e, rtol=1e-7)
        assert scaled.didt == pytest.approx(2e6)
    assert np.array_equal((-field).e, -field.e)
    assert (-field).didt == -1e6


def test_the_field_itself_stays_and_a_multiple_cannot_be_written(field):
    before = field.e.copy()
    scaled = field * 2
    assert np.array_equal(field.e, before)
    with pytest.raises(ValueError, match="read-only"):
        scaled.e[0] = 0


def test_a_field_per_ampere_per_second_is_a_field(field):
    assert (field / 1e6).drives[0].didt == pytest.approx(1.0)
    assert ((field / 1e6) * 1e6).drives[0].didt == pytest.approx(1e6)


@pytest.mark.parametrize("factor", ["2", None, np.array([1.0, 2.0]), True, 1j])
def test_what_is_no_number_is_an_error_of_python(field, factor):
    with pytest.raises(TypeError):
        field * factor
    with pytest.raises(TypeError):
        factor * field


def test_a_field_times_nan_is_refused(field):
    with pytest.raises(InputError, match="finite"):
        field * np.nan
    with pytest.raises(ZeroDivisionError):
        field / 0
