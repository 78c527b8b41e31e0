"""`efield mesh`: look at head meshes."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from efield.app.console import OUT

app = typer.Typer(help="Head meshes.", no_args_is_help=True)


@app.command()
def info(
    head: Annotated[str, typer.Argument(help="mni152, sphere, or a .msh or .vtu file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Size, tissues and element quality of a head."""
    from efield.head.conductivity import Conductivity
    from efield.head.quality import mesh_quality
    from efield.head.tissue import tissue_name
    from efield.io.load import load_head

    mesh = load_head(head)
    quality = mesh_quality(mesh)
    known = Conductivity().values
    tissues = [
        {
            "tag": tag,
            "name": tissue_name(tag),
            "tets": int((mesh.tissue == tag).sum()),
            "volume_cm3": mesh.tissue_volume_mm3(tag) / 1000,
            "conductivity": known.get(tag),
        }
        for tag in mesh.tags
    ]
    facts: dict[str, Any] = {
        "nodes": len(mesh.points),
        "tets": len(mesh.tets),
        "low_mm": mesh.points.min(axis=0).tolist(),
        "high_mm": mesh.points.max(axis=0).tolist(),
        "min_dihedral_deg": quality.min_dihedral_deg,
        "closed_manifold": quality.boundary_closed and quality.boundary_manifold,
        "has_mni_map": mesh.mni is not None,
        "tissues": tissues,
    }
    if as_json:
        json.dump(facts, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    _print(head, facts)


def _print(name: str, facts: dict[str, Any]) -> None:
    low, high = (", ".join(f"{x:.0f}" for x in facts[key]) for key in ("low_mm", "high_mm"))
    OUT.print(f"{name}: {facts['nodes']} nodes, {facts['tets']} tetrahedra, from ({low}) to ({high}) mm")
    manifold = "a closed manifold" if facts["closed_manifold"] else "NOT a closed manifold"
    OUT.print(f"smallest dihedral angle {facts['min_dihedral_deg']:.1f} degrees; outer surface is {manifold}")
    if not facts["has_mni_map"]:
        OUT.print("no map from MNI coordinates: give targets as x,y,z")
    table = Table()
    for column in ("tag", "tissue", "tetrahedra", "cm3", "S/m (default)"):
        table.add_column(column, justify="left" if column == "tissue" else "right")
    for row in facts["tissues"]:
        sigma = "none: give one" if row["conductivity"] is None else f"{row['conductivity']:g}"
        table.add_row(str(row["tag"]), row["name"], str(row["tets"]), f"{row['volume_cm3']:.1f}", sigma)
    OUT.print(table)
