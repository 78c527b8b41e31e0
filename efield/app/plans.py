"""`efield plan`: from a head, coils, a threshold and a protocol to where, at which angle, how hard and how sure."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from efield.app.console import Steps
from efield.app.plan_document import Candidate, Part, plan_document
from efield.app.plan_files import FILES, write_plan
from efield.app.plan_request import DEFAULTS, PlanRequest, Settings, settings
from efield.app.request_parts import parse_conductivity, prepared
from efield.app.results import results_folder
from efield.app.zones import zones_of
from efield.coils.model import Coil
from efield.dosing.dose import dose
from efield.dosing.machines import usual_stimulator
from efield.dosing.protocols import protocol, wanted_percent
from efield.dosing.site import DoseSite
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.io.load import load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.planning.optimize import optimize
from efield.planning.uncertainty import uncertainty
from efield.targeting.aim import usual_angle
from efield.targeting.measures import scaled
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, named_target, parse_target

_REMEDY: Final = "name a stimulator (--stimulator) whose dI/dt with the coils is known"


def make_plan(request: PlanRequest) -> dict[str, Any]:
    """The plan, written to its folder: `plan.json`, `plan.html`, pictures, and poses for every navigator.

    Raises
    ------
    InputError
        That names the option or the key of the file.
    """
    asked = settings(request)
    given = None if asked.protocol is None else protocol(asked.protocol)
    percent = wanted_percent(given, asked.percent)
    coils = _checked_coils(asked, percent)
    sigma = parse_conductivity(asked.conductivity, asked.conductivity_table)
    rmt_pose = None if asked.rmt_pose is None else load_pose(asked.rmt_pose)
    asked = replace(asked, out=results_folder(asked.out, DEFAULTS["out"], FILES, force=asked.force))
    steps = Steps(4 + len(asked.target) * (1 + len(coils)))
    with steps(f"loading head {asked.head}"):
        head = load_head(asked.head)
        targets = [named_target(head, word) for word in asked.target]
    sim = prepared(head, asked.head, asked.device, steps, sigma)
    with steps("solving at the threshold's place"):
        sides = ["right" if target.center_mm[0] > 0 else "left" for target in targets]
        thresholds = {side: _threshold(sim, coils[0], side, rmt_pose, asked) for side in dict.fromkeys(sides)}
    parts = []
    for target, why, side in zip(targets, asked.pain, sides, strict=True):
        ranked = _ranked(sim, coils, target, thresholds[side], percent, asked, steps)
        with steps(f"{target.name}: other conductivities and placements"):
            parts.append(Part(target, why, ranked, _how_sure(sim, ranked[0], target, asked)))
    document = plan_document(asked, head, parts, given)
    with steps("writing the plan"):
        write_plan(asked.out, document, parts, force=asked.force)
    return document


def _checked_coils(asked: Settings, percent: float) -> list[Coil]:
    """The coils; what can be refused is, before any work is done."""
    for word in asked.target:
        parse_target(word)
    zones_of(asked.forbidden)
    coils = [load_coil(name) for name in asked.coil]
    for coil in coils:
        _check_machines(asked, coils[0], coil, percent)
    return coils


def _ranked(
    sim: Simulator,
    coils: list[Coil],
    target: Target,
    threshold: DoseSite,
    percent: float,
    asked: Settings,
    steps: Steps,
) -> list[Candidate]:
    """Coils over a target, the one that needs the least output first."""
    found = []
    for coil in coils:
        with steps(f"{target.name}: the best placement of {coil.name}"):
            found.append(_candidate(sim, coil, target, threshold, percent, asked))
    return sorted(found, key=lambda one: one.dose.output_percent)


def _check_machines(asked: Settings, rmt_coil: Coil, coil: Coil, percent: float) -> None:
    """Refuse what no output can be found for, before any work is done."""
    try:
        there, here = (DoseSite(1.0, coil=one.name, **_machine(asked, one)) for one in (rmt_coil, coil))
        dose(asked.rmt, there, here, percent=percent, method=asked.rmt_method, rmt_sd=asked.rmt_sd)
    except InputError as error:
        raise InputError(f"{coil.name}: {str(error).replace('give max_didt', _REMEDY)}") from error


def _threshold(sim: Simulator, coil: Coil, side: str, pose: Pose | None, asked: Settings) -> DoseSite:
    """Field and machine where the motor threshold was found: the hand area of the side that is treated."""
    hand = named_target(sim.head, f"m1-hand-{side}")
    at = pose or place_coil(sim.head, hand, usual_angle(hand), asked.distance, coil=coil)
    field = sim.solve(coil, at, target=hand, allow_collision=asked.allow_collision)
    return DoseSite.of(field, hand, **_machine(asked, coil))


def _machine(asked: Settings, coil: Coil) -> dict[str, Any]:
    stimulator = asked.stimulator or usual_stimulator(coil.name)
    return {
        "stimulator": stimulator or "",
        "max_didt": None if stimulator else coil.max_didt,
        "phase": asked.phase,
    }


def _candidate(
    sim: Simulator, coil: Coil, target: Target, threshold: DoseSite, percent: float, asked: Settings
) -> Candidate:
    goal = "magnitude" if asked.goal == "along" and target.direction is None else asked.goal
    best = optimize(sim, coil, target, goal, distance_mm=asked.distance, forbidden=zones_of(asked.forbidden)(sim.head))
    field = sim.solve(coil, best.pose)
    here = DoseSite.of(field, target, **_machine(asked, coil))
    given: dict[str, Any] = {"percent": percent, "method": asked.rmt_method, "rmt_sd": asked.rmt_sd}
    return Candidate(coil, best, field, field.summary(target), dose(asked.rmt, threshold, here, **given))


def _how_sure(sim: Simulator, first: Candidate, target: Target, asked: Settings) -> dict[str, Any]:
    """Intervals of the measures at the output of the plan, or at 1 A/us where that is not known."""
    didt = first.dose.didt or 1e6
    errors = {name: np.array(one.error) for name, one in first.summary.measures.items() if one.error is not None}
    given: dict[str, Any] = {"placement": asked.placement, "didt": didt, "mesh_error": scaled(errors, didt / 1e6)}
    sure = uncertainty(sim, first.coil, first.best.pose, target, **given)
    return {"didt": didt, "text": {name: sure.text(name) for name in sure.nominal}, **sure.to_json()}
