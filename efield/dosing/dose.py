"""From one person's motor threshold to the output elsewhere: by equal field, beside the rules that know no field.

The field at threshold is taken to be what excites, wherever the coil is and whatever it is.

References
----------
Numssen et al. 2024, Imaging Neurosci 2, imag_a_00106: mean |E| on the middle of the cortex, at the place of the
threshold over that at the target, times the threshold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, hypot, sqrt
from typing import Any, Final

import numpy as np

from efield.dosing.marks import DISCLAIMER, packaged
from efield.dosing.rules import Rule, by_distance, by_threshold, machine_of
from efield.dosing.safety import visual
from efield.dosing.site import DoseSite
from efield.dosing.words import METHODS
from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.targeting.summary import Summary

#: |E| at a motor threshold as a public dosing tool states it, V/m (pyNIBS 0.2026.1).
TYPICAL_V_PER_M: Final = (60.0, 80.0)

MOST_V_PER_M: Final = 100.0

#: 5 to 95 % of a normal distribution.
_Z: Final = 1.6449


@dataclass(frozen=True, repr=False)
class Dose(Carded):
    """An output by equal field, with what it rests on. Research software: a dose for a person needs a clinician.

    Parameters
    ----------
    rmt_percent : float
        The motor threshold as measured, percent of the maximum output.
    method : {"emg", "visual"}
    percent : float
        The intensity that is wanted, percent of the threshold.
    measured, treated : DoseSite
    threshold : float or None
        Field at the threshold (on the scale of EMG) in V/m; None where dI/dt is not known.
    output_percent : float
        Of the maximum output, at the treated site; may lie beyond 100.
    relative_sd : float or None
        Its relative standard deviation from what was given; None where nothing was.
    by_threshold, by_distance : Rule
        A fixed percentage of the threshold, and the slope by depth.
    notes : tuple of str
    """

    rmt_percent: float
    method: str
    percent: float
    measured: DoseSite
    treated: DoseSite
    threshold: float | None
    output_percent: float
    relative_sd: float | None
    by_threshold: Rule
    by_distance: Rule
    notes: tuple[str, ...]

    @property
    def within_range(self) -> bool:
        """Whether the stimulator can give it."""
        return self.output_percent <= 100.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """5 and 95 % of the output, percent of the maximum; None where no uncertainty was given."""
        if self.relative_sd is None:
            return None
        factor = exp(_Z * self.relative_sd)
        return self.output_percent / factor, self.output_percent * factor

    @property
    def didt(self) -> float | None:
        """dI/dt of the first phase at this output in A/s; None where it is not known, or beyond the stimulator."""
        known = self.treated.max_didt
        return None if known is None or not self.within_range else known * self.output_percent / 100.0

    def rows(self) -> list[tuple[str, str]]:
        """Everything, as names and texts for people."""
        return [
            ("wanted", f"{self.percent:g} % of a threshold of {self.rmt_percent:g} % ({self.method})"),
            ("threshold field", self._threshold_words()),
            ("output by equal field", self._output_words()),
            ("by percent of the threshold", str(self.by_threshold)),
            ("by distance", str(self.by_distance)),
            *(("note", text) for text in (*self.notes, DISCLAIMER)),
        ]

    def _threshold_words(self) -> str:
        if self.threshold is None:
            return "unknown: dI/dt of the stimulator with this coil is not known"
        low, high = TYPICAL_V_PER_M
        return f"{self.threshold:.1f} V/m (typically {low:g} to {high:g} V/m, as pyNIBS says)"

    def _output_words(self) -> str:
        between = (
            "no uncertainty was given"
            if self.interval is None
            else "5 to 95 %: {:.1f} to {:.1f} %".format(*self.interval)
        )
        beyond = "" if self.within_range else ": BEYOND THE STIMULATOR'S MAXIMUM, cannot be given"
        rate = "" if self.didt is None else f", {self.didt / AMPERE_PER_MICROSECOND:.1f} A/us"
        return f"{self.output_percent:.1f} % ({between}){rate}{beyond}"

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dump`."""
        return {
            "rmt_percent": self.rmt_percent,
            "method": self.method,
            "percent": self.percent,
            "threshold_v_per_m": self.threshold,
            "output_percent": self.output_percent,
            "interval_percent": self.interval,
            "within_range": self.within_range,
            "didt": self.didt,
            "by_threshold": vars(self.by_threshold),
            "by_distance": vars(self.by_distance),
            "measured": vars(self.measured),
            "treated": vars(self.treated),
            "notes": [*self.notes, DISCLAIMER],
        }

    def __str__(self) -> str:
        return "\n".join(f"{name}: {text}" for name, text in self.rows())

    def _card(self) -> Card:
        rows = (
            ("note", DISCLAIMER),
            ("output", self._output_words()),
            ("threshold", self._threshold_words()),
            ("% threshold", str(self.by_threshold)),
            ("distance", str(self.by_distance)),
        )
        return Card("Dose", rows)


