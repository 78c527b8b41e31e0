"""Arguments of bases and of reciprocity: what was given in the place of a simulator or a coil."""

from typing import Any

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import InputError
from efield.targeting.named import the_coil
from efield.targeting.simulate import Simulator


def simulator(value: Any) -> Simulator:
    """The simulator, or an error that names the call that makes one."""
    if not isinstance(value, Simulator):
        raise InputError(f"sim must be a Simulator, such as Simulator(head); instead received {checks.kind(value)}")
    return value


def coil_or_any(value: Any) -> Coil | None:
    """The coil; None for the word "any".

    Raises
    ------
    InputError
        If it is neither; or as `load_coil`.
    """
    if isinstance(value, str) and value == "any":
        return None
    if value is None:
        raise InputError('coil must be a Coil, its name or a file, or "any"; instead received None')
    return the_coil(value)
