"""What plan.json says: of each target placement, dose, how sure it is, protocol, safety and feasibility."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from efield.app.plan_request import Settings
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.dosing.dose import Dose
from efield.dosing.feasibility import feasibility
from efield.dosing.marks import DISCLAIMER
from efield.dosing.protocols import Protocol
from efield.dosing.safety import safety
from efield.ground.errors import InputError
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.io.poses.words import pose_words
from efield.planning.optimum import Optimum
from efield.targeting.field import EField
from efield.targeting.summary import Summary
from efield.targeting.targets import Target


@dataclass(frozen=True)
class Candidate:
    """One coil over one target: its best placement, the field there at 1 A/us, and the output that it needs."""

    coil: Coil
    best: Optimum
    field: EField
    summary: Summary
    dose: Dose


@dataclass(frozen=True)
class Part:
    """What is planned for one target.

    Parameters
    ----------
    target : Target
    why : str
        In words.
    ranked : list of Candidate
        The coil that needs the least output first.
    uncertainty : dict
        Of the first, ready for `json.dump`.
    """

    target: Target
    why: str
    ranked: list[Candidate]
    uncertainty: dict[str, Any]

    @property
    def first(self) -> Candidate:
        """The coil that needs the least output."""
        return self.ranked[0]


def plan_document(asked: Settings, head: HeadMesh, parts: list[Part], given: Protocol | None) -> dict[str, Any]:
    """Everything of a plan, ready for `json.dump`: what holds of all targets, and of each under `targets`.

    The first target's part stands at the top level as well.
    """
    shared = {"head": asked.head, "provenance": _provenance(asked, head)}
    targets = [_part(asked, part, given) for part in parts]
    return shared | targets[0] | {"targets": targets}


def _part(asked: Settings, part: Part, given: Protocol | None) -> dict[str, Any]:
    first = part.first
    return {
        "target": part.target.to_json() | {"why": part.why},
        "coil": first.coil.name,
        "pose": first.best.pose.matrix.tolist(),
        "pose_says": pose_words(first.best.pose, induced_direction(first.coil)),
        "induced_direction": induced_direction(first.coil),
        "optimum": first.best.to_json(),
        "measures": first.summary.to_json(),
        "output_percent": first.dose.output_percent,
        "dose": first.dose.to_json() | {"rows": first.dose.rows()},
        "candidates": [_candidate(one) for one in part.ranked],
        **_reports(given, first.dose),
        "uncertainty": part.uncertainty,
        "notes": [*_notes(asked, first, given), *_another_part(part.target, given)],
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "coil": one.coil.name,
        "stimulator": one.dose.treated.stimulator,
        "output_percent": one.dose.output_percent,
        "within_range": one.dose.within_range,
        "goal": one.best.goal,
        "unit": one.best.unit,
        "value": one.best.value,
        **{name: one.best.to_json()[name] for name in ("value_says", "gain", "tolerance_mm")},
        "pose": one.best.pose.matrix.tolist(),
    }


def _reports(given: Protocol | None, found: Dose) -> dict[str, Any]:
    """Protocol, safety and feasibility, kept apart; why there is none where trains were not read."""
    if given is None:
        nothing = {"report": ["no protocol was given (--protocol)"]}
        return {"protocol": None, "safety": nothing, "feasibility": nothing}
    about: dict[str, Any] = {"name": given.name, "report": given.lines()}
    try:
        trains = given.trains
        safe = safety(given, found.percent)
        machine = feasibility(given, found.output_percent, found.treated.stimulator, found.treated.coil)
    except InputError as error:
        nothing = {"report": [str(error).removesuffix(": give the trains yourself")]}
        return {"protocol": about, "safety": nothing, "feasibility": nothing}
    sessions = given.number("sessions")
    about |= {
        "pulses": trains.pulses,
        "duration_s": trains.duration_s,
        "sessions": sessions,
        "cumulative_pulses": None if sessions is None else sessions * trains.pulses,
    }
    return {"protocol": about, "safety": safe.to_json(), "feasibility": machine.to_json()}


def _notes(asked: Settings, first: Candidate, given: Protocol | None) -> list[str]:
    notes = [DISCLAIMER]
    if not first.dose.within_range:
        notes.append("the output lies beyond the stimulator's maximum: it cannot be given")
    if asked.rmt_pose is None:
        notes.append(
            "no --rmt-pose: the threshold is taken to be that of the hand area of this side, the current in its "
            f"preferred direction, with {asked.coil[0]}"
        )
    if first.best.goal != asked.goal:
        notes.append(f"the target has no preferred direction: the goal is {first.best.goal}")
    if advice := first.summary.advice:
        notes.append(advice)
    if given is not None and given.unverified:
        notes.append(f"{given.name}: not verified are {', '.join(given.unverified)}")
    return notes


def _another_part(target: Target, given: Protocol | None) -> list[str]:
    """What is to be said where a protocol was tried on another part of M1 than the target's."""
    words, parts = target.name.split("-"), () if given is None else given.body_parts
    known = len(words) == 3 and words[0] == "m1" and not {"pain-region", "unstated"} & set(parts)
    if given is None or not known or words[1] in parts:
        return []
    return [f"{given.name} was tried on M1's part for the {' and '.join(parts)}; the target is {target.name}"]


def _provenance(asked: Settings, head: HeadMesh) -> dict[str, Any]:
    said = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(asked).items()}
    return {
        "efield": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": said,
        "nodes": len(head.points),
        "tetrahedra": len(head.tets),
    }
