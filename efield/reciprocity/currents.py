"""Adjoint currents of a target, and the potential they make outside the head: read where they were kept, or made."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from efield.fem.adjoint import adjoint_weights
from efield.ground.arrays import FloatArray
from efield.ground.progress import Progress, told
from efield.head.mesh import HeadMesh
from efield.io.kept import Kept
from efield.io.sealed import SealError
from efield.reciprocity.outside_potential import ExteriorField
from efield.targeting.fingerprint import digest, head_digest
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: Of the files.
_FORMAT: Final = 2


def adjoint_currents(
    sim: Simulator,
    target: Target,
    directions: FloatArray,
    made_with: Mapping[str, str | float],
    folder: Path | None,
    progress: Progress,
) -> FloatArray:
    """(d, n, 3) currents of the adjoint solves, from a file of the folder if they are there."""
    tets = target.tets(sim.head)
    made_of = {"format": _FORMAT, **made_with, "target": digest(tets, directions)}
    kept = None if folder is None else Kept(folder, "adjoint", made_of)
    if kept is not None:
        with suppress(SealError):
            return np.asarray(kept.read()["currents"])
    share = sim.head.volumes[tets] / sim.head.volumes[tets].sum()
    weights = np.zeros((len(sim.head.tets), 3, len(directions)))
    weights[tets] = share[:, None, None] * directions.T
    count = len(directions)
    with told(progress, "adjoint", "solves", count) as tell:
        tell(0, count, target.name)
        found = adjoint_weights(sim.problem, weights, float(made_with["solver_tol"]), recovered=True)
        tell(count, count, target.name)
    currents = np.ascontiguousarray(np.moveaxis(found, 2, 0))
    if kept is not None:
        kept.write({"currents": currents})
    return currents


@dataclass(frozen=True, eq=False)
class Outside:
    """The potential of adjoint currents outside a head, made or read when it is first asked for.

    Parameters
    ----------
    head : HeadMesh
    currents : (d, n, 3) float
    folder : Path or None
        Where it is kept; without one it is made in each process.
    """

    head: HeadMesh
    currents: FloatArray
    folder: Path | None

    @cached_property
    def potential(self) -> ExteriorField:
        """On an octree."""
        if (kept := self._file) is None:
            return ExteriorField.of(self.head, self.currents)
        with suppress(SealError):
            arrays = kept.read()
            return ExteriorField(**arrays | {"half": float(arrays["half"])})  # type: ignore[arg-type]
        found = ExteriorField.of(self.head, self.currents)
        kept.write({name: np.asarray(value) for name, value in vars(found).items()})
        return found

    @property
    def stored(self) -> bool:
        """Whether it is in memory already."""
        return "potential" in vars(self)

    @property
    def kept(self) -> bool:
        """Whether it lies in the folder."""
        return self._file is not None and self._file.path.is_file()

    @property
    def _file(self) -> Kept | None:
        if self.folder is None:
            return None
        made_of = {"format": _FORMAT, "head": head_digest(self.head), "currents": digest(self.currents)}
        return Kept(self.folder, "outside", made_of)