def dose(
    rmt_percent: float,
    measured: DoseSite | Summary | float,
    treated: DoseSite | Summary | float,
    *,
    percent: float = 100.0,
    method: str = "emg",
    rmt_sd: float | None = None,
    stimulator: str = "",
    coil: str = "",
) -> Dose:
    """The output that gives a target the field of the motor threshold, or a percentage of it.

    Parameters
    ----------
    rmt_percent : float
        Resting motor threshold, percent of the maximum output, in (0, 100].
    measured, treated : DoseSite, Summary or float
        Where the threshold was measured, and where the output is wanted. A number is mean |E| in V/m per A/us.
    percent : float
        Wanted intensity, percent of the threshold.
    method : {"emg", "visual"}
        How the threshold was found. One found by watching is brought to the scale of EMG, 11.3 % lower.
    rmt_sd : float, optional
        Standard deviation of the threshold, percent of the maximum output.
    stimulator, coil : str
        Of both sites, where they are given as numbers or summaries.

    Returns
    -------
    Dose
        An output beyond 100 % is returned as it is, and said to be out of range.

    Raises
    ------
    InputError
        If the sites' fields are different measures, or they differ in stimulator or coil and dI/dt of one is not known.

    Notes
    -----
    The standard deviation adds those of the threshold and of both fields as if they were independent; that of a
    threshold found by watching is that of an even spread over the published range of 0 to 27.8 %.

    Examples
    --------
    >>> ef.dose(50, measured=1.0, treated=0.8).output_percent
    62.5
    >>> ef.dose(80, 1.0, 0.5).within_range
    False
    """
    rmt = checks.percent_of_output("rmt_percent", checks.positive("rmt_percent", rmt_percent))
    wanted = checks.percent_of_threshold("percent", percent)
    checks.choice("method", method, METHODS)
    first, second = (_site(name, one, stimulator, coil) for name, one in (("measured", measured), ("treated", treated)))
    by_emg = rmt / (1 + visual()["higher_percent"] / 100) if method == "visual" else rmt
    output = wanted / 100 * by_emg * _ratio(first, second)
    threshold = None if first.per_percent is None else by_emg * first.per_percent
    spread = _relative_sd(rmt, rmt_sd, method, first, second)
    rules = by_threshold(rmt, wanted, first, second), by_distance(rmt, wanted, first, second)
    notes = tuple(_notes(rmt, rmt_sd, method, threshold, output, spread, first, second))
    return Dose(rmt, method, wanted, first, second, threshold, output, spread, *rules, notes)


def _site(name: str, value: Any, stimulator: str, coil: str) -> DoseSite:
    if isinstance(value, DoseSite):
        return value
    if isinstance(value, Summary):
        return DoseSite.of(value, stimulator=stimulator, coil=coil)
    if isinstance(value, int | float | np.number):
        return DoseSite(checks.positive(name, value), stimulator, coil)
    raise InputError(
        f"{name} must be a DoseSite, a Summary or V/m per A/us; instead received {checks.kind(value)}; of an EField it "
        "is DoseSite.of(field, target)"
    )


