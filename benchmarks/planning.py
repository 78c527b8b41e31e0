"""The best placement and how sure it is: seconds, and the optimum against every placement of a fine grid.

    python -m benchmarks planning [--head NAME] [--coil NAME] [--target NAME] [--goals GOAL ...]
                                  [--grid-mm 1] [--grid-deg 2] [--grid-radius-mm 20]
                                  [--skip-optimize] [--skip-grid] [--skip-uncertainty]

The grid's placements are tangential, so that the optimum is looked for without tilts, too, for the comparison. What
every placement does is told by a response (`efield.planning.response`) that is finer than the search's own and checked
at full solves that are not in it. First all are held with the gap that is asked for under the coil's center, where they
are as near as laid ones or nearer, and focality's mean over the rest of gray matter is one over a few thousand places
of it. What both change is measured where placements are good, and those that twice as much would not make as good as
ours are left out. The others are laid, told with all of gray matter, and the best of them solved fully beside ours.
Seconds are of the clock and of the processor, all threads together: half of the latter is what two free cores need.
"""

import argparse
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

import efield as ef
from efield.ground.pose import Pose
from efield.io.cache_folder import cache_folder
from efield.planning.goals import Goal
from efield.planning.placement_fields import Solves
from efield.planning.response import PrimaryProbe, Response, telling
from efield.planning.words import GOALS
from efield.sweeping.grid import Placements, plane_over
from efield.targeting.naming import target_of
from efield.targeting.simulate import evaluator

#: Placements that a response is made of, those it is checked at, and those from which both are taken.
SNAPSHOTS, CHECKED, POOL = 72, 16, 256

#: So many tetrahedra stand for the rest of gray matter until placements are few.
FEW = 4000

#: At so many of the best hundredth of the placements it is looked at what laying them, and all of gray matter, changes.
LAID, GOOD = 300, 0.01

#: So many of the best of the grid are solved.
SOLVED = 8

#: Places at which there are fields in memory, of all placements that are told together.
TOGETHER = 1 << 21


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
    value = f"{best.value:.5f} {best.unit}".removesuffix(" 1")
    return f"  {value}, {gain}: {at}"


