"""Tables for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from efield.ground.listing import Listing
from efield.planning.goals import goal_words
from efield.targeting.measures import MEASURES
from efield.targeting.summary import Summary
from efield.targeting.validation import SphereCheck

if TYPE_CHECKING:
    from efield.dosing.dose import Dose
    from efield.planning.optimum import Optimum
    from efield.planning.uncertain_measures import Uncertainty


def summary_table(document: dict[str, Any], summary: Summary) -> Table:
    """The answer of `efield simulate`."""
    title = f"{document['coil']} over {document['target']['name']} of {document['head']['name']}"
    table = Table("what", title=title)
    table.add_column("value", justify="right")
    if document["drive"]:
        table.add_row("drive", document["drive"])
    for name in summary:
        table.add_row(MEASURES[name].meaning, summary.text(name))
    return table


def dose_table(document: dict[str, Any], found: "Dose") -> Table:
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


def optimum_table(document: dict[str, Any], best: "Optimum") -> Table:
    """The answer of `efield optimize`."""
    title = f"{document['coil']} over {document['target']['name']} of {document['head']}: {best.goal}"
    table = Table(title=title, show_header=False)
    table.add_row("best", f"{best.value_says} at {document['didt'] / 1e6:g} A/us")
    table.add_row("against over the target at 45 degrees", best.gain_says)
    place = best.place
    table.add_row("place", f"{place['u_mm']:.1f} mm medial, {place['v_mm']:.1f} mm anterior of over the target")
    table.add_row("angle of the induced current", f"{place['angle_deg']:.0f} deg (0 = anterior, 90 = medial)")
    table.add_row("coil", document["pose_says"])
    table.add_row("tilt", f"{place['tilt_x_deg']:.1f}, {place['tilt_y_deg']:.1f} deg about the coil's x and y axes")
    table.add_row("5 % are lost at", best.tolerance_says)
    for number, (_, value) in enumerate(best.alternatives, 1):
        table.add_row(f"as good, no. {number}", goal_words(best.goal, value))
    table.add_row("placements solved", str(best.solves))
    return table


def uncertainty_table(document: dict[str, Any], sure: "Uncertainty") -> Table:
    """The answer of `efield uncertainty`: each measure with its interval and causes."""
    title = f"{document['coil']} over {document['target']['name']} of {document['head']}"
    columns = ("measure", "as planned (5 to 95 %)", "SD", "cause", "tissue that matters most")
    table = Table(*columns, title=f"{title}, at {document['didt'] / 1e6:g} A/us")
    for name, deviation in sure.sd.items():
        causes = ", ".join(f"{cause} {100 * share:.0f} %" for cause, share in sure.causes(name).items())
        tissue, share = max(sure.sobol[name].items(), key=lambda one: one[1].total)
        table.add_row(name, sure.text(name), f"{deviation:.3g}", causes, f"{tissue} {100 * share.total:.0f} %")
    return table


def pulses_table(document: dict[str, Any]) -> Table:
    """The answer of `efield sweep --poses`."""
    title = f"{document['pulses']} pulses of {document['coil']}, {document['target']['name']} of {document['head']}"
    table = Table(title=title)
    for column in ("what", "least", "mean", "most"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = (
        ("dI/dt (A/us)", "didt", 1e-6),
        ("mean |E| in the target (V/m)", "mean_magnitude", 1.0),
        (f"off {document['drift_from']} (mm)", "off_mm", 1.0),
        ("turned from there (degrees)", "off_deg", 1.0),
        ("change of the field at equal dI/dt (%)", "off_percent", 1.0),
    )
    for words, name, unit in rows:
        table.add_row(words, *(f"{document[name][which] * unit:.3g}" for which in ("least", "mean", "most")))
    return table


def pulses_lines(document: dict[str, Any]) -> list[str]:
    """What a table of pulses has no place for."""
    lines = [
        f"intensity: {document['intensity']}",
        f"{document['solves']} solves for all {document['pulses']} pulses; error of E {document['largest_error']:.1e}",
    ]
    answers = document.get("responses", {})
    for name in ("sigmoid", "line"):
        if name in answers:
            fit = answers[name]
            where = ", ".join(f"{value:.1f}" for value in fit["place_mm"])
            lines.append(
                f"{answers['count']} responses, {name}: R2 {fit['r2']:.2f} at ({where}) mm; {fit['alike_cm3']:.2g} cm3 "
                "within 5 % of it"
            )
    return lines


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
        verdict = Text("pass", "green") if row.passed else Text("FAIL", "red")
        table.add_row(*cells, f"{row.allowed:.2%}"[:-1], f"{row.seconds:.2f}", verdict)
    return table
