"""`TensorField`: diffusion tensors on a voxel grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.kernels.elements.tensors import sample_valid

#: Row and column of the six stored components.
COMPONENTS: Final = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

#: Where each entry of the 3x3 matrix stands among the six.
ENTRIES: Final = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])

#: Median mean diffusivity that a brain can have, mm^2/s (tissue 0.7e-3, free water 3e-3).
_PLAUSIBLE: Final = (5e-5, 2e-2)

#: Largest difference of mirrored entries over the largest entry of all that is rounding of 32-bit files.
_ASYMMETRY: Final = 1e-6

#: Smallest over largest eigenvalue that 32-bit files may make negative.
_ROUNDING: Final = 1e-5

#: Voxels that are looked at to judge the order of the components; more would tell nothing new.
_LOOKED_AT: Final = 200_000

#: Share of positive definite tensors below which components are not in the order they are taken for: of measured files
#: read in the wrong order at most 0.1 % are, in the right one 96.5 % or more, and fewer only where air was not masked.
_LEAST_POSITIVE: Final = 0.01

#: Other units, how many times larger they make the numbers, and the remedy.
_OTHER_UNITS: Final = (("um^2/ms", 1e3, "1e-3"), ("m^2/s", 1e-6, "1e6"), ("um^2/s", 1e6, "1e-6"))


@dataclass(frozen=True, eq=False, repr=False)
class TensorField(Carded):
    """Diffusion tensors on a voxel grid, in the axes of the head.

    Parameters
    ----------
    values : (nx, ny, nz, 6) or (nx, ny, nz, 3, 3) array_like, mm^2/s
        Components xx, xy, xz, yy, yz, zz along the head's axes (RAS), not those of the voxels. A voxel of zeros, or
        with a value that is not finite, holds no tensor. `efield.io.volumes.tensor.read_tensors` turns those of a file.
    affine : (4, 4) array_like
        Voxel indices to mm.

    Raises
    ------
    InputError
        On another shape, matrices that are not symmetric, a singular affine, no tensor at all, other units, or hardly
        any tensor that is positive definite, as when the components are in another order.
    """

    values: NDArray[Any]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        affine = checks.affine("affine", self.affine)
        values = _six_components(np.asarray(self.values))
        _check_units(_mean_diffusivities(values))
        if positive_share(values) < _LEAST_POSITIVE:
            raise InputError(
                "tensors must be positive definite; instead hardly any is: the components must be in the order xx, xy, "
                "xz, yy, yz, zz"
            )
        object.__setattr__(self, "values", checks.owned(values))
        object.__setattr__(self, "affine", checks.owned(affine))

    @cached_property
    def box_mm(self) -> NDArray[np.float64]:
        """(2, 3) lower and upper corner of the box around all voxels, mm."""
        ends = np.array([[-0.5, n - 0.5] for n in self.values.shape[:3]])
        corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
        places = corners @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.array([places.min(axis=0), places.max(axis=0)])

    def sample(self, points_mm: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Tensors at points, each component interpolated linearly between the voxels that hold a tensor.

        Parameters
        ----------
        points_mm : (n, 3) array_like, mm

        Returns
        -------
        values : (n, 6) ndarray, mm^2/s
            Zero where there is no tensor.
        weight : (n,) ndarray
            Interpolation weight of the voxels that hold one, 0 to 1; -1 more than half a voxel outside the grid.
        """
        inverse = np.linalg.inv(self.affine)
        indices = checks.vectors("points_mm", points_mm) @ inverse[:3, :3].T + inverse[:3, 3]
        values, weight = sample_valid(self.values, indices)
        return values, weight

    def _card(self) -> Card:
        rows = (
            ("size", " x ".join(map(str, self.values.shape[:3])) + " voxels"),
            ("unit", "mm^2/s, along the axes of the head"),
        )
        return Card("TensorField, of diffusion", rows)


def _six_components(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 5 and values.shape[3:] == (3, 3) and values.dtype.kind in "iuf":
        full = values[np.isfinite(values).all(axis=(3, 4))]
        if full.size and np.abs(full - full.swapaxes(1, 2)).max() > _ASYMMETRY * np.abs(full).max():
            raise InputError("values must be symmetric tensors; instead some 3x3 matrices differ from their transposes")
        # One entry that is not finite spoils its voxel, wherever it stands.
        values = np.where(np.isfinite(values).all(axis=(3, 4), keepdims=True), values, np.nan)
        rows, columns = np.transpose(COMPONENTS)
        values = values[..., rows, columns]
    if values.ndim != 4 or values.shape[3] != 6 or not values.size:
        raise InputError(
            "values must have shape (nx, ny, nz, 6) with xx, xy, xz, yy, yz, zz, or (nx, ny, nz, 3, 3); "
            f"instead received shape {values.shape}"
        )
    if values.dtype.kind not in "iuf":
        raise InputError(f"values must be real numbers; instead received {values.dtype}")
    return np.ascontiguousarray(values, dtype=np.float32 if values.dtype == np.float32 else np.float64)


def positive_share(values: NDArray[Any]) -> float:
    """Share of the voxels with a tensor where it is positive definite, from (nx, ny, nz, 6) xx, xy, xz, yy, yz, zz.

    Zero eigenvalues count as positive, within rounding: fibers that hinder diffusion entirely are no wrong order. At
    most 200 000 voxels, spread evenly, are looked at.
    """
    rows = values.reshape(-1, 6)
    present = np.flatnonzero(np.isfinite(rows).all(axis=1) & rows.any(axis=1))
    chosen = rows[present[:: max(1, len(present) // _LOOKED_AT)]].astype(np.float64)
    if not len(chosen):
        return 0.0
    eigenvalues = np.linalg.eigvalsh(chosen[:, ENTRIES])
    return float((eigenvalues[:, 0] > -_ROUNDING * np.abs(eigenvalues[:, 2])).mean())


def _mean_diffusivities(values: NDArray[Any]) -> NDArray[Any]:
    """A third of the trace in every voxel that holds a tensor."""
    present = np.isfinite(values).all(axis=3) & values.any(axis=3)
    if not present.any():
        raise InputError(
            "tensors must not all be empty; instead every voxel is zero or not finite: check how the file was written"
        )
    diagonal: Sequence[int] = (0, 3, 5)
    return np.asarray(sum(values[..., k][present] for k in diagonal) / 3)


def _check_units(diffusivity: NDArray[Any]) -> None:
    typical = float(np.median(diffusivity))
    low, high = _PLAUSIBLE
    if low <= typical <= high:
        return
    for unit, times, remedy in _OTHER_UNITS:
        if low * times <= typical <= high * times:
            raise InputError(
                f"diffusion tensors must be in mm^2/s, with a median diffusivity near 1e-3; instead it is "
                f"{typical:.3g}, as in {unit}: multiply the values by {remedy}"
            )
    raise InputError(
        f"diffusion tensors must have a median diffusivity near 1e-3 mm^2/s; instead it is {typical:.3g}: "
        "check the order of the components and the units"
    )
