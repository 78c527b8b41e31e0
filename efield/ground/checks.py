"""Argument validation: every check returns the value in the form the caller needs, or raises `InputError`.

Messages follow one pattern: what must hold, what was received, and what to do about it.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite, pi
from operator import index
from typing import Any, Final
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.errors import EfieldWarning, InputError

#: A point whose largest coordinate is below this (mm) is one in meters: no head is so small.
_LIKE_METERS: Final = 0.3

#: A gap or a radius below this (mm) is one in meters: nobody holds a coil to a tenth of a millimeter.
_LEAST_LENGTH: Final = 0.1

#: A rate below this (A/s) is one in A/us: a stimulator at one percent gives more than a thousand times as much.
_LEAST_RATE: Final = 1e3

#: An intensity below this percentage of a motor threshold is a share of it: no protocol stimulates so weakly.
_LEAST_INTENSITY: Final = 5.0

#: An angle is taken for radians when it is a multiple of pi/12 (15 degrees), up to the rounding of people.
_ROUNDED: Final = 2e-3


def _first_bad(mask: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(mask.any(axis=1))
    return f"row {rows[0]}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")


def as_float_array(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """A finite float64 array, or an error that names the argument."""
    try:
        array = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be an array of numbers; instead received {type(value).__name__}") from error
    if not np.isfinite(array).all():
        rows = array.reshape(len(np.atleast_1d(array)), -1)
        raise InputError(f"{name} must be finite; instead received nan or inf in {_first_bad(~np.isfinite(rows))}")
    return array


def vectors(name: str, value: ArrayLike, *, minimum: int = 0) -> NDArray[np.float64]:
    """An (n, 3) float64 array of finite vectors with at least `minimum` rows."""
    array = as_float_array(name, value)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InputError(f"{name} must have shape (n, 3); instead received shape {array.shape}")
    if len(array) < minimum:
        raise InputError(f"{name} must have at least {minimum} row(s); instead received {len(array)}")
    return array


def vector(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """One finite 3-vector."""
    array = as_float_array(name, value)
    if array.shape != (3,):
        raise InputError(f"{name} must be three numbers; instead received shape {array.shape}")
    return array


def point_mm(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """One point in millimeters; one whose numbers look like meters is refused.

    The origin is a point like any other: of a spherical head it is the center.
    """
    point = vector(name, value)
    if 0 < np.abs(point).max() < _LIKE_METERS:
        raise InputError(
            f"{name} must be in millimeters; instead received ({point[0]:g}, {point[1]:g}, {point[2]:g}), which looks "
            "like meters: multiply by 1000"
        )
    return point


def length_mm(name: str, value: Any) -> float:
    """A finite length in millimeters above zero; one that looks like meters is refused."""
    length = positive(name, value)
    if length < _LEAST_LENGTH:
        raise InputError(
            f"{name} must be in millimeters; instead received {value!r}, which looks like meters: multiply by 1000"
        )
    return length


def rate(name: str, value: Any) -> float:
    """A finite rate of change of a coil's current in A/s; one that looks like A/us is refused, 0 is not."""
    didt = number(name, value)
    if 0 < abs(didt) < _LEAST_RATE:
        raise InputError(
            f"{name} must be in A/s; instead received {value!r}, which looks like A/us: 1 A/us is 1e6 A/s, so give "
            f"{didt * 1e6:g}"
        )
    return didt


