"""`efield simulate`: from options to files."""

import json
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from efield.app.console import Steps
from efield.app.request import FILES, OUT, Request
from efield.app.request_parts import check, conductivity_of, didt_of, drive_words, load, parse_drive, target_of
from efield.app.results import results_folder
from efield.app.simulation_notes import driven_words, notes_on, notes_on_head
from efield.app.warmup import Warmup
from efield.coils.drive import Drive, total_dadt
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.head.refinement import RADII_MM, SURFACE_MM
from efield.head.remarks import remarks
from efield.io.atomic import filled_folder
from efield.io.cache_folder import cache_for
from efield.io.load import load_coil
from efield.io.poses.reading import load_pose
from efield.io.volumes.image import HeadImage
from efield.targeting.aim import usual_angle
from efield.targeting.field import EField
from efield.targeting.held import check_held
from efield.targeting.placement import check_covers, place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.summary import Summary
from efield.targeting.targets import Target
from efield.viz.caption import caption
from efield.viz.picture import load_libraries, save_picture
from efield.viz.planes import image_over
from efield.viz.sheet import write_figure
from efield.viz.slices import slice_figure


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
        head = load(request, steps)
        image = None if request.t1 is None else image_over(head, request.t1)
        with steps("finding the target, placing the coil"):
            target = target_of(head, request)
            target.tets(head)
            pose = given_pose or _placed(head, target, coil, request)
            drives = [Drive(coil, pose, didt), *others]
            _check_places(head, drives, target, request)
            # The nodes of a refined mesh begin with those that are there.
            primary = Begun(partial(total_dadt, drives), head.points, beside)
        with steps("refining the mesh, preparing the solver" if request.refine else "preparing the solver"):
            simulator = _simulator(head, conductivity, target, request)
        with steps("solving"):
            field = simulator.solve_together(drives, allow_collision=True, primary=primary)  # looked at above
        return _write(request, out, simulator, field, target, image, steps, warmup, libraries)


class Begun:
    """A function of points whose values at the first of them are computed beside other work."""

    def __init__(self, function: Callable[[FloatArray], FloatArray], first: FloatArray, beside: Executor) -> None:
        self._function, self._known = function, beside.submit(function, first)

    def __call__(self, points: FloatArray) -> FloatArray:
        known = self._known.result()
        rest = points[len(known) :]
        return np.concatenate([known, self._function(rest)]) if len(rest) else known


def _placed(head: HeadMesh, target: Target, coil: Coil, request: Request) -> Pose:
    angle = usual_angle(target) if request.angle is None else request.angle
    return place_coil(head, target, angle, request.distance, coil=coil, current=request.current)


def _check_places(head: HeadMesh, drives: list[Drive], target: Target, request: Request) -> None:
    """Refuse fields that do not reach the head, and places at which nobody holds a coil."""
    for drive in drives:
        check_covers(head, drive.coil, drive.pose)
    if not request.allow_collision:
        check_held(head, drives[0].coil, drives[0].pose, target.center_mm)
        for other in drives[1:]:
            check_held(head, other.coil, other.pose)


def _simulator(head: HeadMesh, conductivity: Conductivity, target: Target, request: Request) -> Simulator:
    cache = None if request.no_cache else cache_for(request.head)
    return Simulator(
        head,
        conductivity,
        tol=request.tol,
        order=request.order,
        solver=request.solver,
        device=request.device,
        cache=cache,
        refine=target if request.refine else None,
        check_mesh=not request.allow_defects,
    )


def _write(
    request: Request,
    out: Path,
    simulator: Simulator,
    field: EField,
    target: Target,
    image: HeadImage | None,
    steps: Steps,
    warmup: Warmup,
    libraries: Future[None],
) -> tuple[dict[str, Any], Summary]:
    """Measure the field and write all files; those that are compressed are written beside other work."""
    drive = drive_words(request, field.coil)
    with filled_folder(out, FILES, force=request.force) as folder, ThreadPoolExecutor(3) as beside:
        written: list[Future[Any]] = [beside.submit(_save_meshes, request, folder, field)]
        with steps("recovering and measuring the field"):
            warmup.wait()
            _ = field.recovered.field
            written.append(beside.submit(field.to_nifti, folder / "field.nii.gz"))
            summary = field.summary(target)
            title = caption(field, target, field.coil, drive=drive, summary=summary)
            # Pictures are drawn in the first thread: not every system lets another do it.
            written.append(beside.submit(getattr, summary, "measures"))
        with steps(f"estimating errors, writing {', '.join(request.files[1:])}"):
            libraries.result()  # half imported they fail where they are used
            drawn: tuple[Any, ...] = (field, target, field.coil, field.pose)
            report = save_picture(folder / "m1.png", *drawn, title=title)
            if image is not None:
                write_figure(slice_figure(*drawn, title=title, image=image), folder / "slices.png")
            for file in written:
                file.result()
        notes = notes_on(request, target, summary, field) + notes_on_head(simulator)
        notes += [report.advice] if report.advice else []
        document = _document(request, simulator, field, target, summary, steps, notes)
        document |= {"drive": drive, "folder": str(out)}
        if simulator.tensor_report is not None:
            tensors = {"file": str(request.tensors), "order": request.tensor_order}
            document["conductivity_tensors"] = tensors | simulator.tensor_report.to_json()
        (folder / "summary.json").write_text(json.dumps(document, indent=2) + "\n")
    return document, summary


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
            "remarks": list(remarks(simulator.given)),
        },
        "conductivity": {tag: simulator.conductivity.values[tag] for tag in field.head.tags},
        "coil": field.coil.name,
        "current": request.current,
        "induced_direction": induced_direction(field.coil),
        "pose": field.pose.matrix.tolist(),
        "pose_says": driven_words(field.coil, field.pose, field.didt),
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
    return [*RADII_MM, SURFACE_MM] if request.refine else []


def _sizes(head: HeadMesh) -> dict[str, int]:
    return {"nodes": len(head.points), "tets": len(head.tets)}
