"""What `efield serve` can be asked for: each option's name, default and help, said once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from efield.app import options


@dataclass(frozen=True, kw_only=True)
class ServeRequest:
    """The options of `efield serve`; `efield.app.serving.run` checks them before any work."""

    head: options.Head = "mni152"
    coil: options.Coil = "magstim-70mm-figure8"
    target: Annotated[str | None, "As in `efield simulate`; that of the basis, or m1-hand-left, unless given."] = None
    basis: Annotated[
        Path | None,
        "Folder that `efield basis build` wrote for this head and coil: answers in milliseconds. Without it "
        "each pose is solved in full, which takes seconds.",
    ] = None
    outside: Annotated[str, "A pose the basis is not certified for: refuse (say by how much), or solve it in full."] = (
        "refuse"
    )
    compute_on: Annotated[
        str,
        typer.Option(
            help=f"{options.DEVICE_HELP} It is --device in other commands; that is a transform's name here.",
            callback=options.known_device,
        ),
    ] = "auto"
    didt: Annotated[float, "Coil current's rate of change in A/s that measures are of."] = 1e6
    plan: Annotated[str | None, "The planned pose, FILE or FILE:NAME: each answer says how far the coil is off."] = None
    alert: Annotated[
        list[str] | None,
        'Mark poses: MEASURE<NUMBER or MEASURE<NUMBER*plan, such as "mean_magnitude<0.9*plan" or '
        '"off_plan_mm>3"; repeatable.',
    ] = None
    openigtlink: Annotated[int, "Port of the OpenIGTLink server (3D Slicer); 0 takes a free one."] = 18944
    no_openigtlink: Annotated[bool, "Do not serve OpenIGTLink."] = False
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a transform that is the coil's; repeatable; 'any' takes all. CoilToRefe and "
            "NavigationTransform unless given.",
            show_default=False,
        ),
    ] = None
    name: Annotated[str, "Device name of what is sent over OpenIGTLink."] = "efield"
    spacing: Annotated[float, "Voxel size in mm of images sent over OpenIGTLink."] = 2.0
    socketio: Annotated[int | None, "Port of a Socket.IO server (InVesalius --remote-host); needs the extra live."] = (
        None
    )
    image: Annotated[Path | None, "The NIfTI image that InVesalius has open: its coordinates are of it."] = None
    follow: Annotated[
        str | None,
        "Take poses from: a recorded FILE (see `efield poses`), brainsight://HOST:PORT, localite://HOST:PORT, "
        "invesalius://HOST:PORT?image=T1.nii.gz (a relay), or a mouse: the address that `efield view` prints.",
    ] = None
    speed: Annotated[float, "Of a recording: times as fast; 0 waits for each answer instead of the clock."] = 1.0
    axes: Annotated[str | None, "Axes of the coil in what comes in, if not the usual ones (docs/frames.md)."] = None
    frame: Annotated[str | None, "RAS or LPS: axes of the coordinates that come in, if not RAS."] = None
    host: Annotated[str, "Address to listen on. Any other than this machine's own lets others in: no encryption."] = (
        "127.0.0.1"
    )
    max_clients: Annotated[int, typer.Option(min=1, max=1000, help="Most OpenIGTLink clients at a time.")] = 8
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    lines: Annotated[Path | None, "Append every answer to this file, a line of JSON each."] = None
