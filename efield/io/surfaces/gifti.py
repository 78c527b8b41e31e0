"""GIFTI surfaces (``.gii``): triangle surfaces and values at their vertices, both ways.

Format: GIFTI 1.0, https://www.nitrc.org/projects/gifti.
"""

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.surface import TriangleSurface
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor
from efield.io.bounded.inflate import allowed, inflated
from efield.io.surfaces import freesurfer
from efield.io.surfaces.frames import check_in_place, check_name, in_image

#: Endings of files that hold values only, for a surface that has its own file; and of such a file.
VALUE_SUFFIXES: Final = (".func.gii", ".shape.gii")
SURFACE_SUFFIX: Final = ".surf.gii"

#: Of a point set for surfaces, of the whole file for values.
_STRUCTURE: Final = "AnatomicalStructurePrimary"
#: Share of the vertices on one side of x = 0 that makes a hemisphere.
_ONE_SIDE: Final = 0.9

_LARGEST_BYTES: Final = 1 << 28
#: Of the standard; the parser counts to whatever a file states.
_MOST_AXES: Final = 6
_AXES: Final = re.compile(rb"""Dimensionality\s*=\s*["']([^"']*)["']""")
_GZIP: Final = b"\x1f\x8b"
_SCANNER_SPACE: Final = 1
_LIKE_METERS: Final = 1.0


def read_surface(path: str | os.PathLike[str], *, in_image_mm: bool = False) -> TriangleSurface:
    """A triangle surface.

    Parameters
    ----------
    path : path_like
        ``.gii`` or ``.gii.gz`` with coordinates and triangles, or a binary surface of FreeSurfer such as ``lh.pial``.
        FreeSurfer's surface RAS is moved to the image's millimeters, from files of both kinds.
    in_image_mm : bool
        Vouches that the coordinates are those of the cortex in the image in mm, whatever the file says of FreeSurfer's
        frame and of the kind of surface.

    Returns
    -------
    TriangleSurface
        Triangles are turned around where the surface as a whole is inside out, so that normals point outward.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, refers to other files, holds no surface, one that is inflated, spherical or
        flat, or one whose coordinates look like meters.
    """
    cursor = _opened(path)
    if not in_image_mm:
        check_name(cursor)
    if cursor.data.startswith(freesurfer.MAGIC):
        return _surface(cursor, *freesurfer.read_triangles(cursor, in_image_mm=in_image_mm))
    image = _image(cursor)
    coordinates, faces = _array(cursor, image, "POINTSET"), _array(cursor, image, "TRIANGLE")
    points = np.asarray(coordinates.data, dtype=np.float64)
    if in_image_mm or points.ndim != 2 or points.shape[1] != 3:
        return _surface(cursor, points, np.asarray(faces.data))
    check_in_place(cursor, coordinates, points)
    return _surface(cursor, in_image(cursor, coordinates, points), np.asarray(faces.data))


def _opened(path: str | os.PathLike[str]) -> Cursor:
    """The content of a file, unpacked if it is packed by gzip as a whole."""
    cursor = Cursor.open(path)
    if not cursor.data.startswith(_GZIP):
        return cursor
    limit = allowed(len(cursor.data))
    content = inflated(cursor.data, limit, gzip=True)
    if content is None or len(content) > limit:
        raise cursor.error("a packed surface must unpack completely to a size that fits it; copy the file again")
    return Cursor(cursor.path, content)


def _surface(cursor: Cursor, points: NDArray[np.float64], triangles: NDArray[Any]) -> TriangleSurface:
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 3 or not np.isfinite(points).all():
        raise cursor.error(f"vertices must be finite, shape (p, 3); instead received shape {points.shape} or nan")
    if np.ptp(points, axis=0).max() < _LIKE_METERS:
        raise cursor.error("vertices must be in millimeters; instead they look like meters: multiply them by 1000")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles) or triangles.dtype.kind not in "iu":
        raise cursor.error(f"triangles must be integers of shape (t, 3); instead received shape {triangles.shape}")
    if triangles.min() < 0 or triangles.max() >= len(points):
        raise cursor.error(f"triangles must refer to the {len(points)} vertices; instead one does not; copy it again")
    surface = TriangleSurface(checks.read_only(points), checks.read_only(triangles.astype(np.int32)))
    return surface if _volume(surface) >= 0 else _turned(surface)


