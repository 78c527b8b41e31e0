"""Stimulators: how hard a percentage of the maximum stimulator output (MSO) drives a coil, and with what pulse.

dI/dt at 100 % MSO was measured for each pair of stimulator and coil by Drakaki et al., Brain Stimul 2022;15:697,
and is proportional to the intensity setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from efield.coils.catalog import canonical_name
from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.card import Card, Carded, listed
from efield.ground.errors import InputError
from efield.ground.listing import Listing
from efield.ground.units import AMPERE_PER_MICROSECOND

_DRAKAKI: Final = "Drakaki et al., Brain Stimul 2022;15:697"


@dataclass(frozen=True)
class Waveform:
    """A pulse shape.

    Parameters
    ----------
    name : str
        ``biphasic`` or ``monophasic``.
    duration_us : float
        Length of the whole pulse in microseconds.
    rise_us : float, optional
        Length of the current's first rise in microseconds.
    verified : bool
        Whether the numbers were read in a source; False: common knowledge, not checked.
    """

    name: str
    duration_us: float
    rise_us: float | None = None
    verified: bool = False


@dataclass(frozen=True, repr=False)
class Stimulator(Carded):
    """A stimulator and what is known of its output.

    Parameters
    ----------
    name : str
    waveforms : tuple of Waveform
        Empty where nothing is known.
    max_didt : mapping of str to float
        dI/dt in A/s at 100 % MSO by coil: catalog names where the catalog has the coil, else the maker's name.
    energy_joule_per_percent2 : float, optional
        c in J = c P^2, the energy of one pulse at P % MSO.
    continuous_watt : float, optional
        w in f = w / J, the highest repetition rate in Hz it can keep up.
    note : str
    aliases : tuple of str
    """

    name: str
    waveforms: tuple[Waveform, ...] = ()
    max_didt: Mapping[str, float] = field(default_factory=dict)
    energy_joule_per_percent2: float | None = None
    continuous_watt: float | None = None
    note: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        scaled = {coil: checks.positive("max_didt", value) for coil, value in self.max_didt.items()}
        object.__setattr__(self, "max_didt", MappingProxyType(scaled))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping can be neither pickled nor copied deeply.
        rest = self.energy_joule_per_percent2, self.continuous_watt, self.note, self.aliases
        return Stimulator, (self.name, self.waveforms, dict(self.max_didt), *rest)

    def pulse_energy_joule(self, intensity_percent: float) -> float | None:
        """Energy of one pulse in joule at an intensity in % MSO; None where it is not known."""
        if self.energy_joule_per_percent2 is None:
            return None
        return self.energy_joule_per_percent2 * _intensity(intensity_percent) ** 2

    def max_rate_hz(self, intensity_percent: float) -> float | None:
        """Highest continuous pulse rate in Hz at an intensity in % MSO; None where it is not known."""
        energy = self.pulse_energy_joule(intensity_percent)
        if energy is None or self.continuous_watt is None:
            return None
        return self.continuous_watt / energy

    def _card(self) -> Card:
        pulses = (f"{w.name} {w.duration_us:g} us" for w in self.waveforms)
        rows = (
            ("pulse", listed(pulses) or "unknown"),
            ("max dI/dt", listed((f"{c} {v / AMPERE_PER_MICROSECOND:.1f}" for c, v in self.max_didt.items()), 3)),
            ("unit", "A/us at 100 % of the output" if self.max_didt else ""),
            ("source", self.note),
        )
        return Card(f"Stimulator {self.name}", rows)


def _per_microsecond(table: dict[str, float]) -> dict[str, float]:
    return {coil: value * AMPERE_PER_MICROSECOND for coil, value in table.items()}


_MAGPRO_PULSE: Final = Waveform("biphasic", 280.0, verified=False)

_STIMULATORS: Final[tuple[Stimulator, ...]] = (
    Stimulator(
        "magstim-rapid2",
        (Waveform("biphasic", 400.0, verified=True),),
        _per_microsecond({"magstim-70mm-figure8": 114.73, "magstim-double-cone": 84.37}),
        energy_joule_per_percent2=0.0252,
        continuous_watt=1050.0,
        note=f"dI/dt from {_DRAKAKI}, where the stimulator is called Magstim Rapid; the same is assumed of Rapid2",
        aliases=("magstim-rapid", "rapid2", "rapid"),
    ),
    Stimulator(
        "magstim-200-2",
        (Waveform("monophasic", 1000.0, rise_us=100.0, verified=False),),
        note="no measured dI/dt is known to us for this stimulator; give dI/dt itself",
        aliases=("magstim-200", "magstim-200^2", "magstim200"),
    ),
    Stimulator(
        "magpro-x100",
        (_MAGPRO_PULSE,),
        _per_microsecond(
            {
                "magventure-c-100": 168.28,
                "magventure-c-b60": 155.40,
                "magventure-c-b70": 146.52,
                "magventure-cool-b35": 141.28,
                "magventure-cool-b65": 149.77,
                "magventure-cool-b70": 143.77,
                "magventure-cool-d-b80": 146.44,
                "magventure-mc-125": 151.67,
                "magventure-mc-b70": 155.33,
                "magventure-mcf-75": 160.02,
                "magventure-mcf-b65": 147.86,
                "magventure-mri-b91": 194.30,
            }
        ),
        note=f"dI/dt from {_DRAKAKI}",
        aliases=("x100", "magventure-magpro-x100"),
    ),
    Stimulator(
        "magpro-xp",
        (_MAGPRO_PULSE,),
        _per_microsecond({"magventure-twin": 200.08}),
        note=f"dI/dt from {_DRAKAKI} (coil MST-Twin)",
        aliases=("xp", "magventure-magpro-xp"),
    ),
    Stimulator(
        "duomag-xt",
        max_didt=_per_microsecond({"duomag-120bfv": 102.93, "duomag-50bf": 97.59, "duomag-70bf": 101.06}),
        note=f"dI/dt from {_DRAKAKI}",
    ),
    Stimulator(
        "powermag",
        max_didt=_per_microsecond({"pmd25": 220.77, "pmd45-eeg": 249.55, "pmd70": 241.28}),
        note=f"dI/dt from {_DRAKAKI}",
    ),
)


def names() -> tuple[str, ...]:
    """Names of the known stimulators."""
    return tuple(stimulator.name for stimulator in _STIMULATORS)


def list_stimulators() -> Listing:
    """The stimulators that are known by name, as a sequence of names that shows a table.

    Examples
    --------
    >>> ef.list_stimulators()[0]
    'magstim-rapid2'
    """
    rows = [
        (
            stimulator.name,
            ", ".join(stimulator.aliases),
            ", ".join(f"{pulse.name} {pulse.duration_us:g}" for pulse in stimulator.waveforms) or "unknown",
            ", ".join(stimulator.max_didt) or "none",
        )
        for stimulator in _STIMULATORS
    ]
    return Listing("Stimulators", ("name", "also", "pulse (us)", "coils whose dI/dt is known"), rows)


def load_stimulator(name: Stimulator | str) -> Stimulator:
    """A stimulator by name or alias, in any case; one that is loaded is returned as it is.

    Raises
    ------
    InputError
        If there is none of that name; the message names the nearest.
    """
    if isinstance(name, Stimulator):
        return name
    words = {word: stimulator for stimulator in _STIMULATORS for word in (stimulator.name, *stimulator.aliases)}
    wanted = str(name).strip().lower().replace(" ", "-")
    return words.get(wanted) or words[checks.choice("stimulator", wanted, names())]


def didt(stimulator: Stimulator | str, coil: Coil | str, intensity_percent: float) -> float:
    """Rate of change of the coil current at the start of the pulse.

    Parameters
    ----------
    stimulator : Stimulator or str
    coil : Coil or str
        A coil, or the name of one; it need not be in the catalog, only in the stimulator's table.
    intensity_percent : float
        Percent of the maximum stimulator output, in (0, 100].

    Returns
    -------
    float
        dI/dt in A/s.

    Raises
    ------
    InputError
        If the intensity is out of range, or the pair was not measured; the message lists the known coils.

    References
    ----------
    Drakaki et al., Brain Stimul 2022;15:697.

    Examples
    --------
    >>> ef.didt("magstim-rapid2", "magstim-70mm-figure8", 50)
    57365000.0
    """
    source = load_stimulator(stimulator)
    wanted = coil.name if isinstance(coil, Coil) else str(coil).strip().lower()
    if wanted not in source.max_didt:
        wanted = _catalog_name(wanted)
    if wanted not in source.max_didt:
        known = ", ".join(source.max_didt) or "none"
        raise InputError(
            f"coil must be one whose dI/dt on {source.name} is known ({known}); instead received {wanted!r}; "
            "give dI/dt in A/s itself"
        )
    return source.max_didt[wanted] * _intensity(intensity_percent) / 100.0


def _catalog_name(wanted: str) -> str:
    try:
        return canonical_name(wanted)
    except InputError:
        return wanted


def _intensity(intensity_percent: float) -> float:
    return checks.percent_of_output("intensity_percent", checks.positive("intensity_percent", intensity_percent))
