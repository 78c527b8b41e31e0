"""What the mesh does to a study's measures: the best placement of each cell, solved fully once all is finished."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from efield.campaign import disk
from efield.campaign.best import best, labels
from efield.campaign.compute import Bench
from efield.campaign.files import ERRORS, NOTE
from efield.campaign.store import Store
from efield.ground.errors import EfieldError
from efield.ground.pose import Pose
from efield.io import sealed
from efield.io.sealed import SealError
from efield.sweeping.mesh_errors import errors_of

#: Of the file.
_FORMAT: Final = 1


def write_mesh_errors(store: Store, say: Callable[[str], None]) -> None:
    """Estimate the errors of all cells, and keep them; what cannot be estimated is said and left out."""
    study, bench, found = store.study, Bench(store.study, None, say), {}
    for cell in study.cells:
        (block,) = best(store, top=1, among=labels(study, cell))
        row = block.rows[0]
        say(f"solving the best placement of {study.cell_name(cell)} fully, for the mesh's errors")
        try:
            sim, target, coil = bench.prepared(cell)
            field = sim.solve(coil, Pose(np.array(row["pose"])), row["didt"], allow_collision=True)
            errors = errors_of(field, target, study.measures)
        except EfieldError as error:
            say(f"no mesh errors of {study.cell_name(cell)}: {error}")
            continue
        known = {name: value for name, value in errors.items() if np.isfinite(value)}
        found[study.cell_name(cell)] = {"placement": row["placement"], "measure": block.measure, "errors": known}
    with disk.room(store.folder):
        sealed.write_note(store.folder / ERRORS, found, version=_FORMAT, context=_context(store), lasting=True)


def read_mesh_errors(store: Store) -> dict[str, Any] | None:
    """What `write_mesh_errors` kept, by the names of cells; None if it has not, or the study has grown since."""
    try:
        return sealed.read_note(store.folder / ERRORS, version=_FORMAT, context=_context(store), remedy="")
    except SealError:
        return None


def _context(store: Store) -> str:
    return sealed.digest_of(store.folder / NOTE) or ""