def read_values(path: str | os.PathLike[str]) -> dict[str, NDArray[np.float64]]:
    """Values at the vertices of a surface, by name.

    Parameters
    ----------
    path : path_like
        ``.gii``; arrays without a name are called ``array N``.

    Returns
    -------
    dict of str to (p,) or (p, c) float

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, or holds no values.
    """
    cursor = _opened(path)
    geometry = {_intent("POINTSET"), _intent("TRIANGLE")}
    found: dict[str, NDArray[np.float64]] = {}
    for number, array in enumerate(_image(cursor).darrays):
        if array.intent not in geometry:
            if array.data is None:
                raise cursor.truncated(f"array {number}")
            found[str(array.meta.get("Name") or f"array {number}")] = np.asarray(array.data, dtype=np.float64)
    if not found:
        raise cursor.error("the file must hold values at vertices; instead it holds none")
    return found


def write_surface(path: str | os.PathLike[str], surface: TriangleSurface) -> None:
    """Write a surface; as `write_values` without values."""
    write_values(path, {}, surface)


def write_values(
    path: str | os.PathLike[str], values: Mapping[str, ArrayLike], surface: TriangleSurface | None = None
) -> None:
    """Write values at the vertices of a surface as float32.

    Parameters
    ----------
    path : path_like
        A name that ends in ``.func.gii`` or ``.shape.gii`` holds the values only, one in ``.surf.gii`` the surface
        only, as Connectome Workbench and other viewers want them; any other ``.gii`` holds both. Written completely or
        not at all.
    values : mapping of str to (p,) array_like
    surface : TriangleSurface, optional
        Needed where the file holds it; beside values it says of which hemisphere they are.

    Raises
    ------
    InputError
        If the name does not end in ``.gii``, there is nothing to write, or a length is wrong.
    """
    name = Path(path).name
    if not name.endswith(".gii"):
        raise InputError(f"the name of a GIFTI file must end in .gii; instead received {name!r}")
    with_surface = not name.endswith(VALUE_SUFFIXES)
    if (with_surface and surface is None) or (not with_surface and not values):
        raise InputError(f"{name} must have {'a surface' if with_surface else 'values'} to hold; instead there is none")
    if name.endswith(SURFACE_SUFFIX) and values:
        raise InputError(f"{name} must hold a surface alone; instead there are values too: write them to a .func.gii")
    arrays = _geometry(surface) if with_surface and surface is not None else []
    for title, column in values.items():
        data = np.asarray(column, dtype=np.float32)
        if data.ndim != 1 or (surface is not None and len(data) != len(surface.points_mm)):
            raise InputError(f"values {title!r} must be one number per vertex; instead received shape {data.shape}")
        arrays.append(_data_array(data, "SHAPE" if name.endswith(".shape.gii") else "NONE", {"Name": title}))
    _save(path, arrays, {} if surface is None else {_STRUCTURE: structure(surface)})


def _save(path: str | os.PathLike[str], arrays: list[Any], meta: dict[str, str]) -> None:
    import nibabel

    image = nibabel.gifti.GiftiImage(darrays=arrays, meta=nibabel.gifti.GiftiMetaData(meta))
    with replacing(path) as temporary:
        nibabel.save(image, temporary)


def structure(surface: TriangleSurface) -> str:
    """What GIFTI calls the part of the brain that a surface is of: a hemisphere if its vertices are on one side."""
    left = float((surface.points_mm[:, 0] < 0).mean())
    if left >= _ONE_SIDE:
        return "CortexLeft"
    return "CortexRight" if left <= 1 - _ONE_SIDE else "CortexRightAndLeft"


