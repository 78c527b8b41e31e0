"""What `efield view` can be asked for: each option's name, default and help, said once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from efield.app import options


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """The options of `efield view`; `efield.app.viewing.run` checks them before any work."""

    source: Annotated[
        str,
        typer.Argument(
            help="What to look at: a folder of `efield basis build`, of `efield simulate` or of `efield sweep`; a head "
            "(mni152, sphere, a mesh file, m2m_<id>); or a mesh file with a field in it (.vtu, .msh)."
        ),
    ] = "mni152"
    basis: Annotated[Path | None, "A basis to move the coil with: of the head of the results or of the study."] = None
    head: Annotated[str | None, "The head of the basis; that of the results or the study, or mni152, unless given."] = (
        None
    )
    coil: Annotated[
        str | None,
        typer.Option(
            help=f"{options.COIL_HELP} That of the basis, the results or the study unless given.", show_default=False
        ),
    ] = None
    target: Annotated[str | None, "As in `efield simulate`; that of the basis, or m1-hand-left, unless given."] = None
    solver: Annotated[
        bool, "Build no basis: each place where the coil rests is solved in full, in seconds, but anywhere."
    ] = False
    keep: Annotated[
        Path | None, "Folder for the basis that is built of a head; this user's cache for shipped heads unless given."
    ] = None
    radius: Annotated[float, "Of the basis that is built: placements reach this far, mm."] = 20.0
    tol: Annotated[float, "Of the basis that is built: largest relative error of E."] = 3e-3
    outside: Annotated[str, "A pose the basis is not certified for: refuse (say by how much), or solve it in full."] = (
        "refuse"
    )
    didt: Annotated[float | None, "Coil current's rate of change at first, A/s; 1e6 unless given."] = None
    stimulator: Annotated[str | None, "Stimulator that percents are of, if not the coil's usual one."] = None
    intensity: Annotated[float | None, "Percent of maximum stimulator output at first."] = None
    plan: Annotated[str | None, "The planned pose, FILE or FILE:NAME: measures are shown as percent of its own."] = None
    threshold: Annotated[
        float | None,
        "mean_magnitude at the motor threshold, V/m, measured in the same way: it is shown as percent of it.",
    ] = None
    alert: Annotated[list[str] | None, "Mark measures, as in `efield serve`; repeatable."] = None
    poses: Annotated[str | None, "A recorded file (see `efield poses`), to choose from and to play."] = None
    follow: Annotated[
        str | None,
        "Take poses from: a recorded FILE, brainsight://HOST:PORT, localite://HOST:PORT, or "
        "invesalius://HOST:PORT?image=T1.nii.gz (a relay), as in `efield serve`.",
    ] = None
    t1: Annotated[
        Path | None,
        "An image in the head's coordinates (.nii, .nii.gz, .mgz), shown in the slices, also of results; "
        "T1.nii.gz of a m2m folder unless given. Tissues are shown without one.",
    ] = None
    axes: Annotated[str | None, "Axes of the coil in --poses and --follow, if not the usual ones (docs/frames.md)."] = (
        None
    )
    frame: Annotated[str | None, "RAS or LPS: axes of the coordinates in --poses and --follow, if not RAS."] = None
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 0
    host: Annotated[str, "Address to listen on. Any other than this machine's own lets others in: no encryption."] = (
        "127.0.0.1"
    )
    open_page: Annotated[
        bool | None,
        typer.Option("--open/--no-open", help="Open a browser; unless told otherwise, if this is a terminal."),
    ] = None
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    device: options.Device = "auto"
