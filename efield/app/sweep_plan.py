"""What `efield sweep STUDY --dry-run` says: what would be done, where, how hard, on how much disk and in what time."""

import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from efield.app.console import ERR, OUT, remark, say
from efield.campaign import estimate
from efield.campaign.costs import duration
from efield.campaign.estimate import Estimate
from efield.campaign.store import check_output, left
from efield.campaign.study import Study
from efield.campaign.survey import Survey, survey


@dataclass(frozen=True)
class Plan:
    """A study that was looked at: what the heads and targets are, and what it takes."""

    study: Study
    facts: Survey
    takes: Estimate

    @property
    def didt(self) -> dict[str, list[float]]:
        """dI/dt in A/s of each coil, with the sign of the current; of recorded pulses the least and the most."""
        found, study = {}, self.study
        for coil in study.coils:
            rates = study.rates(coil.load(study.base))
            found[coil.label] = (rates if rates.ndim == 1 else np.array([rates.min(), rates.max()])).tolist()
        return found

    @property
    def targets(self) -> list[dict[str, Any]]:
        """Where each target lies on each head."""
        found = []
        for entry, head in zip(self.study.heads, self.facts.heads, strict=True):
            for target, facts in zip(self.study.targets, head.targets, strict=True):
                found.append({"head": entry.label, "target": target.label, **vars(facts)})
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`."""
        return vars(self.takes) | {"store": self.study.output, "didt": self.didt, "targets": self.targets}


def look(study: Study, probe: bool) -> Plan:
    """Check all that a run would refuse, and estimate what it takes.

    Raises
    ------
    InputError, StudyError
        As a run would.
    """
    place = check_output(study)
    facts = survey(study, lambda done, total, note: ERR.print(note, markup=False))
    found = (estimate.probe if probe else estimate.estimate)(study, facts, left(study, facts))
    free = shutil.disk_usage(place).free
    if free < found.bytes:
        remark(f"the disk has {_size(free)} free, and the study may take {_size(found.bytes)}")
    return Plan(study, facts, found)


def print_plan(plan: Plan) -> None:
    """Tables of counts, drives and targets, and where the time comes from."""
    OUT.print(_counts(plan.study, plan.takes))
    for coil, rates in plan.didt.items():
        said = ", ".join(f"{rate / 1e6:g}" for rate in rates)
        say(f"dI/dt of {coil}: {said} A/us")
    OUT.print(_targets(plan))
    say(f"time: {plan.takes.source}")


def _targets(plan: Plan) -> Table:
    table = Table("head", "target", title="Targets on the heads (mm)")
    for name in ("x", "y", "z", "radius", "tetrahedra"):
        table.add_column(name, justify="right")
    table.add_column("found")
    for one in plan.targets:
        numbers = [f"{value:.1f}" for value in (*one["center_mm"], one["radius_mm"])]
        note = one["note"] or ("no preferred direction" if one["direction"] is None else "")
        table.add_row(one["head"], one["target"], *numbers, str(one["tets"]), note)
    return table


def _counts(study: Study, found: Estimate) -> Table:
    """How much of what."""
    table = Table("what", title=f"{study.document.get('title') or study.output}: nothing is computed now")
    table.add_column("how much", justify="right")
    sizes = f"{len(study.heads)} heads x {len(study.targets)} targets x {len(study.coils)} coils"
    table.add_row("cells", f"{found.cells} = {sizes}")
    table.add_row("placements", f"{found.placements} = {found.cells} x {study.count}")
    if found.there:
        table.add_row("of them computed before", str(found.there))
    table.add_row("drives", str(len(study.drive.values)))
    table.add_row("rows of the table", str(found.rows))
    table.add_row("chunks", f"{found.chunks} of {study.chunk} placements")
    table.add_row("engine", study.engine.kind)
    table.add_row("solves, at most", str(found.solves))
    table.add_row("disk, at most", _size(found.bytes))
    table.add_row("time in one process", f"about {duration(found.seconds)}")
    return table


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
