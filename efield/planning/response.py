"""How a field at fixed places follows the placement of a coil: found from placements that were solved.

E in the head is a linear function of the primary field. So it is a sum over the placements that were solved, with the
weights that make their primary fields, looked at on a surface under the scalp, add up to that of the new placement. On
the default head 24 solves predict mean |E| of the hand area within 0.6 % (root mean square, all angles, tilts to 10
degrees, 20 mm around), 36 within 0.25 %, 64 within 0.05 %; Gaussian process regression in the pose missed 9, 4 and 2 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from efield.basis.probe_points import emphasis, sample_points
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.targeting.simulate import Evaluate
from efield.targeting.targets import Target

#: Places at which the primary field is looked at; 300 and 600 gained nothing (default head).
_COUNT: Final = 150

#: Placements that are looked at in one call.
_TOGETHER: Final = 256

#: Added to the diagonal as a share of its mean: primary fields are known to 1e-3 or better, and solves to 1e-4.
_RIDGE: Final = 1e-9


class PrimaryProbe:
    """Looks at a coil's primary field at some hundred places around a target.

    Parameters
    ----------
    head : HeadMesh
    foot : (3,) float, mm
        Scalp over the target.
    target : Target
    primary : callable
        dA/dt of the coil, from a pose, points and dI/dt.
    """

    def __init__(self, head: HeadMesh, foot: FloatArray, target: Target, primary: Evaluate) -> None:
        self._points, self._primary = sample_points(head, foot, target, _COUNT), primary
        self._weight = emphasis(self._points, foot)

    def __call__(self, poses: Sequence[Pose]) -> FloatArray:
        """(p, s) what is seen of placements, weighted."""
        blocks = [poses[first : first + _TOGETHER] for first in range(0, len(poses), _TOGETHER)]
        return np.concatenate([np.empty((0, 3 * len(self._points))), *map(self._seen, blocks)])

    def _seen(self, poses: Sequence[Pose]) -> FloatArray:
        # The places are moved to the coil, so that all placements are one call.
        turns = np.array([pose.rotation for pose in poses])
        away = self._points - np.array([pose.center_mm for pose in poses])[:, None]
        fields = self._primary(Pose(np.eye(4)), (away @ turns).reshape(-1, 3), 1e6)
        turned = fields.reshape(away.shape) @ turns.transpose(0, 2, 1)
        return np.asarray(turned.reshape(len(poses), -1) * self._weight)


def telling(seen: FloatArray, number: int) -> NDArray[np.intp]:
    """The numbers of so many placements of those seen (p, s) whose primary fields differ most."""
    scaled = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    return np.asarray(qr(scaled.T, mode="r", pivoting=True)[1][:number])


@dataclass(frozen=True, eq=False)
class Response:
    """E at q places for any placement whose primary field is near the span of those that were solved.

    Parameters
    ----------
    seen : (p, s) float
        What a `PrimaryProbe` sees of the placements that were solved.
    fields : (p, q, 3) float, V/m
    """

    seen: FloatArray
    fields: FloatArray

    def with_samples(self, seen: FloatArray, fields: FloatArray) -> "Response":
        """With more placements, seen (k, s), and their fields (k, q, 3)."""
        return Response(np.concatenate([self.seen, seen]), np.concatenate([self.fields, fields]))

    def __call__(self, seen: FloatArray | Sequence[FloatArray]) -> FloatArray:
        """(k, q, 3) E in V/m of placements seen (k, s)."""
        return np.asarray((np.asarray(seen) @ self.seen.T @ self._coefficients).reshape(len(seen), -1, 3))

    @cached_property
    def _coefficients(self) -> FloatArray:
        """(p, q * 3) by which products with what was seen become fields."""
        products = self.seen @ self.seen.T
        ridge = _RIDGE * np.trace(products) / len(products) * np.eye(len(products))
        return np.asarray(np.linalg.solve(products + ridge, self.fields.reshape(len(products), -1)))
