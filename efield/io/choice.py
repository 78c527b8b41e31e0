"""``FILE:CHOICE``: a file, and which of the things in it: ``coil.tcd:rot2p-0=10,stimulator=1``, ``cap.csv:C3``."""

from pathlib import Path

from efield.ground.errors import InputError


def split_choice(text: str, suffixes: tuple[str, ...], base: str | Path = ".") -> tuple[str, str | None]:
    """The file and the choice behind it; None if there is none.

    A colon begins a choice only behind the suffix of a file that offers one, so that drive letters and other colons in
    paths stay what they are; and what exists under its whole name is that file. The choice itself may hold colons.
    Slashes it may hold if the file before it exists: they could as well be those of a path.

    Parameters
    ----------
    text : str
    suffixes : tuple of str
        Of the files that offer a choice, in lower case.
    base : path_like
        Where relative files are looked up.

    Raises
    ------
    InputError
        If nothing stands behind the colon.
    """
    places = [place for place, letter in enumerate(text) if letter == ":"]
    places = [place for place in places if text[:place].lower().endswith(suffixes)]
    if not places or Path(base, text).exists():
        return text, None
    there = [place for place in places if Path(base, text[:place]).exists()]
    plain = [place for place in places if not {"/", "\\"} & set(text[place:])]
    if not there and not plain:
        return text, None
    place = there[-1] if there else plain[-1]
    file, choice = text[:place], text[place + 1 :].strip()
    if not choice:
        raise InputError(
            f"a choice must stand behind the colon of {text!r}, as in coil.tcd:stimulator=1 or cap.csv:C3; instead "
            f"nothing does: name one, or leave the colon out"
        )
    return file, choice
