"""Dose identities, the two rules without a field, and what is said and never cut."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efield.coils.drive import Drive
from efield.coils.stimulators import Stimulator
from efield.dosing.dose import dose
from efield.dosing.marks import DISCLAIMER, packaged
from efield.dosing.site import DoseSite
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.io.load import load_coil
from efield.targeting.placement import place_coil
from efield.targeting.summary import Summary

FIELDS = st.floats(0.05, 5.0)
PERCENTS = st.floats(1.0, 100.0)
RAPID = {"stimulator": "magstim-rapid2", "coil": "magstim-70mm-figure8"}
MAGPRO = {"stimulator": "magpro-x100", "coil": "magventure-mc-b70"}


@given(PERCENTS, FIELDS, st.floats(10, 150))
def test_at_the_same_site_the_output_is_the_threshold(rmt, field, percent):
    found = dose(rmt, field, field, percent=percent)
    assert found.output_percent == pytest.approx(rmt * percent / 100)
    assert found.output_percent == pytest.approx(found.by_threshold.percent)


@given(PERCENTS, FIELDS, FIELDS, st.floats(1.1, 10))
def test_twice_the_field_is_half_the_output(rmt, there, here, times):
    one, other = dose(rmt, there, here), dose(rmt, there, times * here)
    assert other.output_percent == pytest.approx(one.output_percent / times)
    assert dose(rmt, times * there, here).output_percent == pytest.approx(times * one.output_percent)


@given(PERCENTS, FIELDS, FIELDS)
def test_there_and_back_is_where_one_was(rmt, there, here):
    a, b = DoseSite(there, **RAPID), DoseSite(here, **MAGPRO)
    out = dose(rmt, a, b)
    if 1 <= out.output_percent <= 100:  # less than a percent is asked back as a share
        assert dose(out.output_percent, b, a).output_percent == pytest.approx(rmt)


@given(PERCENTS, FIELDS, FIELDS, st.floats(50, 130))
def test_the_output_gives_the_wanted_part_of_the_threshold_field(rmt, there, here, percent):
    a, b = DoseSite(there, **RAPID), DoseSite(here, **MAGPRO)
    found = dose(rmt, a, b, percent=percent)
    assert found.threshold == pytest.approx(there * 114.73 * rmt / 100)
    assert here * 155.33 * found.output_percent / 100 == pytest.approx(percent / 100 * found.threshold)
    if found.within_range:
        assert found.didt == pytest.approx(155.33e6 * found.output_percent / 100)


def test_a_coil_of_another_maker_counts_only_with_a_rate_that_is_given():
    strange = RAPID | {"stimulator": "magpro-x100"}
    with pytest.raises(InputError, match="another maker's"):
        dose(50, 1.0, 1.0, **strange)
    given = DoseSite(1.0, max_didt=100e6, **strange)
    assert dose(50, DoseSite(1.0, **RAPID), given).output_percent == pytest.approx(50 * 114.73 / 100)


def test_a_stimulator_of_ones_own_brings_its_rate():
    own = DoseSite(1.0, Stimulator("bench", max_didt={"magstim-70mm-figure8": 100e6}), load_coil("d70"))
    assert (own.stimulator, own.coil, own.max_didt) == ("bench", "magstim-70mm-figure8", 100e6)


def test_another_coil_and_stimulator_count_by_their_rates_at_full_output():
    found = dose(50, DoseSite(1.0, **RAPID), DoseSite(1.0, **MAGPRO))
    assert found.output_percent == pytest.approx(50 * 114.73 / 155.33)
    assert found.by_threshold.percent is None
    assert found.by_distance.percent is None
    own = DoseSite(1.0, coil="my-coil", max_didt=57.365e6)
    assert dose(50, DoseSite(1.0, **RAPID), own).output_percent == pytest.approx(100)


def test_an_output_beyond_the_maximum_is_said_and_not_cut():
    found = dose(80, DoseSite(1.0, **RAPID), DoseSite(0.5, **RAPID))
    assert found.output_percent == pytest.approx(160)
    assert not found.within_range
    assert found.didt is None
    for text in (str(found), repr(found)):
        assert "BEYOND THE STIMULATOR'S MAXIMUM" in text
        assert "160.0 %" in text
    near = dose(90, DoseSite(1.0, error=0.05, **RAPID), DoseSite(0.95, **RAPID))
    assert near.within_range
    assert any("upper end" in note for note in near.notes)


@given(st.floats(0.1, 10), st.floats(0, 0.2), st.floats(0.001, 0.2))
def test_relative_errors_add_in_squares_and_the_interval_holds_90_percent(sd, first, second):
    found = dose(50, DoseSite(1.0, error=first), DoseSite(0.8, error=second), rmt_sd=sd)
    assert found.relative_sd == pytest.approx(np.sqrt((sd / 50) ** 2 + first**2 + second**2))
    low, high = found.interval
    assert low * high == pytest.approx(found.output_percent**2)
    draws = np.random.default_rng(1).normal(0, found.relative_sd, 20000)
    share = np.mean((np.exp(draws) > low / found.output_percent) & (np.exp(draws) < high / found.output_percent))
    # 20000 draws: five standard errors of a share of 0.9.
    assert share == pytest.approx(0.9, abs=0.011)


def test_without_an_uncertainty_there_is_no_interval_and_this_is_said():
    found = dose(50, 1.0, 0.8)
    assert found.interval is None
    assert "no uncertainty was given" in str(found)


def test_a_threshold_by_watching_is_brought_to_the_scale_of_emg():
    seen, measured = dose(50, 1.0, 0.8, method="visual"), dose(50, 1.0, 0.8)
    assert seen.output_percent == pytest.approx(measured.output_percent / 1.113)
    # An even spread over 0 to 27.8 %, of a value that is 11.3 % too high.
    assert seen.relative_sd == pytest.approx(0.278 / np.sqrt(12) / 1.113)
    assert seen.by_threshold.percent == 50
    assert any("11.3 %" in note and "Westin" in note for note in seen.notes)


def test_the_slope_by_depth_is_stokes_on_the_stimulator_it_was_measured_on():
    a, b = DoseSite(1.0, depth_mm=15.0, **RAPID), DoseSite(0.8, depth_mm=18.0, **RAPID)
    assert dose(50, a, b).by_distance.percent == pytest.approx(50 + 3 * 3)
    assert "58.4 % at 2.8 %" in dose(50, a, b).by_distance.words
    assert dose(50, a, b, percent=80).by_distance.percent == pytest.approx(0.8 * 59)
    far = dose(50, a, DoseSite(0.5, depth_mm=40.0, **RAPID)).by_distance
    assert far.percent == pytest.approx(125)
    assert "measured over 10 mm only" in far.words
    assert "beyond the stimulator's maximum" in far.words


@pytest.mark.parametrize(
    ("machine", "depth"),
    [
        (MAGPRO, 15.0),
        ({"stimulator": "magstim-rapid2", "coil": "magstim-double-cone"}, 15.0),
        (RAPID, None),
        ({}, 15.0),
    ],
)
def test_the_slope_by_depth_is_not_carried_elsewhere(machine, depth):
    site = DoseSite(1.0, depth_mm=depth, **machine)
    found = dose(50, site, site).by_distance
    assert found.percent is None
    assert str(found).startswith("does not apply")


def test_the_phase_that_counts_scales_the_threshold_and_cancels_at_one_machine():
    first, second = DoseSite(1.0, **RAPID), DoseSite(1.0, phase="second", **RAPID)
    assert second.per_percent == pytest.approx(0.83 * first.per_percent)
    assert dose(50, second, second).threshold == pytest.approx(0.83 * dose(50, first, first).threshold)
    assert dose(50, second, second).output_percent == pytest.approx(50)
    # The second phase at threshold, the first one wanted: less output, by the ratio of the phases.
    assert dose(50, second, first).output_percent == pytest.approx(0.83 * 50)


@pytest.mark.parametrize(
    ("stimulator", "coil"),
    [(s, c) for s, coils in packaged("machines.toml")["second_peak"].items() if isinstance(coils, dict) for c in coils],
)
def test_every_recorded_second_peak_can_be_used(stimulator, coil):
    site = DoseSite(1.0, stimulator, coil, waveform="biphasic", phase="second")
    assert 0.8 < site.phase_share < 0.93
    assert site.max_didt is not None


def test_pulse_and_sense_are_said_and_a_difference_is_pointed_out():
    a = DoseSite(1.0, "magpro-x100", "mc-b70", waveform="monophasic", current="PA")
    b = DoseSite(1.0, "magpro-x100", "mc-b70", waveform="biphasic", current="AP")
    assert any("was not read" in note for note in dose(50, a, b).notes)
    assert not any("differ" in note for note in dose(50, a, a).notes)
    assert "monophasic, PA" in str(dose(50, a, b))
    assert any("measured with biphasic pulses" in note for note in dose(50, a, b).notes)
    assert not any("measured with biphasic pulses" in note for note in dose(50, b, b).notes)
    assert "biphasic, first phase, AP" in str(dose(50, a, b))


def test_an_implausible_threshold_field_is_pointed_out():
    assert any("far from what is typical" in note for note in dose(90, DoseSite(3.0, **RAPID), 1.0, **RAPID).notes)
    assert not any("far from" in note for note in dose(55, DoseSite(1.0, **RAPID), 1.0, **RAPID).notes)


def test_every_print_says_that_a_dose_needs_a_clinician():
    found = dose(50, 1.0, 0.8, rmt_sd=2, **RAPID)
    for text in (repr(found), str(found), found._repr_html_(), json.dumps(found.to_json())):
        assert "needs a clinician" in text
    assert DISCLAIMER in found.to_json()["notes"]


def test_a_solved_field_and_its_summary_are_sites(sim, head, coil, target):
    field = sim.solve(coil, place_coil(head, target, 45, coil=coil), -2e6)
    site = DoseSite.of(field, target)
    # This head has no white matter, so that its cortex has no middle.
    assert site.measure == "mean_magnitude"
    summary = field.summary(target)
    assert site.field == pytest.approx(summary["mean_magnitude_per_drive"])
    assert DoseSite.of(summary).field == pytest.approx(site.field)
    assert site.depth_mm == pytest.approx(summary["target_depth"])
    assert dose(50, summary, 2 * site.field).output_percent == pytest.approx(25)
    assert DoseSite.of(2 * field, target).field == pytest.approx(site.field)
    with pytest.raises(InputError, match="target must be given"):
        DoseSite.of(field)
    pose = Pose.from_axes((0, 0, 92), (0, 1, 0), (0, 0, -1))
    with pytest.raises(InputError, match="one coil"):
        DoseSite.of(sim.solve_together([Drive(coil, pose), Drive(coil, pose)]), target)
    with pytest.raises(InputError, match=r"DoseSite\.of\(field, target\)"):
        dose(50, field, 1.0)


def test_a_site_has_the_numerical_error_of_its_field_unless_one_is_given(sim, head, coil, target):
    field = sim.solve(coil, place_coil(head, target, 45, coil=coil), -2e6)
    mean = field.summary(target).measures["mean_magnitude"]
    for site in (DoseSite.of(field, target), DoseSite.of(field.summary(target)), DoseSite.of(3 * field, target)):
        assert site.error == pytest.approx(mean.error / mean.value)
    found = dose(50, field.summary(target), field.summary(target))
    assert found.relative_sd == pytest.approx(np.sqrt(2) * mean.error / mean.value)
    assert any(note.startswith("in the interval: numerical errors") for note in found.notes)
    assert any("threshold itself" in note for note in found.notes)

    def never():
        raise AssertionError

    unasked = replace(field, consult=never)
    assert DoseSite.of(unasked, target, error=0.05).error == 0.05
    assert DoseSite.of(unasked.summary(target), error=0.0).error == 0.0
    assert DoseSite.of(replace(field, consult=None), target).error == 0.0


@pytest.mark.parametrize(
    ("errors", "options", "within", "without"),
    [
        ((0.03, 0.02), {"rmt_sd": 2}, ("3 % at the threshold's place and 2 % at the target", "threshold, 2 %"), ()),
        ((0.03, 0.0), {}, ("3 % at the threshold's place",), ("field at the target", "threshold itself")),
        ((0.0, 0.02), {"method": "visual"}, ("2 % at the target", "by watching"), ("field at the threshold's place",)),
        ((0.0, 0.0), {"rmt_sd": 2}, ("threshold, 2 %",), ("threshold's place and at the target",)),
    ],
)
def test_what_is_in_the_interval_is_said_and_what_is_not(errors, options, within, without):
    sites = [DoseSite(1.0, error=error, **RAPID) for error in errors]
    notes = dose(50, *sites, **options).notes
    inside = [note for note in notes if note.startswith("in the interval: ")]
    outside = [note for note in notes if note.startswith("not in the interval: ")]
    assert all(any(words in note for note in inside) for words in within)
    assert all(any(words in note for note in outside) for words in without)
    assert len(inside) == len(within)


def test_a_summary_with_the_middle_of_the_cortex_is_taken_there():
    values = {"didt": 2.0, "mean_magnitude": 1.0, "mean_magnitude_per_drive": 0.5, "target_depth": 15.0}
    assert DoseSite.of(Summary(values)).measure == "mean_magnitude"
    found = DoseSite.of(Summary(values | {"midsurface_mean_magnitude": 1.2}))
    assert (found.field, found.measure) == (0.6, "midsurface_mean_magnitude")
    with pytest.raises(InputError, match="same measure"):
        dose(50, found, Summary(values))
    with pytest.raises(InputError, match="no field per drive"):
        DoseSite.of(Summary(values | {"mean_magnitude_per_drive": None}))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dose(0, 1.0, 1.0), "rmt_percent must be > 0"),
        (lambda: dose(101, 1.0, 1.0), "rmt_percent must be between"),
        (lambda: dose(50, 0.0, 1.0), "measured must be > 0"),
        (lambda: dose(50, 1.0, "leg"), "treated must be a DoseSite"),
        (lambda: dose(50, 1.0, 1.0, percent=0), "percent must be > 0"),
        (lambda: dose(50, 1.0, 1.0, method="eye"), "method must be one of"),
        (lambda: dose(50, 1.0, 1.0, rmt_sd=-1), "rmt_sd must be between"),
        (lambda: dose(50, DoseSite(1.0, **RAPID), 1.0), "give max_didt"),
        (lambda: DoseSite(1.0, "rapid3"), "did you mean"),
        (lambda: DoseSite(1.0, "rapid2", "d70", waveform="monophasic"), "that magstim-rapid2 gives"),
        (lambda: DoseSite(1.0, waveform="square"), "waveform must be one of"),
        (lambda: DoseSite(1.0, current="up"), "current must be one of"),
        (lambda: DoseSite(1.0, phase="third"), "phase must be one of"),
        (lambda: DoseSite(1.0, "magpro-xp", "twin", "biphasic", phase="second"), "second peak was recorded"),
        (lambda: DoseSite(1.0, "magpro-x100", "mc-b70", "monophasic", phase="second"), "unless the pulse is biphasic"),
        (lambda: DoseSite(1.0, error=2.0), "error must be between"),
        (lambda: DoseSite(1.0, max_didt=114.0), "looks like A/us"),
        (lambda: DoseSite(1.0, depth_mm=0.015), "looks like meters"),
        (lambda: DoseSite.of(1.0), "field must be an EField"),
    ],
)
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(InputError, match=message):
        call()
