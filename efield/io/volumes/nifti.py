"""NIfTI volumes: numbers on a voxel grid, in and out.

Format: NIfTI-1.1 (https://nifti.nimh.nih.gov/nifti-1). Affines take voxel indices to millimeters, RAS.
"""

import os
from collections.abc import Callable
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from isal.igzip import IGzipFile
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError, naming
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor
from efield.io.bounded.inflate import allowed, inflated
from efield.io.volumes.orientation import MNI_CODE, checked_affine, stored_affine

_SCANNER_CODE: Final = 1
#: What a header's numbers are rounded to (mm).
_ROUNDED_MM: Final = 1e-2
_MOST_VOXELS: Final = 2**29
#: Label volumes are mostly air and may compress a thousand times, so a size as such is no sign of damage.
_LARGEST_BYTES: Final = 1 << 30
#: Bytes of header to decompress before the size of the volume is known.
_HEADER_BYTES: Final = 1024

#: Length of the header by version of the format.
_SIZES: Final = {1: 348, 2: 540}

Volume = tuple[NDArray[Any], NDArray[np.float64]]


def sample_grid(bounds: ArrayLike, spacing_mm: float) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """A voxel grid that covers a box, with voxel centers on whole multiples of the spacing.

    With 1 or 2 mm its voxels coincide with those of the MNI152 templates.

    Parameters
    ----------
    bounds : (2, 3) array_like, mm
        Lower and upper corner of the box.
    spacing_mm : float
        Edge of a voxel.

    Returns
    -------
    shape : tuple of 3 int
        Number of voxels.
    affine : (4, 4) ndarray
        Voxel indices to mm.

    Raises
    ------
    InputError
        If the corners are in the wrong order, or the grid would have more than 2^29 voxels.
    """
    corners = checks.vectors("bounds", bounds)
    spacing = checks.positive("spacing_mm", spacing_mm)
    if len(corners) != 2 or np.any(corners[1] < corners[0]):
        raise InputError(f"bounds must be a lower and an upper corner; instead received {corners.tolist()}")
    first, last = np.floor(corners[0] / spacing), np.ceil(corners[1] / spacing)
    if np.prod(last - first + 1) > _MOST_VOXELS:
        raise InputError(f"spacing_mm must be larger; {spacing:g} mm gives {np.prod(last - first + 1):.3g} voxels")
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = first * spacing
    nx, ny, nz = (int(n) for n in last - first + 1)
    return (nx, ny, nz), affine


def write_scalar_nifti(
    path: str | os.PathLike[str],
    values: ArrayLike | Callable[[NDArray[np.float64]], NDArray[Any]],
    affine: ArrayLike,
    *,
    shape: tuple[int, int, int] | None = None,
    mni: bool = False,
) -> None:
    """Write a volume of one number per voxel as float32.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz``; written completely or not at all.
    values : (nx, ny, nz) array_like, or function of (n, 3) points in mm giving (n,) values
        A function is asked for one slice of voxel centers at a time; nan marks voxels without a value.
    affine : (4, 4) array_like
        Voxel indices to mm, RAS.
    shape : tuple of 3 int, optional
        Number of voxels; needed with a function.
    mni : bool
        Whether the coordinates are MNI (code 4) or of the scanner (code 1).

    Raises
    ------
    InputError
        If the affine cannot be used, shapes do not match, or the name ends in neither ``.nii`` nor
        ``.nii.gz``.
    """
    matrix = checked_affine(checks.as_float_array("affine", affine))
    volume = _sampled(values, matrix, shape) if callable(values) else np.asarray(values, dtype=np.float32)
    if volume.ndim != 3 or not volume.size:
        raise InputError(f"values must have shape (nx, ny, nz); instead received {volume.shape}")
    write_volume(path, volume, matrix, code=MNI_CODE if mni else _SCANNER_CODE)


def write_volume(path: str | os.PathLike[str], volume: NDArray[Any], affine: NDArray[np.float64], *, code: int) -> None:
    """Write an array of any number of axes, with `code` for its coordinates, in the array's own type."""
    import nibabel

    name = Path(path).name
    if not name.endswith((".nii", ".nii.gz")):
        raise InputError(f"the name of a NIfTI file must end in .nii or .nii.gz; instead received {name!r}")
    image = nibabel.Nifti1Image(volume, affine)
    image.set_sform(affine, code=code)
    # The qform cannot hold shears; nibabel then stores the nearest rotation, and readers use the sform.
    image.set_qform(affine, code=code, strip_shears=True)
    if not np.allclose(image.get_qform(), affine, atol=_ROUNDED_MM):
        image.set_qform(affine, code=0, strip_shears=True)  # two affines that disagree would be one too many
    image.header.set_xyzt_units("mm")
    with replacing(path) as temporary, temporary.open("wb") as file:
        if not name.endswith(".gz"):
            image.to_stream(file)
            return
        # A tenth of zlib's time. Neither name nor time goes into the file: one field makes the same bytes.
        with IGzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
            image.to_stream(packed)


def _sampled(
    values: Callable[[NDArray[np.float64]], NDArray[Any]],
    affine: NDArray[np.float64],
    shape: tuple[int, int, int] | None,
) -> NDArray[np.float32]:
    if shape is None or len(shape) != 3 or min(shape) < 1:
        raise InputError(f"shape must be three voxel counts when values is a function; instead received {shape}")
    volume = np.empty(shape, dtype=np.float32)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape[:2]), indexing="ij"), axis=-1).reshape(-1, 2)
    for k in range(shape[2]):
        points = grid @ affine[:3, :2].T + (affine[:3, 2] * k + affine[:3, 3])
        answer = np.asarray(values(points))
        if answer.shape != (len(points),):
            raise InputError(f"values must return one number per point; instead received shape {answer.shape}")
        volume[:, :, k] = answer.reshape(shape[:2])
    return volume