def _ratio(first: DoseSite, second: DoseSite) -> float:
    """Percent at the second place for one percent at the first."""
    if first.measure and second.measure and first.measure != second.measure:
        raise InputError(
            f"both fields must be the same measure; instead they are {first.measure} and {second.measure}: give both "
            "as fields with their targets"
        )
    if first.machine == second.machine:
        return first.field / second.field
    if first.per_percent is None or second.per_percent is None:
        raise InputError(
            "dI/dt at 100 % must be known of both sites unless stimulator and coil are the same; instead "
            f"{machine_of(first if first.per_percent is None else second)} has none: give max_didt"
        )
    return first.per_percent / second.per_percent


def _relative_sd(rmt: float, rmt_sd: float | None, method: str, first: DoseSite, second: DoseSite) -> float | None:
    parts = [first.error, second.error]
    if rmt_sd is not None:
        parts.append(checks.in_range("rmt_sd", rmt_sd, 0.0, 100.0) / rmt)
    if method == "visual":
        low, high = visual()["range_percent"]
        parts.append((high - low) / sqrt(12.0) / (100 + visual()["higher_percent"]))
    return hypot(*parts) if any(parts) else None


def _notes(
    rmt: float,
    rmt_sd: float | None,
    method: str,
    threshold: float | None,
    output: float,
    spread: float | None,
    first: DoseSite,
    second: DoseSite,
) -> Iterator[str]:
    yield f"threshold measured with {machine_of(first)}: {first.pulse}; output for {machine_of(second)}: {second.pulse}"
    if method == "visual":
        more = visual()
        by_emg = rmt / (1 + more["higher_percent"] / 100)
        yield (
            f"found by watching, a threshold is {more['higher_percent']:g} % higher than by EMG (0 to 27.8 %): "
            f"{rmt:g} % counts as {by_emg:.1f} % [{more['source']}]; the two other rules take it as measured"
        )
    if (first.waveform, first.phase, first.current) != (second.waveform, second.phase, second.current):
        yield (
            "pulse or current sense differ: thresholds differ with both, by how much was not read; equal field cannot "
            "know it"
        )
    if any(site.waveform not in ("", "biphasic") and site.max_didt is not None for site in (first, second)):
        yield "dI/dt at full output was measured with biphasic pulses and may be another with others, unless given"
    if "second" in (first.phase, second.phase):
        yield f"size of the second phase: {packaged('machines.toml')['second_peak']['source']}"
    # A mean over a region lies below the peaks that typical values are of.
    if threshold is not None and not TYPICAL_V_PER_M[0] / 2 <= threshold <= MOST_V_PER_M:
        yield "the threshold field is far from what is typical: check threshold, coil, pose and head"
    if output <= 100 and spread is not None and output * exp(_Z * spread) > 100:
        yield "the upper end of the interval lies beyond the stimulator's maximum"
    yield from _notes_of_interval(rmt_sd, method, first, second)


def _notes_of_interval(rmt_sd: float | None, method: str, first: DoseSite, second: DoseSite) -> Iterator[str]:
    """What `_relative_sd` adds up, and what it does not."""
    fields = {"at the threshold's place": first.error, "at the target": second.error}
    if given := [f"{100 * error:.2g} % {where}" for where, error in fields.items() if error]:
        yield f"in the interval: numerical errors of the fields, {' and '.join(given)}"
    if missing := [where for where, error in fields.items() if not error]:
        yield f"not in the interval: the numerical error of the field {' and '.join(missing)}, unless given"
    if method == "visual":
        yield "in the interval: how far thresholds found by watching differ from those by EMG"
    if not rmt_sd:
        yield "not in the interval: how far the threshold itself is off, unless its standard deviation is given"
    else:
        yield f"in the interval: standard deviation of the threshold, {rmt_sd:g} % of the maximum"
    yield "not in the interval: conductivities, and where the coil really was"
