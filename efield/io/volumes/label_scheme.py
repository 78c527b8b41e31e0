"""Whose numbers the labels of a volume are: told by what touches what, and by size, where numbers alone mislead."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.head.lattice.nesting import contacts
from efield.head.tissue import TISSUES

#: Labels that FreeSurfer's aseg always has: white matter and cortex of both sides.
_ASEG: Final = (2, 3, 41, 42)
#: Both eyes have about 15 cm3; more under their tag is something else.
_EYES_CM3: Final = 40.0
_EYE: Final = 6


def check_scheme(labels: NDArray[np.uint16], voxel_mm3: float) -> None:
    """Refuse labels that are not tissue tags, or are numbers of another program that look like them.

    Parameters
    ----------
    labels : (nx, ny, nz) array of uint16
    voxel_mm3 : float

    Raises
    ------
    InputError
        With what the labels look like, and the rows of a label map that says what they are.
    """
    tags = [int(label) for label in np.unique(labels) if label]
    unknown = [tag for tag in tags if tag not in TISSUES]
    if unknown:
        raise InputError(_unknown(tags, unknown))
    touching = contacts(np.minimum(labels, max(TISSUES)).astype(np.uint16)) if len(tags) > 1 else np.zeros((1, 1), int)
    if {1, 2, 3} <= set(tags):
        outer = [0, *(tag for tag in tags if tag > 3)]
        if _share(touching, 1, outer) > _share(touching, 3, outer):
            raise InputError(
                _other("1 CSF, 2 gray matter, 3 white matter", "label 1 lies outside of 3", (3, 2, 1), tags)
            )
        if touching[1, 3] > touching[2, 3]:
            raise InputError(
                _other("1 gray matter, 2 white matter, 3 CSF", "label 3 touches 1 more than 2", (2, 1, 3), tags)
            )
    if {4, 5} <= set(tags) and touching[4, 0] > touching[5, 0]:
        raise InputError(_other("4 scalp, 5 bone", "label 4 faces the air more than 5", (1, 2, 3, 5, 4), tags))
    eyes = float(np.count_nonzero(labels == _EYE)) * voxel_mm3 / 1000
    if eyes > _EYES_CM3:
        raise InputError(_other("6 air", f"label 6 has {eyes:.0f} cm3, too much for eyes", (1, 2, 3, 4, 5, 0), tags))


def _share(touching: NDArray[np.int64], tag: int, others: Sequence[int]) -> float:
    return float(touching[tag, others].sum() / max(touching[tag].sum(), 1))


def _unknown(tags: list[int], unknown: list[int]) -> str:
    more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
    aseg = (
        "; they look like FreeSurfer's (2 and 41 are white matter, 3 and 42 cortex), which have neither bone nor scalp"
        if set(_ASEG) <= set(tags)
        else ""
    )
    return (
        "labels must be tissue tags (1 white matter, 2 gray matter, 3 CSF, 4 bone, 5 scalp, ...); instead there are "
        f"{', '.join(map(str, unknown[:8]))}{more}{aseg}: say what each label is with --label-map FILE.csv, with rows "
        f"label,tag; a tag of your own is a row such as {unknown[0]},{unknown[0]}"
    )


def _other(scheme: str, why: str, meant: Sequence[int], tags: list[int]) -> str:
    rows = [f"{tag},{meant[tag - 1] if tag <= len(meant) else tag}" for tag in tags]
    return (
        "labels must be tissue tags (1 white matter, 2 gray matter, 3 CSF, 4 bone, 5 scalp, ...); instead they look "
        f"like {scheme} ({why}): say what they are with --label-map FILE.csv, here with the rows {' '.join(rows)}; if "
        f"they are tissue tags all the same, with the rows {' '.join(f'{tag},{tag}' for tag in tags)}"
    )
