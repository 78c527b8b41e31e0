"""What stimulators can do: their pulses, rates, waits and counts, each with its source.

References
----------
Magstim Rapid2 operating manual MOP03-EN Rev 03 (2015); MagPy 1.4; MagventureTMS 2025.08.01.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from efield.coils import catalog
from efield.coils.model import Coil
from efield.coils.stimulators import Stimulator, load_stimulator, names
from efield.dosing.marks import WORDS, packaged
from efield.dosing.trains import Trains
from efield.ground import checks
from efield.ground.errors import InputError

POSSIBLE: Final = "possible"
IMPOSSIBLE: Final = "not possible"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Check:
    """One question to the machine.

    Parameters
    ----------
    about : str
        ``output``, ``coil``, ``rate``, ``wait``, ``count``, ``heat`` or ``ears``.
    verdict : {"possible", "not possible", "unknown"}
    text : str
        With the numbers.
    source : str
        And how well it is known; empty if it needs none.
    """

    about: str
    verdict: str
    text: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.verdict}: {self.text}{f' [{self.source}]' if self.source else ''}"


def coil_name(coil: Coil | str) -> str:
    """The catalog's name of a coil, or its own where the catalog does not have it."""
    name = coil.name if isinstance(coil, Coil) else coil
    if not isinstance(name, str):
        raise InputError(f"coil must be a Coil or its name; instead received {checks.kind(coil)}")
    try:
        return catalog.canonical_name(name) if name else ""
    except InputError:
        return name.strip().lower()


def usual_stimulator(coil: Coil | str) -> str:
    """The stimulator whose dI/dt with a coil is known; empty if there is none or more than one."""
    name = coil_name(coil)
    found = [one for one in names() if name in load_stimulator(one).max_didt]
    return found[0] if len(found) == 1 else ""


def mismatch(stimulator: Stimulator | str, coil: Coil | str) -> str:
    """Why a stimulator does not drive a coil: a source forbids it, or the coil is another maker's; else empty."""
    machine, name = load_stimulator(stimulator), coil_name(coil)
    part = packaged("machines.toml")["coil"]["forbidden"].get(machine.name, {}).get(name)
    if part:
        return f"{name} ({part}) must not be driven by {machine.name}"
    own = [one for one in names() if name in load_stimulator(one).max_didt]
    makers = {one.split("-")[0] for one in own}
    if own and name not in machine.max_didt and machine.name.split("-")[0] not in makers:
        return f"{name} is a coil of {' and '.join(own)}, and {machine.name} is another maker's"
    return ""


def second_peak(stimulator: str, coil: str) -> float | None:
    """Second peak of dI/dt of a biphasic pulse relative to the first; negative, None where it was not recorded."""
    found = packaged("machines.toml")["second_peak"].get(stimulator, {}).get(coil)
    return None if found is None else float(found)


def waveforms(stimulator: str) -> tuple[str, ...]:
    """Pulses that a stimulator gives; empty where nothing was read."""
    return tuple(packaged("machines.toml")["machine"].get(stimulator, {}).get("waveforms", ()))


def sourced(data: Mapping[str, Any], about: str = "") -> str:
    """A source of a table and how well it is known, for people."""
    return f"{data[about + 'source']}; {WORDS[data[about + 'mark']]}"


def machine_checks(session: Trains, output: float, machine: Stimulator) -> Iterator[Check]:
    """Rate, waits and counts of a session at an output in percent of the maximum, at most 100."""
    data = packaged("machines.toml")
    if machine.name in data["rapid2_family"]["names"]:
        yield from _family(session, output, machine, data["rapid2_family"])
    else:
        yield _rate(session.freq_hz, output, machine, data["machine"].get(machine.name, {}))


def _rate(freq_hz: float, output: float, machine: Stimulator, own: Mapping[str, Any]) -> Check:
    """Where one number is known for all outputs, or none."""
    source = sourced(own) if own else ""
    if "max_rate_hz" not in own:
        note = f"; {own['note']}" if own.get("note") else ""
        return Check("rate", UNKNOWN, f"the highest rate of {machine.name} was not read{note}", source)
    fits = freq_hz <= own["max_rate_hz"]
    text = f"{freq_hz:g} Hz of at most {own['max_rate_hz']} Hz (whether at {output:.4g} % was not read)"
    return Check("rate", UNKNOWN if fits else IMPOSSIBLE, text, source)


