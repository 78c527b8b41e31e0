"""The one check of rigid 4x4 matrices: rounding is put right, shear, scale and mirrors are refused by name and size."""

from typing import Final
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import EfieldWarning, InputError

#: Largest difference of the axes' products from those of a rotation. Two decimals of a file, each off by up to half of
#: the last, make it 1.7e-2; beyond this an axis is sheared or scaled, not rounded.
TOLERANCE: Final = 2e-2

#: Three decimals, as navigators write them, make it 1.7e-3. What misses by more is put right too, and said aloud. Two
#: decimals make it a multiple of 1e-4: none lies here, where the last bit would decide.
_THREE_DECIMALS: Final = 1.95e-3

#: Largest difference of the last row from 0 0 0 1.
_LAST_ROW: Final = 1e-9

#: Rotations computed in double precision miss by less: they are left as they are, and so pass any number of checks
#: with the same bits.
_EXACT: Final = 1e-14


def rigid(name: str, value: ArrayLike) -> FloatArray:
    """Rigid, right-handed matrices in an array of the caller's own; rounded axes become the nearest rotation.

    The same matrix gives the same bits, alone and in any stack, checked once and checked again.

    Parameters
    ----------
    name : str
        For messages, such as "pose matrix"; of a stack also the number of the matrix is said.
    value : (4, 4) or (p, 4, 4) array_like
        Rotation in the upper left 3x3, shift in the last column.

    Raises
    ------
    InputError
        If the shape is another, a number is not finite, the last row is not (0, 0, 0, 1), or the axes are sheared,
        scaled or mirrored by more than rounding.

    Warns
    -----
    EfieldWarning
        Where the axes were rounded to fewer than three decimals; with how far they were turned.
    """
    matrices, turned, defect = _put_right(name, value)
    if defect.max(initial=0.0) > _THREE_DECIMALS:
        warn(
            f"{name} was rounded to fewer than three decimals: its axes were turned by up to {turned.max():.2g} "
            "degrees to be perpendicular; give more decimals if that matters",
            EfieldWarning,
            stacklevel=3,
        )
    return matrices


def put_right(name: str, value: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """What `rigid` returns, without its warning, and by how much each matrix was changed.

    Returns
    -------
    matrices : (4, 4) or (p, 4, 4) float
    turned_deg : (p,) float
        Largest angle in degrees between an axis as given and as returned.

    Raises
    ------
    InputError
        As `rigid`.
    """
    return _put_right(name, value)[:2]


def _put_right(name: str, value: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Matrices, how far they were turned (degrees), and the defect they had."""
    given = checks.as_float_array(name, value)
    if given.ndim not in (2, 3) or given.shape[-2:] != (4, 4):
        raise InputError(f"{name} must have shape (4, 4) or (p, 4, 4); instead received shape {given.shape}")
    matrices = given.reshape(-1, 4, 4).copy()
    axes = matrices[:, :3, :3].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        defect = np.abs(_products(axes) - np.eye(3)).max(axis=(1, 2))
        bad = ~(defect <= TOLERANCE) | (np.linalg.det(axes) < 0)
    bad |= np.abs(matrices[:, 3] - (0.0, 0.0, 0.0, 1.0)).max(axis=1) > _LAST_ROW
    if bad.any():
        first = int(np.argmax(bad))
        raise InputError(_fault(name if given.ndim == 2 else f"pose {first} of {name}", matrices[first]))
    rounded, turned = defect > _EXACT, np.zeros(len(matrices))
    if rounded.any():
        matrices[rounded, :3, :3] = _nearest_rotations(axes[rounded])
        turned[rounded] = _turned_deg(axes[rounded], matrices[rounded, :3, :3])
    matrices[:, 3] = (0.0, 0.0, 0.0, 1.0)
    return matrices.reshape(given.shape), turned, defect


def _turned_deg(before: FloatArray, after: FloatArray) -> FloatArray:
    """(p,) largest angle between columns of the same number; the sine keeps small angles that a cosine would lose."""
    lengths = np.linalg.norm(before, axis=1)
    sine = np.linalg.norm(np.cross(before, after, axis=1), axis=1) / lengths
    return np.asarray(np.degrees(np.arcsin(np.minimum(sine, 1.0))).max(axis=1))


def _products(axes: FloatArray) -> FloatArray:
    """(p, 3, 3) dot products of the columns, summed in one order whatever p."""
    terms = axes[:, :, :, None] * axes[:, :, None, :]
    return np.asarray(terms[:, 0] + terms[:, 1] + terms[:, 2])


def _nearest_rotations(axes: FloatArray) -> FloatArray:
    u, _, vt = np.linalg.svd(axes)
    terms = u[:, :, :, None] * vt[:, None, :, :]
    return np.asarray(terms[:, :, 0] + terms[:, :, 1] + terms[:, :, 2])


def _fault(name: str, matrix: FloatArray) -> str:
    """What is wrong with a matrix, how much, and what to do."""
    if np.abs(matrix[3] - (0.0, 0.0, 0.0, 1.0)).max() > _LAST_ROW:
        return (
            f"the last row of {name} must be 0 0 0 1; instead received {matrix[3].tolist()}: is it transposed, or not "
            "a pose?"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        products = _products(matrix[None, :3, :3])[0]
    lengths = np.sqrt(np.diag(products))
    faults, remedy = [], "export the pose again, with three decimals at least"
    if not np.abs(lengths**2 - 1).max() <= TOLERANCE:
        faults.append(f"scaled (lengths {', '.join(f'{length:.4g}' for length in lengths)})")
    if np.isfinite(products).all() and np.linalg.det(matrix[:3, :3]) < 0:
        faults.append("mirrored (determinant below 0)")
        remedy = "check the axis convention of the program that wrote it"
    cosine = np.abs(products - np.diag(np.diag(products))).max() / max(float(lengths.max()), 1e-300) ** 2
    if cosine > TOLERANCE or not faults:
        faults.append(f"sheared ({np.degrees(np.arcsin(min(cosine, 1.0))):.2g} degrees from perpendicular)")
    return f"{name} must be rigid and right-handed; instead its axes are {' and '.join(faults)}: {remedy}"
