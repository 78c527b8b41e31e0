"""Diffusion tensors as NIfTI volumes of six components, in the orders and axes of FSL and of MRtrix.

- ``fsl`` (``dtifit --save_tensor``): xx, xy, xz, yy, yz, zz along the axes of the voxels; x points the other way where
  the affine has a positive determinant, as in FSL's b-vectors.
- ``mrtrix`` (``dwi2tensor``): xx, yy, zz, xy, xz, yz along the axes of the scanner, those of the affine's millimeters.

A file does not say which it is, so the order is always given. The wrong one shows all the same: hardly any tensor is
positive definite in it. (Measured on small files of both programs: 0.1 % at most, against 96.5 % and more.)
"""

import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError, naming
from efield.head.tensor_field import COMPONENTS, TensorField, positive_share
from efield.io.bounded.cursor import Cursor, doubles
from efield.io.volumes.nifti import read_volume, write_volume

#: Where the components xx, xy, xz, yy, yz, zz stand in a file.
ORDERS: Final = {"fsl": (0, 1, 2, 3, 4, 5), "mrtrix": (0, 3, 4, 1, 5, 2)}

#: The same in the order of NIfTI's symmetric matrices, which is not read: xx xy yy xz yz zz.
_LOWER_TRIANGLE: Final = (0, 1, 3, 2, 4, 5)

#: An order is the better one if this many times as many tensors are positive definite in it.
_CLEARLY: Final = 3.0

_SCANNER_CODE: Final = 1

#: Headers store 32-bit floats and quaternions; beyond this an affine is sheared, not rounded.
_ORTHOGONALITY_TOLERANCE: Final = 1e-3


def check_order(order: str | None) -> str:
    """The order of the components, which must be one of `ORDERS`.

    Raises
    ------
    InputError
        If it is missing or another word.
    """
    if order is None:
        raise InputError(
            "the order of the tensor's components must be given: fsl (dtifit: xx xy xz yy yz zz, voxel axes) or mrtrix "
            "(dwi2tensor: xx yy zz xy xz yz, scanner axes); a file does not say which it is"
        )
    return checks.choice("tensor order", order, ORDERS)


def read_tensors(path: str | os.PathLike[str], order: str | None) -> TensorField:
    """Diffusion tensors of a file, turned to the axes of the head.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz`` of shape (nx, ny, nz, 6), mm^2/s, registered to the head.
    order : {"fsl", "mrtrix"}
        Order and axes of the components.

    Returns
    -------
    TensorField

    Raises
    ------
    FileFormatError
        If the file is missing or damaged, has another shape, a sheared affine, no tensors, values in other units, or
        components in another order than the one given: then hardly any tensor is positive definite.
    InputError
        If the order is missing or unknown.
    """
    known = check_order(order)
    cursor = Cursor.open(path)
    volume, affine = read_volume(cursor)
    if volume.ndim == 5 and volume.shape[3:] == (1, 6):
        raise cursor.error(
            f"tensors must have shape (nx, ny, nz, 6); instead it is {volume.shape}, a NIfTI symmetric matrix as ANTs "
            "writes it (xx xy yy xz yz zz), which is neither fsl nor mrtrix: convert it"
        )
    if volume.ndim != 4 or volume.shape[3] != 6:
        raise cursor.error(f"tensors must have shape (nx, ny, nz, 6); instead received {volume.shape}")
    with naming(cursor.path):
        _check_order_fits(volume, known)
        turn = _turn(_axes(affine, known))
        kind = np.float32 if volume.dtype.itemsize <= 4 else np.float64
        components = volume[..., list(ORDERS[known])].astype(kind)
        # A voxel with a value that is not finite holds no tensor, before and after.
        with np.errstate(invalid="ignore", over="ignore"):
            turned = (components.reshape(-1, 6) @ turn.T.astype(kind)).reshape(components.shape)
        return TensorField(turned, affine)


def _check_order_fits(volume: NDArray[Any], order: str) -> None:
    """Refuse an order in which the tensors make no sense while they do in another."""
    orders = {**ORDERS, "xx xy yy xz yz zz, of NIfTI symmetric matrices": _LOWER_TRIANGLE}
    shares = {name: positive_share(volume[..., list(places)]) for name, places in orders.items()}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] <= _CLEARLY * shares[order]:
        return
    remedy = f"give {best} (--tensor-order {best})" if best in ORDERS else "reorder them"
    raise InputError(
        f"the components must be in the order given, {order}; instead {1 - shares[order]:.1%} of the tensors are not "
        f"positive definite in it, and {1 - shares[best]:.1%} in {best}: {remedy}"
    )


def write_tensors(path: str | os.PathLike[str], tensors: TensorField, order: str) -> None:
    """Write diffusion tensors as float32, in the order and axes of another program.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz``; written completely or not at all.
    tensors : TensorField
    order : {"fsl", "mrtrix"}

    Raises
    ------
    InputError
        If the order is unknown, the affine is sheared, or the name ends otherwise.
    """
    known = check_order(order)
    turn = _turn(_axes(tensors.affine, known).T)
    with np.errstate(invalid="ignore"):
        components = doubles(tensors.values.reshape(-1, 6)) @ turn.T
    stored = np.empty(tensors.values.shape, dtype=np.float32)
    stored[..., list(ORDERS[known])] = components.reshape(stored.shape)
    write_volume(path, stored, tensors.affine, code=_SCANNER_CODE)


def _axes(affine: NDArray[np.float64], order: str) -> NDArray[np.float64]:
    """(3, 3) axes of a file's components in the head, as columns."""
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    defect = float(np.abs(columns.T @ columns - np.eye(3)).max())
    if defect > _ORTHOGONALITY_TOLERANCE:
        raise InputError(
            f"the affine of tensors must not be sheared; instead its axes miss right angles by up to {defect:.3g}: an "
            "affine registration was put into the header without turning the tensors; resample and reorient them"
        )
    if order == "mrtrix":
        return np.eye(3)
    u, _, vt = np.linalg.svd(columns)
    nearest = u @ vt
    return np.asarray(nearest * ((-1.0, 1.0, 1.0) if np.linalg.det(nearest) > 0 else 1.0))


def _turn(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6, 6) matrix that takes the components of D to those of axes D axes^T."""
    columns = []
    for row, column in COMPONENTS:
        unit = np.zeros((3, 3))
        unit[row, column] = unit[column, row] = 1.0
        turned = axes @ unit @ axes.T
        columns.append([turned[a, b] for a, b in COMPONENTS])
    return np.transpose(columns)
