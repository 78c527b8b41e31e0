"""How hard each recorded pulse drove the coil: dI/dt from what the navigator wrote."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from efield.coils import stimulators
from efield.coils.model import Coil
from efield.coils.polarity import signed
from efield.ground import checks
from efield.ground.card import listed, rate
from efield.ground.errors import InputError
from efield.io.poses.pose_table import PoseTable

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drives:
    """dI/dt of pulses.

    Parameters
    ----------
    didt : (n,) float, A/s
        With the sign of the current.
    words : str
        Where the numbers come from.
    """

    didt: FloatArray
    words: str


def pulses_of(table: PoseTable) -> PoseTable:
    """The poses of a table at which there was a pulse: all of them where the file says nothing of pulses.

    Raises
    ------
    InputError
        If the table is empty.
    """
    if not len(table):
        raise InputError("a recording must hold a pulse; instead its table of poses is empty")
    return table[table.is_pulse] if table.is_pulse.any() else table


def drives(
    table: PoseTable, coil: Coil, *, didt: float | None = None, stimulator: str | None = None, current: str = "normal"
) -> Drives:
    """dI/dt of each pulse: as asked for, else as recorded.

    A stimulator makes the recorded percentages count. Without one the recorded dI/dt does where there is any, then the
    percentage of the coil's usual stimulator.

    Parameters
    ----------
    table : PoseTable
    coil : Coil
    didt : float, A/s, optional
        Of every pulse, instead of what was recorded.
    stimulator : str, optional
        Whose percentages were recorded.
    current : {"normal", "reverse"}

    Raises
    ------
    InputError
        If a pulse's intensity is not known, is out of range, or is in percent of a stimulator that is not known.
    """
    sign = signed(1.0, current)
    if didt is not None:
        if stimulator is not None:
            raise InputError("didt and stimulator must not be given together; each says how hard the coil was driven")
        return Drives(np.full(len(table), sign * checks.rate("didt", didt)), f"{rate(didt)} for every pulse")
    nothing = np.full(len(table), np.nan)
    recorded = table.columns.get("didt", nothing)
    percent = table.columns.get("intensity_percent", nothing)
    # A navigator that does not hear its stimulator writes zero.
    direct = np.zeros(len(table), bool) if stimulator is not None else np.isfinite(recorded) & (recorded != 0)
    relative = ~direct & np.isfinite(percent)
    rates = np.where(direct, recorded, nothing)
    words = ["as recorded, in A/us"] if direct.any() else []
    if relative.any():
        rates[relative] = percent[relative] / 100.0 * _full_output(coil, stimulator, percent[relative])
        words.append(f"percent of {stimulator or f'the usual stimulator of {coil.name}'}")
    _check_known(table, rates)
    return Drives(sign * rates, " and ".join(words))


def _full_output(coil: Coil, stimulator: str | None, percent: FloatArray) -> float:
    """dI/dt in A/s at 100 %."""
    if not ((percent >= 0) & (percent <= 100)).all():
        raise InputError(
            "recorded intensities must be percent of the maximum output, 0 to 100; instead they go from "
            f"{percent.min():g} to {percent.max():g}: give didt"
        )
    if stimulator is not None:
        return stimulators.didt(stimulator, coil, 100.0)
    if coil.max_didt is None:
        raise InputError(f"the largest dI/dt of {coil.name} is not known: give the stimulator, or didt in A/s")
    return coil.max_didt


def _check_known(table: PoseTable, rates: FloatArray) -> None:
    unknown = [table.names[k] for k in np.flatnonzero(np.isnan(rates))]
    if unknown:
        raise InputError(
            f"the intensity of each pulse must be known; instead that of {len(unknown)} of {len(table)} is not "
            f"({listed(unknown, 4)}): give didt in A/s for all, or choose those that have one, such as FILE:samples"
        )
    for value in rates[rates != 0][:1]:
        checks.rate("the recorded dI/dt", value)
