"""What tissue each tetrahedron of a Gmsh file is: by its groups' names or numbers, or by an array of values.

Gmsh numbers physical groups as its user likes and names them in ``$PhysicalNames``. A file may have neither, or hold
the tissues as an ``$ElementData`` section, as meshio writes cell arrays. What leaves doubt is asked for.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import EfieldWarning, InputError
from efield.head.tissue import TISSUES, tissue_name
from efield.io.bounded.cursor import Cursor
from efield.io.meshes.tags import TISSUE_NAMES, Tags, tissue_of_group, tissue_tags, whole

_PHYSICAL: Final = "gmsh:physical"
_GEOMETRICAL: Final = "gmsh:geometrical"
_MOST_NAMES: Final = 4096
_VOLUMES: Final = 3
_HOW: Final = "tags={number: tissue} (efield mesh convert --tags NUMBER=TISSUE)"


@dataclass(frozen=True, eq=False)
class Groups:
    """How the tetrahedra of a file are grouped.

    Parameters
    ----------
    physical : (m,) ndarray of int
        Physical group of each tetrahedron, 0 for none.
    entities : (m,) ndarray of int
        Elementary entity.
    names : dict of int to str
        Names of the physical groups of volumes.
    """

    physical: NDArray[Any]
    entities: NDArray[Any]
    names: dict[int, str] = field(default_factory=dict)

    def members(self) -> dict[str, NDArray[np.int64]]:
        """Numbers of the tetrahedra of each group that has a name and any."""
        sets = {name: np.flatnonzero(self.physical == number) for number, name in self.names.items()}
        return {name: members for name, members in sets.items() if len(members)}


def read_names(cursor: Cursor) -> dict[int, str]:
    """Names of the physical groups of volumes, from a ``$PhysicalNames`` section."""
    names: dict[int, str] = {}
    for line in (
        cursor.text_until(b"$EndPhysicalNames", "section $PhysicalNames").decode("utf-8", "replace").splitlines()
    ):
        words = line.split(maxsplit=2)
        if len(words) == 3 and words[0] == str(_VOLUMES) and words[1].isascii() and words[1].isdigit():
            names[int(words[1][:18])] = words[2].strip().strip('"')
            if len(names) > _MOST_NAMES:
                raise cursor.error(f"a file must name at most {_MOST_NAMES} groups; instead it has more; damaged file")
    return names


def told_tissues(groups: Groups, arrays: dict[str, NDArray[Any]], tags: Tags | None) -> NDArray[Any]:
    """(m,) tissue tags.

    Parameters
    ----------
    groups : Groups
    arrays : dict of str to ndarray
        Values on the tetrahedra, from ``$ElementData``.
    tags : str or mapping, optional
        What the caller says they are told by.

    Raises
    ------
    InputError
        If the file does not say, or says two different things; the message tells how to choose.
    """
    if tags is not None:
        numbers = np.where(groups.physical != 0, groups.physical, groups.entities)
        # A mapping of numbers is about the groups'; an array is taken by its name only.
        named = {_GEOMETRICAL: groups.entities, **arrays} if isinstance(tags, str) else {}
        return tissue_tags({**named, _PHYSICAL: numbers}, groups.members(), len(numbers), tags)
    arrays = {name: values for name, values in arrays.items() if name in TISSUE_NAMES}
    if arrays:
        return _by_array(groups, arrays)
    return _by_names(groups) if groups.physical.all() else _by_volumes(groups)


def _by_volumes(groups: Groups) -> NDArray[Any]:
    """The numbers of the volumes, where all look like tissues and no physical group says otherwise."""
    numbers = groups.entities
    if groups.physical.any() or len(np.unique(numbers)) < 2 or not np.isin(numbers, list(TISSUES)).all():
        without = groups.physical == 0
        raise InputError(
            f"a mesh must say what tissue each tetrahedron is; instead {without.sum()} of {len(without)} are in no "
            f"physical group (of the volumes {_counted(numbers[without])}) and there is no $ElementData named tissue: "
            f"say it with {_HOW}"
        )
    warnings.warn(
        f"the mesh has no physical groups: the numbers of its volumes ({_counted(numbers)}) are taken for tissues; if "
        f"they are not, say what they are with {_HOW}",
        EfieldWarning,
        stacklevel=2,
    )
    return numbers


def _by_array(groups: Groups, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The tissues of an array, which physical groups must not contradict."""
    name = next(name for name in TISSUE_NAMES if name in arrays)
    values = whole(name, arrays[name])
    rivals = [other for other in arrays if not np.array_equal(arrays[other], arrays[name])]
    # One group for all says nothing of tissues.
    if len(np.unique(groups.physical)) > 1 and not np.array_equal(_by_names(groups), values):
        rivals.append(_PHYSICAL)
    if rivals:
        raise InputError(
            f"one thing must tell the tissues; instead the array {name!r} and {rivals[0]!r} differ: say which one does "
            f"with tags={name!r} or tags={rivals[0]!r} (efield mesh convert --tags)"
        )
    return values


def _by_names(groups: Groups) -> NDArray[Any]:
    """The physical groups' numbers, or the tissues that their names say; names that contradict are refused."""
    numbers = groups.physical
    if not groups.names:
        return numbers
    tissues = {int(number): _named(int(number), groups.names.get(int(number), "")) for number in np.unique(numbers)}
    moved = {number: tissue for number, tissue in tissues.items() if tissue != number}
    if not moved:
        return numbers
    warnings.warn(
        "the names of the physical groups say what the tissues are, not their numbers: "
        + ", ".join(f"{number} {groups.names[number]!r} is tag {tissue}" for number, tissue in moved.items()),
        EfieldWarning,
        stacklevel=2,
    )
    told = np.array(numbers, dtype=np.int64)
    for number, tissue in moved.items():
        told[numbers == number] = tissue
    return told


def _named(number: int, name: str) -> int:
    """The tissue of a group of this number and name."""
    tissue = tissue_of_group(name) if name else number
    if tissue is not None:
        return tissue
    digits = "".join(letter for letter in name if letter.isdigit())
    if number in TISSUES and digits != str(number):
        raise InputError(
            f"the names of physical groups must say the tissues, or their numbers; instead group {number} is named "
            f"{name!r}, and tag {number} is {tissue_name(number)}: say what it is with {_HOW}"
        )
    return number


def _counted(numbers: NDArray[Any]) -> str:
    found = np.unique(numbers).tolist()
    return ", ".join(map(str, found[:8])) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
