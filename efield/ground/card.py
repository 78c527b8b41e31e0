"""The two faces an object shows: a few lines of text, and a small table in a notebook, both of the same facts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.units import AMPERE_PER_MICROSECOND

#: A text is no longer than this, whatever names and numbers are in it, and has no more lines.
MOST_CHARACTERS: Final = 400
MOST_LINES: Final = 6
_WIDEST: Final = 96

#: Colors and lines follow those of the page, so that a table reads on a light and on a dark one; no style sheet, no
#: script, so that it is shown where notebooks are not trusted.
_TABLE: Final = "border-collapse:collapse;border:1px solid rgba(128,128,128,.4);font-size:90%;color:inherit"
_CAPTION: Final = "caption-side:top;text-align:left;font-weight:600;padding:0 0 .3em 0;color:inherit"
_NAME: Final = "text-align:left;vertical-align:top;padding:.15em .9em .15em .5em;opacity:.75;font-weight:400"
_VALUE: Final = "text-align:left;vertical-align:top;padding:.15em .5em;max-width:44em;overflow-wrap:anywhere"
LINE: Final = "background:transparent;border-top:1px solid rgba(128,128,128,.25)"


@dataclass(frozen=True)
class Card:
    """What an object says of itself: what it is, how large, in which units, where it comes from.

    Parameters
    ----------
    title : str
        Its class, and a name if it has one.
    rows : sequence of (str, str)
        Names and values, with units, most important first. What is empty is left out; the text has the first five.
    """

    title: str
    rows: Sequence[tuple[str, str]] = ()

    def lines(self) -> list[tuple[str, str]]:
        """The rows that say something, each on one line."""
        flat = [(_flat(name), _flat(value)) for name, value in self.rows]
        return [(name, value) for name, value in flat if value]

    def text(self) -> str:
        """At most `MOST_LINES` lines and `MOST_CHARACTERS` characters."""
        rows = self.lines()[: MOST_LINES - 1]
        wide = max((len(name) for name, _ in rows), default=0)
        lines = [_flat(self.title), *(f"  {name:<{wide}}  {value}" for name, value in rows)]
        while sum(map(len, lines)) + len(lines) - 1 > MOST_CHARACTERS:
            # The longest line gives way first: a short one loses nothing to it.
            longest = max(range(len(lines)), key=lambda k: len(lines[k]))
            lines[longest] = cut(lines[longest], len(lines[longest]) - 2)
        return "\n".join(cut(line, _WIDEST) for line in lines)

    def html(self) -> str:
        """A table that needs nothing beside it."""
        rows = "".join(
            f'<tr style="{LINE}"><th scope="row" style="{_NAME}">{escape(name)}</th>'
            f'<td style="{_VALUE}">{escape(value)}</td></tr>'
            for name, value in self.lines()
        )
        title = escape(_flat(self.title))
        return f'<table style="{_TABLE}"><caption style="{_CAPTION}">{title}</caption><tbody>{rows}</tbody></table>'


class Carded:
    """An object with a card: short where it is printed, a table where it is the last line of a notebook's cell."""

    def _card(self) -> Card:
        return Card(type(self).__name__)

    def __repr__(self) -> str:
        return self._card().text()

    def _repr_html_(self) -> str:
        return self._card().html()


def counted(number: int, one: str, many: str = "") -> str:
    """``"1 node"``, ``"492,034 nodes"``; `many` where an s does not make the plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def place(values: NDArray[np.floating], unit: str = "mm") -> str:
    """Three numbers, with a unit unless they are a direction."""
    digits = 1 if unit else 3
    return " ".join(("({})".format(", ".join(f"{value + 0.0:.{digits}f}" for value in values)), unit)).strip()


def rate(didt: float) -> str:
    """A rate of change of current, in the unit of the API and in the one people use."""
    return f"{didt:g} A/s ({didt / AMPERE_PER_MICROSECOND:g} A/us)"


def extent(points_mm: NDArray[np.floating]) -> str:
    """How large what spans some points (n, 3) is."""
    if not len(points_mm):
        return ""
    return " x ".join(f"{span:.0f}" for span in np.ptp(points_mm, axis=0)) + " mm"


def listed(names: Iterable[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    given = list(names)
    rest = [f"and {len(given) - most} more"] if len(given) > most else []
    return ", ".join([*given[:most], *rest])


def _flat(text: str) -> str:
    return " ".join(str(text).split())


def cut(line: str, width: int) -> str:
    """A line that is no wider."""
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"
