"""The command `efield`: each verb checks its input, calls the package, and shows the answer."""

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from efield.app import bases, coils, meshes, sweeps
from efield.app.console import ERR, OUT
from efield.app.options import (
    CoilOption,
    ConductivityOption,
    ConductivityTableOption,
    HeadOption,
    JsonOption,
    TargetOption,
)
from efield.ground.errors import EfieldError
from efield.ground.version import __version__

if TYPE_CHECKING:
    from efield.targeting.summary import Summary

app = typer.Typer(
    name="efield",
    help="The electric field that TMS induces in the motor cortex. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(coils.app, name="coils")
app.add_typer(meshes.app, name="mesh")
app.add_typer(bases.app, name="basis")
app.add_typer(sweeps.app, name="sweep")


def _version(wanted: bool) -> None:
    if wanted:
        OUT.print(f"efield {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


# The options of `efield simulate`.
RegisterOption = Annotated[
    bool, typer.Option("--register", help="Find the map from MNI coordinates from the shape of the head's brain.")
]
FiducialsOption = Annotated[
    Path | None,
    typer.Option(
        help="CSV with rows Fiducial,x,y,z,NAME for Nz, Iz, LPA and RPA: 10-10 positions are measured from them, and a "
        "head without a map from MNI gets one by them."
    ),
]
AngleOption = Annotated[
    float,
    typer.Option(help="Degrees from anterior toward the midline; 45 = handle back and to the side."),
]
DistanceOption = Annotated[float, typer.Option(help="Gap from scalp to coil casing in mm (hair).")]
PoseOption = Annotated[
    Path | None,
    typer.Option(help="File with a 4x4 coil-to-head matrix; replaces --angle and --distance."),
]
DidtOption = Annotated[float | None, typer.Option(help="Coil current's rate of change in A/s; 1e6 = 1 A/us.")]
AlsoOption = Annotated[
    list[str] | None,
    typer.Option(help="A coil driven at the same time, COIL,POSE.txt,A/s, such as d70,right.txt,-1e6; repeatable."),
]
StimulatorOption = Annotated[
    str | None,
    typer.Option(help="Stimulator that --intensity is of, if not the coil's usual one (see `efield coils list`)."),
]
IntensityOption = Annotated[float | None, typer.Option(help="Percent of maximum stimulator output.")]
AllowCollisionOption = Annotated[
    bool, typer.Option("--allow-collision", help="Compute also if the coil cuts into the head.")
]
TensorsOption = Annotated[
    Path | None,
    typer.Option(help="Diffusion tensors, NIfTI of 6 components in mm^2/s: white and gray matter conduct accordingly."),
]
TensorOrderOption = Annotated[
    str | None,
    typer.Option(help="Whose order and axes the components have: fsl (dtifit) or mrtrix (dwi2tensor). Needed."),
]
TensorMappingOption = Annotated[
    str | None,
    typer.Option(
        help="Diffusion to conductivity: volume-normalized (the default), direct or direct-fitted.", show_default=False
    ),
]
TensorFactorOption = Annotated[
    float | None, typer.Option(help="Factor of the direct mapping in S s/mm^3; 0.844 unless given.")
]
OrderOption = Annotated[
    int, typer.Option(help="Order of the finite elements: 2 is slower and follows the field more finely.")
]
GmshOption = Annotated[
    bool, typer.Option("--gmsh", help="Write field.msh as well, for Gmsh and SimNIBS: with the surface of each tissue.")
]
OutOption = Annotated[Path, typer.Option(help="Folder for the results.")]


@app.command()
def simulate(
    head: HeadOption = "mni152",
    register: RegisterOption = False,
    fiducials: FiducialsOption = None,
    coil: CoilOption = "magstim-70mm-figure8",
    target: TargetOption = "m1-hand-left",
    angle: AngleOption = 45.0,
    distance: DistanceOption = 4.0,
    pose: PoseOption = None,
    didt: DidtOption = None,
    stimulator: StimulatorOption = None,
    intensity: IntensityOption = None,
    also: AlsoOption = None,
    allow_collision: AllowCollisionOption = False,
    conductivity: ConductivityOption = None,
    conductivity_table: ConductivityTableOption = None,
    tensors: TensorsOption = None,
    tensor_order: TensorOrderOption = None,
    tensor_mapping: TensorMappingOption = None,
    tensor_factor: TensorFactorOption = None,
    order: OrderOption = 1,
    gmsh: GmshOption = False,
    out: OutOption = Path("efield-out"),
    as_json: JsonOption = False,
) -> None:
    """Field of one coil placement: numbers, field files and a picture.

    With no option: a 70 mm figure-8 over the left hand area of the MNI152 head, driven at 1 A/us.

    Examples:

      efield simulate --coil magventure-c-b60 --target m1-leg-left --angle 0

      efield simulate --stimulator magstim-rapid2 --intensity 60
    """
    from efield.app.simulation import Request, run

    request = Request(
        head=head,
        coil=coil,
        target=target,
        angle_deg=angle,
        distance_mm=distance,
        pose=pose,
        didt=didt,
        stimulator=stimulator,
        intensity=intensity,
        conductivities=tuple(conductivity or ()),
        conductivity_table=conductivity_table,
        tensors=tensors,
        tensor_order=tensor_order,
        tensor_mapping=tensor_mapping,
        tensor_factor=tensor_factor,
        order=order,
        out=out,
        allow_collision=allow_collision,
        register=register,
        fiducials=fiducials,
        also=tuple(also or ()),
        gmsh=gmsh,
    )
    _report(*run(request), out, as_json)


def _report(document: dict[str, Any], summary: "Summary", out: Path, as_json: bool) -> None:
    """What a simulation found: JSON for machines, or a table, notes and the files written."""
    from efield.app.tables import summary_table

    if as_json:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    OUT.print(summary_table(document, summary))
    for note in document["notes"]:
        ERR.print(f"note: {note}", markup=False, soft_wrap=True)
    OUT.print(f"written: {', '.join(str(out / name) for name in document['files'])}", markup=False, soft_wrap=True)


@app.command()
def validate(
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Check this installation: a layered sphere, whose field is known in closed form, solved at three mesh sizes."""
    from efield.app.console import Steps
    from efield.app.tables import validation_table
    from efield.targeting.validation import EDGES_MM, validate_on_sphere

    steps = Steps(len(EDGES_MM))
    rows = []
    for edge in EDGES_MM:
        with steps(f"sphere with {edge:g} mm edges"):
            rows.append(validate_on_sphere(edge))
    passed = all(row.passed for row in rows)
    if as_json:
        json.dump({"passed": passed, "rows": [row.to_json() for row in rows]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        OUT.print(validation_table(rows))
    if not passed:
        raise typer.Exit(1)


def _note(message: Warning | str, *_: object, **__: object) -> None:
    """A warning without the place in our code that it came from."""
    ERR.print(f"note: {message}", markup=False, soft_wrap=True)


def main() -> None:
    """Entry point: errors a user can act on become one line and exit code 2, warnings become notes."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            app()
    except EfieldError as error:
        ERR.print(f"error: {' '.join(str(error).split())}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(2) from None
