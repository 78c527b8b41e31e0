"""Can this stimulator and this coil do it: rate at that output, waits, heat, and what belongs together.

Limits of machines, kept apart from tables of safety (`efield.dosing.safety`). What no source says is "unknown".

References
----------
Magstim Rapid2 operating manual MOP03-EN Rev 03 (2015); MagPy 1.4; MagventureTMS 2025.08.01. Which line rests on which
is said in every report.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from efield.coils.model import Coil
from efield.coils.stimulators import Stimulator, load_stimulator
from efield.dosing.machines import IMPOSSIBLE, POSSIBLE, UNKNOWN, Check, coil_name, machine_checks, mismatch, sourced
from efield.dosing.marks import DISCLAIMER, packaged
from efield.dosing.protocols import Protocol, session_of
from efield.dosing.trains import Trains
from efield.ground import checks
from efield.ground.card import Card, Carded


@dataclass(frozen=True, repr=False)
class Feasibility(Carded):
    """What a stimulator and a coil can do of a session.

    Parameters
    ----------
    trains : Trains
    output_percent : float
        Of the maximum stimulator output; may lie beyond 100.
    stimulator, coil : str
    checks : tuple of Check
    """

    trains: Trains
    output_percent: float
    stimulator: str
    coil: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """The worst of all checks."""
        found = {check.verdict for check in self.checks}
        return next((word for word in (IMPOSSIBLE, UNKNOWN) if word in found), POSSIBLE)

    def lines(self) -> list[str]:
        """The whole report."""
        what = (
            f"{self.stimulator}{f' with {self.coil}' if self.coil else ''} at {self.output_percent:.4g} % of its output"
        )
        return [f"{self.trains.words}; {what}", *map(str, self.checks), DISCLAIMER]

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dump`."""
        found = [vars(check) for check in self.checks]
        return {"verdict": self.verdict, "checks": found, "report": self.lines()}

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _card(self) -> Card:
        worst = [f"{one.about} {one.verdict}" for one in self.checks if one.verdict != POSSIBLE]
        rows = (
            ("trains", self.trains.words),
            ("machine", f"{self.stimulator} {self.coil} at {self.output_percent:.4g} % of its output"),
            ("verdict", f"{self.verdict}{': ' if worst else ''}{', '.join(worst)}"),
            ("note", DISCLAIMER),
        )
        return Card("Feasibility", rows)


def feasibility(
    trains: Trains | Protocol | str, output_percent: float, stimulator: Stimulator | str, coil: Coil | str = ""
) -> Feasibility:
    """Whether a stimulator and a coil can do a session at an output.

    Parameters
    ----------
    trains : Trains, Protocol or str
        A session, or a published protocol or its name.
    output_percent : float
        Percent of the maximum stimulator output. Beyond 100 is answered, not cut.
    stimulator : Stimulator or str
    coil : Coil or str, optional
        Or its name.

    Raises
    ------
    InputError
        If a name is not known, or the trains of a protocol were not read.

    Examples
    --------
    >>> session = ef.Trains(freq_hz=10, train_s=5, trains=20, iti_s=25)
    >>> [(check.about, check.verdict) for check in ef.feasibility(session, 60, "magstim-rapid2").checks][2:4]
    [('rate', 'possible'), ('wait', 'possible')]
    >>> ef.feasibility(session, 120, "magstim-rapid2").verdict
    'not possible'
    """
    _, session = session_of(trains)
    output = checks.positive("output_percent", output_percent)
    checks.percent_of_output("output_percent", min(output, 100.0))
    machine = load_stimulator(stimulator)
    name = coil_name(coil)
    found = [*_output(output), *_coil(machine, name)]
    if output <= 100:
        found += [*machine_checks(session, output, machine), *_heat(session, output, name)]
    return Feasibility(session, output, machine.name, name, tuple(found))


def _output(percent: float) -> Iterator[Check]:
    if percent > 100:
        yield Check(
            "output", IMPOSSIBLE, f"{percent:.4g} % is beyond the stimulator's maximum by {percent - 100:.3g} points"
        )
    else:
        yield Check("output", POSSIBLE, f"{percent:.4g} % of the maximum, {100 - percent:.3g} points left")


def _coil(machine: Stimulator, coil: str) -> Iterator[Check]:
    data = packaged("machines.toml")["coil"]
    forbidden = data["forbidden"].get(machine.name, {}).get(coil)
    if not coil:
        yield Check("coil", UNKNOWN, "no coil is given")
    elif forbidden:
        yield Check("coil", IMPOSSIBLE, f"{coil} ({forbidden}) must not be driven by {machine.name}", sourced(data))
    elif coil in machine.max_didt:
        yield Check("coil", POSSIBLE, f"dI/dt of {coil} on {machine.name} was measured", machine.note)
    else:
        why = mismatch(machine, coil) or f"no source that was read has {coil} on {machine.name}"
        yield Check("coil", UNKNOWN, why)


def _heat(session: Trains, output: float, coil: str) -> Iterator[Check]:
    """A catalog coil may be one of several part numbers: what holds for all of them is said."""
    data = packaged("machines.toml")["coil"]
    parts = data["part"].get(coil)
    if parts is None:
        yield Check("heat", UNKNOWN, f"how soon {coil or 'the coil'} gets hot was not read")
        return
    bounds = {part: _shots(output, shots, data["powers_percent"]) for part, shots in parts.items()}
    fits = all(session.pulses <= least for least, _ in bounds.values())
    fails = all(session.pulses > most for _, most in bounds.values())
    verdict = POSSIBLE if fits else IMPOSSIBLE if fails else UNKNOWN
    listed = "; ".join(
        f"{part}: {least:g} {'or more' if most == inf else f'to {most:g}'}" for part, (least, most) in bounds.items()
    )
    text = f"{session.pulses:g} pulses; single shots from 20 C until the coil is hot, by part number: {listed}"
    end = "; needs a cooled coil, a second one or pauses" if fails else ""
    yield Check("heat", verdict, text + end, sourced(data))


def _shots(output: float, shots: list[int], powers: list[int]) -> tuple[float, float]:
    """At most and at least as many as at the listed powers to both sides: less power heats less."""
    below = bisect_right(powers, output)
    return shots[bisect_left(powers, output)], shots[below - 1] if below else inf
