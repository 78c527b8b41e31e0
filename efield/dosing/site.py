"""One place of stimulation: the field there per unit of drive, and what drives it."""

from dataclasses import dataclass
from typing import Any, Final, Self

from efield.coils import stimulators
from efield.dosing.machines import coil_name, mismatch, second_peak, waveforms
from efield.dosing.words import PHASES, SENSES, WAVEFORMS
from efield.ground import checks
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.surface import nearest, scalp
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.targeting.errors import estimated_errors
from efield.targeting.field import EField
from efield.targeting.measures import on_midsurface
from efield.targeting.naming import Place, target_of
from efield.targeting.summary import Summary

#: The measure of a dose, and what stands for it where a head has no white matter or a summary does not hold it.
MIDDLE: Final = "midsurface_mean_magnitude"
IN_GRAY: Final = "mean_magnitude"


@dataclass(frozen=True, repr=False)
class DoseSite(Carded):
    """Where a coil is held for a threshold or a treatment, as far as a dose needs to know.

    Parameters
    ----------
    field : float, V/m per A/us
        Mean |E| at the target, best on the middle of the cortex, per rate of change of the coil's current.
    stimulator, coil : str
        Names (of a `Stimulator` and a `Coil` theirs are kept); empty where they do not matter, because both sites have
        the same.
    waveform : {"monophasic", "biphasic", "half-sine"}, optional
        That of the stimulator where it has only one.
    phase : {"first", "second"}
        Which half of a biphasic pulse counts.
    current : {"PA", "AP", "LM", "ML"}, optional
        Sense of the current that is induced in the phase that counts.
    max_didt : float, A/s, optional
        dI/dt of the first phase at 100 % of the output; that of stimulator and coil unless given.
    depth_mm : float, optional
        Target to scalp, for the rule by distance.
    error : float
        Relative standard error of `field`, such as 0.03; 0 if it is not known.
    measure : str
        Which measure `field` is of.

    Raises
    ------
    InputError
        If a number or a word cannot be used, the stimulator does not drive the coil and `max_didt` is not given, it
        does not give the waveform, or the second phase counts and its size was not recorded.

    Examples
    --------
    >>> hand = ef.DoseSite(0.95, stimulator="magstim-rapid2", coil="d70", phase="second")
    >>> hand.waveform, round(hand.per_percent, 3)
    ('biphasic', 0.905)
    """

    field: float
    stimulator: str = ""
    coil: str = ""
    waveform: str = ""
    phase: str = "first"
    current: str = ""
    max_didt: float | None = None
    depth_mm: float | None = None
    error: float = 0.0
    measure: str = ""

    def __post_init__(self) -> None:
        given = stimulators.load_stimulator(self.stimulator) if self.stimulator else None
        machine = "" if given is None else given.name
        if self.max_didt is None and given and (why := mismatch(given, self.coil)):
            raise InputError(f"stimulator must go with the coil; instead {why}: choose another, or give max_didt")
        values: dict[str, Any] = {
            "field": checks.positive("field", self.field),
            "stimulator": machine,
            "coil": coil_name(self.coil),
            "waveform": _waveform(machine, self.waveform),
            "error": checks.in_range("error", self.error, 0.0, 1.0),
            "max_didt": _max_didt(given, self.coil, self.max_didt),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if self.depth_mm is not None:
            object.__setattr__(self, "depth_mm", checks.length_mm("depth_mm", self.depth_mm))
        if self.current:
            checks.choice("current", self.current, SENSES)
        checks.choice("phase", self.phase, PHASES)
        _ = self.phase_share

    @classmethod
    def of(cls, field: EField | Summary, target: "Place | None" = None, **machine: Any) -> Self:
        """The site of a solved field or its summary.

        Parameters
        ----------
        field : EField or Summary
            Of one coil, at any drive.
        target : Target, str or (3,) array_like, optional
            Needed with an `EField`.
        machine
            The other parameters of `DoseSite`. Coil and depth are the field's unless given, and so is dI/dt at full
            output where no stimulator is named. The error is the numerical one that is estimated of the measure, which
            takes about half a solve.

        Raises
        ------
        InputError
            If several coils were driven, there is no drive, or a field comes without a target.
        """
        wants_error = machine.get("error") is None
        machine = {name: value for name, value in machine.items() if name != "error" or not wants_error}
        if isinstance(field, Summary):
            return cls(**_of_summary(field, wants_error) | machine)
        found = _of_field(field, target, wants_error)
        if not machine.get("stimulator"):
            found["max_didt"] = field.coil.max_didt
        return cls(**found | machine)

    @property
    def phase_share(self) -> float:
        """dI/dt of the phase that counts over that of the first, without its sign."""
        if self.phase == "first":
            return 1.0
        share = second_peak(self.stimulator, self.coil)
        if self.waveform != "biphasic" or share is None:
            raise InputError(
                f"phase must be first unless the pulse is biphasic and its second peak was recorded; instead it is "
                f"{self.waveform or 'of no known waveform'} of {self.stimulator or 'no stimulator'} with "
                f"{self.coil or 'no coil'}"
            )
        return abs(share)

    @property
    def per_percent(self) -> float | None:
        """V/m per percent of the maximum output; None where dI/dt is not known."""
        if self.max_didt is None:
            return None
        return self.field * self.phase_share * self.max_didt / AMPERE_PER_MICROSECOND / 100.0

    @property
    def machine(self) -> tuple[object, ...]:
        """What decides the field at a percentage, apart from the place."""
        return (self.stimulator, self.coil, self.phase_share, self.max_didt)

    @property
    def pulse(self) -> str:
        """Waveform, phase and sense, in words."""
        phase = f", {self.phase} phase" if self.waveform == "biphasic" else ""
        return f"{self.waveform or 'waveform not stated'}{phase}, {self.current or 'current sense not stated'}"

    def _card(self) -> Card:
        where = f" ({self.measure})" if self.measure else ""
        rows = (
            ("field", f"{self.field:.4g} V/m per A/us{where}"),
            ("machine", f"{self.stimulator or 'any stimulator'}, {self.coil or 'any coil'}"),
            ("pulse", self.pulse),
            ("depth", "" if self.depth_mm is None else f"{self.depth_mm:.1f} mm below the scalp"),
            ("error", f"{100 * self.error:.3g} %" if self.error else "not given"),
        )
        return Card("DoseSite", rows)


def _waveform(machine: str, wanted: str) -> str:
    known = waveforms(machine)
    if not wanted:
        return known[0] if len(known) == 1 else ""
    checks.choice("waveform", wanted, WAVEFORMS)
    if known and wanted not in known:
        raise InputError(f"waveform must be one that {machine} gives ({', '.join(known)}); instead received {wanted!r}")
    return wanted


def _max_didt(machine: stimulators.Stimulator | None, coil: str, given: float | None) -> float | None:
    if given is not None:
        return checks.rate("max_didt", checks.positive("max_didt", given))
    if machine is None or not coil:
        return None
    try:
        return stimulators.didt(machine, coil, 100.0)
    except InputError:
        # A pair that was not measured; whether that matters is known only where two sites are compared.
        return None


def _of_summary(summary: Summary, wants_error: bool) -> dict[str, Any]:
    if summary.get("mean_magnitude_per_drive") is None:
        raise InputError("field must be of one coil that is driven; instead the summary has no field per drive")
    measure = MIDDLE if summary.get(MIDDLE) is not None else IN_GRAY
    error = summary.measures[measure].error if wants_error else None
    return {
        "field": summary[measure] / abs(summary["didt"]),
        "error": _share(error, summary[measure]),
        "depth_mm": summary["target_depth"],
        "measure": measure,
    }


def _of_field(field: EField, target: "Place | None", wants_error: bool) -> dict[str, Any]:
    if not isinstance(field, EField):
        raise InputError(f"field must be an EField or a Summary; instead received {checks.kind(field)}")
    if target is None:
        raise InputError("target must be given with a field: the place whose mean |E| is the dose")
    if field.others or not field.didt:
        raise InputError("field must be of one coil that is driven; instead it is of several, or dI/dt is 0")
    place = target_of(field.head, target)
    measure = MIDDLE if {WHITE_MATTER, GRAY_MATTER} <= set(field.head.tags) else IN_GRAY
    mean = on_midsurface(field, place)[MIDDLE] if measure == MIDDLE else field.summary(place)[IN_GRAY]
    errors = estimated_errors(field, place, {measure: mean}) if wants_error else {}
    return {
        "field": mean * AMPERE_PER_MICROSECOND / abs(field.didt),
        "error": _share(errors.get(measure), mean),
        "coil": field.coil.name,
        "depth_mm": nearest(scalp(field.head).points_mm, place.center_mm)[1],
        "measure": measure,
    }


def _share(error: float | None, value: float) -> float:
    """A relative error, 1 at most; 0 where none is known."""
    return 0.0 if error is None or not value else min(error / abs(value), 1.0)
