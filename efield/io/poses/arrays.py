"""Matrices in array files: ``.npy`` of NumPy and ``.mat`` of MATLAB."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor
from efield.io.bounded.matlab import numeric_arrays
from efield.io.bounded.npy import mapped_array
from efield.io.poses.raw import Raw, Told, from_stack, stacked

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

#: Variables of a MATLAB file that are poses by their name.
_NAMES: Final = ("poses", "pose", "matsimnibs", "matrix", "matrices")


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
    """The variables of a MATLAB file that are poses by name and shape, else the only one that has their shape.

    Shapes are (4, 4), (4, 4, n), (n, 16), and those without last rows; names `_NAMES`, also of fields in structures, as
    SimNIBS' sessions have them.

    Raises
    ------
    FileFormatError
        If there is none, or there are several and none has a name of poses; or the file is of version 7.3.
    """
    fits = [(name, array) for name, array in numeric_arrays(cursor) if _fits(array.shape)]
    named = [(name, array) for name, array in fits if name.rpartition(".")[2].lower() in _NAMES]
    chosen = named or (fits if len(fits) == 1 else [])
    if not chosen:
        found = ", ".join(name[:40] for name, _ in fits[:8]) or "none"
        raise cursor.error(
            f"a .mat file must hold one variable of shape (4, 4), (4, 4, n) or (n, 16), or some called "
            f"{', '.join(_NAMES)}; instead it has {found}"
        )
    names, stacks = [], []
    for name, array in chosen:
        with cursor.naming(f"variable {name[:40]}"):
            stacks.append(stacked(_in_order(array)))
        names += [name if len(stacks[-1]) == 1 else ""] * len(stacks[-1])
    return from_stack(np.concatenate(stacks), told, names)


def write_mat(table: "PoseTable") -> bytes:
    """A variable ``poses`` of shape (4, 4, n) and one ``names``, as MATLAB would have them."""
    from scipy.io import savemat

    stream = BytesIO()
    savemat(stream, {"poses": np.moveaxis(table.matrices, 0, 2), "names": np.array(table.names, object)})
    return stream.getvalue()


def _fits(shape: tuple[int, ...]) -> bool:
    return shape[:2] in ((4, 4), (3, 4)) or (len(shape) == 2 and shape[1] in (12, 16))


def _in_order(array: NDArray[Any]) -> NDArray[Any]:
    """Poses first: MATLAB counts them in the last dimension."""
    return np.moveaxis(array, 2, 0) if array.ndim == 3 and array.shape[:2] in ((4, 4), (3, 4)) else array
