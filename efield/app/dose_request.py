"""What `efield dose` can be asked for: each option's name, default and help, said once."""

from dataclasses import dataclass
from typing import Annotated, Final

from efield.app import options
from efield.dosing.words import METHODS, PHASES, SENSES, WAVEFORMS

_WAVEFORM: Final = f"Pulse: {', '.join(WAVEFORMS)}; that of the stimulator where it has only one."
_PHASE: Final = f"Which half of a biphasic pulse counts: {', '.join(PHASES)}."
_CURRENT: Final = f"Sense of the induced current in that half: {', '.join(SENSES)}."


@dataclass(frozen=True, kw_only=True)
class DoseRequest:
    """The options of `efield dose`; those that begin with rmt are of the place where the threshold was measured."""

    rmt: Annotated[float, "Resting motor threshold, percent of the maximum output."]
    rmt_method: Annotated[str, f"How the threshold was found: {', '.join(METHODS)}."] = "emg"
    rmt_sd: Annotated[float | None, "Its standard deviation, percent of the maximum output."] = None
    rmt_target: Annotated[str, "Where it was measured, as --target."] = "m1-hand-left"
    rmt_angle: Annotated[str | None, "Coil angle there, as --angle."] = None
    rmt_distance: Annotated[float, "Gap from scalp to casing there in mm."] = 4.0
    rmt_pose: Annotated[str | None, "File of the pose there, or FILE:NAME; replaces angle and gap."] = None
    rmt_coil: Annotated[str | None, "Coil there, if it was not --coil."] = None
    rmt_stimulator: Annotated[str | None, "Stimulator there, if it was not --stimulator."] = None
    rmt_max_didt: Annotated[float | None, "dI/dt in A/s at 100 % there, as --max-didt."] = None
    rmt_waveform: Annotated[str | None, "Pulse there, if it was not --waveform."] = None
    rmt_phase: Annotated[str | None, "Phase there, if it was not --phase."] = None
    rmt_current: Annotated[str, "Sense of the induced current there."] = ""
    head: options.Head = "mni152"
    coil: options.Coil = "magstim-70mm-figure8"
    stimulator: Annotated[str | None, "Stimulator (`efield coils list`), if not the coil's usual one."] = None
    max_didt: Annotated[float | None, "dI/dt in A/s at 100 % of its output, where it is not known for the coil."] = None
    target: options.Target = "m1-leg-left"
    angle: options.Angle = None
    distance: Annotated[float, "Gap from scalp to coil casing in mm (hair)."] = 4.0
    pose: options.Pose = None
    allow_collision: options.AllowCollision = False
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    device: options.Device = "auto"
    waveform: Annotated[str, _WAVEFORM] = ""
    phase: Annotated[str, _PHASE] = "first"
    current: Annotated[str, _CURRENT] = ""
    percent: Annotated[float | None, "Wanted intensity, percent of the threshold; 100, or that of --protocol."] = None
    protocol: Annotated[
        str | None, "A published protocol (`efield protocol list`): its intensity, and what tables say of it."
    ] = None
    error: Annotated[
        float | None, "Numerical error of both fields in percent, for the interval; estimated unless given."
    ] = None
