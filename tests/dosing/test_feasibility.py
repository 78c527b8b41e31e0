"""What machines can do: the printed rates, the energy formula, the heat, and what does not belong together."""

import pytest

from efield.coils.stimulators import load_stimulator
from efield.dosing.feasibility import feasibility
from efield.dosing.machines import least_wait_s, most_in, usual_stimulator
from efield.dosing.marks import DISCLAIMER, packaged
from efield.dosing.trains import Trains
from efield.ground.errors import InputError
from efield.io.load import load_coil

#: Magstim Rapid2 manual, appendix D, at 30, 50, 60, 70, 80, 90, 100 %.
PRINTED = {
    ("230", "Rapid2"): (50, 30, 25, 20, 18, 17, 15),
    ("230", "Super Rapid2"): (100, 50, 45, 40, 35, 30, 25),
    ("230", "Super Rapid2 Plus1"): (100, 97, 80, 68, 57, 49, 41),
    ("115", "Rapid2"): (36, 23, 19, 16, 14, 12, 11),
}
SESSION = Trains(10, 5, 20, 25)


def verdicts(found):
    return {check.about: check.verdict for check in found.checks}


@pytest.mark.parametrize(("key", "rates"), PRINTED.items())
def test_rates_by_power_are_the_printed_ones_and_fall_with_power(key, rates):
    volts, model = key
    held = packaged("machines.toml")["rapid2_family"]["max_rate_hz"][volts][model]
    assert tuple(held[p] for p in (30, 50, 60, 70, 80, 90, 100)) == rates
    assert len(held) == 101
    assert held == sorted(held, reverse=True)


@pytest.mark.parametrize(("hz", "verdict"), [(11, "possible"), (12, "unknown"), (41, "unknown"), (42, "not possible")])
def test_a_rate_that_some_models_reach_depends_on_the_model(hz, verdict):
    assert verdicts(feasibility(Trains(hz, 0.5), 100, "rapid2", "d70"))["rate"] == verdict


def test_a_coil_is_given_as_itself_or_by_name():
    by_name = feasibility(SESSION, 60, "rapid2", "d70")
    assert feasibility(SESSION, 60, load_stimulator("rapid2"), load_coil("d70")).checks == by_name.checks
    with pytest.raises(InputError, match="Coil or its name"):
        feasibility(SESSION, 60, "rapid2", 70)
    strange = feasibility(SESSION, 60, "magpro-x100", "d70").checks[1]
    assert strange.verdict == "unknown"
    assert "another maker's" in strange.text


def test_a_fraction_of_a_percent_counts_as_the_next_slower_one():
    # The slowest, Rapid2 at 115 V: 19 Hz at 60 %, 18 Hz at 61 %.
    assert verdicts(feasibility(Trains(19, 0.5), 60, "rapid2", "d70"))["rate"] == "possible"
    assert verdicts(feasibility(Trains(19, 0.5), 60.1, "rapid2", "d70"))["rate"] == "unknown"
    assert "highest at 61 %" in str(feasibility(Trains(19, 0.5), 60.1, "rapid2", "d70"))


@pytest.mark.parametrize(("percent", "joule"), [(50, 63.0), (60, 90.7), (80, 161.2), (100, 252.0)])
def test_waits_follow_the_energy_of_the_pulses(percent, joule):
    machine = load_stimulator("rapid2")
    session = Trains(20, 4, 20, 84)
    expected = max(0.5, 80 * (20 * joule - 1050) / (1050 * 20))
    # The printed joules are rounded to 0.1.
    assert least_wait_s(session, percent, machine) == pytest.approx(expected, rel=2e-3)
    assert least_wait_s(session, percent, load_stimulator("magpro-x100")) is None


def test_the_mean_power_over_train_and_least_wait_is_the_continuous_one():
    machine, session = load_stimulator("rapid2"), Trains(20, 4, 20, 84)
    wait = least_wait_s(session, 90, machine)
    joule = session.pulses_per_train * machine.pulse_energy_joule(90)
    assert joule / (session.train_s + wait) == pytest.approx(machine.continuous_watt)


def test_too_short_a_wait_is_not_possible():
    wait = least_wait_s(SESSION, 90, load_stimulator("rapid2"))
    assert verdicts(feasibility(Trains(10, 5, 20, 1.01 * wait), 90, "rapid2", "d70"))["wait"] == "possible"
    assert verdicts(feasibility(Trains(10, 5, 20, 0.99 * wait), 90, "rapid2", "d70"))["wait"] == "not possible"
    assert verdicts(feasibility(Trains(10, 5, 20), 90, "rapid2", "d70"))["wait"] == "unknown"
    assert verdicts(feasibility(Trains(1, 1600), 60, "rapid2", "d70"))["wait"] == "possible"


