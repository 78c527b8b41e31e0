"""`efield sweep --poses`: from a recording to a table of its pulses, maps and pictures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.app.console import Bar, Steps
from efield.app.pulses_request import FILES, MAPS, OUT, PulsesRequest
from efield.app.request_parts import parse_conductivity, prepared
from efield.app.results import results_folder
from efield.coils.polarity import CURRENTS
from efield.delivered.intensity import drives, pulses_of
from efield.delivered.pulses import Pulses, pulses
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.io.atomic import filled_folder
from efield.io.load import load_coil, load_head
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import load_pose, read_poses
from efield.io.volumes.nifti import read_grid
from efield.targeting.targets import named_target, parse_target
from efield.viz.probe import can_render
from efield.viz.recording import recording_figure, recording_maps


def run(request: PulsesRequest) -> tuple[Pulses, dict[str, Any]]:
    """What was done, written to the request's folder, and its document.

    Raises
    ------
    InputError
        That names the option.
    """
    out = results_folder(request.out, OUT, FILES, force=request.force)
    recording, passed = _recording(request)
    coil = load_coil(request.coil)
    # Refused before the head is loaded.
    parse_target(request.target)
    checks.choice("--current", request.current, CURRENTS)
    drives(recording, coil, didt=request.didt, stimulator=request.stimulator)
    plan = None if request.plan is None else load_pose(request.plan)
    if request.like is not None:
        read_grid(request.like)
    steps = Steps(3)
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
        target = named_target(head, request.target)
    sigma = parse_conductivity(request.conductivity, request.conductivity_table)
    sim = prepared(head, request.head, request.device, steps, sigma)
    with Bar("solving pulses", 0, "solves", timed=False) as bar:
        done = pulses(
            sim,
            coil,
            recording,
            target,
            didt=request.didt,
            stimulator=request.stimulator,
            current=request.current,
            plan=plan,
            reach_mm=request.reach,
            tol=request.tol,
            allow_collision=request.allow_collision,
            progress=bar,
        )
    with steps("writing the table, maps and pictures"), filled_folder(out, FILES, force=request.force) as folder:
        _write(folder, request, done)
        document = _document(request, done, passed, out)
        document["files"] = [*sorted(file.name for file in folder.iterdir()), "summary.json"]
        (folder / "summary.json").write_text(json.dumps(document, indent=2) + "\n")
    return done, document


def _recording(request: PulsesRequest) -> tuple[PoseTable, int]:
    """The pulses of the file, with responses, and how many of its poses are none."""
    table = read_poses(request.poses, format=request.format, frame=request.frame, axes=request.axes)
    found = pulses_of(table)
    if request.mep is not None:
        found = replace(found, columns={**found.columns, "mep_uv": _amplitudes(request.mep, len(found))})
    return found, len(table) - len(found)


def _amplitudes(file: Path, count: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(text) for text in file.read_text(encoding="utf-8-sig").split()])
    except (OSError, ValueError) as error:
        raise InputError(f"--mep must be a file of numbers, one a line; {file}: {error}") from error
    if len(values) != count:
        raise InputError(f"--mep must have an amplitude for each of {count} pulses; instead {file} has {len(values)}")
    return values


def _write(folder: Path, request: PulsesRequest, done: Pulses) -> None:
    done.to_dataframe().to_csv(folder / "pulses.csv", index_label="pulse")
    done.save(folder / "maps.vtu")
    for name in MAPS:
        if name in done.maps:
            done.to_nifti(folder / f"{name}.nii.gz", name, request.like)
    title = f"{Path(request.poses).name}: {len(done)} pulses of {done.coil.name}, {done.target.name} of {request.head}"
    recording_figure(done, title).savefig(folder / "pulses.png")
    if can_render():
        figure = recording_maps(done, title=title)
        figure.savefig(folder / "cortex.png", dpi=figure.dpi)


def _document(request: PulsesRequest, done: Pulses, passed: int, out: Path) -> dict[str, Any]:
    table, found = done.table, done.localization
    document: dict[str, Any] = {
        "efield": __version__,
        "recording": request.poses,
        "pulses": len(done),
        "passed_over": passed,
        "dropped": [vars(one) for one in done.recording.dropped],
        "head": request.head,
        "coil": done.coil.name,
        "target": done.target.to_json(),
        "intensity": table.attrs["intensity"],
        "didt": _range(table["didt"].values),
        "mean_magnitude": _range(table["mean_magnitude"].values),
        "drift_from": done.reference,
        **{name: _range(table[name].values) for name in ("off_mm", "off_deg", "off_percent")},
        "solves": table.attrs["solves"],
        "largest_error": table.attrs["largest_error"],
        "folder": str(out),
    }
    if found is not None:
        fits = {"sigmoid": found.sigmoid, "line": found.line}
        document["responses"] = {"count": len(found.amplitude)} | {
            name: {"r2": fit.largest, "place_mm": fit.place_mm.tolist(), "alike_cm3": fit.alike_cm3}
            for name, fit in fits.items()
        }
    document["notes"] = _notes(done, passed, done.head)
    return document


def _notes(done: Pulses, passed: int, head: HeadMesh) -> list[str]:
    notes = list(done.recording.notes)
    if passed:
        notes.append(f"{passed} poses without a pulse were passed over")
    if done.recording.dropped:
        notes.append(
            f"{len(done.recording.dropped)} poses of the file could not be used (`efield poses info` names them)"
        )
    if not can_render():
        notes.append("cortex.png needs OpenGL, which this machine does not have; maps.vtu opens in ParaView")
    if done.localization is not None and done.localization.apart_mm > 10.0:
        notes.append(
            f"the best places of both curves are {done.localization.apart_mm:.0f} mm apart: more poses, more different "
            "ones, tell places apart"
        )
    return notes


def _range(values: NDArray[np.float64]) -> dict[str, float]:
    return {"least": float(values.min()), "mean": float(values.mean()), "most": float(values.max())}
