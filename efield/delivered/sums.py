"""One pass over the fields of all pulses: measures of each, maps of all, and the regression of responses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from efield.delivered.fields import UNIT_DIDT, PulseFields
from efield.delivered.localize import FEWEST, Localization, localize
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER
from efield.io.poses.pose_table import PoseTable
from efield.targeting.measures import TargetMeasures
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """What a pass over all pulses gives.

    Parameters
    ----------
    measures : dict of str to (n + 1,) ndarray
        At 1 A/us, of every pulse and of the reference behind them.
    maps : dict of str to (g,) ndarray
        Over the nodes of gray matter.
    localization : Localization or None
    """

    measures: dict[str, FloatArray]
    maps: dict[str, FloatArray]
    localization: Localization | None


def summed(
    fields: PulseFields, head: HeadMesh, target: Target, table: PoseTable, didt: FloatArray, reach_mm: float
) -> Sums:
    """Measures, maps and localization.

    Parameters
    ----------
    fields : PulseFields
        Of the pulses, and of the reference behind them.
    head : HeadMesh
    target : Target
    table : PoseTable
    didt : (n,) float, A/s
    reach_mm : float
        Responses are looked for within this distance of the target.
    """
    measures, rows = TargetMeasures.at(head, target), fields.places.rows
    nodes = fields.places.nodes
    near = np.flatnonzero(np.linalg.norm(head.points[nodes] - target.center_mm, axis=1) <= reach_mm)
    response = np.append(table.columns.get("mep_uv", np.full(len(table), np.nan)), np.nan)
    # The reference is no pulse.
    size = np.append(np.abs(didt) / UNIT_DIDT, 0.0).astype(np.float32)
    answers, seen, total = [], [], np.zeros(len(nodes))
    for part, e in fields.parts():
        magnitude = np.sqrt(np.einsum("pgk,pgk->pg", e[:, : len(nodes)], e[:, : len(nodes)])) * size[part, None]
        total += magnitude.sum(axis=0)
        seen.append(magnitude[np.isfinite(response[part])][:, near])
        answers.append(measures.of_rows(e, rows))
    table_of = dict(zip(measures.names, np.concatenate(answers).T, strict=True))
    maps = {"mean": total / len(table), "cumulative": total}
    known = response[np.isfinite(response)]
    if len(known) < FEWEST:
        return Sums(table_of, maps, None)
    found = localize(np.concatenate(seen), known, head.points[nodes[near]], _volumes(head)[nodes[near]])
    for name, fit in (("r2", found.sigmoid), ("r2_line", found.line)):
        maps[name] = np.full(len(nodes), np.nan)
        maps[name][near] = fit.r2
    return Sums(table_of, maps, found)


def _volumes(head: HeadMesh) -> FloatArray:
    """(n,) mm3 of gray matter that each node of a head stands for."""
    gray = head.tissue == GRAY_MATTER
    shares = np.repeat(head.volumes[gray] / 4.0, 4)
    return np.bincount(head.tets[gray].ravel(), shares, len(head.points)).astype(np.float64)
