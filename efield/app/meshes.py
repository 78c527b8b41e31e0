"""`efield mesh`: look at head meshes, and make them from label volumes."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from efield.app.console import ERR, OUT
from efield.ground.errors import InputError

if TYPE_CHECKING:
    from efield.head.lattice import Refinement
    from efield.head.mesh import HeadMesh
    from efield.io.tags import Tags

app = typer.Typer(help="Head meshes.", no_args_is_help=True)

OutArgument = Annotated[Path, typer.Argument(help="Mesh to write: .msh (Gmsh, SimNIBS) or .vtu (ParaView).")]
TagsOption = Annotated[
    list[str] | None,
    typer.Option(help="Name of the array with the tissue tags; or NUMBER=TISSUE or GROUP=TISSUE, repeated."),
]


@app.command()
def info(
    head: Annotated[str, typer.Argument(help="mni152, sphere, a mesh file, or a folder m2m_<id>.")],
    tags: TagsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Size, tissues and element quality of a head."""
    from efield.io.load import load_head

    _report(head, load_head(head, tags=_tags(tags)), as_json)


@app.command()
def convert(
    mesh: Annotated[Path, typer.Argument(help="Mesh of a head: .msh, .vtu, .inp, .xdmf, .mesh, .med, ...")],
    out: OutArgument,
    tags: TagsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """A head mesh of another program as .msh or .vtu.

    Examples:

      efield mesh convert head.med head.msh --tags WM=1 --tags GM=2 --tags "skin=scalp"

      efield mesh convert head.vtk head.msh --tags material
    """
    from efield.io.load import load_head

    _check_out(out)
    head = load_head(mesh, tags=_tags(tags))
    _write(out, head)
    _report(str(out), head, as_json)


def _tags(texts: list[str] | None) -> "Tags | None":
    """The name of an array, or tissues by number or group."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    pairs = [text.rpartition("=") for text in texts]
    wrong = [text for text, (name, _, tissue) in zip(texts, pairs, strict=True) if not name or not tissue]
    if wrong:
        raise InputError(f"--tags must be one array's name, or GROUP=TISSUE each; instead received {wrong[0]!r}")
    if all(name.isdigit() for name, _, _ in pairs):
        return {int(name): tissue for name, _, tissue in pairs}
    return {name: tissue for name, _, tissue in pairs}


def _check_out(out: Path) -> None:
    if out.suffix.lower() not in (".msh", ".vtu"):
        raise InputError(f"the mesh's name must end in .msh or .vtu; instead received {out.name!r}")


@app.command()
def build(
    labels: Annotated[Path, typer.Argument(help="Label volume (NIfTI): 1 white, 2 gray, 3 CSF, 4 bone, 5 scalp, ...")],
    out: OutArgument,
    scale: Annotated[float, typer.Option(help="Multiplies every edge length; 1 gives about 3 million tets.")] = 1.6,
    edge: Annotated[
        list[str] | None, typer.Option(help="Edge length of one tissue, TAG=MM, such as --edge 2=1.8; repeatable.")
    ] = None,
    refine: Annotated[
        list[str] | None, typer.Option(help="Finer sphere, X,Y,Z,RADIUS,FACTOR (mm; factor below 1); repeatable.")
    ] = None,
    label_map: Annotated[
        Path | None,
        typer.Option(help="CSV of label,tag for another scheme, such as FreeSurfer's aseg; tag 0 drops it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Tetrahedra from a label volume, in any orientation and voxel size.

    Examples:

      efield mesh build final_tissues.nii.gz head.msh

      efield mesh build aseg.nii.gz head.msh --label-map aseg.csv --refine=-37,-21,58,20,0.5
    """
    from efield.head.lattice import mesh_labels
    from efield.io.label_map import mapped, read_label_map
    from efield.io.nifti import read_labels

    _check_out(out)
    edges = dict(_edge(text) for text in edge or ())
    spheres = [_refinement(text) for text in refine or ()]
    tags = read_label_map(label_map) if label_map else None
    volume, affine = read_labels(labels)
    if tags is not None:
        volume = mapped(volume, tags)
    with _stages() as progress:
        head = mesh_labels(volume, affine, edge_mm=edges or None, scale=scale, refine=spheres, progress=progress)
    _write(out, head)
    _report(str(out), head, as_json)


def _edge(text: str) -> tuple[int, float]:
    tag, _, length = text.partition("=")
    try:
        return int(tag), float(length)
    except ValueError as error:
        raise InputError(f"--edge must be TAG=MM, such as 2=1.8; instead received {text!r}") from error


def _refinement(text: str) -> "Refinement":
    from efield.head.lattice import Refinement

    try:
        x, y, z, radius, factor = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--refine must be X,Y,Z,RADIUS,FACTOR; instead received {text!r}") from error
    return Refinement((x, y, z), radius, factor)  # type: ignore[arg-type]


@contextmanager
def _stages() -> Iterator[Callable[[str, float], None]]:
    """A progress bar with time left on a terminal; one line per stage in a log."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description:<12}"), BarColumn(), TimeElapsedColumn(), console=ERR) as bar:
        tasks: dict[str, Any] = {}

        def show(stage: str, fraction: float) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=1.0)
            bar.update(tasks[stage], completed=fraction)

        yield show


def _write(out: Path, head: "HeadMesh") -> None:
    if out.suffix.lower() == ".vtu":
        from efield.io.vtu import write_vtu

        write_vtu(out, head, cell_data={})
    else:
        from efield.io.gmsh import write_head

        write_head(out, head)


def _report(name: str, mesh: "HeadMesh", as_json: bool) -> None:
    from efield.head.conductivity import Conductivity
    from efield.head.quality import mesh_quality
    from efield.head.tissue import tissue_name

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
    _print(name, facts)


def _print(name: str, facts: dict[str, Any]) -> None:
    low, high = (", ".join(f"{x:.0f}" for x in facts[key]) for key in ("low_mm", "high_mm"))
    OUT.print(f"{name}: {facts['nodes']} nodes, {facts['tets']} tetrahedra, from ({low}) to ({high}) mm")
    manifold = "a closed manifold" if facts["closed_manifold"] else "NOT a closed manifold"
    OUT.print(f"smallest dihedral angle {facts['min_dihedral_deg']:.1f} degrees; outer surface is {manifold}")
    if not facts["has_mni_map"]:
        OUT.print("no map from MNI coordinates: simulate with --register, or give targets as x,y,z")
    table = Table()
    for column in ("tag", "tissue", "tetrahedra", "cm3", "S/m (default)"):
        table.add_column(column, justify="left" if column == "tissue" else "right")
    for row in facts["tissues"]:
        sigma = "none: give one" if row["conductivity"] is None else f"{row['conductivity']:g}"
        table.add_row(str(row["tag"]), row["name"], str(row["tets"]), f"{row['volume_cm3']:.1f}", sigma)
    OUT.print(table)
