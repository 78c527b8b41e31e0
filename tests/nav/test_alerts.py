"""Rules that mark poses: what they say, and what is refused."""

import pytest

from efield.ground.errors import InputError
from efield.nav.alerts import Alert

KNOWN = ("mean_magnitude", "angle")


@pytest.mark.parametrize(
    ("text", "value", "marked"),
    [
        ("mean_magnitude<0.9*plan", 0.89, True),
        ("mean_magnitude<0.9*plan", 0.91, False),
        ("mean_magnitude < .9 * plan", 0.89, True),
        ("mean_magnitude<plan", 0.99, True),
        ("mean_magnitude>=1.1", 1.1, True),
        ("mean_magnitude>1.1", 1.1, False),
        ("mean_magnitude<=1e-3", 1e-3, True),
        ("mean_magnitude>-5", 0.0, True),
        ("mean_magnitude>5", float("nan"), True),
    ],
)
def test_a_rule_compares_with_a_number_or_with_the_plan(text, value, marked):
    assert Alert.parse(text).applies({"mean_magnitude": value}, {"mean_magnitude": 1.0}) is marked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mean",
        "mean<",
        "<3",
        "mean<3*",
        "mean<plan*3",
        "mean<__import__('os')",
        "mean<3 or 1",
        "mean==3",
        "a<1" * 100,
    ],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InputError, match=r"0\.9\*plan"):
        Alert.parse(text)


def test_what_can_never_be_asked_is_refused_at_the_start():
    Alert.parse("off_plan_mm>3").check(KNOWN, True)
    Alert.parse("angle>20").check(KNOWN, False)
    with pytest.raises(InputError, match="mean_magnitude"):
        Alert.parse("target_mean<1").check(KNOWN, False)
    with pytest.raises(InputError, match="must be one of"):
        Alert.parse("nonsense<1").check(KNOWN, False)
    with pytest.raises(InputError, match="--plan"):
        Alert.parse("angle<plan").check(KNOWN, False)
    with pytest.raises(InputError, match="--plan"):
        Alert.parse("off_plan_deg>3").check(KNOWN, False)
    with pytest.raises(InputError, match="zero at the plan"):
        Alert.parse("off_plan_mm<2*plan").check(KNOWN, True)
