"""Argument validation: every check returns the value in the form the caller needs, or raises `InputError`.

Messages follow one pattern: what must hold, what was received, and what to do about it.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.errors import InputError


def _first_bad(mask: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(mask.any(axis=1))
    return f"row {rows[0]}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")


def as_float_array(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """A finite float64 array, or an error that names the argument."""
    try:
        array = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
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


def kind(value: object) -> str:
    """For messages about something of the wrong type: a text as it is, of everything else its type."""
    return repr(value) if isinstance(value, str) or value is None else f"a {type(value).__name__}"
