"""Tables for people."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from efield.dosing.dose import Dose
from efield.ground.listing import Listing
from efield.targeting.measures import MEASURES
from efield.targeting.summary import Summary
from efield.targeting.validation import SphereCheck


def summary_table(document: dict[str, Any], summary: Summary) -> Table:
    """The answer of `efield simulate`."""
    table = Table(title=f"{document['coil']} over {document['target']['name']} of {document['head']['name']}")
    table.add_column("what")
    table.add_column("value", justify="right")
    if document["drive"]:
        table.add_row("drive", document["drive"])
    for name in summary:
        table.add_row(MEASURES[name].meaning, summary.text(name))
    return table


def dose_table(document: dict[str, Any], found: Dose) -> Table:
    """The answer of `efield dose`, with what tables say of a protocol."""
    there, here = (target["name"] for target in document["targets"])
    table = Table(title=f"From the threshold at {there} to {here}, {document['head']}", show_header=False)
    for name, text in found.rows():
        table.add_row(name, Text(text))
    for about in ("safety", "feasibility"):
        for line in document.get(about, {}).get("report", ()):
            table.add_row(about, Text(line))
    if "no_reports" in document:
        table.add_row("safety", Text(document["no_reports"]))
    return table


def listing_table(known: Listing) -> Table:
    """What is known by name."""
    table = Table(title=known.title)
    for column in known.columns:
        table.add_column(column, justify="right" if "dI/dt" in column else "left")
    for cells in known.rows:
        table.add_row(*cells)
    return table


def validation_table(rows: Sequence[SphereCheck]) -> Table:
    """Errors against the closed form, one row per mesh size."""
    table = Table(title="Four-shell sphere under a 70 mm figure-8: error of E against the closed form")
    for column in (
        "edge (mm)",
        "tetrahedra",
        "elements (%)",
        "recovered (%)",
        "allowed (%)",
        "solve (s)",
        "",
    ):
        table.add_column(column, justify="right")
    for row in rows:
        cells = (
            f"{row.edge_mm:g}",
            str(row.n_tets),
            f"{row.element_error:.2%}"[:-1],
            f"{row.recovered_error:.2%}"[:-1],
        )
        verdict = "[green]pass[/]" if row.passed else "[red]FAIL[/]"
        table.add_row(*cells, f"{row.allowed:.2%}"[:-1], f"{row.seconds:.2f}", verdict)
    return table
