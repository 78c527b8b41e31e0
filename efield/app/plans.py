"""`efield plan`: from a head, coils, a threshold and a protocol to where, at which angle, how hard and how sure."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.app.console import Steps
from efield.app.plan_request import DEFAULTS, PlanRequest, Settings, settings
from efield.app.plan_sheet import write_sheet
from efield.app.results import results_folder
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.dosing.dose import Dose, dose
from efield.dosing.feasibility import feasibility
from efield.dosing.machines import usual_stimulator
from efield.dosing.marks import DISCLAIMER
from efield.dosing.protocols import Protocol, protocol
from efield.dosing.safety import safety
from efield.dosing.site import DoseSite
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.io.atomic import filled_folder
from efield.io.cache_folder import cache_folder
from efield.io.load import HEAD_NAMES, load_coil, load_head
from efield.io.poses.formats import FORMATS, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import load_pose
from efield.io.poses.words import pose_words
from efield.planning.optimize import optimize
from efield.planning.optimum import Optimum
from efield.planning.uncertainty import uncertainty
from efield.targeting.field import EField
from efield.targeting.measures import RECIPROCAL
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.summary import Summary
from efield.targeting.targets import Target, named_target, parse_target
from efield.viz.loss_picture import save_loss_picture
from efield.viz.picture import save_picture

#: Angle at which a threshold is taken to have been found where no pose was given.
_RMT_ANGLE: Final = 45.0

#: All that is written.
FILES: Final = ("plan.json", "plan.html", "m1.png", "loss.png", "poses")


@dataclass(frozen=True)
class _Candidate:
    """One coil: its best placement, the field there at 1 A/us, and the output that it needs."""

    coil: Coil
    best: Optimum
    field: EField
    summary: Summary
    dose: Dose


def make_plan(request: PlanRequest, progress: Progress = True) -> dict[str, Any]:
    """The plan, written to its folder: `plan.json`, `plan.html`, pictures, and poses for every navigator.

    Raises
    ------
    InputError
        That names the option or the key of the file.
    """
    asked = settings(request)
    parse_target(asked.target)
    given = None if asked.protocol is None else protocol(asked.protocol)
    percent = _percent(asked, given)
    coils = [load_coil(name) for name in asked.coil]
    for coil in coils:
        _check_machines(asked, coils[0], coil, percent)
    rmt_pose = None if asked.rmt_pose is None else load_pose(asked.rmt_pose)
    asked = replace(asked, out=results_folder(asked.out, DEFAULTS["out"], FILES, force=asked.force))
    steps = Steps(5 + len(coils), progress)
    with steps(f"loading head {asked.head}"):
        head = load_head(asked.head)
        target = named_target(head, asked.target)
    with steps("preparing the solver"):
        sim = Simulator(head, cache=cache_folder() if asked.head in HEAD_NAMES else None)
    with steps("solving at the threshold's place"):
        threshold = _threshold(sim, coils[0], target, rmt_pose, asked)
    ranked = []
    for coil in coils:
        with steps(f"looking for the best placement of {coil.name}"):
            ranked.append(_candidate(sim, coil, target, threshold, percent, asked))
    ranked.sort(key=lambda one: one.dose.output_percent)
    first = ranked[0]
    with steps("solving at other conductivities and placements"):
        sure = _how_sure(sim, first, target, asked)
    document = _document(asked, head, target, ranked, sure, given)
    with steps("writing the plan"):
        _write(asked, document, first, target)
    return document


def _percent(asked: Settings, given: Protocol | None) -> float:
    own = None if given is None else given.number("intensity_percent")
    if asked.percent is None and given is not None and own is None:
        raise InputError(f"--percent must be given with {given.name}, whose intensity is no one number")
    return asked.percent if asked.percent is not None else own if own is not None else 100.0


def _check_machines(asked: Settings, rmt_coil: Coil, coil: Coil, percent: float) -> None:
    """Refuse what no output can be found for, before any work is done."""
    there, here = (DoseSite(1.0, coil=one.name, **_machine(asked, one)) for one in (rmt_coil, coil))
    try:
        dose(asked.rmt, there, here, percent=percent, method=asked.rmt_method, rmt_sd=asked.rmt_sd)
    except InputError as error:
        raise InputError(f"{coil.name}: {error}") from error


def _threshold(sim: Simulator, coil: Coil, target: Target, pose: Pose | None, asked: Settings) -> DoseSite:
    """Field and machine where the motor threshold was found: the hand area of the side that is treated."""
    side = "right" if target.center_mm[0] > 0 else "left"
    hand = named_target(sim.head, f"m1-hand-{side}")
    at = pose or place_coil(sim.head, hand, _RMT_ANGLE, asked.distance, coil=coil)
    return DoseSite.of(sim.solve(coil, at), hand, **_machine(asked, coil))


def _machine(asked: Settings, coil: Coil) -> dict[str, Any]:
    stimulator = asked.stimulator or usual_stimulator(coil.name)
    return {
        "stimulator": stimulator or "",
        "max_didt": None if stimulator else coil.max_didt,
        "phase": asked.phase,
    }


def _candidate(
    sim: Simulator, coil: Coil, target: Target, threshold: DoseSite, percent: float, asked: Settings
) -> _Candidate:
    goal = "magnitude" if asked.goal == "along" and target.direction is None else asked.goal
    best = optimize(sim, coil, target, goal, distance_mm=asked.distance)
    field = sim.solve(coil, best.pose)
    here = DoseSite.of(field, target, **_machine(asked, coil))
    given: dict[str, Any] = {"percent": percent, "method": asked.rmt_method, "rmt_sd": asked.rmt_sd}
    return _Candidate(coil, best, field, field.summary(target), dose(asked.rmt, threshold, here, **given))


def _how_sure(sim: Simulator, first: _Candidate, target: Target, asked: Settings) -> dict[str, Any]:
    """Intervals of the measures at the output of the plan, or at 1 A/us where that is not known."""
    didt = first.dose.didt or 1e6
    errors = {name: one.error * didt / 1e6 for name, one in first.summary.measures.items() if one.error is not None}
    given: dict[str, Any] = {"placement": asked.placement, "didt": didt, "mesh_error": errors}
    sure = uncertainty(sim, first.coil, first.best.pose, target, **given)
    return {"didt": didt, "text": {name: sure.text(name) for name in sure.nominal}, **sure.to_json()}


def _document(
    asked: Settings,
    head: HeadMesh,
    target: Target,
    ranked: list[_Candidate],
    sure: dict[str, Any],
    given: Protocol | None,
) -> dict[str, Any]:
    first = ranked[0]
    candidates = [
        {
            "coil": one.coil.name,
            "output_percent": one.dose.output_percent,
            "within_range": one.dose.within_range,
            one.best.goal: one.best.value,
            "pose": one.best.pose.matrix.tolist(),
        }
        for one in ranked
    ]
    return {
        "head": asked.head,
        "coil": first.coil.name,
        "target": target.to_json() | {"why": asked.pain},
        "pose": first.best.pose.matrix.tolist(),
        "pose_says": pose_words(first.best.pose),
        "induced_direction": induced_direction(first.coil),
        "optimum": first.best.to_json(),
        "measures": first.summary.to_json(),
        "output_percent": first.dose.output_percent,
        "dose": first.dose.to_json() | {"rows": first.dose.rows()},
        "candidates": candidates,
        **_reports(given, first.dose),
        "uncertainty": sure,
        "notes": _notes(asked, first, given),
        "provenance": _provenance(asked, head),
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
        nothing = {"report": [str(error)]}
        return {"protocol": about, "safety": nothing, "feasibility": nothing}
    sessions = given.number("sessions")
    about |= {
        "pulses": trains.pulses,
        "duration_s": trains.duration_s,
        "sessions": sessions,
        "cumulative_pulses": None if sessions is None else sessions * trains.pulses,
    }
    return {"protocol": about, "safety": safe.to_json(), "feasibility": machine.to_json()}


def _notes(asked: Settings, first: _Candidate, given: Protocol | None) -> list[str]:
    notes = [DISCLAIMER]
    if not first.dose.within_range:
        notes.append("the output lies beyond the stimulator's maximum: it cannot be given")
    if asked.rmt_pose is None:
        notes.append("no --rmt-pose: the threshold is taken to be that of the hand area of this side at 45 degrees")
    if first.best.goal not in (asked.goal, *RECIPROCAL):
        notes.append(f"the target has no preferred direction: the goal is {first.best.goal}")
    if advice := first.summary.advice:
        notes.append(advice)
    if given is not None and given.unverified:
        notes.append(f"{given.name}: not verified are {', '.join(given.unverified)}")
    return notes


def _provenance(asked: Settings, head: HeadMesh) -> dict[str, Any]:
    said = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(asked).items()}
    return {
        "efield": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": said,
        "nodes": len(head.points),
        "tetrahedra": len(head.tets),
    }


def _write(asked: Settings, document: dict[str, Any], first: _Candidate, target: Target) -> None:
    with filled_folder(asked.out, FILES) as out:
        _fill(out, document, first, target)


def _fill(out: Path, document: dict[str, Any], first: _Candidate, target: Target) -> None:
    (out / "poses").mkdir()
    save_picture(out / "m1.png", first.field, target, first.coil, first.best.pose)
    save_loss_picture(out / "loss.png", first.best, f"{first.coil.name} over {target.name}")
    others = [pose for pose, _ in first.best.alternatives]
    names = ("plan", *(f"as good {number}" for number, _ in enumerate(others, 1)))
    table = PoseTable(np.array([first.best.pose, *others]), names)
    for name in WRITTEN:
        table.write(out / "poses" / f"{name}{(FORMATS[name].suffixes or ('.txt',))[0]}", name)
    (out / "plan.json").write_text(json.dumps(document, indent=2) + "\n")
    write_sheet(out / "plan.html", document, [out / "m1.png", out / "loss.png"])
