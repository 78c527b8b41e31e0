"""Compiling kernels in two more processes while `efield simulate` prepares.

The first run on a machine compiles every Numba kernel, about a minute of one core, and keeps the result for later runs.
Compilation holds Python's interpreter lock, so threads do not help; other processes do, and their results reach this
one through Numba's cache on disk. One compiles solver, recovery and the second opinion, the other what is before and
after them: the coil, loads and fields of elements, measures and volumes. What a run needs at once it compiles itself.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final, Self

import numpy as np
from scipy.sparse import diags

from efield.coils.primary import dadt
from efield.fem.assembly import LinearElements
from efield.fem.problem import FemProblem
from efield.fem.solvers import make_solver
from efield.ground.pose import Pose
from efield.ground.units import mm_to_m
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head
from efield.io.load import load_coil
from efield.kernels.elements import recovery
from efield.targeting.field import paint
from efield.targeting.measures import Rows, TargetMeasures, weighted_percentile

_LONGEST_S = 120.0


class Warmup:
    """Processes that compile kernels; none is started when they have been compiled before."""

    def __init__(self) -> None:
        # -P: the package that runs, not one that happens to lie in the current folder.
        command = [sys.executable, "-P", "-m", "efield.app.warmup"]
        quiet = subprocess.DEVNULL
        # Our own module under our own interpreter; nothing of it comes from input.
        self._processes = [
            subprocess.Popen([*command, part], stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603
            for part in ([] if _compiled_before() else _PARTS)
        ]

    def wait(self) -> None:
        """Return when the kernels are there; if a process failed they are compiled here, when they are called."""
        until = monotonic() + _LONGEST_S
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(until - monotonic(), 0.0))
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the processes that are still running."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _compiled_before() -> bool:
    folder = recovery.recover.stats.cache_path
    # Nothing is kept where no folder can be written: a second process could not hand on what it compiles.
    return folder is None or any(Path(folder).glob("recovery.recover-*.nbi"))


def _compile_solver() -> None:
    """Run the kernels of solver, recovery and second opinion once, on a small problem, with a simulation's types."""
    n = 2000
    chain = diags([-np.ones(n - 1), np.r_[1.0, np.full(n - 2, 2.0), 1.0], -np.ones(n - 1)], [-1, 0, 1]).tocsr()
    load = np.zeros((n, 1))
    load[0], load[-1] = 1.0, -1.0
    make_solver("multigrid", chain, np.arange(3 * n).reshape(n, 3) / n).solve(load, 1e-2)
    head = sphere_head(edge_mm=25.0)
    problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid", device="cpu")
    phi, primary = np.linspace(0.0, 1.0, len(head.points)), np.zeros(head.points.shape)
    _ = problem.recovered_field(phi, primary).field
    problem.second_opinion(phi, primary).at(np.zeros(1, np.int64), np.full((1, 4), 0.25))


def _compile_others() -> None:
    """Run the kernels of a coil of wires, of loads, fields of elements, measures and volumes once, in that order."""
    head = sphere_head(edge_mm=25.0)
    given = dadt(load_coil("d70"), Pose(np.eye(4)), head.points + np.array([0.0, 0.0, 200.0]), 1e6)
    linear = LinearElements(mm_to_m(head.points), np.ascontiguousarray(head.tets), Conductivity().per_tet(head))
    linear.load(given[..., None])
    linear.field(np.zeros((len(head.points), 1)), given[..., None])
    volume = np.zeros((2, 2, 2), np.float32)
    paint(head, head.tags[0], given, volume, np.eye(4))
    places = np.arange(3)
    corners, faces = np.repeat(places[:, None], 4, axis=1), np.repeat(places[:, None], 3, axis=1)
    recovery.centers(given[..., None], corners)
    weighted_percentile(np.linspace(0.0, 1.0, 3), np.ones(3), 50.0)
    names = tuple(map(str, range(12)))
    measures = TargetMeasures(names, np.ones(3), np.ones((3, 3)), np.ones(3), np.array([0.0, 0.0, 1.0]))
    measures.of_rows(given[:3][None], Rows(places, corners, faces))


_PARTS: Final = {"solver": _compile_solver, "others": _compile_others}

if __name__ == "__main__":
    _PARTS[sys.argv[1]]()
