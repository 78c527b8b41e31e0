"""What `efield sweep --poses` can be asked for: each option's name, default and help, said once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from efield.app import options

#: Where results go unless asked otherwise, and all that may be written there.
OUT: Final = Path("efield-pulses")
MAPS: Final = ("mean", "cumulative", "r2", "r2_line")
FILES: Final = ("pulses.csv", "summary.json", "maps.vtu", "pulses.png", "cortex.png", *(f"{m}.nii.gz" for m in MAPS))


@dataclass(frozen=True, kw_only=True)
class PulsesRequest:
    """The options of `efield sweep --poses`."""

    poses: Annotated[
        str,
        "A recording: any file of `efield poses`, or some of its poses, FILE:samples. Poses without a pulse "
        "are passed over, unless the file says nothing of pulses.",
    ]
    head: options.Head = "mni152"
    coil: options.Coil = "magstim-70mm-figure8"
    target: options.Target = "m1-hand-left"
    stimulator: Annotated[
        str | None,
        "Whose percentages were recorded (see `efield coils list`). Without it the recorded A/us count, then "
        "the percentages of the coil's usual stimulator.",
    ] = None
    didt: Annotated[float | None, "dI/dt of every pulse in A/s, instead of what was recorded; 1e6 = 1 A/us."] = None
    current: Annotated[str, "Direction of the coil's current: normal or reverse."] = "normal"
    mep: Annotated[
        Path | None,
        "Amplitudes of the responses in microvolts, one a line for each pulse (nan: none), instead of those "
        "in the recording.",
    ] = None
    plan: Annotated[
        str | None, "The planned pose, FILE or FILE:NAME, that drift is from; the first pulse unless given."
    ] = None
    reach: Annotated[float, "A response is looked for in gray matter within this distance of the target, mm."] = 40.0
    tol: Annotated[
        float, "Error of E that is small enough: pulses are sums of a few that are solved. 0 solves every pulse."
    ] = 1e-3
    like: Annotated[Path | None, "A NIfTI image whose grid the maps are written on; a 1 mm grid unless given."] = None
    format: Annotated[str | None, typer.Option("--from", help="Format of the recording, as of `efield poses`.")] = None
    frame: Annotated[str | None, "RAS or LPS: axes of its coordinates, where it does not say."] = None
    axes: Annotated[str | None, "Axes of its coil, where they are not the format's."] = None
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    device: options.Device = "auto"
    allow_collision: options.AllowCollision = False
    out: Annotated[Path, options.out_option(OUT)] = OUT
    force: options.Force = False
