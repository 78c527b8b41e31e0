"""From snapshots to modes, and to the linear map from samples of the primary field to their coefficients."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.kernels.expansion import product
from efield.search.certificate import field_errors

FloatArray = NDArray[np.float64]

#: Modes are cut where what they leave of any snapshot is this share of the tolerance.
_CUT: Final = 0.1

#: Regularization of the map, relative to the largest eigenvalue of the samples' Gram matrix: these are tried.
_RIDGES: Final = 10.0 ** np.arange(-16.0, -5.0)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """E = modes @ (to_modes @ samples).

    Parameters
    ----------
    modes : (k * 3, r) float32
        Fields on the region's tetrahedra, the three components of a tetrahedron beside each other.
    to_modes : (r, s * 3) float64
        Coefficients of the modes per V/m of dA/dt at the sample points.
    """

    modes: NDArray[np.float32]
    to_modes: FloatArray

    def __call__(self, samples: FloatArray) -> NDArray[np.float32]:
        """E (k * 3,) in V/m for the samples (s * 3,) of one placement."""
        return self.expand((self.to_modes @ samples).astype(np.float32))

    def expand(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """E (k * 3,) for coefficients (r,)."""
        return np.asarray(product(self.modes, coefficients))

    def fields(self, samples: FloatArray) -> NDArray[np.float32]:
        """E (p, k, 3) for samples (s * 3, p) of many placements."""
        fields = self.modes @ (self.to_modes @ samples).astype(np.float32)
        return np.asarray(fields.T.reshape(samples.shape[1], -1, 3))


def fit(
    fields: FloatArray,
    samples: FloatArray,
    volumes: FloatArray,
    check: tuple[FloatArray, FloatArray],
    tol: float,
) -> tuple[LinearModel, float]:
    """The model of snapshots, tuned on other placements.

    Parameters
    ----------
    fields : (k * 3, n) float
        Snapshots.
    samples : (s * 3, n) float
        Primary field of the same placements.
    volumes : (k,) float
        Weights of the tetrahedra.
    check : ((k * 3, c), (s * 3, c)) pair of float
        Fields and samples of the placements that choose the regularization.
    tol : float
        Relative error that the cut of the modes must stay well below.

    Returns
    -------
    model : LinearModel
    error : float
        Largest relative error of E at the checks.

    Notes
    -----
    The map is a ridge regression in the span of the snapshots. Every snapshot counts the same, whatever its strength.
    """
    weight = np.sqrt(np.repeat(volumes, 3))[:, None]
    weighted = weight * fields
    size = np.linalg.norm(weighted, axis=0)
    left, values, right = np.linalg.svd(weighted / size, full_matrices=False)
    rank = _rank(values, right, _CUT * tol)
    left, content = left[:, :rank], values[:rank, None] * right[:rank]
    scaled = samples / size
    eigenvalues, vectors = np.linalg.eigh(scaled.T @ scaled)
    exact = weight * check[0]
    norm = np.linalg.norm(exact, axis=0)
    inside = left.T @ exact
    # What no combination of the modes can give does not depend on the ridge.
    beyond = np.maximum(norm**2 - (inside**2).sum(axis=0), 0.0)
    seen = vectors.T @ (scaled.T @ check[1])
    turned = content @ vectors

    def error(ridge: float) -> float:
        miss = turned @ (seen / (eigenvalues + ridge * eigenvalues[-1])[:, None]) - inside
        return float((((miss**2).sum(axis=0) + beyond) / norm**2).max())

    best = min(_RIDGES, key=error)
    to_modes = (turned / (eigenvalues + best * eigenvalues[-1])) @ vectors.T @ scaled.T
    modes = np.ascontiguousarray(left / weight, dtype=np.float32)
    model = LinearModel(modes, np.ascontiguousarray(to_modes))
    full = check[0].T.reshape(check[0].shape[1], -1, 3)
    return model, float(field_errors(model.fields(check[1]), full, volumes).max())


def _rank(values: FloatArray, right: FloatArray, cut: float) -> int:
    """Fewest modes that leave at most `cut` of any (unit) snapshot."""
    left_over = np.cumsum((values[:, None] * right)[::-1] ** 2, axis=0)[::-1].max(axis=1)
    return max(1, int(np.count_nonzero(left_over > cut**2)))
