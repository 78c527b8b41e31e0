"""Tissue tags and their default conductivities.

Tags are those of SimNIBS. Conductivities (S/m): Wagner et al. 2004 (IEEE Trans Biomed Eng 51:1586), Opitz et
al. 2015 (NeuroImage 109:140) and Gabriel et al. 2009 (Phys Med Biol 54:4863), as collected by SimNIBS.
"""

from dataclasses import dataclass
from typing import Any, Final

from efield.ground import checks
from efield.ground.errors import InputError


@dataclass(frozen=True)
class Tissue:
    """One tissue: its tag, name and default conductivity in S/m."""

    tag: int
    name: str
    conductivity: float


#: More digits than any tag has; Python refuses to read thousands of them.
_MOST_DIGITS: Final = 18

WHITE_MATTER: Final = 1
GRAY_MATTER: Final = 2
CSF: Final = 3
BONE: Final = 4
SCALP: Final = 5

TISSUES: Final[dict[int, Tissue]] = {
    t.tag: t
    for t in (
        Tissue(WHITE_MATTER, "white matter", 0.126),
        Tissue(GRAY_MATTER, "gray matter", 0.275),
        Tissue(CSF, "CSF", 1.654),
        Tissue(BONE, "bone", 0.010),
        Tissue(SCALP, "scalp", 0.465),
        Tissue(6, "eye", 0.5),
        Tissue(7, "compact bone", 0.008),
        Tissue(8, "spongy bone", 0.025),
        Tissue(9, "blood", 0.6),
        Tissue(10, "muscle", 0.16),
        Tissue(11, "cartilage", 0.88),
        Tissue(12, "fat", 0.078),
        Tissue(100, "rubber", 29.4),
        Tissue(500, "saline", 1.0),
    )
}


#: What other programs and people call them, and SimNIBS in its own files.
_SYNONYMS: Final[dict[str, int]] = {
    "wm": WHITE_MATTER,
    "white": WHITE_MATTER,
    "gm": GRAY_MATTER,
    "gray": GRAY_MATTER,
    "grey": GRAY_MATTER,
    "grey-matter": GRAY_MATTER,
    "cerebrospinal-fluid": CSF,
    "skull": BONE,
    "skin": SCALP,
    "eyes": 6,
    "eye-balls": 6,
    "cortical-bone": 7,
    "cancellous-bone": 8,
    "electrode-rubber": 100,
}


#: No living tissue, whose tags end before those of electrodes, conducts better (S/m): CSF has 1.8 at most.
_BEST_OF_TISSUES: Final = 5.0
_FIRST_ELECTRODE: Final = 100


def conductivity(name: str, tag: int, value: Any) -> float:
    """A conductivity in S/m of the tissue with a tag; one that looks like mS/m is refused.

    Raises
    ------
    InputError
        If it is not a positive number, or larger than that of any tissue.
    """
    found = checks.positive(name, value)
    if found > _BEST_OF_TISSUES and tag < _FIRST_ELECTRODE:
        raise InputError(
            f"{name} must be in S/m; instead received {value!r}, more than any tissue conducts, which looks like mS/m: "
            "divide by 1000"
        )
    return found


def tissue_name(tag: int) -> str:
    """The tissue's name, or ``tag N`` for one without a name."""
    return TISSUES[tag].name if tag in TISSUES else f"tag {tag}"


def tissue_tag(text: object) -> int:
    """The tag meant by a tag or a tissue's name (any case; spaces, hyphens or underscores), such as ``gray-matter``.

    Common other names are known: ``GM``, ``grey matter``, ``skin``, ``skull``.

    Raises
    ------
    InputError
        If no tissue has that name; the nearest is suggested.
    """
    word = str(text).strip().lower().replace(" ", "-").replace("_", "-")
    if word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS:
        return int(word)
    if word in _SYNONYMS:
        return _SYNONYMS[word]
    tags = {tissue.name.lower().replace(" ", "-"): tissue.tag for tissue in TISSUES.values()}
    return tags[checks.choice("tissue", word, tags)]
