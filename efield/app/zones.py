"""Forbidden zones on the command line: spheres, and masks of the scalp."""

from collections.abc import Callable, Sequence

from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.targeting.region_files import RegionWord, region_word
from efield.targeting.targets import Target

Zone = Target | tuple[tuple[float, ...], float]


def zones_of(texts: Sequence[str] | None) -> Callable[[HeadMesh], list[Zone]]:
    """The zones of `--forbidden`, checked before a head is loaded; what is returned gives them on a head.

    Raises
    ------
    InputError
        If a text is neither a sphere nor a region in a file.
    FileFormatError
        If a file cannot be read.
    """
    found = [_parsed(text) for text in texts or ()]
    return lambda head: [Target.from_word(one, head) if isinstance(one, RegionWord) else one for one in found]


def _parsed(text: str) -> RegionWord | tuple[tuple[float, ...], float]:
    if (word := region_word(text)) is not None:
        word.region()
        return word
    try:
        x, y, z, radius = map(float, text.split(","))
    except ValueError as error:
        raise InputError(
            f"--forbidden must be x,y,z,radius in mm, or a region in a file (mask.nii.gz:3); instead received {text!r}"
        ) from error
    return (x, y, z), radius
