"""Compiling the kernels of solver, field and measures in a second process while `efield simulate` prepares.

The first run on a machine compiles every Numba kernel, about 35 s of one core, and keeps the result for later runs.
Compilation holds Python's interpreter lock, so threads do not help; a second process does, and its results reach this
one through Numba's cache on disk.
"""

import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from scipy.sparse import diags

from efield.fem.problem import FemProblem
from efield.fem.solvers import make_solver
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head
from efield.io.load import load_coil
from efield.kernels.elements import recovery
from efield.targeting.field import EField
from efield.targeting.measures import TargetMeasures
from efield.targeting.target import Target

_LONGEST_S = 120.0


class Warmup:
    """A second process that compiles kernels; none is started when they have been compiled before."""

    def __init__(self) -> None:
        # -P: the package that runs, not one that happens to lie in the current folder.
        command = [sys.executable, "-P", "-m", "efield.app.warmup"]
        quiet = subprocess.DEVNULL
        # Our own module under our own interpreter; nothing of it comes from input.
        self._process = (
            None if _compiled_before() else subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603
        )

    def wait(self) -> None:
        """Return when the kernels are there; if the process failed they are compiled here, when they are called."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LONGEST_S)
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process if it is still running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _compiled_before() -> bool:
    folder = recovery.recover.kernel.stats.cache_path
    # Nothing is kept where no folder can be written: a second process could not hand on what it compiles.
    return folder is None or any(Path(folder).glob("recovery.recover-*.nbi"))


def _compile() -> None:
    """Run the kernels once, on a small problem, with the types that a simulation has."""
    n = 2000
    chain = diags([-np.ones(n - 1), np.r_[1.0, np.full(n - 2, 2.0), 1.0], -np.ones(n - 1)], [-1, 0, 1]).tocsr()
    load = np.zeros((n, 1))
    load[0], load[-1] = 1.0, -1.0
    make_solver("multigrid", chain, np.arange(3 * n).reshape(n, 3) / n).solve(load, 1e-2)
    head = sphere_head(edge_mm=25.0)
    problem = FemProblem(head, Conductivity().per_tet(head), solver="multigrid", device="cpu")
    phi, dadt = np.linspace(0.0, 1.0, len(head.points)), np.zeros(head.points.shape)
    field = EField(
        head=head,
        e=np.zeros((len(head.tets), 3)),
        didt=1e6,
        coil=load_coil("d70"),
        pose=Pose(np.eye(4)),
        iterations=0,
        recover=partial(problem.recovered_field, phi, dadt),
    )
    _ = field.recovered.field
    problem.second_opinion(phi, dadt).at(np.zeros(1, np.int64), np.full((1, 4), 0.25))
    target = Target.sphere(center_mm=(0.0, 0.0, 60.0), radius_mm=25.0)
    TargetMeasures.at(head, target).of_field(field, target)
    field.magnitude_on_grid((2, 2, 2), np.eye(4))


if __name__ == "__main__":
    _compile()
