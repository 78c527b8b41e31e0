"""What a head lacks or has too much of, in words: a piece of one, a torso, brain laid open, no skull, no scalp."""

from typing import Final

import numpy as np

from efield.head.mesh import HeadMesh, once_per_head
from efield.head.soundness import defects
from efield.head.surface import scalp
from efield.head.tissue import BONE, CSF, GRAY_MATTER, SCALP, TISSUES, WHITE_MATTER, tissue_name

#: Heads are wider than this, of infants too, and not as tall as that (mm).
_NARROWEST_MM: Final = 100.0
_TALLEST_MM: Final = 450.0

#: Share of the outer surface that may be brain: the spinal cord where a neck ends.
_MOST_BRAIN: Final = 0.01

_BRAIN: Final = (WHITE_MATTER, GRAY_MATTER)
_SKULL: Final = (BONE, 7, 8)
#: Tissues that no coil touches.
_INNER: Final = (*_BRAIN, CSF, *_SKULL, 9)


@once_per_head
def remarks(head: HeadMesh) -> tuple[str, ...]:
    """What a person should know of a head before trusting numbers from it; empty for a usual one."""
    # Where a mesh is cut its surface runs through the inside: that is told as a defect, not as a strange head.
    torn = any(defect.harmful for defect in defects(head))
    return tuple(text for text in (_size(head), "" if torn else _outside(head), _skull(head)) if text)


def _size(head: HeadMesh) -> str:
    widest = float(np.ptp(head.points, axis=0).max())
    if widest < _NARROWEST_MM:
        return (
            f"the mesh is only {widest:.0f} mm wide, a piece of a head: no current crosses the faces where it ends, "
            "and the field near them is not that of the head"
        )
    if widest > _TALLEST_MM:
        return (
            f"the mesh is {widest:.0f} mm long, more than a head: 10-10 positions and a map by the brain's shape "
            "expect a head that ends at the neck; give places as x,y,z or by a cap"
        )
    return ""


def _outside(head: HeadMesh) -> str:
    """What tissue the outer surface is, where that is not skin."""
    surface = scalp(head)
    share = np.bincount(head.tissue[surface.owners], surface.areas)
    share = share / share.sum()
    main = int(np.argmax(share))
    if main in _INNER:
        return (
            f"the head's outer surface, on which the coil is held, is {tissue_name(main)} ({share[main]:.0%} of it)"
            + ("" if SCALP in head.tags else f": there is no {tissue_name(SCALP)} (tag {SCALP})")
        )
    of_brain = float(share[[tag for tag in _BRAIN if tag < len(share)]].sum())
    if of_brain > _MOST_BRAIN:
        return (
            f"{of_brain:.0%} of the head's outer surface is brain, as of a head that was cut: no current crosses it, "
            "and the field near it is not that of the head"
        )
    return ""


def _skull(head: HeadMesh) -> str:
    known = all(tag in TISSUES for tag in head.tags)
    if known and SCALP in head.tags and not set(_SKULL) & set(head.tags):
        return f"the head has no skull (tag {', '.join(map(str, _SKULL))})"
    return ""


def looks_like_centimeters(head: HeadMesh) -> bool:
    """Whether a mesh is as wide as a head in centimeters, and closed all around by scalp, as no piece of one is."""
    widest = float(np.ptp(head.points, axis=0).max())
    if widest > _NARROWEST_MM / 2 or not {SCALP, *_BRAIN} <= set(head.tags):
        return False
    surface = scalp(head)
    return bool(surface.areas[head.tissue[surface.owners] == SCALP].sum() > 0.9 * surface.areas.sum())
