"""Which of a mesh file's arrays or groups says what tissue a tetrahedron is."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.head.tissue import tissue_tag
from efield.io.bounded.cursor import doubles

#: Names of arrays that hold tissue tags: ours, and those under which Gmsh (``.vtk``) and meshio's readers of Gmsh,
#: Medit, Nastran, TetGen, Netgen, AVS-UCD and UGRID put the number that their format has for it.
TISSUE_NAMES: Final = (
    "tissue",
    "tag",
    "gmsh:physical",
    "medit:ref",
    "CellEntityIds",
    "nastran:ref",
    "tetgen:ref",
    "netgen:index",
    "avsucd:material",
    "ugrid:ref",
)

#: What a caller may say: the name of an array; or tissues (tags or names) by group name or by number in the array.
Tags = str | Mapping[str, int | str] | Mapping[int, int | str]

_MOST_LISTED: Final = 12
_LARGEST: Final = 65535


def tissue_tags(
    arrays: Mapping[str, NDArray[Any]], groups: Mapping[str, NDArray[np.integer]], count: int, wanted: Tags | None
) -> NDArray[np.int64]:
    """(m,) tissue tags of the tetrahedra of a file.

    Parameters
    ----------
    arrays : mapping of str to (m, ...) ndarray
        The file's arrays on its tetrahedra.
    groups : mapping of str to (k,) ndarray of int
        The file's named sets, as numbers of tetrahedra.
    count : int
        Number of tetrahedra, m.
    wanted : str or mapping, optional
        Name of the array; or the tissue (tag or name) of each group; or of each number in the array. By default the
        array of `TISSUE_NAMES`, else the groups that are named like tissues if each tetrahedron is in one of them.

    Raises
    ------
    InputError
        If nothing fits or several things do; the message lists what the file has.
    """
    if wanted and not isinstance(wanted, str) and all(isinstance(key, str) for key in wanted):
        return _by_group(groups, {str(key): tissue_tag(value) for key, value in wanted.items()}, count, arrays)
    name = array_name(arrays, groups, wanted)
    if name is None:
        tissues = {group: tag for group in groups if (tag := tissue_of_group(group)) is not None}
        return _by_group(groups, tissues, count, arrays)
    tags = whole(name, arrays[name])
    if wanted and not isinstance(wanted, str):
        tags = _renumbered(tags, wanted)
    if len(tags) and not 0 <= tags.min() <= tags.max() <= _LARGEST:
        raise InputError(
            f"tissue must be integer tags from 0 to {_LARGEST}; instead {name!r} holds {tags.min()} to {tags.max()}; "
            f"{_has(arrays, groups)}; say what they are with tags="
        )
    return tags


def array_name(
    arrays: Mapping[str, NDArray[Any]], groups: Mapping[str, NDArray[np.integer]], wanted: Tags | None
) -> str | None:
    """The array that the tissues are told by; None where groups named like tissues tell them.

    Raises
    ------
    InputError
        As `tissue_tags`.
    """
    if isinstance(wanted, str):
        if wanted not in arrays:
            raise InputError(f"tags must name a cell array; instead received {wanted!r}; {_has(arrays, groups)}")
        return wanted
    known = [name for name in TISSUE_NAMES if name in arrays]
    if not known and any(tissue_of_group(name) is not None for name in groups):
        return None
    if not known:
        raise InputError(
            f"cells must have a tissue array named {', '.join(TISSUE_NAMES)}, or groups named like tissues; "
            f"instead {_has(arrays, groups)}; say which one it is with tags="
        )
    # Our own name is meant; of two others with different numbers either may be.
    rivals = [name for name in known[1:] if not np.array_equal(arrays[known[0]], arrays[name])]
    if rivals and known[0] != TISSUE_NAMES[0]:
        raise InputError(
            f"one cell array must hold the tissues; instead {known[0]!r} and {rivals[0]!r} differ; "
            "say which one it is with tags="
        )
    return known[0]


def tissue_of_group(group: str) -> int | None:
    """The tag of the tissue that a group is named like; None if it is named otherwise."""
    try:
        return tissue_tag(group)
    except InputError:
        return None


def _by_group(
    groups: Mapping[str, NDArray[np.integer]], tissues: Mapping[str, int], count: int, arrays: Mapping[str, Any]
) -> NDArray[np.int64]:
    tags = np.full(count, -1, dtype=np.int64)
    for name, tag in tissues.items():
        if name not in groups:
            raise InputError(f"tags must name groups of the file; instead received {name!r}; {_has(arrays, groups)}")
        members = groups[name]
        if len(members) and (members.min() < 0 or members.max() >= count):
            raise InputError(f"groups must hold numbers of tetrahedra; instead {name!r} does not; the file is damaged")
        if np.any((tags[members] >= 0) & (tags[members] != tag)):
            raise InputError(f"a tetrahedron must be of one tissue; instead some of {name!r} are in another group too")
        tags[members] = tag
    without = int((tags < 0).sum())
    if without:
        raise InputError(
            f"every tetrahedron must be in a group of tissue; instead {without} of {count} are in none of "
            f"{', '.join(tissues)}; {_has(arrays, groups)}; name all of them with tags="
        )
    return tags


def _renumbered(tags: NDArray[np.int64], tissues: Mapping[Any, int | str]) -> NDArray[np.int64]:
    wrong = [key for key in tissues if isinstance(key, bool) or not isinstance(key, int)]
    if wrong:
        raise InputError(f"keys of tags must be all group names or all numbers; instead received {wrong[0]!r} as well")
    missing = sorted({int(tag) for tag in np.unique(tags)} - set(tissues))
    if missing:
        raise InputError(
            f"tags must give a tissue for every number in the file; instead {_listed(missing)} are missing"
        )
    new = np.empty_like(tags)
    for number, tissue in tissues.items():
        new[tags == number] = tissue_tag(tissue)
    return new


def whole(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """The values of a cell array as whole numbers.

    Raises
    ------
    InputError
        If they are none.
    """
    good = values.ndim == 1 and values.dtype.kind in "iufb" and np.isfinite(values).all()
    if not good or np.any(values != np.round(values)) or np.any(np.abs(doubles(values)) > 2**31):
        raise InputError(f"the cell array {name!r} must hold whole tissue tags, one per cell; instead it does not")
    return values.astype(np.int64)


def _has(arrays: Mapping[str, Any], groups: Mapping[str, Any]) -> str:
    return f"the file has the arrays {_listed(arrays)} and the groups {_listed(groups)}"


def _listed(names: Any) -> str:
    texts = [str(name)[:60] for name in names]
    more = f" and {len(texts) - _MOST_LISTED} more" if len(texts) > _MOST_LISTED else ""
    return ", ".join(texts[:_MOST_LISTED]) + more or "(none)"