def read_grid(path: str | os.PathLike[str]) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """The voxel grid of an image, such as a T1; its values are not read.

    Parameters
    ----------
    path : path_like
        ``.nii`` or ``.nii.gz`` with three axes or more.

    Returns
    -------
    shape : tuple of 3 int
        Number of voxels along the first three axes.
    affine : (4, 4) ndarray
        Voxel indices to mm, RAS.

    Raises
    ------
    FileFormatError
        If the file is missing or damaged, has fewer axes, or no usable affine.
    """
    cursor = Cursor.open(path)
    header = _header(cursor)
    shape = tuple(int(n) for n in header.get_data_shape())
    if len(shape) < 3 or not 0 < prod(shape[:3]) <= _MOST_VOXELS:
        raise cursor.error(f"an image must have 3 axes and up to 2^29 voxels; instead its shape is {shape}")
    return (shape[0], shape[1], shape[2]), _affine_of(cursor, header, shape)[0]


def read_volume(cursor: Cursor) -> Volume:
    """The scaled values and the affine of a NIfTI file, with as many axes as it has.

    Raises
    ------
    FileFormatError
        If the file is damaged, states a size its content does not have, or its affine is singular, not set, or stated
        in two ways.
    """
    return read_placed(cursor)[:2]


def read_placed(cursor: Cursor, affine: str | None = None) -> tuple[NDArray[Any], NDArray[np.float64], int]:
    """As `read_volume`, with the code of the affine, and a choice of it; see `efield.io.volumes.orientation`."""
    header = _header(cursor)
    content = BytesIO(_content(cursor, header))
    with np.errstate(all="ignore"):  # a damaged scale factor overflows; the values are checked by who asked
        values = _attempt(cursor, lambda: np.asanyarray(header.data_from_fileobj(content)))
    if values.dtype.kind not in "iufb":
        raise cursor.error(f"voxels must be plain numbers; instead received {values.dtype}; export it again")
    matrix, code = _affine_of(cursor, header, (*values.shape, 1, 1)[:3], affine)
    return values, matrix, code


def _affine_of(
    cursor: Cursor, header: Any, shape: tuple[int, ...], choice: str | None = None
) -> tuple[NDArray[np.float64], int]:
    with naming(cursor.path):
        found: tuple[NDArray[np.float64], int] = _attempt(cursor, lambda: stored_affine(header, shape[:3], choice))
        return found


def _attempt(cursor: Cursor, read: Callable[[], Any]) -> Any:
    """What nibabel reads; whatever it objects to becomes one error."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        return read()
    except InputError:
        raise
    except (ImageFileError, HeaderDataError, ValueError, TypeError, KeyError, OverflowError, OSError) as error:
        raise cursor.error(f"a NIfTI file must be valid; instead: {error}; copy or export it again") from error


def _header(cursor: Cursor) -> Any:
    """The header; nibabel's own checks are left out, as they repair headers and log that they did."""
    import nibabel

    head = inflated(cursor.data, _HEADER_BYTES, gzip=True) if _zipped(cursor) else cursor.data[:_HEADER_BYTES]
    if head is None or len(head) < _SIZES[1]:
        raise cursor.error("a NIfTI file must have a header of 348 bytes; instead it is damaged or truncated")
    version = 2 if _SIZES[2] in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")) else 1
    if len(head) < _SIZES[version]:
        raise cursor.truncated("the header of a NIfTI file")
    header_class = nibabel.Nifti2Header if version == 2 else nibabel.Nifti1Header
    header = _attempt(cursor, lambda: header_class(head[: _SIZES[version]], check=False))
    if int(header["sizeof_hdr"]) != _SIZES[version] or not bytes(header["magic"]).startswith(f"n+{version}".encode()):
        raise cursor.error(
            "a NIfTI file must hold header and image in one, magic 'n+1' or 'n+2'; instead it does not; "
            "convert it to .nii.gz in the program that wrote it"
        )
    return header


def _zipped(cursor: Cursor) -> bool:
    return cursor.data.startswith(b"\x1f\x8b")


def _content(cursor: Cursor, header: Any) -> bytes:
    """The uncompressed file, once its header states a size it can have."""
    shape = tuple(int(n) for n in header.get_data_shape())
    if not shape or min(shape) < 1 or prod(shape) > _MOST_VOXELS:
        raise cursor.error(f"a volume must have 1 to 2^29 voxels; instead its shape is {shape}; the header is damaged")
    offset, voxel = _attempt(cursor, lambda: (int(header.get_data_offset()), int(header.get_data_dtype().itemsize)))
    if not 0 < voxel <= 16 or not _SIZES[1] <= offset < _LARGEST_BYTES:
        raise cursor.error("voxels must be plain numbers behind the header; instead the header is damaged")
    size = offset + prod(shape) * voxel
    if _zipped(cursor) and size > max(_LARGEST_BYTES, allowed(len(cursor.data))):
        raise cursor.error(f"shape {shape} must fit the file; instead its {len(cursor.data)} bytes are far too few")
    content = inflated(cursor.data, size, gzip=True) if _zipped(cursor) else cursor.data
    if content is None or len(content) < size:
        raise cursor.truncated(f"the volume of shape {shape}")
    return content
