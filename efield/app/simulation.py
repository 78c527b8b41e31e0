"""`efield simulate`: from options to files."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from efield.app.console import Steps
from efield.app.request import FILES, OUT, Request
from efield.app.results import results_folder
from efield.app.warmup import Warmup
from efield.coils import stimulators
from efield.coils.drive import Drive
from efield.coils.model import Coil
from efield.coils.polarity import CURRENTS, induced_direction, induced_words, signed
from efield.dosing.marks import DISCLAIMER
from efield.fem.problem import TOL_RANGE
from efield.fem.solvers import SOLVERS
from efield.ground import checks
from efield.ground.card import place
from efield.ground.directions import in_words
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.head.anisotropy import MAPPINGS
from efield.head.conductivity import Conductivity
from efield.head.landmarks import fiducials_in
from efield.head.mesh import HeadMesh
from efield.head.refinement import RADII_MM
from efield.head.registration import register_to_mni
from efield.head.remarks import remarks
from efield.head.soundness import check_sound, defects
from efield.head.tissue import tissue_name
from efield.io.atomic import filled_folder
from efield.io.cache_folder import cache_folder
from efield.io.conductivity_table import ConductivityTable, read_conductivity_table
from efield.io.eeg_positions import CapFile
from efield.io.load import HEAD_NAMES, load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.io.poses.words import pose_words
from efield.io.volumes.tensor import check_order, read_tensors
from efield.targeting.aim import checked_angle, degrees_off, usual_angle
from efield.targeting.field import EField
from efield.targeting.held import check_held
from efield.targeting.placement import check_covers, gap_below_center, place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.summary import Summary
from efield.targeting.targets import Target, named_target, needs_mni, parse_target
from efield.viz.caption import caption
from efield.viz.picture import load_libraries, save_picture

_DEFAULT_DIDT: Final = 1e6

#: A drive below this (A/s) is no TMS pulse; a number like 80 is A/us typed as A/s.
_SMALL_DIDT: Final = 1e4

#: Beyond this angle to the preferred direction a field points the other way (degrees).
_BACKWARD_DEG: Final = 135.0

#: A coil that is turned farther than this from the preferred direction is said to be (degrees).
_OFF_DEG: Final = 30.0

#: What readers of coil files note, and a reader of the numbers must know.
_OF_THE_FILE: Final = ("all dipoles point one way", "casing read from", "beyond the grid", "dIdtmax =")

#: A coil that is this much farther from the scalp under its center than its smallest gap is said to be (mm).
_LIFTED_MM: Final = 1.0


def parse_conductivity(texts: Iterable[str], table: Path | None = None) -> Conductivity:
    """The default table, with the tissues of a file replaced, then those given as ``NAME=S/m``."""
    given = ConductivityTable() if table is None else read_conductivity_table(table)
    overrides = dict(given.values)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--conductivity must be NAME=S/m, such as bone=0.012; instead received {text!r}")
        overrides[given.tag(name)] = checks.positive(f"--conductivity {name}", value)
    return Conductivity().with_values(overrides)


def parse_drive(text: str) -> Drive:
    """A further coil of ``COIL,POSE,DIDT``: name or file, file of its pose, and dI/dt in A/s.

    Raises
    ------
    InputError
        If it is not these three, or a file cannot be read.
    """
    parts = text.rsplit(",", 2)
    if len(parts) != 3 or not all(part.strip() for part in parts):
        raise InputError(f"--also must be COIL,POSE.txt,A/s, such as d70,right.txt,-1e6; instead received {text!r}")
    coil, pose, didt = (part.strip() for part in parts)
    return Drive(load_coil(coil), load_pose(pose), checks.rate("--also dI/dt", didt))


def check(request: Request) -> None:
    """Refuse what can be refused before any work.

    Raises
    ------
    InputError
        That names the option.
    """
    checks.length_mm("--distance", request.distance)
    if request.angle is not None:
        checked_angle("--angle", request.angle)
    checks.choice("--current", request.current, CURRENTS)
    if request.radius is not None:
        checks.length_mm("--radius", request.radius)
    parse_target(request.target)
    if request.tensors is not None:
        check_order(request.tensor_order)
    elif (request.tensor_order, request.tensor_mapping, request.tensor_factor) != (None, None, None):
        raise InputError("--tensor-order, --tensor-mapping and --tensor-factor must come with --tensors, a file")
    if request.fiducials is not None:
        fiducials_in(CapFile(request.fiducials))
    checks.in_range("--tol", request.tol, *TOL_RANGE)
    checks.choice("--solver", request.solver, SOLVERS)
    if request.order not in (1, 2):
        raise InputError(f"--order must be 1 or 2; instead received {request.order}")
    if request.stimulator is not None and request.intensity is None:
        raise InputError("--stimulator needs --intensity, the percent of its maximum output")
    if request.didt is not None:
        checks.rate("--didt", request.didt)
        if request.intensity is not None:
            raise InputError("--didt and --intensity must not be given together; each sets the drive")


def conductivity_of(request: Request) -> Conductivity:
    """The default table with what the command line and its files replace."""
    isotropic = parse_conductivity(request.conductivity or (), request.conductivity_table)
    if request.tensors is None:
        return isotropic
    return isotropic.with_tensors(
        read_tensors(request.tensors, request.tensor_order),
        mapping=request.tensor_mapping or MAPPINGS[0],
        factor=request.tensor_factor,
    )


def didt_of(request: Request, coil: Coil) -> float:
    """dI/dt in A/s, with the sign of the current."""
    return signed(_rate_of(request, coil), request.current)


def drive_words(request: Request, coil: Coil) -> str:
    """What sets dI/dt: stimulator, percent of its maximum output, direction; empty where dI/dt itself is given."""
    reverse = ", current reversed" if request.current == "reverse" else ""
    if request.intensity is None:
        return reverse.lstrip(", ")
    machine = request.stimulator and stimulators.load_stimulator(request.stimulator).name
    machine = machine or f"maximum of {coil.name}'s usual stimulator"
    return f"{request.intensity:g} % of {machine}{reverse}"


def _rate_of(request: Request, coil: Coil) -> float:
    if request.intensity is None:
        return _DEFAULT_DIDT if request.didt is None else request.didt
    percent = checks.percent_of_output("--intensity", request.intensity)
    if request.stimulator is not None:
        return stimulators.didt(request.stimulator, coil, percent)
    if coil.max_didt is None:
        raise InputError(f"the largest dI/dt of {coil.name} is not known: give --stimulator as well, or --didt")
    return coil.max_didt * percent / 100.0


def run(request: Request, progress: Progress = True) -> tuple[dict[str, Any], Summary]:
    """Simulate, write the files of the request, ``summary.json`` and others; return the summary.

    Parameters
    ----------
    request : Request
    progress : bool or callable, optional
        True shows each step and how long it took; a callable is told (done, total, note).
    """
    check(request)
    out = results_folder(request.out, OUT, FILES, force=request.force)
    conductivity = conductivity_of(request)
    coil = load_coil(request.coil)
    didt = didt_of(request, coil)
    others = [parse_drive(text) for text in request.also or ()]
    given_pose = load_pose(request.pose) if request.pose else None
    steps = Steps(7 if request.register else 6, progress)
    with Warmup() as warmup, ThreadPoolExecutor(2) as beside:
        libraries = beside.submit(load_libraries)
        head = _load(request, steps)
        with steps("finding the target, placing the coil"):
            target = target_of(head, request)
            target.tets(head)
            angle = usual_angle(target) if request.angle is None else request.angle
            pose = given_pose or place_coil(head, target, angle, request.distance, coil=coil, current=request.current)
            for drive in (Drive(coil, pose, didt), *others):
                check_covers(head, drive.coil, drive.pose)
            if not request.allow_collision:
                check_held(head, coil, pose, target.center_mm)
                for other in others:
                    check_held(head, other.coil, other.pose)
        with steps("refining the mesh, preparing the solver" if request.refine else "preparing the solver"):
            # A shipped head's is asked for again and again; those of other heads would fill the folder.
            cache = cache_folder() if request.head in HEAD_NAMES and not request.no_cache else None
            place, checked = target if request.refine else None, not request.allow_defects
            simulator = Simulator(
                head,
                conductivity,
                tol=request.tol,
                order=request.order,
                solver=request.solver,
                cache=cache,
                refine=place,
                check_mesh=checked,
            )
        with steps("solving"):
            drives = [Drive(coil, pose, didt), *others]
            field = simulator.solve_together(drives, allow_collision=True)  # looked at above
        with filled_folder(out, FILES) as folder, ThreadPoolExecutor(2) as writers:
            # Files are compressed beside other work. Kernels that run on all threads stay in this one: not every
            # threading layer of Numba can be entered from two.
            written = [writers.submit(_save_meshes, request, folder, field)]
            with steps("recovering and measuring the field"):
                warmup.wait()
                _ = field.recovered.field
                written.append(writers.submit(field.to_nifti, folder / "field.nii.gz"))
                summary = field.summary(target)
                _ = summary.measures  # with their errors
            notes = [f"driven at the same time: {d.coil.name} at {d.didt / 1e6:g} A/us" for d in others]
            notes += _notes(request, target, didt, summary, field) + _head_notes(simulator)
            with steps(f"writing {', '.join(request.files[1:])}"):
                libraries.result()  # half imported they fail where they are used
                title = caption(field, target, coil, drive=drive_words(request, coil))
                report = save_picture(folder / "m1.png", field, target, coil, field.pose, title=title)
                for file in written:
                    file.result()
            notes += [report.advice] if report.advice else []
            document = _document(request, simulator, field, target, summary, steps, notes)
            document |= {"drive": drive_words(request, coil), "folder": str(out)}
            if simulator.tensor_report is not None:
                tensors = {"file": str(request.tensors), "order": request.tensor_order}
                document["conductivity_tensors"] = tensors | simulator.tensor_report.to_json()
            (folder / "summary.json").write_text(json.dumps(document, indent=2) + "\n")
    return document, summary


def _load(request: Request, steps: Steps) -> HeadMesh:
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
        if not request.allow_defects:
            check_sound(head)
        if request.fiducials is not None:
            # An electrode needs no map, and a scalp that no map fits has electrodes all the same.
            needs_map = not request.register and needs_mni(request.target)
            head = _with_fiducials(head, request.fiducials, needs_map=needs_map)
    if not request.register:
        return head
    with steps("registering the brain to MNI152"):
        return register_to_mni(head)


def target_of(head: HeadMesh, request: Request) -> Target:
    """The target of the request, with the radius that it gives."""
    target = named_target(head, request.target)
    if request.radius is None:
        return target
    if target.region is not None:
        raise InputError(
            f"--radius must come with a place; instead {target.name} is a region, which has its own extent"
        )
    return replace(target, radius_mm=request.radius)


def _with_fiducials(head: HeadMesh, file: Path, *, needs_map: bool) -> HeadMesh:
    """The head with its 10-10 positions measured from a file's fiducials, and a map by them if it has no other."""
    cap = CapFile(file)
    head = replace(head, caps=(cap, *head.caps))
    return register_to_mni(head, fiducials_in(cap)) if head.mni is None and needs_map else head


