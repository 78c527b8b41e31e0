"""`efield optimize` and `efield uncertainty`: from options to the best placement, and to how sure a placement is."""

import json
from collections.abc import Sequence
from typing import Any, Final

from efield.app.console import Steps
from efield.app.planning_request import FILES, OUT, OptimizeRequest, UncertaintyRequest
from efield.app.request_parts import parse_conductivity, prepared
from efield.app.results import results_folder
from efield.app.zones import zones_of
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.ground.version import __version__
from efield.io.atomic import filled_folder
from efield.io.load import load_coil, load_head
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import load_pose
from efield.io.poses.words import pose_words
from efield.planning.belief import Range, ranges_in
from efield.planning.goals import Goal
from efield.planning.misplacement import TECHNIQUES, misplacement
from efield.planning.optimize import optimize
from efield.planning.optimum import Optimum
from efield.planning.search_space import RADII_MM, TILTS_DEG
from efield.planning.uncertain_measures import Uncertainty
from efield.planning.uncertainty import LEAST_SAMPLES, uncertainty
from efield.planning.words import GOALS
from efield.targeting.aim import checked_angle, usual_angle
from efield.targeting.held import check_held
from efield.targeting.placement import place_coil
from efield.targeting.targets import named_target, parse_target
from efield.viz.loss_picture import save_loss_picture
from efield.viz.uncertainty_picture import check_drawable, save_uncertainty_picture

#: The cortex is colored within this distance of the target, mm.
_DRAWN_MM: Final = 45.0


def find_best(request: OptimizeRequest) -> tuple[Optimum, dict[str, Any]]:
    """The best placement, written to the request's folder, and its document.

    Raises
    ------
    InputError
        That names the option.
    """
    for word in (request.target, *(request.spare or ())):
        parse_target(word)
    zones = zones_of(request.forbidden)
    checks.positive("--didt", checks.rate("--didt", request.didt))
    checks.in_range("--radius", request.radius, *RADII_MM)
    checks.in_range("--tilt", request.tilt, *TILTS_DEG)
    checks.length_mm("--distance", request.distance)
    checks.choice("--goal", request.goal, GOALS)
    conductivity = parse_conductivity(request.conductivity, request.conductivity_table)
    coil = load_coil(request.coil)
    out = results_folder(request.out, OUT, FILES, force=request.force)
    steps = Steps(4)
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
        target = named_target(head, request.target)
        spare = [named_target(head, word) for word in request.spare or ()]
        Goal.of(head, request.goal, target, spare, whole=False)  # refuses before the solver is prepared
    sim = prepared(head, request.head, request.device, steps, conductivity)
    limits = {"radius_mm": request.radius, "tilt_deg": request.tilt, "distance_mm": request.distance}
    with steps("looking for the best placement"):
        options: dict[str, Any] = {"spare": spare, "forbidden": zones(head), "didt": request.didt, **limits}
        best = optimize(sim, coil, target, request.goal, **options)
    document = {
        "efield": __version__,
        "head": request.head,
        "coil": coil.name,
        "target": target.to_json(),
        "didt": request.didt,
        **best.to_json(),
        "pose_says": pose_words(best.pose, induced_direction(coil)),
        "folder": str(out),
    }
    with steps("writing pose.txt, optimum.json, loss.png"):
        _write(request, best, coil, document)
    return best, document


def _write(request: OptimizeRequest, best: Optimum, coil: Coil, document: dict[str, Any]) -> None:
    with filled_folder(document["folder"], FILES, force=request.force) as folder:
        PoseTable(best.pose.matrix[None], ("optimum",), induced=induced_direction(coil)).write(folder / "pose.txt")
        save_loss_picture(folder / "loss.png", best, f"{document['coil']} over {request.target} of {request.head}")
        (folder / "optimum.json").write_text(json.dumps(document, indent=2) + "\n")


def how_sure(request: UncertaintyRequest) -> tuple[Uncertainty, dict[str, Any]]:
    """How sure the measures of a placement are, and the document.

    Raises
    ------
    InputError
        That names the option.
    """
    parse_target(request.target)
    ranges = _ranges(request.vary)
    if request.angle is not None:
        checked_angle("--angle", request.angle)
    if request.placement is not None:
        misplacement(checks.choice("--placement", request.placement, TECHNIQUES))
    checks.rate("--didt", request.didt)
    checks.length_mm("--distance", request.distance)
    checks.whole("--samples", request.samples, LEAST_SAMPLES)
    conductivity = parse_conductivity(request.conductivity, request.conductivity_table)
    if request.picture is not None:
        check_drawable(request.picture)
    coil = load_coil(request.coil)
    given = load_pose(request.pose) if request.pose else None
    steps = Steps(3 if request.picture is None else 4)
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
        target = named_target(head, request.target)
        ranges_in(head, ranges)
        angle = usual_angle(target) if request.angle is None else checked_angle("--angle", request.angle)
        pose = given or place_coil(head, target, angle, request.distance, coil=coil)
        if not request.allow_collision:
            check_held(head, coil, pose, target.center_mm)
    sim = prepared(head, request.head, request.device, steps, conductivity)
    with steps("solving at other conductivities and placements"):
        options: dict[str, Any] = {"placement": request.placement, "didt": request.didt, "samples": request.samples}
        options["allow_collision"] = True  # looked at above
        options["region_mm"] = None if request.picture is None else _DRAWN_MM
        sure = uncertainty(sim, coil, pose, target, ranges, **options)
    if request.picture is not None:
        with steps(f"drawing {request.picture}"):
            title = f"{coil.name} over {target.name}, dI/dt {request.didt / AMPERE_PER_MICROSECOND:.4g} A/µs"
            save_uncertainty_picture(request.picture, head, sure, target, title)
    document = {
        "efield": __version__,
        "head": request.head,
        "coil": coil.name,
        "target": target.to_json(),
        "pose": pose.matrix.tolist(),
        "pose_says": pose_words(pose, induced_direction(coil)),
        "didt": request.didt,
        **sure.to_json(),
    }
    return sure, document


def _ranges(texts: Sequence[str] | None) -> dict[str, Range] | None:
    if not texts:
        return None
    found = {}
    for text in texts:
        name, _, values = text.partition("=")
        low, _, high = values.partition("..")
        try:
            ends = float(low), float(high)
        except ValueError as error:
            raise InputError(f"--vary must be NAME=LOW..HIGH in S/m; instead received {text!r}") from error
        if name in found:
            raise InputError(f"--vary must name a tissue once; instead {name!r} is there twice")
        found[name] = Range(*ends, source="--vary")
    return found
