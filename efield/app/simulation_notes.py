"""What a reader of the numbers of `efield simulate` must know beside them."""

from collections.abc import Mapping
from typing import Any, Final

from efield.app.request import Request
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction, induced_words
from efield.dosing.marks import DISCLAIMER
from efield.ground.card import place
from efield.ground.directions import in_words
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.soundness import defects
from efield.head.tissue import tissue_name
from efield.io.poses.words import pose_words
from efield.targeting.aim import degrees_off
from efield.targeting.field import EField
from efield.targeting.placement import gap_below_center
from efield.targeting.simulate import Simulator
from efield.targeting.summary import Summary
from efield.targeting.targets import Target

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


def direction_note(coil: Coil, pose: Pose, didt: float) -> str:
    """Which way the coil's own current induces, where that leaves the handle, and if it is driven the other way."""
    if induced_direction(coil) is None:
        return f"{coil.name} does not induce in one direction under its center: --angle is that of its y axis"
    return f"a rising current in {coil.name} induces along {induced_words(coil)}; {driven_words(coil, pose, didt)}"


def driven_words(coil: Coil, pose: Pose, didt: float) -> str:
    """Where handle and induced current point, with the other direction where the coil is driven that way."""
    induced = induced_direction(coil)
    words = pose_words(pose, induced)
    if induced is None or didt >= 0:
        return words
    return f"{words}; dI/dt is negative here, and so it is toward {in_words(-pose.current(induced))}"


def _aim_note(request: Request, target: Target, field: EField) -> list[str]:
    """That the coil is turned far from the target's preferred direction, if it is."""
    off = degrees_off(field.coil, field.pose, target, field.didt)
    if off is None or not _OFF_DEG < off <= _BACKWARD_DEG:
        return []
    remedy = ": --angle best turns it there" if request.pose is None else ""
    return [f"the coil is turned {off:.0f} degrees away from the preferred direction of {target.name}{remedy}"]


def _lift_note(request: Request, field: EField) -> list[str]:
    """Where the casing touches first, if not under the coil's center."""
    below = gap_below_center(field.head, field.pose)
    if request.pose is not None or below <= request.distance + _LIFTED_MM:
        return []
    return [
        f"under the coil's center the gap is {below:.1f} mm: elsewhere the casing is {request.distance:g} mm from the "
        "scalp"
    ]


def notes_on(request: Request, target: Target, summary: Summary, field: EField) -> list[str]:
    """What must be known of target, coil, drive and mesh, in sentences."""
    coil, didt = field.coil, field.didt
    notes = [f"driven at the same time: {d.coil.name} at {d.didt / 1e6:g} A/us" for d in field.others]
    notes += [f"target: {text}" for text in (_origin(target), target.note) if text]
    notes += [direction_note(coil, field.pose, didt), *_lift_note(request, field)]
    if request.intensity is None and abs(didt) < _SMALL_DIDT:
        notes.append(f"dI/dt is only {didt:g} A/s; --didt is in A/s, so 80 A/us is written 80e6")
    if request.intensity is not None:
        notes.append(DISCLAIMER)
    notes += coil_notes(coil, summary) + _aim_note(request, target, field)
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


def notes_on_head(simulator: Simulator) -> list[str]:
    """What became of tensors, values given for tissues that the head does not have, and what is not whole in it."""
    defaults = Conductivity().values
    given = {tag for tag, value in simulator.conductivity.values.items() if defaults.get(tag) != value}
    idle = sorted(given - set(simulator.head.tags))
    notes = (
        [f"conductivity given for {', '.join(map(tissue_name, idle))}, which this head does not have"] if idle else []
    )
    notes += [defect.text for defect in defects(simulator.given)]
    return notes + ([] if simulator.tensor_report is None else simulator.tensor_report.lines())