def points_mm(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """An (n, 3) array of points in millimeters; those that look like meters are refused."""
    points = vectors(name, value)
    farthest = float(np.abs(points).max(initial=0.0))
    if 0 < farthest < _LIKE_METERS:
        raise InputError(
            f"{name} must be in millimeters; instead no coordinate is larger than {farthest:g}, which looks like "
            "meters: multiply by 1000"
        )
    return points


def degrees(name: str, value: Any) -> float:
    """A finite angle in degrees; one that may be in radians is taken as it is, with a warning.

    Warns
    -----
    EfieldWarning
        Where it is a simple fraction of pi, which hardly anybody writes in degrees.
    """
    angle = number(name, value)
    twelfths = round(12.0 * angle / pi)
    if 1 <= abs(twelfths) <= 24 and abs(angle - twelfths * pi / 12.0) < _ROUNDED:
        warn(
            f"{name} is in degrees; {value!r} looks like radians: give {15 * twelfths} if that is what is meant",
            EfieldWarning,
            stacklevel=3,
        )
    return angle


def percent_of_output(name: str, value: Any) -> float:
    """Percent of a stimulator's maximum output, 0 to 100; a share of 1, such as 0.52, is asked back.

    Raises
    ------
    InputError
        If it is out of range, or above 0 and below 1: no stimulator is set to that.
    """
    percent = in_range(name, value, 0.0, 100.0)
    if 0.0 < percent < 1.0:
        raise InputError(
            f"{name} must be in percent; instead received {percent:g}: write {100 * percent:g} for {100 * percent:g} %"
        )
    return percent


def percent_of_threshold(name: str, value: Any) -> float:
    """Percent of a motor threshold, above 0; a share, such as 1.1 for 110 %, is asked back."""
    percent = positive(name, value)
    if percent < _LEAST_INTENSITY:
        raise InputError(
            f"{name} must be in percent of the threshold; instead received {percent:g}: write {100 * percent:g} for "
            f"{100 * percent:g} %"
        )
    return percent


def unit_vector(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """A finite non-zero 3-vector, scaled to length one."""
    array = vector(name, value)
    length = float(np.linalg.norm(array))
    if length == 0:
        raise InputError(f"{name} must not be the zero vector")
    return array / length


def number(name: str, value: Any) -> float:
    """A finite float."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be a number; instead received {value!r}") from error
    if not isfinite(result):
        raise InputError(f"{name} must be finite; instead received {value!r}")
    return result


def positive(name: str, value: Any) -> float:
    """A finite float above zero."""
    result = number(name, value)
    if result <= 0:
        raise InputError(f"{name} must be > 0; instead received {value!r}")
    return result


def in_range(name: str, value: Any, low: float, high: float) -> float:
    """A finite float in [low, high]."""
    result = number(name, value)
    if not low <= result <= high:
        raise InputError(f"{name} must be between {low:g} and {high:g}; instead received {value!r}")
    return result


def affine(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """An invertible (4, 4) map whose last row is 0 0 0 1."""
    matrix = as_float_array(name, value)
    fault = ""
    if matrix.shape != (4, 4):
        fault = f"it has shape {matrix.shape} and not shape (4, 4)"
    elif np.abs(matrix[3] - (0.0, 0.0, 0.0, 1.0)).max() > 1e-8:
        fault = f"the last row is {matrix[3].tolist()}"
    else:
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        if lengths.min() < 1e-6 or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-3:
            fault = f"its axes are singular: {matrix[:3, :3].tolist()}"
    if fault:
        raise InputError(
            f"{name} must be an invertible 4x4 affine whose last row is 0 0 0 1; instead {fault}: export it again"
        )
    return matrix


def flag(name: str, value: Any) -> bool:
    """True or false, and nothing that only counts as such."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false; instead received {value!r}")
    return value


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number of at least `low` and at most `high`; no text, no 2.0, no True."""
    try:
        result = None if isinstance(value, bool) else index(value)
    except TypeError:
        result = None
    if result is None or result < low or (high is not None and result > high):
        limits = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InputError(f"{name} must be a whole number {limits}; instead received {value!r}")
    return result


def choice(name: str, value: str, allowed: Iterable[str]) -> str:
    """One of the allowed words; a misspelled one is answered with the nearest."""
    words = list(allowed)
    if value in words:
        return value
    near = get_close_matches(str(value).lower(), [w.lower() for w in words], n=1, cutoff=0.4)
    hint = next((f"; did you mean {w!r}?" for w in words if near and w.lower() == near[0]), "")
    raise InputError(f"{name} must be one of {', '.join(words)}; instead received {value!r}{hint}")


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of the array that refuses writes."""
    view = array.view()
    view.flags.writeable = False
    return view


def owned(array: NDArray[Any]) -> NDArray[Any]:
    """The values as they are now, in an array that refuses writes; a copy where they could still be changed."""
    return read_only(array.copy() if array.flags.writeable else array)


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array without gaps and as a view that refuses writes: one form, so that kernels are compiled once for it."""
    return read_only(np.ascontiguousarray(array))


def kind(value: object) -> str:
    """For messages about something of the wrong type: a text as it is, of everything else its type."""
    return repr(value) if isinstance(value, str) or value is None else f"a {type(value).__name__}"