def coil_notes(coil: Coil, summary: Mapping[str, Any]) -> list[str]:
    """What a coil's file leaves open and a reader of the numbers must know."""
    notes = []
    if coil.shape_from == "sources":
        notes.append(f"the casing of {coil.name} is not known: the gap is that of its wires or dipoles")
    if coil.shape_from == "nothing":
        notes.append(f"the casing of {coil.name} is not known: a flat plate of 170 x 90 mm was kept clear of the head")
    notes += [note for note in coil.assumptions if note.startswith(_OF_THE_FILE)]
    if places := [text for text in coil.assumptions if text.startswith("setting ")]:
        notes.append(f"parts of {coil.name}: {'; '.join(places)}")
    angle = summary.get("angle")
    if angle is not None and angle > _BACKWARD_DEG:
        notes.append(
            f"E runs against the preferred direction ({angle:.0f} degrees off): another --angle turns the coil, "
            "and --current reverse turns the field of a --pose"
        )
    return notes


def direction_note(coil: Coil, pose: Pose) -> str:
    """Which way the coil's own current induces, and where that leaves the handle."""
    words = induced_words(coil)
    if not words:
        return f"{coil.name} does not induce in one direction under its center: --angle is that of its y axis"
    return f"a rising current in {coil.name} induces along {words}; its handle points {in_words(-pose.y)}"


