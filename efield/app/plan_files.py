"""What a plan is written as: plan.json, the sheet, pictures, and poses for every navigator."""

import json
import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.app.plan_document import Part
from efield.app.plan_sheet import write_sheet
from efield.coils.polarity import induced_direction
from efield.io.atomic import filled_folder
from efield.io.poses.formats import FORMATS, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.viz.loss_picture import save_loss_picture
from efield.viz.three_sides import save_three_sides

#: All that is written.
FILES: Final = ("plan.json", "plan.html", "pictures", "poses")

#: The map of losses takes half of the sheet's width, inches.
_LOSS_IN: Final = 4.2


def write_plan(folder: Path, document: dict[str, Any], parts: list[Part], *, force: bool) -> None:
    """Write a plan, completely or not at all; over that of another run only if forced."""
    with filled_folder(folder, FILES, force=force) as out:
        (out / "pictures").mkdir()
        pictures = [_pictures(out / "pictures", number, part) for number, part in enumerate(parts, 1)]
        _write_poses(out / "poses", parts)
        (out / "plan.json").write_text(json.dumps(document, indent=2) + "\n")
        write_sheet(out / "plan.html", document, pictures)


def _pictures(folder: Path, number: int, part: Part) -> list[Path]:
    """The placement from three sides, and the loss around it."""
    first, stem = part.first, f"{number}-{re.sub(r'[^A-Za-z0-9.-]+', '_', part.target.name)}"
    sides, loss = folder / f"{stem}.png", folder / f"{stem}-loss.png"
    driven = part.uncertainty["didt"] / first.field.didt * first.field
    save_three_sides(sides, driven, part.target, first.coil, first.best.pose)
    save_loss_picture(loss, first.best, width_in=_LOSS_IN)
    return [sides, loss]


def _write_poses(folder: Path, parts: list[Part]) -> None:
    """All placements in one file for each format: of a target the best, then those that are as good."""
    folder.mkdir()
    poses, names = [], []
    for part in parts:
        behind = f" {part.target.name}" if len(parts) > 1 else ""
        others = [pose for pose, _ in part.first.best.alternatives]
        poses += [part.first.best.pose, *others]
        names += [f"plan{behind}", *(f"as good {number}{behind}" for number, _ in enumerate(others, 1))]
    induced = {induced_direction(part.first.coil) for part in parts}
    table = PoseTable(np.array(poses), tuple(names), induced=induced.pop() if len(induced) == 1 else ())
    for name in WRITTEN:
        table.write(folder / f"{name}{(FORMATS[name].suffixes or ('.txt',))[0]}", name)
