"""Matrices in array files: ``.npy`` of NumPy and ``.mat`` of MATLAB."""

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor
from efield.io.bounded.inflate import allowed, inflated
from efield.io.bounded.npy import mapped_array
from efield.io.poses.raw import Raw, Told, from_stack, stacked

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

#: Variables of a MATLAB file that are poses by their name, if several have the shape of some.
_NAMES: Final = ("poses", "pose", "matsimnibs", "matrix", "matrices")
_HEADER: Final = 128
_COMPRESSED: Final = 15


def read_npy(cursor: Cursor, told: Told) -> Raw:
    """An array of shape (n, 4, 4), (n, 3, 4), (n, 16) or (n, 12), or of one pose."""
    with cursor.naming("the array"):
        return from_stack(stacked(mapped_array(cursor.path)), told)


def write_npy(table: "PoseTable") -> bytes:
    """(n, 4, 4) float64."""
    stream = BytesIO()
    np.save(stream, np.ascontiguousarray(table.matrices), allow_pickle=False)
    return stream.getvalue()


def read_mat(cursor: Cursor, told: Told) -> Raw:
    """The one variable of a MATLAB file that has the shape of poses, (4, 4), (4, 4, n) or (n, 16).

    Raises
    ------
    FileFormatError
        If there is none, or there are several and none has a name of poses; or the file is of version 7.3.
    """
    if cursor.data[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in cursor.data[:_HEADER]:
        raise cursor.error("a .mat file must be of version 7 or older; instead it is 7.3: save it with -v7")
    found = _variables(cursor)
    chosen = next((name for name in _NAMES if name in found), None) if len(found) > 1 else next(iter(found), None)
    if chosen is None:
        raise cursor.error(
            f"a .mat file must hold one variable of shape (4, 4), (4, 4, n) or (n, 16), or one of several called "
            f"{', '.join(_NAMES)}; instead it has {', '.join(sorted(found)[:8]) or 'none'}"
        )
    with cursor.naming(f"variable {chosen}"):
        return from_stack(stacked(_in_order(found[chosen])), told)


def write_mat(table: "PoseTable") -> bytes:
    """A variable ``poses`` of shape (4, 4, n) and one ``names``, as MATLAB would have them."""
    from scipy.io import savemat

    stream = BytesIO()
    savemat(stream, {"poses": np.moveaxis(table.matrices, 0, 2), "names": np.array(table.names, object)})
    return stream.getvalue()


def _variables(cursor: Cursor) -> dict[str, NDArray[Any]]:
    """The numeric variables of a file that have the shape of poses, by name."""
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        plain = _unpacked(cursor)
        wanted = [name for name, shape, kind in whosmat(BytesIO(plain)) if kind in _NUMERIC and _fits(shape)]
        found = loadmat(BytesIO(plain), variable_names=wanted) if wanted else {}
    # SciPy's reader lets through whatever a damaged file makes of its own parts.
    except (
        MatReadError,
        ValueError,
        TypeError,
        OSError,
        KeyError,
        IndexError,
        NotImplementedError,
        struct.error,
    ) as error:
        raise cursor.error(f"the file must be a MATLAB file of numbers; instead: {error}; save it again") from error
    return {name: found[name] for name in wanted if isinstance(found.get(name), np.ndarray)}


_NUMERIC: Final = ("double", "single", *(f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64)))


def _fits(shape: tuple[int, ...]) -> bool:
    return shape[:2] in ((4, 4), (3, 4)) or (len(shape) == 2 and shape[1] in (12, 16))


def _in_order(array: NDArray[Any]) -> NDArray[Any]:
    """Poses first: MATLAB counts them in the last dimension."""
    return np.moveaxis(array, 2, 0) if array.ndim == 3 and array.shape[:2] in ((4, 4), (3, 4)) else array


def _unpacked(cursor: Cursor) -> bytes:
    """The file with its compressed variables unpacked, so that no more is unpacked than a file may hold."""
    data, place = cursor.data, _HEADER
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        return data
    order, left = "<" if data[126:128] == b"IM" else ">", allowed(len(data))
    parts = [data[:_HEADER]]
    while place + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        stop = place + 8 + size
        part = data[place:stop]
        if kind == _COMPRESSED:
            unpacked = inflated(part[8:], left)
            if unpacked is None or len(unpacked) > left:
                raise cursor.error("variables must unpack to no more than a file of poses holds; damaged file")
            left, part = left - len(unpacked), unpacked
        parts.append(part)
        place = stop
    return b"".join(parts)
