"""Values as a study file gives them: texts and numbers, which are what they are called."""

from typing import Any

import numpy as np

from efield.ground import checks
from efield.ground.errors import InputError


def strict_text(name: str, value: Any) -> str:
    """A text that says something, without spaces around it."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name} must be text in quotes; instead received {value!r}")
    return value.strip()


def number_or_list(name: str, value: Any) -> tuple[float, ...]:
    """One number, a list of numbers, or ``{start, stop, step}`` with both ends included."""
    if isinstance(value, dict):
        if set(value) != {"start", "stop", "step"}:
            raise InputError(f"{name} must have start, stop and step; instead received {', '.join(value) or 'nothing'}")
        start, stop, step = (checks.number(f"{name}.{key}", value[key]) for key in ("start", "stop", "step"))
        if step == 0 or (stop - start) / step < 0 or (stop - start) / step > 1e6:
            raise InputError(f"{name} must lead from start to stop; instead received {start:g} to {stop:g} by {step:g}")
        # Half a billionth of a step more: the last value must not fall out by rounding.
        steps = int(np.floor((stop - start) / step + 1e-9))
        return tuple(float(start + k * step) for k in range(steps + 1))
    values = value if isinstance(value, list) else [value]
    if not values:
        raise InputError(f"{name} must hold at least one number; instead it is empty")
    return tuple(strict_number(name, one) for one in values)


def strict_number(name: str, value: Any) -> float:
    """A number; unlike `checks.number` no text and no boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number; instead received {value!r}")
    return checks.number(name, value)