def _geometry(surface: TriangleSurface) -> list[Any]:
    meta = {_STRUCTURE: structure(surface), "GeometricType": "Anatomical"}
    return [
        _data_array(surface.points_mm.astype(np.float32), "POINTSET", meta),
        _data_array(surface.triangles.astype(np.int32), "TRIANGLE", {}),
    ]


def _data_array(data: NDArray[Any], intent: str, meta: dict[str, str]) -> Any:
    from nibabel import gifti

    kind = "NIFTI_TYPE_INT32" if data.dtype == np.int32 else "NIFTI_TYPE_FLOAT32"
    space = gifti.GiftiCoordSystem(dataspace=_SCANNER_SPACE, xformspace=_SCANNER_SPACE, xform=np.eye(4))
    return gifti.GiftiDataArray(
        data,
        intent=f"NIFTI_INTENT_{intent}",
        datatype=kind,
        meta=gifti.GiftiMetaData(meta),
        coordsys=space if intent == "POINTSET" else None,
    )


def _intent(name: str) -> int:
    from nibabel.nifti1 import intent_codes

    return int(intent_codes[f"NIFTI_INTENT_{name}"])


def _image(cursor: Cursor) -> Any:
    import nibabel

    data = cursor.data
    if len(data) > _LARGEST_BYTES or b"<GIFTI" not in data[:4096]:
        raise cursor.error("a GIFTI file must be XML that starts with <GIFTI>, up to 256 MiB; instead it is not")
    if b"<!ENTITY" in data or b"ExternalFileBinary" in data:
        raise cursor.error("a GIFTI file must hold its own data; instead it defines entities or names another file")
    if any(not match[1].isdigit() or not 1 <= int(match[1][:9]) <= _MOST_AXES for match in _AXES.finditer(data)):
        raise cursor.error(f"arrays must have 1 to {_MOST_AXES} axes; instead the file states others; it is damaged")
    _check_sizes(cursor)
    try:
        return nibabel.gifti.GiftiImage.from_bytes(data)
    # The parser raises whatever a damaged file leads it into; nothing of ours runs inside.
    except Exception as error:
        raise cursor.error(f"a GIFTI file must be complete; instead reading ends in: {error}; copy it again") from error


def _check_sizes(cursor: Cursor) -> None:
    """Refuse arrays that would grow out of all proportion when decompressed."""
    if b"GZipBase64Binary" not in cursor.data:
        return
    left = allowed(len(cursor.data))
    for match in re.finditer(rb"<Data>([^<]*)</Data>", cursor.data):
        try:
            packed = b64decode(match[1])
        except ValueError as error:
            raise cursor.error(f"data must be base64; instead: {error}; copy the file again") from error
        content = inflated(packed, left)
        left -= 0 if content is None else len(content)
        if left < 0:
            raise cursor.error("data must fit the file; instead a few bytes stand for far too many; damaged file")


def _array(cursor: Cursor, image: Any, intent: str) -> Any:
    found = [array for array in image.darrays if array.intent == _intent(intent)]
    if len(found) != 1 or found[0].data is None:
        raise cursor.error(f"a surface must have one {intent} array; instead the file has {len(found)} complete ones")
    return found[0]


def _volume(surface: TriangleSurface) -> float:
    """Signed volume about the center: positive where the normals of a (nearly) closed surface point outward."""
    p0, p1, p2 = ((surface.points_mm - surface.points_mm.mean(axis=0))[surface.triangles[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", np.cross(p0, p1), p2) / 6.0)


def _turned(surface: TriangleSurface) -> TriangleSurface:
    return TriangleSurface(surface.points_mm, checks.read_only(np.ascontiguousarray(surface.triangles[:, ::-1])))