class Snapshots:
    """Some of a grid's placements, solved in the target and in all other gray matter."""

    def __init__(self, sim: ef.Simulator, coil: ef.Coil, target: ef.Target, grid: ef.PlacementGrid) -> None:
        primary = evaluator(coil, False, sim.cache)
        self.probe = PrimaryProbe(sim.head, plane_over(sim.head, target)[:3, 3], target, primary)
        numbers = np.random.default_rng(0).permutation(grid.count)[:POOL]
        laid = grid.on(sim.head, target, coil, numbers=numbers[: POOL // 2])
        near = grid.on(sim.head, target, coil, numbers=numbers[POOL // 2 :], lift=False)
        matrices = np.concatenate([laid.matrices, near.matrices])
        seen = self.look(matrices)
        order = telling(seen, POOL)
        chosen = np.concatenate([order[:SNAPSHOTS], np.random.default_rng(1).permutation(order[SNAPSHOTS:])[:CHECKED]])
        tets = Goal.of(sim.head, "focality", target, (), whole=True).tets
        self.seen, self.fields = seen[chosen], Solves(sim, primary, tets, 1e-6)([Pose(matrices[k]) for k in chosen])

    def look(self, matrices: np.ndarray) -> np.ndarray:
        """(p, s) what the probe sees of placements (p, 4, 4)."""
        return self.probe([Pose(one) for one in matrices])


class Teller:
    """A goal of what is seen of placements, and of focality the same with few places of the rest of gray matter."""

    def __init__(self, goal: Goal, snapshots: Snapshots) -> None:
        seen, fields = snapshots.seen, snapshots.fields[:, : len(goal.tets)]  # the target's come first
        self.goal, self.response = goal, Response(seen[:SNAPSHOTS], fields[:SNAPSHOTS])
        self.few, rows = few_of(goal, fields[:SNAPSHOTS])
        self.few_response = Response(seen[:SNAPSHOTS], fields[:SNAPSHOTS, rows])
        self.times = np.mean(goal(fields[:SNAPSHOTS]) / self.few(fields[:SNAPSHOTS, rows]))  # both are ratios
        full, held = goal(fields[SNAPSHOTS:]), seen[SNAPSHOTS:]
        for places, told in ((len(goal.tets), self.exactly(held)), (len(rows), self(held))):
            print(f"  told of {places:,} places: within {np.abs(told / full - 1).max():.1e} at {CHECKED} other solves")

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        """(p,) the goal of what is seen (p, s), with few places of the rest of gray matter."""
        return self.times * in_blocks(self.few, self.few_response, seen)

    def exactly(self, seen: np.ndarray) -> np.ndarray:
        """(p,) the goal of what is seen (p, s), with all of gray matter."""
        return in_blocks(self.goal, self.response, seen)


def few_of(goal: Goal, fields: np.ndarray) -> tuple[Goal, np.ndarray]:
    """A goal whose rest is a few places, drawn by volume and |E| of solved fields (p, k, 3), and their rows (q,)."""
    inside, volumes = len(goal.target), goal.volumes
    if not len(goal.elsewhere):
        return goal, np.arange(inside)
    share = volumes[inside:] * np.linalg.norm(fields[:, inside:], axis=2).mean(axis=0)
    share /= share.sum()
    drawn = np.sort(np.random.default_rng(0).choice(len(share), FEW, p=share))
    weights = volumes[inside:][drawn] / share[drawn]
    few = replace(goal, elsewhere=goal.elsewhere[drawn], volumes=np.concatenate([volumes[:inside], weights]))
    return few, np.concatenate([np.arange(inside), inside + drawn])


def in_blocks(goal: Goal, response: Response, seen: np.ndarray) -> np.ndarray:
    """(p,) a goal of the fields of what is seen (p, s)."""
    block = max(1, TOGETHER // len(goal.tets))
    return np.concatenate([goal(response(seen[first : first + block])) for first in range(0, len(seen), block)])


def compared(sim: ef.Simulator, coil: ef.Coil, goal: Goal, best: Any, placed: Placements) -> None:
    """Full solves of the grid's best beside ours."""
    poses = [Pose(one) for one in placed.matrices]
    values = [goal(field.in_tets(goal.tets)[None])[0] for field in sim.solve_many(coil, [*poses, best.pose])]
    first = int(np.argmax(values[:-1]))
    at = {name: float(placed.coordinates[name][first]) for name in ("u_mm", "v_mm", "angle_deg")}
    share = 100 * (values[-1] / values[first] - 1)
    print(f"  the grid's best {values[first]:.5f} at {at}; ours {values[-1]:.5f}: {share:+.3f} %", flush=True)


def against_grid(sim: ef.Simulator, coil: ef.Coil, target: ef.Target, options: argparse.Namespace) -> None:
    """Ours without tilts against every placement of the grid."""
    angles = tuple(np.arange(0.0, 360.0, options.grid_deg))
    grid = ef.PlacementGrid(options.grid_radius_mm, options.grid_mm, angles)
    with clocked("solves that tell the grid"):
        snapshots = Snapshots(sim, coil, target, grid)
    with clocked(f"looking at {grid.count:,} placements"):
        seen = snapshots.look(grid.on(sim.head, target, coil, lift=False).matrices)
    for name in options.goals:
        told = Teller(Goal.of(sim.head, name, target, (), whole=True), snapshots)
        with clocked(f"{grid.count:,} placements, {name}"):
            near = told(seen)
        order = np.argsort(near)[::-1]
        some = np.random.default_rng(2).permutation(order[: int(GOOD * len(order))])[:LAID]
        laid = told.exactly(snapshots.look(grid.on(sim.head, target, coil, numbers=some).matrices))
        gained = laid / near[some] - 1
        with clocked(f"optimize, {name}, without tilts"):
            best = ef.optimize(sim, coil, target, name, radius_mm=grid.radius_mm, tilt_deg=0.0)
        print(found(best))
        good = np.flatnonzero(near >= best.value / (1 + 2 * max(0.0, gained.max())))
        print(f"  laid and told exactly: {gained.min():+.1e} to {gained.max():+.1e}; {len(good):,} may be as good")
        with clocked(f"those that may be as good, {name}"):
            placed = grid.on(sim.head, target, coil, numbers=np.union1d(good, order[:SOLVED]))
            exact = told.exactly(snapshots.look(placed.matrices))
            compared(sim, coil, told.goal, best, placed[np.argsort(exact)[::-1][:SOLVED]])


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
    parser.add_argument("--goals", nargs="+", default=list(GOALS), choices=list(GOALS))
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
    for goal in () if options.skip_optimize else options.goals:
        with clocked(f"optimize, {goal}"):
            best = search(sim, coil, target, goal)
        print(found(best), flush=True)
    if not options.skip_uncertainty:
        how_sure(sim, coil, target)
    if not options.skip_grid:
        against_grid(sim, coil, target, options)


if __name__ == "__main__":
    main()
