"""What `efield dose` can be asked for: each option's name, default and help, said once."""

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from efield.app.options import (
    AllowCollisionOption,
    AngleOption,
    CoilOption,
    ConductivityOption,
    ConductivityTableOption,
    DeviceOption,
    HeadOption,
    PoseOption,
    TargetOption,
)
from efield.dosing.words import METHODS, PHASES, SENSES, WAVEFORMS

_WAVEFORM: Final = f"Pulse: {', '.join(WAVEFORMS)}; that of the stimulator where it has only one."
_PHASE: Final = f"Which half of a biphasic pulse counts: {', '.join(PHASES)}."
_CURRENT: Final = f"Sense of the induced current in that half: {', '.join(SENSES)}."


@dataclass(frozen=True, kw_only=True)
class DoseRequest:
    """The options of `efield dose`; those that begin with rmt are of the place where the threshold was measured."""

    rmt: Annotated[float, typer.Option(help="Resting motor threshold, percent of the maximum output.")]
    rmt_method: Annotated[str, typer.Option(help=f"How the threshold was found: {', '.join(METHODS)}.")] = "emg"
    rmt_sd: Annotated[float | None, typer.Option(help="Its standard deviation, percent of the maximum output.")] = None
    rmt_target: Annotated[str, typer.Option(help="Where it was measured, as --target.")] = "m1-hand-left"
    rmt_angle: Annotated[str | None, typer.Option(help="Coil angle there, as --angle.")] = None
    rmt_distance: Annotated[float, typer.Option(help="Gap from scalp to casing there in mm.")] = 4.0
    rmt_pose: Annotated[
        str | None, typer.Option(help="File of the pose there, or FILE:NAME; replaces angle and gap.")
    ] = None
    rmt_coil: Annotated[str | None, typer.Option(help="Coil there, if it was not --coil.")] = None
    rmt_stimulator: Annotated[str | None, typer.Option(help="Stimulator there, if it was not --stimulator.")] = None
    rmt_max_didt: Annotated[float | None, typer.Option(help="dI/dt in A/s at 100 % there, as --max-didt.")] = None
    rmt_waveform: Annotated[str | None, typer.Option(help="Pulse there, if it was not --waveform.")] = None
    rmt_phase: Annotated[str | None, typer.Option(help="Phase there, if it was not --phase.")] = None
    rmt_current: Annotated[str, typer.Option(help="Sense of the induced current there.")] = ""
    head: HeadOption = "mni152"
    coil: CoilOption = "magstim-70mm-figure8"
    stimulator: Annotated[
        str | None, typer.Option(help="Stimulator (`efield coils list`), if not the coil's usual one.")
    ] = None
    max_didt: Annotated[
        float | None, typer.Option(help="dI/dt in A/s at 100 % of its output, where it is not known for the coil.")
    ] = None
    target: TargetOption = "m1-leg-left"
    angle: AngleOption = None
    distance: Annotated[float, typer.Option(help="Gap from scalp to coil casing in mm (hair).")] = 4.0
    pose: PoseOption = None
    allow_collision: AllowCollisionOption = False
    conductivity: ConductivityOption = None
    conductivity_table: ConductivityTableOption = None
    device: DeviceOption = "auto"
    waveform: Annotated[str, typer.Option(help=_WAVEFORM)] = ""
    phase: Annotated[str, typer.Option(help=_PHASE)] = "first"
    current: Annotated[str, typer.Option(help=_CURRENT)] = ""
    percent: Annotated[
        float | None, typer.Option(help="Wanted intensity, percent of the threshold; 100, or that of --protocol.")
    ] = None
    protocol: Annotated[
        str | None,
        typer.Option(help="A published protocol (`efield protocol list`): its intensity, and what tables say of it."),
    ] = None
    error: Annotated[
        float | None,
        typer.Option(help="Numerical error of both fields in percent, for the interval; estimated unless given."),
    ] = None
