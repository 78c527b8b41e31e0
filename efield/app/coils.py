"""`efield coils`: which coils and stimulators are known, and what each is."""

from pathlib import Path
from typing import Annotated

import typer

from efield.app import options
from efield.app.console import OUT, answer, aside, print_json, remark, say
from efield.ground.errors import InputError
from efield.io.atomic import check_place

app = options.Commands(help="Coils and stimulators.", no_args_is_help=True)


@app.command("list")
def list_coils(as_json: options.Json = False) -> None:
    """The catalog: names, aliases, and the largest dI/dt where it is known."""
    from efield.coils import catalog, stimulators
    from efield.coils.polarity import induced_direction

    machines = stimulators.list_stimulators()
    if as_json:
        coils = [catalog.load_named(name) for name in catalog.names()]
        rows = [
            {"name": c.name, "aliases": c.aliases, "max_didt": c.max_didt, "induced_direction": induced_direction(c)}
            for c in coils
        ]
        print_json({"coils": rows, "stimulators": list(machines)})
        return
    from efield.app.tables import listing_table

    OUT.print(listing_table(catalog.list_coils()))
    say("Stimulators: " + ", ".join(machines))


@app.command()
def info(
    name: Annotated[str, typer.Argument(help=options.COIL_HELP)],
    as_json: options.Json = False,
    picture: Annotated[Path | None, "Draw the coil's field in a spherical head to this file."] = None,
) -> None:
    """One coil: sources, geometry, field, assumptions and where they come from."""
    from efield.app.coil_facts import coil_facts, facts_table
    from efield.io.load import load_coil

    if picture is not None:
        _check_picture(picture)
    coil = load_coil(name)
    facts = coil_facts(coil)
    answer(facts, as_json, facts_table(facts))
    if picture is not None:
        from efield.viz.coil_picture import save_coil_picture

        save_coil_picture(picture, coil)
        aside(f"written: {picture}")


def _check_picture(path: Path) -> None:
    """Before the work, not after it."""
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InputError(f"--picture must end in .png, .pdf or .svg; instead received {path.name!r}")
    check_place(path)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help=options.COIL_HELP)],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: .ccd, .tcd, .nii or .nii.gz.")],
    spacing: Annotated[float | None, "Distance of the samples of a .nii file in mm; 4 unless given."] = None,
) -> None:
    """Write a coil in another format and say what that costs.

    Wires become magnetic dipoles where the format has no place for them (.ccd; .tcd for wires that carry a fraction of
    a turn). A .nii file covers 360 x 360 x 250 mm in front of the casing.
    """
    from efield.app.coil_facts import convert_file

    for note in convert_file(source, out, spacing):
        remark(note)
    say(f"written: {out}")
