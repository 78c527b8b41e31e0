"""How a field at fixed places follows the placement of a coil: interpolated between placements that were solved.

E at a place is a smooth function of the pose. Between poses it is interpolated by Gaussian process regression
(kriging) with one kernel for all places: a product of a Gaussian of the coil's center and one of its rotation (chordal
distance), whose widths are those that predict each solved pose best from the others.

References
----------
Rasmussen CE, Williams CKI. Gaussian Processes for Machine Learning. MIT Press 2006, sections 2.2 and 5.4.2.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Widths that are tried: of the center in mm, and of the rotation as its chordal (Frobenius) distance.
_CENTER_MM: Final = (15.0, 22.0, 32.0, 48.0)
_ROTATION: Final = (1.0, 1.5, 2.2, 3.2)

#: Added to the kernel's diagonal: samples are exact, and only rounding needs it.
_RIDGE: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Response:
    """E at q places for any pose near those that were solved.

    Parameters
    ----------
    matrices : (p, 4, 4) float
        Poses that were solved, mm.
    fields : (p, q, 3) float, V/m
    """

    matrices: FloatArray
    fields: FloatArray

    def with_samples(self, matrices: FloatArray, fields: FloatArray) -> "Response":
        """With more poses (k, 4, 4) and their fields (k, q, 3)."""
        return Response(np.concatenate([self.matrices, matrices]), np.concatenate([self.fields, fields]))

    def __call__(self, matrices: FloatArray) -> FloatArray:
        """(k, q, 3) E in V/m at poses (k, 4, 4)."""
        weights = self._kernel(matrices, self._widths) @ self._inverse
        return np.asarray((weights @ self.fields.reshape(len(self.fields), -1)).reshape(len(matrices), -1, 3))

    @property
    def error(self) -> float:
        """Root mean square of what is missed of each sample when it is predicted from the others, over that of E."""
        return _left_out(self._inverse, self._flat) / float(np.sqrt(np.mean(self._flat**2)))

    @cached_property
    def _flat(self) -> FloatArray:
        return self.fields.reshape(len(self.fields), -1)

    @cached_property
    def _widths(self) -> tuple[float, float]:
        tried = [(center, rotation) for center in _CENTER_MM for rotation in _ROTATION]
        return min(tried, key=lambda widths: _left_out(self._inverse_of(widths), self._flat))

    @cached_property
    def _inverse(self) -> FloatArray:
        return self._inverse_of(self._widths)

    def _inverse_of(self, widths: tuple[float, float]) -> FloatArray:
        kernel = self._kernel(self.matrices, widths)
        return np.asarray(np.linalg.pinv(kernel + _RIDGE * np.eye(len(kernel)), hermitian=True))

    def _kernel(self, matrices: FloatArray, widths: tuple[float, float]) -> FloatArray:
        centers = _squared(matrices[:, :3, 3], self.matrices[:, :3, 3])
        flat = (matrices[:, :3, :3].reshape(-1, 9), self.matrices[:, :3, :3].reshape(-1, 9))
        return np.asarray(np.exp(-0.5 * (centers / widths[0] ** 2 + _squared(*flat) / widths[1] ** 2)))


def _squared(a: FloatArray, b: FloatArray) -> FloatArray:
    """(k, p) squared distances of rows (k, d) and (p, d)."""
    return np.asarray(((a[:, None] - b[None]) ** 2).sum(axis=2))


def _left_out(inverse: FloatArray, values: FloatArray) -> float:
    """Root mean square error of predicting each sample from all others (Rasmussen and Williams 2006, eq. 5.12)."""
    missed = (inverse @ values) / np.diag(inverse)[:, None]
    return float(np.sqrt(np.mean(missed**2)))
