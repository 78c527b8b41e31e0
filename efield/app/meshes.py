"""`efield mesh`: look at head meshes, and make them from label volumes."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.table import Table

from efield.app.console import ERR, OUT, Bar
from efield.ground import checks
from efield.ground.errors import InputError
from efield.io.atomic import check_place

if TYPE_CHECKING:
    from efield.head.lattice import Refinement
    from efield.head.mesh import HeadMesh
    from efield.io.meshes.meshdata import MeshData
    from efield.io.meshes.tags import Tags

#: Smallest dihedral angle and 5th percentile of the radius ratio that the default head is held to.
LEAST_DIHEDRAL_DEG: Final = 5.0
LEAST_RADIUS_RATIO: Final = 0.25

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
    """A head mesh, or a result such as field.vtu, as .msh (Gmsh, SimNIBS) or .vtu (ParaView), with its fields.

    Examples:

      efield mesh convert head.med head.msh --tags WM=1 --tags GM=2 --tags "skin=scalp"

      efield mesh convert head.vtk head.msh --tags material

      efield mesh convert efield-out/field.vtu field.msh
    """
    _check_out(out)
    content, head = _content(mesh, _tags(tags))
    for note in _write_content(out, content):
        ERR.print(f"note: {note}", markup=False, soft_wrap=True)
    _report(str(out), head, as_json)


@app.command()
def repair(
    mesh: Annotated[Path, typer.Argument(help="Mesh of a head that `efield mesh info` calls not whole.")],
    out: OutArgument,
    tolerance: Annotated[float, typer.Option(help="Nodes nearer to each other than this are one, mm.")] = 1e-3,
    tags: TagsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Merge nodes that are there twice, and remove tetrahedra that are; nothing is written if that does not mend it.

    Example:

      efield mesh repair cut.msh whole.msh
    """
    from efield.ground.errors import naming
    from efield.head.soundness import check_sound
    from efield.io.meshes.repair import merge_nodes

    _check_out(out)
    content = _content(mesh, _tags(tags))[0]
    with naming(mesh):
        mended = merge_nodes(content, tolerance)
        head = mended.mesh.head()
        check_sound(head)
    for note in (str(mended), *_write_content(out, mended.mesh)):
        ERR.print(f"note: {note}", markup=False, soft_wrap=True)
    _report(str(out), head, as_json)


def _content(path: Path, tags: "Tags | None") -> "tuple[MeshData, HeadMesh]":
    """All that a mesh file holds, and the head it makes; of a folder or a name the head only."""
    from efield.ground.errors import naming
    from efield.io.load import load_head
    from efield.io.meshes import mesh_files
    from efield.io.meshes.meshdata import MeshData

    if path.is_dir() or path.suffix.lower() not in mesh_files.SUFFIXES:
        head = load_head(path, tags=tags)
        return MeshData.of_head(head), head
    content = mesh_files.read_mesh(path, tags)
    with naming(path):
        return content, content.head()


def _write_content(out: Path, content: "MeshData") -> list[str]:
    """Write a mesh with its fields; returns what is left out, in words."""
    from efield.io.meshes import gmsh, vtu

    left = [f"{count} {kind}" for kind, count in content.other_elements.items()]
    if out.suffix.lower() == ".msh":
        gmsh.write_mesh(out, content)
    else:
        vtu.write_mesh(out, content)
        left += [f"{len(content.triangles)} triangles"] if len(content.triangles) else []
    fields = [*content.node_data, *content.element_data]
    notes = [f"fields written: {', '.join(fields)}"] if fields else []
    return notes + ([f"left out: {', '.join(left)}"] if left else [])


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
    check_place(out)


