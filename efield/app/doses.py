"""`efield dose`: from options to two placements on one head, and the dose between them."""

from dataclasses import dataclass
from typing import Any

from efield.app.console import Steps
from efield.app.dose_request import DoseRequest
from efield.app.request_parts import parse_conductivity, prepared
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.dosing.dose import Dose, dose
from efield.dosing.feasibility import feasibility
from efield.dosing.machines import usual_stimulator
from efield.dosing.protocols import Protocol, protocol, wanted_percent
from efield.dosing.safety import safety
from efield.dosing.site import DoseSite
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.head.tissue import tissue_name
from efield.io.load import load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.io.poses.words import pose_words
from efield.targeting.aim import checked_angle, usual_angle
from efield.targeting.field import EField
from efield.targeting.held import check_held
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, named_target, parse_target


@dataclass(frozen=True)
class _Side:
    """One of the two placements, as it is asked for."""

    name: str
    target: str
    angle: str | None
    distance: float
    pose: str | None
    coil: str
    machine: dict[str, Any]

    def machine_with(self, coil: Coil) -> dict[str, Any]:
        """What `DoseSite` is told; a coil's own dI/dt at full output counts where no stimulator is known."""
        own = None if self.machine["stimulator"] else coil.max_didt
        return self.machine | {"max_didt": self.machine["max_didt"] or own}


def _sides(request: DoseRequest) -> tuple[_Side, _Side]:
    """Threshold and treatment; what is not said of the first is as of the second."""
    checks.percent_of_output("--rmt", checks.positive("--rmt", request.rmt))
    error = None if request.error is None else checks.in_range("--error", request.error, 0.0, 100.0) / 100.0
    coil, rmt_coil = request.coil, request.rmt_coil or request.coil
    stimulator = request.stimulator or usual_stimulator(coil)
    there = stimulator if rmt_coil == coil else usual_stimulator(rmt_coil) or request.stimulator
    same = rmt_coil == coil and request.rmt_stimulator in (None, request.stimulator)
    own_didt = request.max_didt if same and request.rmt_max_didt is None else request.rmt_max_didt
    threshold = {
        "stimulator": request.rmt_stimulator or there or "",
        "max_didt": own_didt,
        "waveform": request.waveform if request.rmt_waveform is None else request.rmt_waveform,
        "phase": request.rmt_phase or request.phase,
        "current": request.rmt_current,
        "error": error,
    }
    treatment = {
        "stimulator": stimulator,
        "max_didt": request.max_didt,
        "waveform": request.waveform,
        "phase": request.phase,
        "current": request.current,
        "error": error,
    }
    at_rmt = (request.rmt_target, request.rmt_angle, request.rmt_distance, request.rmt_pose)
    here = (request.target, request.angle, request.distance, request.pose)
    return _Side("--rmt", *at_rmt, rmt_coil, threshold), _Side("-", *here, coil, treatment)


def run(request: DoseRequest, progress: Progress = True) -> tuple[Dose, dict[str, Any]]:
    """The dose, and a document with everything it rests on, ready for `json.dump`.

    Raises
    ------
    InputError
        That names the option.
    """
    sides = _sides(request)
    given = None if request.protocol is None else protocol(request.protocol)
    percent = wanted_percent(given, request.percent)
    coils = _check(sides, percent, request)
    sigma = parse_conductivity(request.conductivity or (), request.conductivity_table)
    steps = Steps(5, progress)
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
    with steps("finding the targets, placing the coils"):
        targets = [named_target(head, side.target) for side in sides]
        placed = zip(sides, targets, coils, strict=True)
        poses = [_pose(head, *each, request.allow_collision) for each in placed]
    simulator = prepared(head, request.head, request.device, steps, sigma)
    with steps("solving both placements"):
        fields = _solve(simulator, coils, poses)
    with steps("measuring the fields"):
        first, second = (
            DoseSite.of(field, target, **side.machine_with(field.coil))
            for field, target, side in zip(fields, targets, sides, strict=True)
        )
    found = dose(request.rmt, first, second, percent=percent, method=request.rmt_method, rmt_sd=request.rmt_sd)
    document = {
        "efield": __version__,
        "head": request.head,
        "conductivity": {tissue_name(tag): sigma.values[tag] for tag in head.tags},
        "targets": [{"name": one.name, "center_mm": one.center_mm.tolist(), "note": one.note} for one in targets],
        "poses": [pose.matrix.tolist() for pose in poses],
        "poses_say": [pose_words(field.pose, induced_direction(field.coil)) for field in fields],
        "dose": found.to_json(),
    }
    return found, document | _reports(given, found)


def _check(sides: tuple[_Side, _Side], percent: float, request: DoseRequest) -> list[Coil]:
    """The coils; what can be refused before any work is."""
    for side in sides:
        parse_target(side.target)
        checks.length_mm(f"{side.name}-distance", side.distance)
        if side.angle is not None:
            checked_angle(f"{side.name}-angle", side.angle)
    by_name = {name: load_coil(name) for name in {side.coil for side in sides}}
    coils = [by_name[side.coil] for side in sides]
    try:
        # Errors are not known yet.
        sites = [
            DoseSite(1.0, coil=coil.name, **side.machine_with(coil) | {"error": 0.0})
            for coil, side in zip(coils, sides, strict=True)
        ]
        dose(request.rmt, *sites, percent=percent, method=request.rmt_method, rmt_sd=request.rmt_sd)
    except InputError as error:
        raise InputError(str(error).replace("give max_didt", "give --max-didt or --rmt-max-didt")) from error
    return coils


def _pose(head: HeadMesh, side: _Side, target: Target, coil: Coil, allow_collision: bool) -> Pose:
    if side.pose is not None:
        pose = load_pose(side.pose)
    else:
        angle = usual_angle(target) if side.angle is None else checked_angle(f"{side.name}-angle", side.angle)
        pose = place_coil(head, target, angle, side.distance, coil=coil)
    if not allow_collision:
        check_held(head, coil, pose, target.center_mm)
    return pose


def _solve(simulator: Simulator, coils: list[Coil], poses: list[Pose]) -> list[EField]:
    """Both fields at 1 A/us; of one coil they are solved together."""
    first, second = coils
    if first is second:
        return list(simulator.solve_many(first, poses, allow_collision=True))  # looked at above
    return [simulator.solve(coil, pose, allow_collision=True) for coil, pose in zip(coils, poses, strict=True)]


def _reports(given: Protocol | None, found: Dose) -> dict[str, Any]:
    """Safety and feasibility of a protocol at this output; why there is none where its trains were not read."""
    if given is None:
        return {}
    try:
        # An output by equal field is a percentage of the threshold on the scale of EMG, whatever it was found by.
        safe = safety(given, found.percent)
        machine = feasibility(given, found.output_percent, found.treated.stimulator, found.treated.coil)
    except InputError as error:
        return {"protocol": given.name, "no_reports": str(error)}
    return {"protocol": given.name, "safety": safe.to_json(), "feasibility": machine.to_json()}
