"""What people use without a field: a fixed percentage of the threshold, and a slope by depth.

References
----------
Stokes et al. 2005, J Neurophysiol, doi 10.1152/jn.00067.2005, and 2007, Clin Neurophysiol 118:1617: 3 and 2.8 % of the
maximum output per millimeter. Which Magstim it was measured on was not read.
"""

from dataclasses import dataclass
from typing import Final

from efield.dosing.site import DoseSite

#: Percent of the maximum output per mm, and the spacers it was measured with (Stokes 2005; 2007).
_PER_MM: Final = (3.0, 2.8)
_LONGEST_MM: Final = 10.0
_STOKES_COILS: Final = ("magstim-70mm-figure8",)


@dataclass(frozen=True)
class Rule:
    """What a rule without a field gives.

    Parameters
    ----------
    percent : float or None
        Of the maximum output; None where the rule does not apply.
    words : str
        How it comes about, or why it does not apply.
    """

    percent: float | None
    words: str

    def __str__(self) -> str:
        return f"{'does not apply' if self.percent is None else f'{self.percent:.1f} %'}: {self.words}"


def by_threshold(rmt: float, wanted: float, first: DoseSite, second: DoseSite) -> Rule:
    """`wanted` percent of a threshold `rmt`, both in percent."""
    if (first.stimulator, first.coil) != (second.stimulator, second.coil):
        return Rule(None, f"a percentage of {machine_of(first)} is not one of {machine_of(second)}")
    return Rule(rmt * wanted / 100, "of the threshold as measured, wherever the coil is")


def by_distance(rmt: float, wanted: float, first: DoseSite, second: DoseSite) -> Rule:
    """`wanted` percent of the threshold that the slope by depth predicts at the second site."""
    where = [(site.stimulator.startswith("magstim"), site.coil in _STOKES_COILS) for site in (first, second)]
    if not all(map(all, where)) or first.stimulator != second.stimulator:
        return Rule(
            None, "the slope is of Magstim stimulators with a 50 or 70 mm figure-8, and is not carried elsewhere"
        )
    if first.depth_mm is None or second.depth_mm is None:
        return Rule(None, "the depth of both targets below the scalp must be known")
    deeper = second.depth_mm - first.depth_mm
    found, other = (wanted / 100 * (rmt + slope * deeper) for slope in _PER_MM)
    far = f"; measured over {_LONGEST_MM:g} mm only" if abs(deeper) > _LONGEST_MM else ""
    beyond = "; beyond the stimulator's maximum" if found > 100 else "; meaningless below 0" if found <= 0 else ""
    slope = f"{deeper:+.1f} mm at 3 % of the maximum per mm (Stokes 2005; {other:.1f} % at 2.8 %, Stokes 2007)"
    return Rule(found, f"{slope}; on which Magstim was not read{far}{beyond}")


def machine_of(site: DoseSite) -> str:
    """Stimulator and coil, in words."""
    if not site.stimulator and not site.coil:
        return "a machine that is not named"
    return f"{site.stimulator or 'a stimulator'} with {site.coil or 'a coil'}"
