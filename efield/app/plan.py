"""`efield plan`, and `efield plan compare`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from efield.app import options
from efield.app.console import OUT, answer, print_json, remark, say
from efield.app.plan_request import PlanRequest
from efield.app.plan_sheet import compared, read_plan

app = typer.Typer(invoke_without_command=True, help="Where, at which angle, how hard, how sure: a plan and its sheet.")


@app.callback(invoke_without_command=True)
@options.asking_for(PlanRequest)
def plan(request: PlanRequest, ctx: typer.Context, as_json: options.Json = False) -> None:
    """From a head, a coil, a motor threshold and a protocol to a placement and an output, with how sure they are.

    Research software: a dose for a person needs a clinician. Open plan.html; plan.json has everything in it, and poses/
    the placement for every navigator.

    Examples:

      efield plan --rmt 54 --pain-side right --pain-site hand --protocol P20

      efield plan --plan plan.toml --coil d70 --coil double-cone

      efield plan --rmt 54 --pain-side right --pain-site hand --pain-site face --protocol P20

      efield plan compare efield-plan other-plan
    """
    if ctx.invoked_subcommand is not None:
        return
    from efield.app.plans import make_plan

    document = make_plan(request)
    if as_json:
        print_json(document)
        return
    for part in document["targets"]:
        OUT.print(_table(document["head"], part))
    for note in dict.fromkeys(note for part in document["targets"] for note in part["notes"]):
        remark(note)
    out = document["provenance"]["settings"]["out"]
    say(f"written: {out}/plan.html, plan.json, pictures/, poses/")


def _table(head: str, part: dict[str, Any]) -> Table:
    """What is planned for one target."""
    table = Table(title=f"{part['coil']} over {part['target']['name']} of {head}", show_header=False)
    for name, text in part["dose"]["rows"]:
        table.add_row(name, text)
    best = part["optimum"]
    table.add_row("place", part["pose_says"])
    table.add_row(best["goal"], f"{best['value_says']} at 1 A/us, gain {best['gain_says']}")
    if others := part["candidates"][1:]:
        table.add_row("other coils", ", ".join(f"{one['coil']} {one['output_percent']:.1f} %" for one in others))
    table.add_row("safety", part["safety"].get("verdict", "no protocol"))
    table.add_row("feasibility", part["feasibility"].get("verdict", "no protocol"))
    return table


@app.command()
def compare(
    one: Annotated[Path, typer.Argument(help="Folder of a plan, or its plan.json.")],
    other: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: options.Json = False,
) -> None:
    """Two plans side by side."""
    rows = compared(read_plan(one), read_plan(other))
    table = Table("", str(one), str(other), title="Two plans")
    for row in rows:
        table.add_row(*row)
    answer([{"what": what, str(one): a, str(other): b} for what, a, b in rows], as_json, table)
