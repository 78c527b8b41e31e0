"""Named coils whose geometry has been published, each with its source and what had to be assumed.

Sizes: Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13, table of coils. Largest dI/dt: Drakaki et al.,
Brain Stimul 2022;15:697. The iron-core coil of the first table is left out: its windings and core are not
described closely enough to compute its field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

from efield.coils.model import Coil
from efield.coils.polarity import induced_words
from efield.coils.shapes import Assembly, circular, figure8
from efield.coils.winding import Winding
from efield.ground.errors import InputError
from efield.ground.listing import Listing
from efield.ground.units import AMPERE_PER_MICROSECOND

_DENG: Final = "winding after Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13"
_DRAKAKI: Final = "max dI/dt after Drakaki et al., Brain Stimul 2022;15:697"

#: |A| of measured models over |A| of this catalog, 20 mm below the casing's center: what geometry alone leaves open. No
#: source says why. A winding 3 mm deeper would explain the 70 mm coil and the double cone, but X-rays of the former
#: (Thielscher and Kammer 2004) show it 3 to 10 mm behind the face.
_MEASURED: Final[dict[str, tuple[float, str]]] = {
    "magstim-70mm-figure8": (0.87, "D70"),
    "magstim-double-cone": (0.88, "DCC"),
    "magventure-c-b60": (0.95, "C-B60"),
    "magventure-mc-b70": (0.94, "MC-B70"),
    "magventure-twin": (0.73, "MST-Twin, as its file holds it"),
}

#: Distance from winding to head-side casing face. No source gives it for these coils; in the X-ray model of the MC-B70
#: (Thielscher and Kammer 2004) the winding's face lies about 3 mm behind the casing's.
_CASING_MM: Final = 3.0
_ASSUMED_CASING: Final = f"casing {_CASING_MM:g} mm thick between winding and head (not published)"
_ASSUMED_TOUCHING: Final = "wings touch: center distance equal to the outer diameter (not published)"
_ASSUMED_HINGE: Final = "wings meet at a sharp angle at their winding mid-planes (not published)"
_ASSUMED_OPEN: Final = "open centers: the casing is a ring around each winding (unverified)"
_TOWARD_HANDLE: Final = (
    "a rising current induces E toward the handle (-y), as in the measured models of this maker's coils"
)
_ASSUMED_LEADS: Final = "turns are closed rings: leads and crossings are not modeled"


@dataclass(frozen=True)
class Entry:
    """A coil of the catalog: how to build it, where the numbers come from, and which way it induces."""

    name: str
    build: Callable[[], Assembly]
    citation: str
    assumptions: tuple[str, ...]
    max_didt: float | None = None
    aliases: tuple[str, ...] = ()
    toward_handle: bool = False

    @property
    def assembly(self) -> Assembly:
        """Windings and casing, the current as the maker winds it."""
        built = self.build()
        return built.reversed() if self.toward_handle else built

    @property
    def uncertainty(self) -> str:
        """How far the field may be off, from coils of which there is a measured model."""
        if self.name not in _MEASURED:
            low, high = (round(100 * abs(1 - share)) for share in (0.95, 0.87))
            return f"no measured model: where there is one, the field at 20 mm is {low} to {high} % off"
        share, model = _MEASURED[self.name]
        return f"at 20 mm a measured model (Drakaki et al. 2022, {model}) has {share:.2f} of this field"


def _double_cone(winding: Winding, separation_mm: float | None = None) -> Assembly:
    return figure8(winding, _CASING_MM, opening_deg=100.0, separation_mm=separation_mm, open_center=True)


_ENTRIES: Final[tuple[Entry, ...]] = (
    Entry(
        "magstim-70mm-figure8",
        lambda: figure8(Winding(56, 87, 9, 1.75, 6), _CASING_MM),
        f"{_DENG} (P/N 9925, 3190); {_DRAKAKI} (D70 on Magstim Rapid)",
        (_ASSUMED_CASING, _ASSUMED_TOUCHING, _ASSUMED_LEADS, "Drakaki's D70 is this coil"),
        114.73 * AMPERE_PER_MICROSECOND,
        ("d70", "magstim-d70", "magstim-70mm"),
    ),
    Entry(
        "magstim-25mm-figure8",
        lambda: figure8(Winding(18, 42, 14, 0.75, 6), _CASING_MM),
        f"{_DENG} (P/N 1165)",
        (_ASSUMED_CASING, _ASSUMED_TOUCHING, _ASSUMED_LEADS),
        aliases=("magstim-25mm",),
    ),
    Entry(
        "magstim-70mm-circular",
        lambda: circular(Winding(40, 94, 15, 1.75, 6), _CASING_MM, open_center=True),
        f"{_DENG} (P/N 9762)",
        (_ASSUMED_CASING, _ASSUMED_OPEN, _ASSUMED_LEADS),
    ),
    Entry(
        "circular-90mm",
        lambda: circular(Winding(66, 123, 14, 1.75, 6), _CASING_MM, open_center=True),
        _DENG,
        (_ASSUMED_CASING, _ASSUMED_OPEN, _ASSUMED_LEADS, "taken to be the Magstim 90 mm circular coil (unverified)"),
        aliases=("magstim-90mm-circular",),
    ),
    Entry(
        "magstim-double-cone",
        lambda: _double_cone(Winding(96, 125, 7, 1.75, 6)),
        f"{_DENG} (P/N 9902, 100 degrees); {_DRAKAKI} (double cone on Magstim Rapid)",
        (_ASSUMED_CASING, _ASSUMED_TOUCHING, _ASSUMED_HINGE, _ASSUMED_OPEN, _ASSUMED_LEADS, _TOWARD_HANDLE),
        84.37 * AMPERE_PER_MICROSECOND,
        ("double-cone", "dcc"),
        toward_handle=True,
    ),
    Entry(
        "magventure-c-b60",
        lambda: figure8(Winding(35, 75, 5, 1.75, 5.5, layers=2), 4.0),
        f"{_DENG}; {_DRAKAKI} (C-B60 on MagPro X100)",
        (
            "casing 4 mm thick between winding and head: that to the nearest sources of a measured model",
            _ASSUMED_TOUCHING,
            _ASSUMED_LEADS,
            "the two layers are stacked along the axis and together 11 mm high: two of 11 mm would not fit into the "
            "real casing of 19 mm",
            _TOWARD_HANDLE,
        ),
        155.40 * AMPERE_PER_MICROSECOND,
        ("c-b60", "cb60"),
        toward_handle=True,
    ),
    Entry(
        "magventure-mc-b70",
        lambda: figure8(Winding(24, 108, 10, 3.5, 6), _CASING_MM, separation_mm=62.9, opening_deg=153.3),
        f"{_DENG}; {_DRAKAKI} (MC-B70 on MagPro X100)",
        (
            _ASSUMED_CASING,
            "center distance 62.9 mm and opening 153.3 degrees: centers and mean directions of the wings in the X-ray "
            "model of Thielscher and Kammer, Clin Neurophysiol 2004;115:1697, as a public coil file carries it",
            "each wing is one plane; in the real coil the overlapping middle is flat and the outer parts are bent more",
            _ASSUMED_LEADS,
            _TOWARD_HANDLE,
        ),
        155.33 * AMPERE_PER_MICROSECOND,
        ("mc-b70", "mcb70"),
        toward_handle=True,
    ),
    Entry(
        "magventure-twin",
        lambda: _double_cone(Winding(40, 119, 15, 2.5, 15), separation_mm=212.3),
        f"{_DENG} (100 degrees, H 30); {_DRAKAKI} (MST-Twin on MagPro XP)",
        (
            _ASSUMED_CASING,
            "wire 2.5 mm along the radius and 15 mm high (15 turns fit only that way)",
            "H 30 read as the height from the wings' inner edges to the line where their planes would meet, "
            "so that the centers lie 106.2 mm from it (inferred: depth and spread then agree)",
            _ASSUMED_OPEN,
            "Drakaki's MST-Twin is this coil (unverified)",
            _ASSUMED_LEADS,
            _TOWARD_HANDLE,
        ),
        200.08 * AMPERE_PER_MICROSECOND,
        ("mst-twin", "twin"),
        toward_handle=True,
    ),
)


def names() -> tuple[str, ...]:
    """Names of the coils in the catalog."""
    return tuple(entry.name for entry in _ENTRIES)


def list_coils() -> Listing:
    """The coils that are known by name, as a sequence of names that shows a table.

    Examples
    --------
    >>> "magstim-70mm-figure8" in ef.list_coils()
    True
    """
    rows = []
    for entry in _ENTRIES:
        drive = "unknown" if entry.max_didt is None else f"{entry.max_didt / AMPERE_PER_MICROSECOND:.1f}"
        induces = induced_words(load_named(entry.name)).partition(",")[0] or "around"
        rows.append((entry.name, ", ".join(entry.aliases), drive, induces))
    return Listing("Coils", ("name", "also", "max dI/dt at 100 % (A/us)", "induces"), rows)


def canonical_name(name: str) -> str:
    """The catalog's name for a coil given by name or alias, in any case.

    Raises
    ------
    InputError
        If no coil has that name; the message names the nearest.
    """
    return _entry(name).name


def assembly(name: str) -> Assembly:
    """Windings and casing of a coil, given by name or alias; `Assembly.dipoles` turns it into dipoles.

    Raises
    ------
    InputError
        If no coil has that name; the message names the nearest.
    """
    return _entry(name).assembly


def load_named(name: str) -> Coil:
    """A coil of the catalog.

    Parameters
    ----------
    name : str
        Name or alias, in any case.

    Raises
    ------
    InputError
        If no coil has that name; the message names the nearest.
    """
    return _load(canonical_name(name))


@cache
def _load(name: str) -> Coil:
    entry = _entry(name)
    return entry.assembly.coil(
        entry.name,
        citation=entry.citation,
        assumptions=entry.assumptions,
        max_didt=entry.max_didt,
        aliases=entry.aliases,
        uncertainty=entry.uncertainty,
    )


def _entry(name: str) -> Entry:
    words = {word: entry for entry in _ENTRIES for word in (entry.name, *entry.aliases)}
    wanted = str(name).strip().lower()
    if wanted in words:
        return words[wanted]
    near = get_close_matches(wanted, words, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"coil must be one of {', '.join(names())}; instead received {name!r}{hint}")
