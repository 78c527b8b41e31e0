"""`efield basis`: build reduced bases, look at them, and check them against fresh solves."""

from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated

import typer

from efield.app import options
from efield.app.console import Bar, Steps, answer, print_json, remark, say
from efield.ground.errors import InputError

if TYPE_CHECKING:
    from efield.basis.certificate import Certificate
    from efield.coils.model import Coil
    from efield.head.conductivity import Conductivity
    from efield.targeting.simulate import Simulator

app = options.Commands(
    help="Reduced bases: the field of any placement over one patch of scalp, in about a millisecond.",
    no_args_is_help=True,
)

FolderArgument = Annotated[Path, typer.Argument(help="Folder that `efield basis build` wrote.")]
AnyCoilOption = Annotated[
    str, typer.Option("--coil", help="A coil's name or file; 'any' for a basis that serves every coil.")
]


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist yet.")],
    head: options.Head = "mni152",
    coil: AnyCoilOption = "magstim-70mm-figure8",
    target: options.Target = "m1-hand-left",
    radius: Annotated[float, "Placements reach this far over the scalp, mm."] = 25.0,
    tilt: Annotated[float, "Largest tilt against the scalp, degrees."] = 8.0,
    distances: Annotated[str, "Least and largest gap from scalp to coil, mm."] = "2,10",
    region_radius: Annotated[float | None, "Brain within this distance of the target, mm; 35 unless given."] = None,
    whole_brain: Annotated[bool, "All of the brain, both hemispheres."] = False,
    at: Annotated[str, "tets: gray and white matter; surface: the middle of the cortex."] = "tets",
    clearance: Annotated[float | None, "With --coil any: least gap from scalp to wires, mm; 5 unless given."] = None,
    tol: Annotated[float, "Largest relative error of E wanted at any held-out placement."] = 1e-3,
    max_solves: Annotated[int, "Give up after this many full solves."] = 512,
    seed: Annotated[int, "The same seed gives the same basis."] = 0,
    conductivity: options.Conductivity = None,
    conductivity_table: options.ConductivityTable = None,
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Solve placements over a target until a basis of them is accurate enough, and write it.

    Finished solves are kept beside OUT (in OUT.solves) until the basis is complete: run the same command again to go on
    after an interruption. Exit code 1 if the wanted error was not reached; the basis is written all the same.

    Examples:

      efield basis build hand-basis

      efield basis build leg-basis --target m1-leg-left --coil magventure-c-b60 --radius 20 --tol 0.002

      efield basis build any-basis --coil any --at surface --tol 0.01 --max-solves 1024
    """
    from efield.app.request_parts import parse_conductivity
    from efield.basis.reduced_basis import ReducedBasis
    from efield.targeting.targets import named_target, parse_target

    parse_target(target)
    if whole_brain and region_radius is not None:
        raise InputError("--region-radius and --whole-brain must not be given together; each says how much brain")
    if clearance is not None and coil != "any":
        raise InputError("--clearance must go with --coil any; the casing of a coil keeps what --distances says")
    gaps = _pair("--distances", distances)
    if out.exists():
        raise InputError(f"OUT must be a folder that does not exist yet; instead {out} does: delete it, or rename")
    solves = out.with_name(f"{out.name}.solves")
    sigma = parse_conductivity(conductivity, conductivity_table)
    sim, maker = _prepared(head, coil, sigma, device, Steps(2))
    with Bar("building", max_solves, "solves") as bar:
        basis = ReducedBasis.build(
            sim,
            maker,
            named_target(sim.head, target),
            radius_mm=radius,
            tilt_deg=tilt,
            distance_mm=gaps,
            region_radius_mm=None if whole_brain else 35.0 if region_radius is None else region_radius,
            at=at,
            clearance_mm=5.0 if clearance is None else clearance,
            tol=tol,
            max_solves=max_solves,
            seed=seed,
            checkpoint=solves,
            progress=bar,
        )
    basis.save(out)
    rmtree(solves)
    _show(basis.certificate, as_json)
    _check_met(basis.certificate)


def _check_met(certificate: "Certificate") -> None:
    """Say that the error is larger than asked for, and leave with exit code 1."""
    if not certificate.met:
        remark(
            f"the error asked for ({certificate.tol:g}) was not reached in {certificate.solves} solves: allow more "
            "with --max-solves, or ask for a smaller region"
        )
        raise typer.Exit(1)


@app.command()
def info(folder: FolderArgument, as_json: options.Json = False) -> None:
    """What a basis is for, its size, and its certificate: the error measured on placements it had never seen."""
    from efield.basis.certificate import Certificate
    from efield.basis.storage import describe

    note = describe(folder)
    if as_json:
        print_json(note)
        return
    target, (low, high) = note["target"], note["distance_mm"]
    center = ", ".join(f"{x:.1f}" for x in target["center_mm"])
    say(f"{folder}: {note['coil']} over {target['name']} ({center})")
    say(
        f"placements: within {note['radius_mm']:g} mm over the scalp, tilt up to {note['tilt_deg']:g} degrees, "
        f"{low:g} to {high:.4g} mm from it, all angles"
    )
    where = "tetrahedra of gray and white matter" if note["at"] == "tets" else "vertices of the middle of the cortex"
    size = f"{note['modes']} modes, {sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f} MB"
    say(f"the field in {note['places']} {where}, {size}")
    say(str(Certificate.from_json(note["certificate"])))


@app.command()
def check(
    folder: FolderArgument,
    head: options.Head = "mni152",
    coil: AnyCoilOption = "magstim-70mm-figure8",
    conductivity: options.Conductivity = None,
    conductivity_table: options.ConductivityTable = None,
    device: options.Device = "auto",
    placements: Annotated[int, typer.Option(min=1, help="Fresh placements to solve in full.")] = 16,
    seed: Annotated[int, "Another seed draws other placements."] = 1,
    as_json: options.Json = False,
) -> None:
    """Compare a basis with fresh full solves. Exit code 1 if the largest error of E is above what it was built for.

    Head, coil and conductivities must be those it was built with; hashes tell.

    Example:

      efield basis check hand-basis --placements 32
    """
    from efield.app.request_parts import parse_conductivity
    from efield.basis.reduced_basis import ReducedBasis

    steps = Steps(3)
    sigma = parse_conductivity(conductivity, conductivity_table)
    sim, maker = _prepared(head, coil, sigma, device, steps)
    basis = ReducedBasis.load(folder, sim, maker)
    with steps(f"solving {placements} placements"):
        certificate = basis.check(placements, seed)
    _show(certificate, as_json)
    if not certificate.met:
        raise typer.Exit(1)


def _prepared(head: str, coil: str, sigma: "Conductivity", device: str, steps: Steps) -> "tuple[Simulator, Coil | str]":
    from efield.app.request_parts import prepared
    from efield.io.load import load_coil, load_head

    maker = coil if coil == "any" else load_coil(coil)
    with steps(f"loading head {head}"):
        mesh = load_head(head)
    return prepared(mesh, head, device, steps, sigma), maker


def _pair(option: str, text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} must be LEAST,LARGEST in mm, such as 2,10; instead received {text!r}") from error
    return low, high


def _show(certificate: "Certificate", as_json: bool) -> None:
    answer(certificate.to_json() | {"met": certificate.met}, as_json, str(certificate))
