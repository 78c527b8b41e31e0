"""Light and dark pages: the colors of paper, words and marks."""

from dataclasses import dataclass
from typing import Final

from efield.ground import checks
from efield.viz import palette


@dataclass(frozen=True)
class Theme:
    """Colors of a page, as matplotlib and browsers take them.

    Parameters
    ----------
    name : str
    paper : str
        The background.
    ink : str
        Words and scale bars.
    scalp, plain, handle : str
        The scalp's glass, a surface that shows no values, and the coil's handle.
    """

    name: str
    paper: str
    ink: str
    scalp: str
    plain: str
    handle: str


THEMES: Final = {
    "light": Theme("light", "#ffffff", palette.INK, palette.SCALP_COLOR, "#d5d0c8", "#4a4f55"),
    "dark": Theme("dark", "#15181c", "#e8e6e3", "#e3d3c2", "#8d8a84", "#aab2ba"),
}


def theme_of(value: "str | Theme") -> Theme:
    """The theme of a name, ``light`` or ``dark``.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    return value if isinstance(value, Theme) else THEMES[checks.choice("theme", value, THEMES)]
