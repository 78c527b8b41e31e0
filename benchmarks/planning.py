"""The best placement and how sure it is: seconds, and the optimum against every placement of a fine grid.

    python -m benchmarks planning [--head NAME] [--coil NAME] [--target NAME] [--grid-mm 1] [--grid-deg 2]
                                  [--grid-radius-mm 20] [--skip-optimize] [--skip-grid]
                                  [--skip-uncertainty]

The grid's placements are tangential, so that the optimum is looked for without tilts, too, for the comparison. What
every placement does is told by a response (`efield.planning.response`) that is finer than the search's own and checked
at full solves that are not in it. First all are held as near as the gap under the coil's center allows: with the gap
that is asked for they are as near, or farther out and weaker, so that those that are weaker than ours already need not
be laid. The best of the others are solved fully beside ours.
Seconds are of the clock and of the processor, all threads together: half of the latter is what two free cores need.
"""

import argparse
import os
import time
from contextlib import contextmanager
from typing import Any

import numpy as np

import efield as ef
from efield.ground.pose import Pose
from efield.io.cache_folder import cache_folder
from efield.planning.goals import Goal
from efield.planning.placement_fields import Solves
from efield.planning.response import PrimaryProbe, Response, telling
from efield.sweeping.grid import Placements, plane_over
from efield.targeting.naming import target_of
from efield.targeting.simulate import evaluator

#: Placements that a response is made of, those it is checked at, and those from which both are taken.
SNAPSHOTS, CHECKED, POOL = 72, 16, 256

#: A placement that is weaker than ours by this share before it is laid is not laid. Of so many of the stronger half it
#: is looked at whether laying makes them weaker.
WEAKER, LAID = 2e-3, 300

#: So many of the best of the grid are solved.
SOLVED = 8

MEASURES = {"magnitude": "mean_magnitude", "along": "along"}


@contextmanager
def clocked(name: str):
    """Prints seconds of the clock, of the processor, and the load."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:<46} {wall:8.1f} s {cpu:8.1f} s CPU, half {cpu / 2:6.1f}, load {os.getloadavg()[0]:.1f}", flush=True)


def found(best: Any) -> str:
    """An optimum in a line."""
    at = ", ".join(f"{name} {value:.4g}" for name, value in best.place.items())
    gain = f"gain {100 * best.gain:+.2f} %, {best.solves} solves, predicted within {best.predicted_error:.0e}"
    return f"  {best.value:.5f} {best.unit}, {gain}: {at}"


class Everywhere:
    """Both goals of any placement of a grid, and how far off they are at solves that are not in it."""

    def __init__(self, sim: ef.Simulator, coil: ef.Coil, target: ef.Target, grid: ef.PlacementGrid) -> None:
        primary = evaluator(coil, False, sim.cache)
        foot = plane_over(sim.head, target)[:3, 3]
        self.probe, self.goals = PrimaryProbe(sim.head, foot, target, primary), {}
        for name in MEASURES:
            self.goals[name] = Goal.of(sim.head, name, target, (), whole=True)
        numbers = np.random.default_rng(0).permutation(grid.count)[:POOL]
        laid = grid.on(sim.head, target, coil, numbers=numbers[: POOL // 2])
        near = grid.on(sim.head, target, coil, numbers=numbers[POOL // 2 :], lift=False)
        matrices = np.concatenate([laid.matrices, near.matrices])
        seen = np.array([self.probe(Pose(one)) for one in matrices])
        order = telling(seen, POOL)
        chosen = np.concatenate([order[:SNAPSHOTS], np.random.default_rng(1).permutation(order[SNAPSHOTS:])[:CHECKED]])
        solves = Solves(sim, primary, self.goals["magnitude"].tets, 1e-6)
        fields = solves([Pose(matrices[k]) for k in chosen])
        self.response = Response(seen[chosen[:SNAPSHOTS]], fields[:SNAPSHOTS])
        told, full = self.response(seen[chosen[SNAPSHOTS:]]), fields[SNAPSHOTS:]
        for name, goal in self.goals.items():
            off = np.abs(goal(told) - goal(full)).max()
            print(f"  {name}: within {off:.1e} V/m at {CHECKED} solves that are not in it")

    def __call__(self, matrices: np.ndarray) -> dict[str, np.ndarray]:
        """(p,) goals of placements (p, 4, 4) by name, V/m."""
        parts = []
        for first in range(0, len(matrices), 512):
            seen = [self.probe(Pose(one)) for one in matrices[first : first + 512]]
            fields = self.response(seen)
            parts.append([goal(fields) for goal in self.goals.values()])
        return dict(zip(self.goals, np.concatenate(parts, axis=1), strict=True))


def compared(sim: ef.Simulator, coil: ef.Coil, target: ef.Target, best: Any, placed: Placements) -> None:
    """Full solves of the grid's best beside ours."""
    poses = [Pose(one) for one in placed.matrices]
    values = [field.summary(target)[MEASURES[best.goal]] for field in sim.solve_many(coil, [*poses, best.pose])]
    first = int(np.argmax(values[:-1]))
    at = {name: float(placed.coordinates[name][first]) for name in ("u_mm", "v_mm", "angle_deg")}
    share = 100 * (values[-1] / values[first] - 1)
    print(f"  the grid's best {values[first]:.5f} at {at}; ours {values[-1]:.5f}: {share:+.3f} %", flush=True)


