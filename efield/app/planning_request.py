"""What `efield optimize` and `efield uncertainty` can be asked for: names, defaults and help, said once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from efield.app import options
from efield.planning.misplacement import TECHNIQUES
from efield.planning.words import GOALS

_DistanceOption = Annotated[float, "Smallest gap from scalp to coil casing in mm (hair)."]
_DidtOption = Annotated[float, "dI/dt in A/s at which values are given; 80 A/us is 80e6."]


#: Where an optimum goes unless asked otherwise, and what is written there.
OUT: Final = Path("efield-optimum")
FILES: Final = ("pose.txt", "optimum.json", "loss.png")


@dataclass(frozen=True, kw_only=True)
class OptimizeRequest:
    """The options of `efield optimize`."""

    head: options.Head = "mni152"
    coil: options.Coil = "magstim-70mm-figure8"
    target: options.Target = "m1-hand-left"
    goal: Annotated[str, f"What is to be large: {', '.join(GOALS)} (mean |E| in the target over that elsewhere)."] = (
        "magnitude"
    )
    distance: _DistanceOption = 4.0
    radius: Annotated[float, "How far from over the target to look, mm."] = 20.0
    tilt: Annotated[float, "Largest tilt to either side, degrees; 0 keeps the coil tangential."] = 10.0
    spare: Annotated[list[str] | None, "A region that focality spares, named as --target; repeatable."] = None
    forbidden: options.Forbidden = None
    didt: _DidtOption = 1e6
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    device: options.Device = "auto"
    out: Annotated[Path, options.out_option(OUT, "pose.txt, optimum.json and loss.png")] = OUT
    force: options.Force = False


@dataclass(frozen=True, kw_only=True)
class UncertaintyRequest:
    """The options of `efield uncertainty`."""

    head: options.Head = "mni152"
    coil: options.Coil = "magstim-70mm-figure8"
    target: options.Target = "m1-hand-left"
    angle: options.Angle = None
    distance: _DistanceOption = 4.0
    pose: options.Pose = None
    allow_collision: options.AllowCollision = False
    vary: Annotated[
        list[str] | None,
        "A tissue that varies, NAME=LOW..HIGH in S/m, such as bone=0.003..0.012; repeatable. The published "
        "ranges of all tissues unless given.",
    ] = None
    placement: Annotated[
        str | None, f"How the coil is held: {', '.join(TECHNIQUES)}; exactly as planned unless given."
    ] = None
    picture: Annotated[
        Path | None,
        "Draw the cortex at the target, colored by the mean of abs. E and by the width of its interval from 5 "
        "to 95 % over the conductivities, to this file (.png, .svg, .pdf).",
    ] = None
    samples: Annotated[int, "Samples of the conductivities."] = 1 << 17
    didt: _DidtOption = 1e6
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    device: options.Device = "auto"
