"""Percent of the maximum stimulator output to dI/dt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efield.coils import catalog, stimulators
from efield.ground.errors import InputError


def test_full_output_is_the_measured_value_and_less_is_proportional():
    assert stimulators.didt("magstim-rapid2", "magstim-70mm-figure8", 100) == pytest.approx(114.73e6)
    assert stimulators.didt("magpro-x100", "magventure-mc-b70", 50) == pytest.approx(155.33e6 / 2)


@given(st.floats(1.0, 100))
def test_names_aliases_and_coil_objects_mean_the_same(percent):
    expected = stimulators.didt("magstim-rapid2", "magstim-70mm-figure8", percent)
    coil = catalog.load_named("D70")
    assert stimulators.didt(stimulators.load_stimulator("Rapid2"), coil, percent) == expected
    assert stimulators.didt("MAGSTIM RAPID", "d70", percent) == expected


def test_coils_outside_the_catalog_can_be_driven_by_name():
    assert stimulators.didt("x100", "magventure-cool-b65", 100) == pytest.approx(149.77e6)


def test_the_catalog_and_the_stimulators_agree_on_full_output():
    drives = {
        name: didt for s in map(stimulators.load_stimulator, stimulators.names()) for name, didt in s.max_didt.items()
    }
    for name in catalog.names():
        assert catalog.load_named(name).max_didt == drives.get(name)


def test_every_measured_drive_is_a_plausible_one():
    for name in stimulators.names():
        assert all(50e6 < didt < 300e6 for didt in stimulators.load_stimulator(name).max_didt.values())


@pytest.mark.parametrize("percent", [0, -1, 0.5, 100.1, float("nan"), "half"])
def test_an_intensity_outside_0_to_100_percent_is_refused_not_clipped(percent):
    with pytest.raises(InputError, match="intensity_percent must be"):
        stimulators.didt("rapid2", "d70", percent)


def test_an_unmeasured_pair_is_refused_with_the_coils_that_are_known():
    with pytest.raises(InputError, match="magstim-double-cone") as caught:
        stimulators.didt("rapid2", "mc-b70", 50)
    assert "magventure-mc-b70" in str(caught.value)
    with pytest.raises(InputError, match="known \\(none\\)"):
        stimulators.didt("magstim-200-2", "d70", 50)
    with pytest.raises(InputError, match="instead received 'my-coil'"):
        stimulators.didt("rapid2", "my-coil", 50)


def test_a_misspelled_stimulator_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'magpro-x100'"):
        stimulators.load_stimulator("magprox100")


def test_the_rapid2_slows_down_above_65_percent_at_10_hz():
    """0.0252 P^2 J per pulse against 1050 W."""
    rapid = stimulators.load_stimulator("rapid2")
    assert rapid.pulse_energy_joule(100) == pytest.approx(252)
    assert rapid.max_rate_hz(60) > 10 > rapid.max_rate_hz(66)
    assert stimulators.load_stimulator("duomag-xt").max_rate_hz(50) is None


def test_only_the_rapid2_pulse_is_marked_verified():
    marked = [s.name for s in map(stimulators.load_stimulator, stimulators.names()) for w in s.waveforms if w.verified]
    assert marked == ["magstim-rapid2"]