def _family(session: Trains, output: float, machine: Stimulator, data: dict[str, Any]) -> Iterator[Check]:
    """Rates by power, waits, counts and ear protection of the Rapid2 family."""
    yield _rate_by_power(session.freq_hz, output, data)
    yield _wait(session, output, machine, data)
    yield _count(session, data)
    if output > data["ear_protection_above_percent"]:
        text = f"above {data['ear_protection_above_percent']} % the patient must wear ear protection (Plus1)"
        yield Check("ears", POSSIBLE, text, sourced(data, "count_"))


def _rate_by_power(freq_hz: float, output: float, data: dict[str, Any]) -> Check:
    """The models differ: possible if all can, not possible if none can, else it depends on which it is."""
    # The table has whole percents; a fraction counts as the next one, which is slower.
    row, tables = ceil(output), data["max_rate_hz"].items()
    by_model = {f"{model}, {volts} V": hz[row] for volts, models in tables for model, hz in models.items()}
    can = [hz >= freq_hz for hz in by_model.values()]
    verdict = POSSIBLE if all(can) else UNKNOWN if any(can) else IMPOSSIBLE
    listed = "; ".join(f"{model}: {hz} Hz" for model, hz in by_model.items())
    which = ", which depends on the model" if verdict == UNKNOWN else ""
    return Check("rate", verdict, f"{freq_hz:g} Hz{which}; highest at {row} %: {listed}", sourced(data, "rate_"))


def least_wait_s(session: Trains, output_percent: float, machine: Stimulator) -> float | None:
    """Shortest time between trains in s that the energy limit allows; None where no limit is known.

    Notes
    -----
    n pulses of J joule at f Hz: n (f J - w) / (w f) with the continuous power w, and never less than 0.5 s.
    """
    joule, watt = machine.pulse_energy_joule(output_percent), machine.continuous_watt
    if joule is None or watt is None:
        return None
    data = packaged("machines.toml")["rapid2_family"]
    owed = session.pulses_per_train * (session.freq_hz * joule - watt) / (watt * session.freq_hz)
    return float(max(data["least_wait_s"], owed))


def _wait(session: Trains, output: float, machine: Stimulator, data: dict[str, Any]) -> Check:
    source = sourced(data, "wait_")
    wait, steady = least_wait_s(session, output, machine), machine.max_rate_hz(output)
    if wait is None or steady is None:
        return Check("wait", UNKNOWN, "the energy of its pulses is not known")
    kept_up = f"up to {steady:.3g} Hz it can go on without end, {data['continuous_pulses']} pulses at a time"
    if session.trains == 1:
        fits = session.freq_hz <= steady and session.pulses <= data["continuous_pulses"]
        return Check("wait", POSSIBLE if fits else UNKNOWN, f"one train, no wait; {kept_up}", source)
    if session.iti_s is None:
        return Check("wait", UNKNOWN, f"at least {wait:.3g} s between trains; how long it is is not given", source)
    verdict = POSSIBLE if session.iti_s >= wait else IMPOSSIBLE
    return Check(
        "wait", verdict, f"{session.iti_s:g} s between trains, at least {wait:.3g} s needed; {kept_up}", source
    )


def _count(session: Trains, data: dict[str, Any]) -> Check:
    """Limits stated at full power hold below it too; that more is possible there was not read."""
    seconds = session.duration_s
    source = sourced(data, "count_")
    most = f"{data['most_a_minute']} a minute, {data['most_an_hour']} an hour, {data['most_a_day']} a day"
    limits = f"at 100 % at most {most} (whether more at less power was not read)"
    if seconds is None:
        return Check("count", UNKNOWN, f"{session.pulses:g} pulses; {limits}", source)
    minute = min(most_in(session, 60.0), session.pulses)
    hour = min(most_in(session, 3600.0), session.pulses)
    fits = minute <= data["most_a_minute"] and hour <= data["most_an_hour"] and session.pulses <= data["most_a_day"]
    text = f"{minute:g} pulses in a minute, {hour:g} in an hour; {limits}"
    return Check("count", POSSIBLE if fits else UNKNOWN, text, source)


def most_in(session: Trains, window_s: float) -> float:
    """Most pulses in any window of some seconds that begins with a train."""
    period = session.train_s + (session.iti_s or 0.0)
    whole = min(int(window_s // period), session.trains) if session.trains > 1 else 0
    rest = min(window_s - whole * period, session.train_s) if whole < session.trains else 0.0
    return session.freq_hz * (whole * session.train_s + max(rest, 0.0))
