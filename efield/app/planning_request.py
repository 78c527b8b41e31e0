"""What `efield optimize` and `efield uncertainty` can be asked for: names, defaults and help, said once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from efield.app.options import (
    AllowCollisionOption,
    AngleOption,
    CoilOption,
    ConductivityOption,
    ConductivityTableOption,
    DeviceOption,
    ForbiddenOption,
    ForceOption,
    HeadOption,
    PoseOption,
    TargetOption,
    out_option,
)
from efield.planning.misplacement import TECHNIQUES
from efield.planning.words import GOALS

_DistanceOption = Annotated[float, typer.Option(help="Smallest gap from scalp to coil casing in mm (hair).")]
_DidtOption = Annotated[float, typer.Option(help="dI/dt in A/s at which values are given; 80 A/us is 80e6.")]


#: Where an optimum goes unless asked otherwise, and what is written there.
OUT: Final = Path("efield-optimum")
FILES: Final = ("pose.txt", "optimum.json", "loss.png")


@dataclass(frozen=True, kw_only=True)
class OptimizeRequest:
    """The options of `efield optimize`."""

    head: HeadOption = "mni152"
    coil: CoilOption = "magstim-70mm-figure8"
    target: TargetOption = "m1-hand-left"
    goal: Annotated[
        str, typer.Option(help=f"What is to be large: {', '.join(GOALS)} (mean |E| in the target over that elsewhere).")
    ] = "magnitude"
    distance: _DistanceOption = 4.0
    radius: Annotated[float, typer.Option(help="How far from over the target to look, mm.")] = 20.0
    tilt: Annotated[float, typer.Option(help="Largest tilt to either side, degrees; 0 keeps the coil tangential.")] = (
        10.0
    )
    spare: Annotated[
        list[str] | None, typer.Option(help="A region that focality spares, named as --target; repeatable.")
    ] = None
    forbidden: ForbiddenOption = None
    didt: _DidtOption = 1e6
    conductivity: ConductivityOption = None
    conductivity_table: ConductivityTableOption = None
    device: DeviceOption = "auto"
    out: Annotated[Path, out_option(OUT, "pose.txt, optimum.json and loss.png")] = OUT
    force: ForceOption = False


@dataclass(frozen=True, kw_only=True)
class UncertaintyRequest:
    """The options of `efield uncertainty`."""

    head: HeadOption = "mni152"
    coil: CoilOption = "magstim-70mm-figure8"
    target: TargetOption = "m1-hand-left"
    angle: AngleOption = None
    distance: _DistanceOption = 4.0
    pose: PoseOption = None
    allow_collision: AllowCollisionOption = False
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="A tissue that varies, NAME=LOW..HIGH in S/m, such as bone=0.003..0.012; repeatable. The published "
            "ranges of all tissues unless given."
        ),
    ] = None
    placement: Annotated[
        str | None,
        typer.Option(help=f"How the coil is held: {', '.join(TECHNIQUES)}; exactly as planned unless given."),
    ] = None
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Draw the cortex at the target, colored by the mean of abs. E and by the width of its interval from 5 "
            "to 95 % over the conductivities, to this file (.png, .svg, .pdf)."
        ),
    ] = None
    samples: Annotated[int, typer.Option(help="Samples of the conductivities.")] = 1 << 17
    didt: _DidtOption = 1e6
    conductivity: ConductivityOption = None
    conductivity_table: ConductivityTableOption = None
    device: DeviceOption = "auto"
