"""Colors tell high from low by lightness, and their limit is set by the surroundings of the target."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efield.ground.errors import InputError
from efield.viz import palette
from efield.viz.scale import Scale, difference_scale, field_scale
from efield.viz.sheet import empty_sheet


def lightness(rgb):
    """CIE 1976 L* of sRGB colors (IEC 61966-2-1)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_equal_steps_of_the_field_are_equal_steps_of_lightness():
    steps = np.diff(lightness(palette.field_colors()(np.linspace(0, 1, 65))[:, :3]))
    assert steps.min() > 0
    # viridis is uniform in total color difference; its lightness alone rises a little more slowly at the ends
    assert steps.max() / steps.min() < 2.5


@given(st.floats(1e-9, 1e9))
def test_a_limit_is_never_below_the_value_and_at_most_a_third_above(value):
    limit = palette.rounded_up(value)
    assert value * (1 - 1e-8) <= limit <= value * 1.26


@pytest.mark.parametrize(
    ("value", "limit"), [(1.0, 1.0), (1.2, 1.2), (1.21, 1.4), (0.93, 1.0), (96.0, 100.0), (0.0, 1.0)]
)
def test_limits_are_short_numbers(value, limit):
    assert palette.rounded_up(value) == limit


def test_a_hot_spot_far_from_the_target_does_not_set_the_limit():
    points = np.zeros((1000, 3))
    points[:10, 0] = 100.0
    values = np.ones(1000)
    values[:10] = 50.0
    near, everywhere = field_scale(values, points, (0, 0, 0)), field_scale(values, points, None)
    assert (near.low, near.high, near.note) == (0.0, 1.0, "P99.9 within 40 mm: 1")
    assert (everywhere.high, everywhere.note) == (50.0, "P99.9: 50")


def test_where_nothing_is_near_the_target_everything_counts():
    scale = field_scale(np.array([2.0, np.nan]), np.zeros((2, 3)), (500, 0, 0))
    assert (scale.high, scale.note) == (2.0, "P99.9: 2")


def test_a_field_without_a_finite_value_is_refused():
    with pytest.raises(InputError, match="finite"):
        field_scale(np.full(3, np.nan), np.zeros((3, 3)), None)


def test_a_difference_is_colored_around_zero():
    scale = difference_scale(np.array([-3.0, 1.0, np.nan]), "difference")
    assert (scale.low, scale.high, scale.colors) == (-3.2, 3.2, "difference")
    middle = scale.rgb(np.array([0.0]))[0].astype(int)
    assert np.ptp(middle) < 12  # gray


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.0, np.nan)])
def test_a_scale_without_a_range_is_refused(low, high):
    with pytest.raises(InputError, match="end above its start"):
        Scale("|E|", "V/m", low, high)


@pytest.mark.parametrize("high", [0.00025, 0.009, 0.02, 0.15, 0.2, 2.4, 150.0, 1500.0, 12000.0])
def test_the_words_of_a_color_bar_stay_on_the_page_whatever_the_numbers(high):
    """Fields of one ampere per microsecond and of thousands, intervals, sums and differences."""
    sums, apart = (
        Scale("|E|", "V/m", 0.0, high, "P99.9 within 40 mm"),
        Scale("dE", "V/m", -high, high, "", "difference"),
    )
    panels = [SimpleNamespace(scene=SimpleNamespace(scales=[scale]), words="") for scale in (sums, apart)]
    for chosen in (panels[:1], panels[1:], panels):
        page, _ = empty_sheet(chosen, width_mm=180.0, dpi=100.0, theme="light", title="")
        page.canvas.draw()
        bars = page.axes[len(chosen) :]
        assert len(bars) == len(chosen)
        assert all(page.bbox.x0 <= bar.get_tightbbox().x0 and bar.get_tightbbox().x1 <= page.bbox.x1 for bar in bars)
