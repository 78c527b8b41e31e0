"""The best placement and how sure it is: seconds, and the optimum against every placement of a fine grid.

    python -m benchmarks planning [--head NAME] [--coil NAME] [--target NAME] [--grid-mm 1] [--grid-deg 2]
                                  [--grid-radius-mm 12] [--skip-optimize] [--skip-grid]
                                  [--skip-uncertainty]

The grid's placements are tangential, so that the optimum is looked for without tilts, too, for the comparison. Of the
goal along, reciprocity tells the whole grid. Of magnitude it tells the size of the mean E, and where that is within a
share of its largest a certified reduced basis tells mean |E|. The best of the grid and ours are then solved fully.
Seconds are of the clock and of the processor, all threads together: half of the latter is what two free cores need.
"""

import argparse
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

import efield as ef
from efield.ground.pose import Pose
from efield.io.cache_folder import cache_folder
from efield.reciprocity.reciprocal import Reciprocal, reciprocal
from efield.sweeping.grid import Placements
from efield.targeting.naming import target_of

#: Placements of the grid whose |mean E| is within this share of the largest are looked at for mean |E|.
NEAR = 0.06

#: So many of the best of the grid are solved.
SOLVED = 4

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


def settled(grid: ef.PlacementGrid, sim: ef.Simulator, target: ef.Target, coil: ef.Coil) -> Placements:
    """The placements of a grid on the head."""
    placed = grid.on(sim.head, target, coil)
    print(f"  {len(placed):,} placements")
    return placed


def best_along(adjoint: Reciprocal, coil: ef.Coil, placed: Placements) -> np.ndarray:
    """Numbers of the best placements, of the component along the target's direction."""
    values = adjoint.mean(coil, placed.matrices, exact=False) @ adjoint.target.direction
    return np.argsort(values)[::-1][:SOLVED]


def best_magnitude(adjoint: Reciprocal, coil: ef.Coil, placed: Placements, basis: ef.ReducedBasis) -> np.ndarray:
    """Numbers of the best placements, of mean |E|: by the basis, where |mean E| is near its largest."""
    sizes = adjoint.magnitude(coil, placed.matrices, exact=False)
    near = np.flatnonzero(sizes >= (1 - NEAR) * sizes.max())
    table = ef.sweep(basis, coil, placed.matrices[near], target=adjoint.target)
    print(f"  {len(near):,} of them by the basis: {basis.certificate}")
    return near[np.argsort(table["mean_magnitude"].values)[::-1][:SOLVED]]


def compared(
    sim: ef.Simulator, coil: ef.Coil, target: ef.Target, best: Any, placed: Placements, top: np.ndarray
) -> None:
    """Full solves of the grid's best beside ours."""
    poses = [Pose(placed.matrices[k]) for k in top]
    values = [field.summary(target)[MEASURES[best.goal]] for field in sim.solve_many(coil, [*poses, best.pose])]
    first = int(np.argmax(values[:-1]))
    at = {name: float(placed.coordinates[name][top[first]]) for name in ("u_mm", "v_mm", "angle_deg")}
    share = 100 * (values[-1] / values[first] - 1)
    print(f"  the grid's best {values[first]:.5f} at {at}; ours {values[-1]:.5f}: {share:+.3f} %", flush=True)


def against_grid(sim: ef.Simulator, coil: ef.Coil, target: ef.Target, options: argparse.Namespace) -> None:
    """Ours without tilts against every placement of the grid, for both goals."""
    angles = tuple(np.arange(0.0, 360.0, options.grid_deg))
    grid = ef.PlacementGrid(options.grid_radius_mm, options.grid_mm, angles)
    with clocked("grid"):
        placed = settled(grid, sim, target, coil)
    with clocked("adjoint solves"):
        adjoint = reciprocal(sim, target, axes=True)
    with clocked("basis"):
        limits: dict[str, Any] = {"tilt_deg": 1.0, "distance_mm": (4.0, 5.0)}
        basis = ef.ReducedBasis.build(
            sim, coil, target, radius_mm=options.grid_radius_mm + 1, region_radius_mm=20.0, **limits
        )
    ranked: dict[str, Callable[[], np.ndarray]] = {
        "along": lambda: best_along(adjoint, coil, placed),
        "magnitude": lambda: best_magnitude(adjoint, coil, placed, basis),
    }
    for goal, rank in ranked.items():
        with clocked(f"best of the grid, {goal}"):
            top = rank()
        with clocked(f"optimize, {goal}, without tilts"):
            best = ef.optimize(sim, coil, target, goal, radius_mm=options.grid_radius_mm, tilt_deg=0.0)
        print(found(best))
        compared(sim, coil, target, best, placed, top)


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
    parser.add_argument("--grid-radius-mm", type=float, default=12.0)
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
    for goal in () if options.skip_optimize else ("magnitude", "along", "focality"):
        with clocked(f"optimize, {goal}"):
            best = ef.optimize(sim, coil, target, goal)
        print(found(best), flush=True)
    if not options.skip_uncertainty:
        how_sure(sim, coil, target)
    if not options.skip_grid:
        against_grid(sim, coil, target, options)


if __name__ == "__main__":
    main()
