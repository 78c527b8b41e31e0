"""How a reduced basis comes about: placements drawn and chosen, solved in blocks, fitted, and certified."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from scipy.linalg import qr

from efield.basis import any_coil as loops
from efield.basis.certificate import Certificate, certify
from efield.basis.modes import Fit, Gram, LinearModel, fit
from efield.basis.outputs import Outputs
from efield.basis.primary import Placed, samples
from efield.basis.probe_points import emphasis
from efield.basis.scalp_patch import RIM_IN_MM, RIM_OUT_MM, ScalpPatch
from efield.basis.snapshots import BLOCK, UNIT_DIDT, Snapshots
from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded
from efield.ground.memory import check_room
from efield.ground.pose import Pose
from efield.ground.progress import Tell
from efield.kernels.reduced.modes import times
from efield.targeting.fingerprint import digest
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: Fewest snapshots a basis is fitted with, and most it can have.
FEWEST: Final = 64
MOST: Final = 1024

#: Snapshots are chosen from at least this many placements, or from twice as many as may be solved.
_POOL: Final = 256

#: Placements that choose the regularization and say when to stop, and placements that only certify; per coil if many.
_CHECKS: Final = 16
_HELD_OUT: Final = 32
_CHECKS_EACH: Final = 5
_HELD_OUT_EACH: Final = 8

#: The build stops when the checks are this share of the tolerance: the held-out placements will be a little worse.
_STOP: Final = 0.5

#: A placement of any coil is refused if its primary field is this much worse made up of loops than that of every
#: placement of the certificate.
_MARGIN: Final = 2.0

#: Random combinations that tell how much of a primary field the loops leave over.
_COMBINATIONS: Final = 64

#: Streams of random numbers: training, checks, certificate, and `ReducedBasis.check`.
TRAIN, CHECK, HELD_OUT, FRESH = range(4)


@dataclass(frozen=True, eq=False, repr=False)
class AnyCoil(Carded):
    """When a coil is one that a basis made from loops serves.

    Parameters
    ----------
    clearance_mm : float
        Wires must be this far from the scalp.
    left_over : (c, s * 3) float
        Random combinations of what of the weighted samples the loops do not make up. A few dozen tell its size to
        about a tenth, at a fraction of the time that all of it takes.
    emphasis : (s * 3,) float
        Weight of each sample.
    limit : float
        Largest share of a primary field that may be left over.
    """

    clearance_mm: float
    left_over: FloatArray
    emphasis: FloatArray
    limit: float

    @classmethod
    def of(cls, clearance_mm: float, span: FloatArray, emphasis: FloatArray) -> "AnyCoil":
        """From what the samples span (see `Fit`), without a limit as yet."""
        random = np.random.default_rng(0).standard_normal((_COMBINATIONS, len(emphasis))) / np.sqrt(_COMBINATIONS)
        left_over = random * emphasis - (random @ (span / emphasis).T) @ span
        return cls(clearance_mm, np.ascontiguousarray(left_over), emphasis, np.inf)

    def rest(self, sampled: FloatArray) -> float:
        """Share of a primary field (s * 3,) that loops do not make up."""
        whole = float(np.sum((self.emphasis * sampled) ** 2))
        # The kernel is compiled for arrays without gaps; a column of a matrix has some.
        left = times(self.left_over, np.ascontiguousarray(sampled))
        return float(np.sqrt(np.sum(left**2) / whole)) if whole else 0.0

    def _card(self) -> Card:
        rows = (
            ("clearance", f"{self.clearance_mm:g} mm from wire to scalp"),
            ("left over", f"up to {self.limit:.1e} of dA/dt"),
        )
        return Card("AnyCoil", rows)


@dataclass(frozen=True, eq=False)
class Plan:
    """What to build a basis of.

    Parameters
    ----------
    sim : Simulator
    coil : Coil or None
        None for any.
    target : Target
    patch : ScalpPatch
    outputs : Outputs
    points_mm : (s, 3) float
        Where the primary field is sampled.
    clearance_mm : float
        Of the wires of any coil.
    tol : float
    max_solves : int
    seed : int
    """

    sim: Simulator
    coil: Coil | None
    target: Target
    patch: ScalpPatch
    outputs: Outputs
    points_mm: FloatArray
    clearance_mm: float
    tol: float
    max_solves: int
    seed: int

    def training(self) -> list[Placed]:
        """Placements to solve, in the order in which they add most to those before.

        Candidates are spread evenly over the patch; of them, pivoted QR of the samples of their primary fields takes
        the one that the ones before make up least.
        """
        count = max(_POOL, 1 << int(np.ceil(np.log2(2 * self.max_solves))))
        seed, head = (self.seed, TRAIN), self.sim.head
        if self.coil is None:
            pool = loops.loops(head, self.patch, self.clearance_mm, count, seed)
        else:
            pool = [(self.coil, pose) for pose in self.patch.poses(count, seed, head, self.coil)]
        sampled = samples(pool, self.points_mm, UNIT_DIDT, self.sim.cache)
        scaled = emphasis(self.points_mm, self.patch.frame[:3, 3])[:, None] * sampled / np.linalg.norm(sampled, axis=0)
        order = qr(scaled, mode="r", pivoting=True)[1][: self.max_solves]
        return [pool[k] for k in order]

    def tests(self, stream: int, count: int | None = None) -> list[Placed]:
        """Placements to test with; `count` of them for each coil."""
        seed, head = (self.seed, stream), self.sim.head
        if self.coil is None:
            names = loops.CHECK_COILS if stream == CHECK else loops.TEST_COILS
            each = count or (_CHECKS_EACH if stream == CHECK else _HELD_OUT_EACH)
            return loops.tests(head, self.patch, self.clearance_mm, names, each, seed)
        number = count or (_CHECKS if stream == CHECK else _HELD_OUT)
        return [(self.coil, pose) for pose in self.patch.poses(number, seed, head, self.coil)]


def grow(
    plan: Plan, settings: dict[str, str], checkpoint: Path | None, tell: Tell
) -> tuple[ScalpPatch, LinearModel, Certificate, AnyCoil | None]:
    """Solve block after block until the checks are good enough or there are no more, then certify.

    The patch comes back with the distances that laid coils had.
    """
    train, check, held = plan.training(), plan.tests(CHECK), plan.tests(HELD_OUT)
    drawn = digest(*(pose.matrix for _, pose in [*train, *check, *held]))
    planned = len(train) + len(check) + len(held)
    fields, remedy = f"{planned} fields at {plan.outputs.rows} places", "give a smaller region_radius_mm or max_solves"
    check_room(12.0 * planned * plan.outputs.rows, fields, remedy)
    shots = Snapshots(plan.sim, plan.outputs, planned, settings | {"drawn": drawn}, checkpoint, tell)
    gram = Gram(plan.outputs.row_weights)
    for block in shots.blocks("check", check):
        gram.add(block)
    sampled = samples([*check, *train], plan.points_mm, UNIT_DIDT, plan.sim.cache)
    weights = emphasis(plan.points_mm, plan.patch.frame[:3, 3])
    found: Fit | None = None
    for solved, block in enumerate(shots.blocks("train", train), 1):
        gram.add(block)
        if len(gram.products) - len(check) < min(FEWEST, len(train)):
            continue
        last = len(gram.products)
        found = fit(gram.products, sampled[:, :last], len(check), weights, plan.tol)
        shots.error = found.error
        if found.error <= _STOP * plan.tol or solved * BLOCK >= len(train):
            break
    assert found is not None  # noqa: S101 (max_solves is at least FEWEST)
    model = LinearModel(*gram.combined(found.combinations, len(check)), found.to_modes)
    solves = len(gram.products) - len(check)
    del gram
    certificate, seen = certified(plan, model, held, shots, solves)
    laid = [pose for _, pose in ([*train, *check] if plan.coil else [*check, *held])]
    # Few of those drawn are hardly tilted and near.
    level = plan.patch.level(plan.sim.head, plan.coil) if plan.coil else []
    patch = _widened(plan.patch, [*laid, *level])
    if plan.coil is not None:
        return patch, model, certificate, None
    serves = AnyCoil.of(plan.clearance_mm, found.span, weights)
    rest = max(serves.rest(column) for column in seen.T)
    return patch, model, certificate, replace(serves, limit=_MARGIN * rest)


def certified(
    plan: Plan, model: LinearModel, held: list[Placed], shots: Snapshots, solves: int
) -> tuple[Certificate, FloatArray]:
    """The certificate of a model at held-out placements, and their samples (s * 3, p)."""
    exact = shots.fields("held-out", held)
    seen = samples(held, plan.points_mm, UNIT_DIDT, plan.sim.cache)
    measures = plan.outputs.measured(plan.sim.head, plan.target)
    names = [coil.name for coil, _ in held]
    return certify(model.fields(seen), exact, plan.outputs, measures, plan.tol, solves, names), seen


def _widened(patch: ScalpPatch, poses: list[Pose]) -> ScalpPatch:
    """The patch with the distances that the origins of laid coils really had.

    Those of a flat coil are about the gaps that were asked for; a bent one's are all farther out, and those of a ring
    farther in, where the head bulges into it.
    """
    low, high = patch.distance_mm
    distances = [patch.station(pose).distance_mm for pose in poses]
    nearest, farthest = min(distances), max(distances)
    known = nearest, farthest - RIM_OUT_MM
    if low - 2 * RIM_IN_MM <= nearest <= low + RIM_OUT_MM:
        known = low, max(high, known[1])
    return ScalpPatch(patch.frame, patch.shape, patch.radius_mm, patch.tilt_deg, known)