def aim_note(coil: Coil, pose: Pose, target: Target, didt: float) -> list[str]:
    """That the coil is turned far from the target's preferred direction, if it is."""
    off = degrees_off(coil, pose, target, didt)
    if off is None or not _OFF_DEG < off <= _BACKWARD_DEG:
        return []
    return [
        f"the coil is turned {off:.0f} degrees away from the preferred direction of {target.name}: --angle best "
        "turns it there"
    ]


def _lift_note(request: Request, field: EField) -> list[str]:
    """Where the casing touches first, if not under the coil's center."""
    below = gap_below_center(field.head, field.pose)
    if request.pose is not None or below <= request.distance + _LIFTED_MM:
        return []
    return [
        f"under the coil's center the gap is {below:.1f} mm: elsewhere the casing is {request.distance:g} mm from the "
        "scalp"
    ]


def _notes(request: Request, target: Target, didt: float, summary: Summary, field: EField) -> list[str]:
    coil = field.coil
    notes = [f"target: {text}" for text in (_origin(target), target.note) if text]
    notes += [direction_note(coil, field.pose), *_lift_note(request, field)]
    if abs(didt) < _SMALL_DIDT:
        notes.append(f"dI/dt is only {didt:g} A/s; --didt is in A/s, so 80 A/us is written 80e6")
    if request.intensity is not None:
        notes.append(DISCLAIMER)
    notes += coil_notes(coil, summary) + aim_note(coil, field.pose, target, didt)
    if advice := summary.advice:
        others = ["--refine"] * (not request.refine) + ["--order 2"] * (request.order == 1)
        notes.append(f"{advice}{' (' + ' or '.join(others) + ')' if others else ''}")
    clearance = summary["coil_clearance"]
    if clearance is not None and clearance < 0:
        notes.append(f"the coil overlaps the head by {-clearance:.2g} mm (--allow-collision)")
    return notes


