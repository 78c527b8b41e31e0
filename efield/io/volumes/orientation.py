"""Where the voxels of a NIfTI file are: its header says so up to twice, and the two must agree.

The sform is an affine, the qform a rotation with voxel sizes; each has a code, 0 for "not set". Programs that write one
only, or change one and not the other, leave headers that different readers understand differently.

Format: NIfTI-1.1 (https://nifti.nimh.nih.gov/nifti-1), "Orientation information".
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.errors import InputError

AFFINES: Final = ("sform", "qform")
MNI_CODE: Final = 4

#: Corners of the volume may differ by half a voxel, and at least by this (mm): headers are rounded.
_LEAST_DISTANCE_MM: Final = 0.5

#: Voxel sizes of the sform may differ from those of the header by this share.
_SIZE_TOLERANCE: Final = 0.02


def stored_affine(header: Any, shape: Sequence[int], choice: str | None = None) -> tuple[NDArray[np.float64], int]:
    """The affine of a NIfTI header, and its code.

    Parameters
    ----------
    header : nibabel.Nifti1Header
    shape : sequence of int
        Number of voxels along the first three axes.
    choice : {"sform", "qform"}, optional
        Which to take, whatever the other one and the codes say.

    Returns
    -------
    affine : (4, 4) array
        Voxel indices to mm, RAS.
    code : int
        1 scanner, 2 aligned, 3 Talairach, 4 MNI152, 5 another template; 0 where it is not set.

    Raises
    ------
    InputError
        If sform and qform disagree, the sform contradicts the voxel sizes, neither is set, or the affine is singular.
    """
    codes = {"sform": int(header["sform_code"]), "qform": int(header["qform_code"])}
    if choice is not None:
        name = checks.choice("affine", choice, AFFINES)
        return checked_affine(_read(header, name)), codes[name]
    if not any(codes.values()):
        raise InputError(
            "the affine must be set by sform or qform; instead both codes are 0, so that left and right are not known: "
            "set it in the program that wrote the file; a label volume can be read with --affine sform (or qform) if "
            "the header holds the right one all the same"
        )
    name = "sform" if codes["sform"] else "qform"
    affine = checked_affine(_read(header, name))
    if all(codes.values()):
        _check_agree(affine, checked_affine(_read(header, "qform")), shape)
    elif name == "sform":
        _check_sizes(affine, np.asarray(header["pixdim"], dtype=np.float64)[1:4])
    return affine, codes[name]


def checked_affine(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine itself, if it is one that voxels can have.

    Raises
    ------
    InputError
        If it is not finite, or singular, or not an affine.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.allclose(affine[3], (0, 0, 0, 1)):
        raise InputError(
            f"affine must be a finite 4x4 matrix with last row 0 0 0 1; instead received {affine.tolist()}"
        )
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() < 1e-6 or sizes.max() > 1e4 or abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        raise InputError(
            "affine must not be singular, with voxels in mm; "
            f"instead the voxel edges are {np.round(sizes, 9).tolist()}; "
            "the header has no usable orientation: set it in the program that wrote the file"
        )
    return affine


def _read(header: Any, name: str) -> NDArray[np.float64]:
    return np.asarray(header.get_sform() if name == "sform" else header.get_qform(), dtype=np.float64)


def _check_agree(sform: NDArray[np.float64], qform: NDArray[np.float64], shape: Sequence[int]) -> None:
    corners = np.array(list(product(*((0, n - 1) for n in shape))), dtype=np.float64)
    apart = (sform - qform)[:3]
    distance = float(np.linalg.norm(corners @ apart[:, :3].T + apart[:, 3], axis=1).max())
    if distance <= max(_LEAST_DISTANCE_MM, 0.5 * float(np.linalg.norm(sform[:3, :3], axis=0).max())):
        return
    mirrored = np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0
    raise InputError(
        f"the two affines of the header must agree; instead sform and qform put voxels up to {distance:.3g} mm apart"
        + (", mirrored" if mirrored else "")
        + ": set both to the right one in the program that wrote the file; a label volume can be read with --affine "
        "sform or --affine qform"
    )


def _check_sizes(affine: NDArray[np.float64], stated: NDArray[np.float64]) -> None:
    """Of a header without qform: a sform that nobody filled in is the unit matrix."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if (stated > 0).all() and np.abs(sizes / stated - 1).max() > _SIZE_TOLERANCE:
        raise InputError(
            f"the affine must have the voxel sizes of the header, {_triple(stated)} mm; instead those of its sform are "
            f"{_triple(sizes)} mm: correct one of them in the program that wrote the file; a label volume can be read "
            "with --affine sform if that is the right one"
        )


def _triple(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
