"""Measures of many placements near each other: some are solved, the others are sums of these.

The placements whose primary fields differ most are solved, a few together. Each few test those before them: once they
are predicted, all others are.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.progress import Progress, Tell, told
from efield.planning.placement_fields import TOGETHER
from efield.planning.response import PrimaryProbe, Response, telling
from efield.planning.target_rows import TargetRows
from efield.targeting.simulate import Simulator, evaluator, primary_at, worth_storing
from efield.targeting.targets import Target

#: What is predicted agrees with what is solved when E is off nowhere in the target by more than this share of the
#: largest there. Solves stop at a hundredth of it.
AGREED: Final = 2e-4
_TOL: Final = 2e-6


def displaced_measures(
    sim: Simulator, coil: Coil, poses: list[Pose], target: Target, didt: float, progress: Progress = None
) -> tuple[FloatArray, int]:
    """(p, m) measures of a target at placements that are near each other, and how many of these were solved.

    Parameters
    ----------
    sim : Simulator
        Of first order.
    coil : Coil
    poses : list of Pose
        Looked at already.
    target : Target
    didt : float, A/s
    progress : bool or callable, optional
    """
    problem, rows = sim.problem, TargetRows(sim, target)
    direct = not worth_storing(len(problem.nodes_mm), len(poses))
    middle = np.mean([pose.center_mm for pose in poses], axis=0)
    seen = PrimaryProbe(sim.head, middle, target, evaluator(coil, direct, sim.cache))(poses)

    def solved(chosen: NDArray[np.intp]) -> FloatArray:
        primary = primary_at(sim, coil, [poses[k] for k in chosen], didt, direct)
        return rows.solved(primary, len(chosen), max(_TOL, problem.tol))

    with told(progress, "displaced placements", "solves", len(poses)) as tell:
        order, fields = _until_predicted(seen, solved, tell)
    measures = np.empty((len(poses), len(rows.measures.names)))
    measures[order[: len(fields)]] = rows.measured(fields)
    if len(rest := order[len(fields) :]):
        measures[rest] = rows.measured(Response(seen[order[: len(fields)]], fields)(seen[rest]))
    return measures, len(fields)


def _until_predicted(
    seen: FloatArray, solved: Callable[[NDArray[np.intp]], FloatArray], tell: Tell
) -> tuple[NDArray[np.intp], FloatArray]:
    """Numbers of all placements seen (p, s), and the fields (k, q, 3) of the first k, which tell all others."""
    order = telling(seen, len(seen))
    fields = solved(order[:TOGETHER])
    while len(fields) < len(order):
        count = len(fields)
        tell(count, len(order), "")
        chosen = order[count : count + TOGETHER]
        new = solved(chosen)
        off = _off(Response(seen[order[:count]], fields)(seen[chosen]), new)
        fields = np.concatenate([fields, new])
        if off <= AGREED:
            break
    tell(len(order), len(order), f"{len(fields)} solved")
    return order, fields


def _off(predicted: FloatArray, solved: FloatArray) -> float:
    """The largest difference of E (b, q, 3) at any place, as a share of the largest |E| of its placement."""
    size = np.linalg.norm(solved, axis=2).max(axis=1)
    return float((np.linalg.norm(predicted - solved, axis=2).max(axis=1) / size).max())