@pytest.mark.parametrize(
    ("coil", "output", "pulses", "verdict"),
    [
        ("circular-90mm", 80, 420, "possible"),
        ("circular-90mm", 80, 500, "unknown"),
        ("circular-90mm", 80, 540, "not possible"),
        ("magstim-double-cone", 40, 1419, "possible"),
        ("magstim-double-cone", 40, 1420, "unknown"),
        ("magstim-double-cone", 90, 406, "possible"),
        ("magstim-double-cone", 90, 407, "unknown"),
        ("magstim-double-cone", 90, 807, "not possible"),
        ("magventure-c-b60", 50, 10, "unknown"),
    ],
)
def test_heat_is_bounded_by_the_powers_to_both_sides(coil, output, pulses, verdict):
    assert verdicts(feasibility(Trains(10, pulses / 10), output, "rapid2", coil))["heat"] == verdict


def test_heat_without_an_upper_bound_says_so():
    heat = next(str(one) for one in feasibility(SESSION, 36, "rapid2", "d70").checks if one.about == "heat")
    assert " or more" in heat
    assert "inf" not in heat


def test_an_output_beyond_the_maximum_is_said_and_not_cut():
    found = feasibility(SESSION, 120, "rapid2", "d70")
    assert found.verdict == "not possible"
    assert found.output_percent == 120
    assert "beyond the stimulator's maximum by 20" in str(found)


def test_what_does_not_belong_together_is_said():
    assert verdicts(feasibility(SESSION, 50, "rapid2", "magstim-25mm"))["coil"] == "not possible"
    assert verdicts(feasibility(SESSION, 50, "rapid2", "D70"))["coil"] == "possible"
    assert verdicts(feasibility(SESSION, 50, "rapid2", "c-b60"))["coil"] == "unknown"
    assert verdicts(feasibility(SESSION, 50, "rapid2"))["coil"] == "unknown"


def test_other_stimulators_say_what_was_read_of_them():
    assert verdicts(feasibility(SESSION, 50, "magpro-x100", "c-b60"))["rate"] == "unknown"
    assert verdicts(feasibility(Trains(120, 0.1), 50, "magpro-x100", "c-b60"))["rate"] == "not possible"
    assert "BiStim" in str(feasibility(SESSION, 50, "magstim-200-2"))
    assert "was not read" in str(feasibility(SESSION, 50, "duomag-xt"))


def test_limits_at_full_power_hold_below_it():
    assert verdicts(feasibility(SESSION, 50, "rapid2", "d70"))["count"] == "possible"
    # 300 pulses in a minute, more than the 250 stated at full power.
    assert verdicts(feasibility(Trains(10, 30), 50, "rapid2", "d70"))["count"] == "unknown"


def test_ears_are_spoken_of_above_70_percent_only():
    assert "ears" not in verdicts(feasibility(SESSION, 70, "rapid2", "d70"))
    assert "ears" in verdicts(feasibility(SESSION, 71, "rapid2", "d70"))


def test_pulses_in_a_window_are_counted_from_the_start_of_a_train():
    session = Trains(10, 5, 20, 25)
    pulses = [most_in(session, seconds) for seconds in (1, 5, 20, 30, 32, 60, 1e9)]
    assert pulses == [10, 50, 50, 50, 70, 100, 1000]
    assert most_in(Trains(10, 5), 60) == 50


def test_the_usual_stimulator_is_the_only_one_a_coil_was_measured_on():
    assert usual_stimulator("d70") == "magstim-rapid2"
    assert usual_stimulator("mc-b70") == "magpro-x100"
    assert usual_stimulator("my-coil") == ""


def test_every_print_has_the_disclaimer_and_the_mark_of_its_source():
    found = feasibility("P08", 60, "rapid2", "d70")
    assert DISCLAIMER in str(found)
    assert "needs a clinician" in repr(found)
    for check in found.checks:
        if check.about in ("rate", "wait"):
            assert "secondary source" in check.source
    assert found.to_json()["verdict"] == found.verdict


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: feasibility(SESSION, 0, "rapid2"), "output_percent must be > 0"),
        (lambda: feasibility(SESSION, 50, "rapid3"), "did you mean"),
        (lambda: feasibility(5, 50, "rapid2"), "trains must be Trains"),
    ],
)
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(InputError, match=message):
        call()