@app.command()
def build(
    labels: Annotated[Path, typer.Argument(help="Label volume (NIfTI): 1 white, 2 gray, 3 CSF, 4 bone, 5 scalp, ...")],
    out: OutArgument,
    scale: Annotated[float, typer.Option(help="Multiplies every edge length; 1 gives about 3 million tets.")] = 1.6,
    edge: Annotated[
        list[str] | None,
        typer.Option(help="Edge length of a tissue in mm, --edge gray-matter=1.8 or 2=1.8; repeatable."),
    ] = None,
    refine: Annotated[
        list[str] | None, typer.Option(help="Finer sphere, X,Y,Z,RADIUS,FACTOR (mm; factor below 1); repeatable.")
    ] = None,
    label_map: Annotated[
        Path | None,
        typer.Option(
            help="CSV of label,tag for another scheme (FreeSurfer's aseg) or tags of your own; tag 0 drops it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Tetrahedra from a label volume, in any orientation and voxel size.

    Examples:

      efield mesh build final_tissues.nii.gz head.msh

      efield mesh build aseg.nii.gz head.msh --label-map aseg.csv --refine=-37,-21,58,20,0.5
    """
    from efield.head.lattice import mesh_labels
    from efield.io.volumes.label_map import check_known, mapped, read_label_map
    from efield.io.volumes.nifti import read_labels

    _check_out(out)
    edges = dict(_edge(text) for text in edge or ())
    spheres = [_refinement(text) for text in refine or ()]
    tags = read_label_map(label_map) if label_map else None
    volume, affine = read_labels(labels)
    if tags is None:
        check_known(volume)
    else:
        volume = mapped(volume, tags)
    with Bar("meshing", 100, "%") as bar:
        head = mesh_labels(volume, affine, edge_mm=edges or None, scale=scale, refine=spheres, progress=bar)
    _write(out, head)
    voxel_cm3 = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    _report(str(out), head, as_json, {tag: int((volume == tag).sum()) * voxel_cm3 for tag in head.tags})


def _edge(text: str) -> tuple[int, float]:
    from efield.head.tissue import tissue_tag

    tissue, equals, length = text.partition("=")
    if not equals:
        raise InputError(f"--edge must be TISSUE=MM, such as gray-matter=1.8 or 2=1.8; instead received {text!r}")
    return tissue_tag(tissue), checks.positive(f"--edge {tissue}", length)


def _refinement(text: str) -> "Refinement":
    from efield.head.lattice import Refinement

    try:
        x, y, z, radius, factor = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--refine must be X,Y,Z,RADIUS,FACTOR; instead received {text!r}") from error
    return Refinement((x, y, z), radius, factor)  # type: ignore[arg-type]


def _write(out: Path, head: "HeadMesh") -> None:
    if out.suffix.lower() == ".vtu":
        from efield.io.meshes.vtu import write_vtu

        write_vtu(out, head, cell_data={})
    else:
        from efield.io.meshes.gmsh import write_head

        write_head(out, head)


def _report(name: str, mesh: "HeadMesh", as_json: bool, label_cm3: dict[int, float] | None = None) -> None:
    from efield.head.conductivity import Conductivity
    from efield.head.quality import mesh_quality
    from efield.head.remarks import remarks
    from efield.head.soundness import defects
    from efield.head.tissue import tissue_name

    quality = mesh_quality(mesh)
    known = Conductivity().values
    tissues = [
        {
            "tag": tag,
            "name": tissue_name(tag),
            "tets": int((mesh.tissue == tag).sum()),
            "volume_cm3": mesh.tissue_volume_mm3(tag) / 1000,
            "label_cm3": None if label_cm3 is None else label_cm3[tag],
            "pieces": quality.pieces[tag],
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
        "p5_radius_ratio": quality.p5_radius_ratio,
        "conforming": quality.conforming,
        "closed_manifold": quality.boundary_closed and quality.boundary_manifold,
        "defects": [vars(defect) for defect in defects(mesh)],
        "remarks": list(remarks(mesh)),
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
    size = f"{facts['nodes']} nodes, {facts['tets']} tetrahedra"
    OUT.print(f"{name}: {size}, from ({low}) to ({high}) mm", soft_wrap=True, markup=False)
    manifold = "a closed manifold" if facts["closed_manifold"] else "NOT a closed manifold"
    OUT.print(
        f"smallest dihedral angle {facts['min_dihedral_deg']:.1f} degrees, 5th percentile of the radius ratio "
        f"{facts['p5_radius_ratio']:.2f}; outer surface is {manifold}",
        soft_wrap=True,
    )
    if not facts["conforming"]:
        OUT.print("NOT conforming: a face belongs to more than two tetrahedra", soft_wrap=True)
    for defect in facts["defects"]:
        text = f"NOT whole: {defect['text']}: {defect['remedy']}" if defect["harmful"] else f"note: {defect['text']}"
        OUT.print(text, style="red" if defect["harmful"] else None, soft_wrap=True, markup=False)
    if facts["min_dihedral_deg"] < LEAST_DIHEDRAL_DEG or facts["p5_radius_ratio"] < LEAST_RADIUS_RATIO:
        OUT.print(
            f"below the default head's bars, {LEAST_DIHEDRAL_DEG:g} degrees and {LEAST_RADIUS_RATIO:g}: "
            "expect slow solving and larger errors there",
            soft_wrap=True,
        )
    if not facts["has_mni_map"]:
        OUT.print(
            "no map from MNI coordinates: simulate with --register or --fiducials, or give targets as x,y,z",
            soft_wrap=True,
        )
    table = Table()
    built = facts["tissues"][0]["label_cm3"] is not None
    for column in ("tag", "tissue", "tetrahedra", "pieces", "cm3", *(["cm3 of labels"] * built), "S/m (default)"):
        table.add_column(column, justify="left" if column == "tissue" else "right")
    for row in facts["tissues"]:
        sigma = "none: give one" if row["conductivity"] is None else f"{row['conductivity']:g}"
        volumes = [row["volume_cm3"], *([row["label_cm3"]] * built)]
        cells = (row["tag"], row["name"], row["tets"], row["pieces"], *(f"{volume:.1f}" for volume in volumes))
        table.add_row(*map(str, cells), sigma)
    OUT.print(table)