def _origin(target: Target) -> str:
    """What is published of the target's place."""
    if not target.source:
        return ""
    spread = "not known" if target.spread_mm is None else place(target.spread_mm)
    return f"{target.space}; {target.source}; SD along x, y, z: {spread}"


def _head_notes(simulator: Simulator) -> list[str]:
    """What became of tensors, values given for tissues that the head does not have, and what is not whole in it."""
    defaults = Conductivity().values
    given = {tag for tag, value in simulator.conductivity.values.items() if defaults.get(tag) != value}
    idle = sorted(given - set(simulator.head.tags))
    notes = (
        [f"conductivity given for {', '.join(map(tissue_name, idle))}, which this head does not have"] if idle else []
    )
    notes += [defect.text for defect in defects(simulator.head)]
    return notes + ([] if simulator.tensor_report is None else simulator.tensor_report.lines())


def _save_meshes(request: Request, folder: Path, field: EField) -> None:
    """The files that hold the field of the elements."""
    field.save(folder / "field.vtu")
    if request.gmsh:
        field.save(folder / "field.msh")


def _document(
    request: Request,
    simulator: Simulator,
    field: EField,
    target: Target,
    summary: Summary,
    steps: Steps,
    notes: list[str],
) -> dict[str, Any]:
    return {
        "efield": __version__,
        "head": {
            "name": request.head,
            **_sizes(field.head),
            "refined_within_mm": _refined(request),
            "remarks": list(remarks(field.head)),
        },
        "conductivity": {tag: simulator.conductivity.values[tag] for tag in field.head.tags},
        "coil": field.coil.name,
        "current": request.current,
        "induced_direction": induced_direction(field.coil),
        "pose": field.pose.matrix.tolist(),
        "pose_says": pose_words(field.pose),
        "target": target.to_json(),
        "didt": field.didt,
        "also": [{"coil": d.coil.name, "pose": d.pose.matrix.tolist(), "didt": d.didt} for d in field.others],
        "stimulator": request.stimulator,
        "intensity_percent": request.intensity,
        "measures": summary.to_json(),
        "order": request.order,
        "iterations": field.iterations,
        "seconds": steps.seconds,
        "notes": notes,
        "files": request.files,
    }


def _refined(request: Request) -> list[float]:
    """Distances of the target within which edges are halved, once for each."""
    return list(RADII_MM) if request.refine else []


def _sizes(head: HeadMesh) -> dict[str, int]:
    return {"nodes": len(head.points), "tets": len(head.tets)}
