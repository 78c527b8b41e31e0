"""How a reduced basis answers: from a placement to samples of its primary field, and on to E; or by a full solve."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from efield.basis.any_coil import wire_distance
from efield.basis.build import AnyCoil
from efield.basis.modes import LinearModel
from efield.basis.outputs import Outputs, Reader
from efield.basis.primary import sample
from efield.basis.scalp_patch import ScalpPatch
from efield.coils.model import Coil
from efield.coils.primary import dadt
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.targeting.measures import Rows, region_focality
from efield.targeting.simulate import Simulator


@dataclass(frozen=True, eq=False)
class Answers:
    """What answers for a basis; the parameters are those of `ReducedBasis`.

    Parameters
    ----------
    sim : Simulator
    patch : ScalpPatch
    outputs : Outputs
    points_mm : (s, 3) float
    model : LinearModel
    any_coil : AnyCoil or None
    """

    sim: Simulator
    patch: ScalpPatch
    outputs: Outputs
    points_mm: FloatArray
    model: LinearModel
    any_coil: AnyCoil | None

    def sampled(self, pose: Pose, didt: float, coil: Coil) -> tuple[FloatArray, str]:
        """Samples (s * 3,) of the primary field, and by how much the placement is outside, in words."""
        by = self.patch.outside(pose)
        if by:
            return np.empty(0), by
        serves = self.any_coil
        if serves is not None:
            gap = wire_distance(self.sim.head, coil, pose, serves.clearance_mm)
            if gap < serves.clearance_mm:
                return np.empty(0), f"a wire is {gap:.2g} mm from the scalp, nearer than {serves.clearance_mm:g} mm"
        sampled = sample(coil, pose, self.points_mm, didt, self.sim.cache)
        if serves is not None and (rest := serves.rest(sampled)) > serves.limit:
            by = f"{rest:.1e} of its primary field is not what the basis was made from, more than {serves.limit:.1e}"
        return sampled, by

    def batch(
        self, poses: list[Pose], first: int, didt: float, coil: Coil, outside: str
    ) -> tuple[FloatArray, dict[int, FloatArray]]:
        """Samples (p, s * 3) of some placements, and the full solves (r, 3) of those that are outside."""
        columns, solved = np.zeros((len(poses), 3 * len(self.points_mm))), {}
        for number, pose in enumerate(poses):
            sampled, by = self.sampled(pose, didt, coil)
            if not by:
                columns[number] = sampled
            elif outside == "raise":
                raise outside_error(f"pose {first + number}: {by}")
            else:
                solved[number] = self.solved(coil, pose, didt)
        return columns, solved

    def expanded(
        self, sampled: FloatArray, solved: dict[int, FloatArray], rows: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """E (p, k', 3) at some of the places, of the model or of a full solve."""
        e = self.model.expanded(sampled, rows)
        for number, full in solved.items():
            e[number] = full[rows]
        return e

    def solved(self, coil: Coil, pose: Pose, didt: float) -> FloatArray:
        """(r, 3) E of a full solve at all rows."""
        primary = dadt(coil, pose, self.sim.problem.nodes_mm, didt)[..., None]
        return self._reader(self.sim.problem.solve(primary).phi, primary)[:, :, 0]

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.sim.problem, self.outputs)

    def focality(self, e: NDArray[np.float32], gray: Rows) -> FloatArray:
        """(p,) focality in the region, of E (p, r', 3) at the rows of all gray matter."""
        outputs = self.outputs
        return region_focality(e, gray.corners, outputs.weights[outputs.gray], outputs.focality_unit)


def outside_error(by: str) -> InputError:
    """The error for a placement that a basis is not certified for."""
    return InputError(
        f"the pose must lie on the patch the basis is certified for; instead it is outside: {by}; "
        'move the coil, build a wider basis, or give outside="solve"'
    )
