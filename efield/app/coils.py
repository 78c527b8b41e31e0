"""`efield coils`: which coils and stimulators are known, and what each is."""

import json
import sys
from typing import Annotated

import typer
from rich.table import Table

from efield.app.console import OUT

app = typer.Typer(help="Coils and stimulators.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list")
def list_coils(as_json: JsonOption = False) -> None:
    """The catalog: names, aliases, and the largest dI/dt where it is known."""
    from efield.coils import catalog, stimulators

    coils = [catalog.load_named(name) for name in catalog.names()]
    machines = stimulators.names()
    if as_json:
        rows = [{"name": c.name, "aliases": c.aliases, "max_didt": c.max_didt} for c in coils]
        json.dump({"coils": rows, "stimulators": machines}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    table = Table(title="Coils")
    for column in ("name", "also", "max dI/dt at 100 % (A/us)"):
        table.add_column(column, justify="right" if "dI/dt" in column else "left")
    for coil in coils:
        drive = "unknown" if coil.max_didt is None else f"{coil.max_didt / 1e6:.1f}"
        table.add_row(coil.name, ", ".join(coil.aliases), drive)
    OUT.print(table)
    OUT.print("Stimulators: " + ", ".join(machines), soft_wrap=True)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="A coil's name or a coil file.")], as_json: JsonOption = False
) -> None:
    """One coil: sources, geometry, assumptions and where they come from."""
    from efield.io.load import load_coil

    coil = load_coil(name)
    facts = {
        "name": coil.name,
        "aliases": list(coil.aliases),
        "sources": {type(s).__name__: len(s) for s in coil.sources},
        "casing_mm": coil.casing_mm,
        "max_didt": coil.max_didt,
        "citation": coil.citation,
        "assumptions": list(coil.assumptions),
    }
    if as_json:
        json.dump(facts, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    table = Table(title=coil.name, show_header=False)
    table.add_row("also", ", ".join(coil.aliases))
    table.add_row("field sources", ", ".join(f"{len(s)} {type(s).__name__}" for s in coil.sources))
    table.add_row("winding to casing", f"{coil.casing_mm:g} mm")
    table.add_row("max dI/dt at 100 %", "unknown" if coil.max_didt is None else f"{coil.max_didt / 1e6:.2f} A/us")
    table.add_row("source", coil.citation)
    for assumption in coil.assumptions:
        table.add_row("assumed", assumption)
    OUT.print(table)
