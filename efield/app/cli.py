"""The command `efield`: each verb checks its input, calls the package, and shows the answer."""

import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from efield.app import bases, coils, mesh_build, meshes, options, plan, poses, protocols, sweeps
from efield.app.console import ERR, OUT, Steps, answer, remark, say_written
from efield.app.dose_request import DoseRequest
from efield.app.planning_request import OptimizeRequest, UncertaintyRequest
from efield.app.request import Request
from efield.app.serve_request import ServeRequest
from efield.app.view_request import ViewRequest
from efield.ground.errors import EfieldError
from efield.ground.version import __version__
from efield.io.atomic import system_words

if TYPE_CHECKING:
    from efield.targeting.summary import Summary

app = typer.Typer(
    name="efield",
    help="The electric field that TMS induces in the motor cortex. Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(coils.app, name="coils")
meshes.app.command()(mesh_build.build)
app.add_typer(meshes.app, name="mesh")
app.add_typer(bases.app, name="basis")
app.add_typer(poses.app, name="poses")
app.add_typer(sweeps.app, name="sweep")
app.add_typer(protocols.app, name="protocol")
app.add_typer(plan.app, name="plan")


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


@app.command()
@options.asking_for(Request)
def simulate(request: Request, as_json: options.Json = False) -> None:
    """Field of one coil placement: numbers, field files and a picture.

    With no option: a 70 mm figure-8 over the left hand area of the MNI152 head, driven at 1 A/us.

    Examples:

      efield simulate --coil magventure-c-b60 --target m1-leg-left --angle 0

      efield simulate --stimulator magstim-rapid2 --intensity 60
    """
    from efield.app.simulation import run

    _report(*run(request), as_json)


def _report(document: dict[str, Any], summary: "Summary", as_json: bool) -> None:
    """What a simulation found: JSON for machines, or a table, notes and the files written."""
    from efield.app.tables import summary_table

    answer(document, as_json, summary_table(document, summary))
    if not as_json:
        say_written(document)


@app.command()
@options.asking_for(DoseRequest)
def dose(request: DoseRequest, as_json: options.Json = False) -> None:
    """Output at one place that gives the field of the motor threshold measured at another.

    The field at threshold is mean |E| on the middle of the cortex in the target's region. Beside it: a fixed
    percentage of the threshold, and the slope by depth where it was measured. Nothing is cut to what is possible.

    Examples:

      efield dose --rmt 54 --target m1-leg-left

      efield dose --rmt 54 --rmt-sd 2 --protocol P15 --target m1-leg-left --phase second
    """
    from efield.app.doses import run
    from efield.app.tables import dose_table

    found, document = run(request)
    answer(document, as_json, dose_table(document, found))


@app.command()
@options.asking_for(ServeRequest)
def serve(request: ServeRequest, as_json: options.Json = False) -> None:
    """Follow the coil: poses come in from a navigator, the field at the target goes out, until Ctrl-C.

    Poses come over OpenIGTLink (each TRANSFORM is answered by a STRING of JSON), over Socket.IO, or from what --follow
    names. When they come faster than they are answered, the latest counts. At the end the latency is told. --json
    prints every answer as a line of JSON. Research software: no treatment may depend on it.

    Examples:

      efield serve --basis hand-basis --target m1-hand-left

      efield serve --basis hand-basis --follow recorded.txt:samples --no-openigtlink --json

      efield serve --basis hand-basis --plan plan.txt --alert "mean_magnitude<0.9*plan" --alert "off_plan_mm>3"
    """
    from efield.app.serving import run

    run(request, as_json)


@app.command()
@options.asking_for(ViewRequest)
def view(request: ViewRequest, as_json: options.Json = False) -> None:
    """Look and move: a page where the coil is dragged over the scalp and the field follows, until Ctrl-C.

    Of a basis the field follows at once. Of a head a basis is built first, which takes minutes, and kept. Results and
    files with a field are shown as they are. Of a study the best placements are listed. It needs the extra live, and
    is research software: no treatment may depend on it.

    Examples:

      efield view hand-basis --stimulator magstim-rapid2 --intensity 60

      efield view efield-out

      efield view hand-basis --plan plan.txt --poses recorded.txt:samples --alert "mean_magnitude<0.9*plan"
    """
    from efield.app.viewing import run

    run(request, as_json)


@app.command()
@options.asking_for(OptimizeRequest)
def optimize(request: OptimizeRequest, as_json: options.Json = False) -> None:
    """The best place, angle and tilt of a coil for a target, and how exact they must be.

    Values are of full solves. Look at loss.png for what is lost away from the best; go on with
    `efield simulate --pose efield-optimum/pose.txt`.

    Examples:

      efield optimize --target m1-hand-left

      efield optimize --target m1-leg-left --goal along --coil double-cone
    """
    from efield.app.planning import find_best
    from efield.app.tables import optimum_table

    best, document = find_best(request)
    written = f"written: {Path(document['folder']) / 'pose.txt'}, optimum.json, loss.png"
    answer(document, as_json, optimum_table(document, best), written)


@app.command()
@options.asking_for(UncertaintyRequest)
def uncertainty(request: UncertaintyRequest, as_json: options.Json = False) -> None:
    """How sure the field of a placement is: over published ranges of the conductivities, and how the coil is held.

    The ranges say what is believed of people, not what is known of this person.

    Examples:

      efield uncertainty --target m1-hand-left --placement navigated

      efield uncertainty --vary gray-matter=0.1..0.6 --vary bone=0.003..0.012 --json
    """
    from efield.app.planning import how_sure
    from efield.app.tables import uncertainty_table

    sure, document = how_sure(request)
    lines = (*document["conductivity"].items(), ("placement", document["placement"] or "as planned"))
    answer(document, as_json, uncertainty_table(document, sure), *map(": ".join, lines))


@app.command()
def targets(as_json: options.Json = False) -> None:
    """The places that are known by name: coordinates, their space and spread between people, and who says so.

    --target also takes an electrode (C3), a label of a volume (mask.nii.gz:3) or of a surface
    (lh.aparc.annot:precentral), and x,y,z in mm.
    """
    from efield.app.tables import listing_table
    from efield.targeting.naming import list_targets, target_facts

    known = list_targets()
    answer({"targets": [target_facts(name) for name in known]}, as_json, listing_table(known), known.note)


@app.command()
def validate(
    as_json: options.Json = False,
) -> None:
    """Check this installation: a layered sphere, whose field is known in closed form, solved at three mesh sizes."""
    from efield.app.tables import validation_table
    from efield.targeting.validation import EDGES_MM, validate_on_sphere

    steps = Steps(len(EDGES_MM))
    rows = []
    for edge in EDGES_MM:
        with steps(f"sphere with {edge:g} mm edges"):
            rows.append(validate_on_sphere(edge))
    passed = all(row.passed for row in rows)
    answer({"passed": passed, "rows": [row.to_json() for row in rows]}, as_json, validation_table(rows))
    if not passed:
        raise typer.Exit(1)


def _note(message: Warning | str, *_: object, **__: object) -> None:
    """A warning without the place in our code that it came from."""
    remark(message)


def main() -> None:
    """Entry point: errors a user can act on become one line and exit code 2, warnings become notes."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _note
            try:
                app()
            finally:
                sys.stdout.flush()  # what cannot be written is told here, not while Python ends
    except EfieldError as error:
        _refuse(str(error))
    except OSError as error:
        _discard_output()
        _refuse(system_words(error))


def _refuse(message: str) -> NoReturn:
    ERR.print(f"error: {' '.join(message.split())}", style="red", markup=False, soft_wrap=True)
    raise SystemExit(2) from None


def _discard_output() -> None:
    """Let nothing that standard output still holds be written again when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
