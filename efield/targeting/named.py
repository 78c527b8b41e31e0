"""Names and files stand for the thing wherever a head, a coil or conductivities are asked for."""

from collections.abc import Callable, Mapping
from os import PathLike, fspath
from typing import Any, TypeVar

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.io.load import load_coil, load_head

_Thing = TypeVar("_Thing")

#: A coil, its name in the catalog, or its file.
CoilLike = Coil | str | PathLike[str]

#: A head, the name of a shipped one, or its file or folder.
HeadLike = HeadMesh | str | PathLike[str]

#: Conductivities, or the tissues (tag or name) that differ from the default table, S/m.
ConductivityLike = Conductivity | Mapping[str, float] | Mapping[int, float]


def the_coil(value: Any) -> Coil:
    """The coil that is meant: itself, or what `load_coil` makes of a name or a file.

    Raises
    ------
    InputError
        If it is neither; or as `load_coil`.
    """
    words = "a Coil, a name such as 'magstim-70mm-figure8' (see list_coils()) or a coil file"
    return _meant(value, "coil", Coil, load_coil, words)


def coil_if_any(value: Any) -> Coil | None:
    """`the_coil`, or None for None."""
    return None if value is None else the_coil(value)


def the_head(value: Any) -> HeadMesh:
    """The head that is meant: itself, or what `load_head` makes of a name, a file or a folder.

    Raises
    ------
    InputError
        If it is neither; or as `load_head`.
    """
    words = "a HeadMesh, a name such as 'mni152', a mesh file or a folder m2m_<id>"
    return _meant(value, "head", HeadMesh, load_head, words)


def _meant(value: Any, name: str, kind: type[_Thing], load: Callable[[str], _Thing], words: str) -> _Thing:
    if isinstance(value, kind):
        return value
    if isinstance(value, str | PathLike):
        return load(fspath(value))
    raise InputError(f"{name} must be {words}; instead received {checks.kind(value)}")


def the_conductivity(value: Any) -> Conductivity:
    """Conductivities: themselves, the default table for None, or that table with the tissues of a mapping replaced.

    Raises
    ------
    InputError
        If it is none of these, or a tissue or its value is none.
    """
    if value is None:
        return Conductivity()
    if isinstance(value, Conductivity):
        return value
    if isinstance(value, Mapping):
        return Conductivity().with_values(value)
    raise InputError(
        "conductivity must be a Conductivity, or a mapping of tissues to S/m such as {'bone': 0.012}; instead received "
        f"{checks.kind(value)}"
    )
