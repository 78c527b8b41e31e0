"""What reviews and large trials say of rTMS of M1 for neuropathic pain: for it, against it, and what limits both."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from efield.dosing.marks import SIGNS, packaged


@dataclass(frozen=True)
class Statement:
    """One statement and who makes it.

    Parameters
    ----------
    sign : {"for", "against", "limits"}
    text, source : str
    mark : str
        How well it is known, a key of `efield.dosing.marks.WORDS`.
    parts : tuple of str
        Areas of M1 or sites of pain it is about; empty for all.
    """

    sign: str
    text: str
    source: str
    mark: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.sign}: {self.text}{SIGNS[self.mark]} [{self.source}]"


@cache
def statements() -> tuple[Statement, ...]:
    """All of them."""
    return tuple(Statement(**{**row, "parts": tuple(row["parts"])}) for row in packaged("evidence.toml")["statement"])


def statements_about(parts: Collection[str]) -> tuple[Statement, ...]:
    """Those that are about all of M1 or about one of some areas; all of them where no area is known."""
    known = set(parts) & {"hand", "leg", "face"}
    return tuple(one for one in statements() if not one.parts or not known or known & set(one.parts))