def against_grid(sim: ef.Simulator, coil: ef.Coil, target: ef.Target, options: argparse.Namespace) -> None:
    """Ours without tilts against every placement of the grid, for both goals."""
    angles = tuple(np.arange(0.0, 360.0, options.grid_deg))
    grid = ef.PlacementGrid(options.grid_radius_mm, options.grid_mm, angles)
    with clocked("a response"):
        told = Everywhere(sim, coil, target, grid)
    with clocked(f"{grid.count:,} placements"):
        near = told(grid.on(sim.head, target, coil, lift=False).matrices)
    for goal in MEASURES:
        strong = np.flatnonzero(near[goal] >= 0.5 * near[goal].max())
        some = np.random.default_rng(2).permutation(strong)[:LAID]
        laid = told(grid.on(sim.head, target, coil, numbers=some).matrices)[goal]
        gained = (laid - near[goal][some]).max() / near[goal].max()
        with clocked(f"optimize, {goal}, without tilts"):
            best = ef.optimize(sim, coil, target, goal, radius_mm=options.grid_radius_mm, tilt_deg=0.0)
        print(found(best))
        left = np.union1d(np.flatnonzero(near[goal] >= (1 - WEAKER) * best.value), np.argsort(near[goal])[-SOLVED:])
        print(f"  laying adds {gained:+.1e} of the largest to {len(some)} at most; {len(left):,} are laid")
        with clocked(f"those of the grid that may be better, {goal}"):
            placed = grid.on(sim.head, target, coil, numbers=left)
            compared(sim, coil, target, best, placed[np.argsort(told(placed.matrices)[goal])[::-1][:SOLVED]])


def how_sure(sim: ef.Simulator, coil: ef.Coil, target: ef.Target) -> None:
    """Seconds of a whole uncertainty, and what the conductivity model misses."""
    pose = ef.place_coil(sim.head, target, "best", coil=coil)
    with clocked("uncertainty, conductivity and 48 placements"):
        sure = ef.uncertainty(sim, coil, pose, target, placement="navigated")
    print(f"  {sure.text('mean_magnitude')}; the model misses {sure.model_error['mean_magnitude']:.1e} V/m", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default="mni152")
    parser.add_argument("--coil", default="magstim-70mm-figure8")
    parser.add_argument("--target", default="m1-hand-left")
    parser.add_argument("--grid-mm", type=float, default=1.0)
    parser.add_argument("--grid-deg", type=float, default=2.0)
    parser.add_argument("--grid-radius-mm", type=float, default=20.0)
    parser.add_argument("--skip-optimize", action="store_true")
    parser.add_argument("--skip-grid", action="store_true")
    parser.add_argument("--skip-uncertainty", action="store_true")
    options = parser.parse_args()
    head, coil = ef.load_head(options.head), ef.load_coil(options.coil)
    target = target_of(head, options.target)
    with clocked("preparing the solver"):
        sim = ef.Simulator(head, cache=cache_folder())
    with clocked("one placement"):
        sim.solve(coil, ef.place_coil(head, target, "best", coil=coil))
    search = ef.optimize  # imported before the clock starts
    for goal in () if options.skip_optimize else ("magnitude", "along", "focality"):
        with clocked(f"optimize, {goal}"):
            best = search(sim, coil, target, goal)
        print(found(best), flush=True)
    if not options.skip_uncertainty:
        how_sure(sim, coil, target)
    if not options.skip_grid:
        against_grid(sim, coil, target, options)


if __name__ == "__main__":
    main()
