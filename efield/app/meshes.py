"""`efield mesh`: look at head meshes, and convert them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.table import Table

from efield.app import options
from efield.app.console import OUT, print_json, remark, say
from efield.ground.errors import InputError, naming
from efield.head.mni import AffineMap, MniMap
from efield.head.tissue import tissue_name
from efield.io.atomic import check_place, replacing
from efield.io.mni_sidecar import read_sidecar, sidecar_of, write_sidecar

if TYPE_CHECKING:
    from efield.head.lattice import KeptVolume
    from efield.head.mesh import HeadMesh
    from efield.io.meshes.meshdata import MeshData
    from efield.io.meshes.tags import Tags

T = TypeVar("T")

#: Smallest dihedral angle and 5th percentile of the radius ratio that the default head is held to.
LEAST_DIHEDRAL_DEG: Final = 5.0
LEAST_RADIUS_RATIO: Final = 0.25

app = options.Commands(help="Head meshes.", no_args_is_help=True)

OutArgument = Annotated[Path, typer.Argument(help="Mesh to write: .msh (Gmsh, SimNIBS) or .vtu (ParaView).")]
TagsOption = Annotated[
    list[str] | None, "Name of the array with the tissue tags; or NUMBER=TISSUE or GROUP=TISSUE, repeated."
]


@app.command()
def info(
    head: Annotated[str, typer.Argument(help="mni152, sphere, a mesh file, or a folder m2m_<id>.")],
    tags: TagsOption = None,
    as_json: options.Json = False,
) -> None:
    """Size, tissues and element quality of a head."""
    from efield.io.load import load_head

    report(head, load_head(head, tags=_tags(tags)), as_json)


@app.command()
def convert(
    mesh: Annotated[Path, typer.Argument(help="Mesh of a head: .msh, .vtu, .inp, .xdmf, .mesh, .med, ...")],
    out: OutArgument,
    tags: TagsOption = None,
    as_json: options.Json = False,
) -> None:
    """A head mesh, or a result such as field.vtu, as .msh (Gmsh, SimNIBS) or .vtu (ParaView), with its fields.

    Examples:

      efield mesh convert head.med head.msh --tags WM=1 --tags GM=2 --tags "skin=scalp"

      efield mesh convert head.vtk head.msh --tags material

      efield mesh convert efield-out/field.vtu field.msh
    """
    check_out(out)
    content, head = _content(mesh, _tags(tags))
    for note in with_map(out, head.mni, partial(_write_content, content=content)):
        remark(note)
    report(str(out), head, as_json)


def with_map(out: Path, mni: MniMap | None, write: Callable[[Path], T]) -> T:
    """Write a mesh and its map beside it, both or neither; a map of before would be taken for that of this mesh."""
    with replacing(out) as temporary:
        said = write(temporary)
        if isinstance(mni, AffineMap):
            write_sidecar(temporary, mni).replace(sidecar_of(out))
        else:
            sidecar_of(out).unlink(missing_ok=True)
    return said


@app.command()
def repair(
    mesh: Annotated[Path, typer.Argument(help="Mesh of a head that `efield mesh info` calls not whole.")],
    out: OutArgument,
    tolerance: Annotated[float, "Nodes nearer to each other than this are one, mm."] = 1e-3,
    tags: TagsOption = None,
    as_json: options.Json = False,
) -> None:
    """Merge nodes that are there twice, and remove tetrahedra that are; nothing is written if that does not mend it.

    A map from MNI152 beside the mesh is carried along: no place moves.

    Example:

      efield mesh repair cut.msh whole.msh
    """
    from efield.head.soundness import check_sound
    from efield.io.meshes.repair import merge_nodes

    check_out(out)
    content, broken = _content(mesh, _tags(tags))
    with naming(mesh):
        mended = merge_nodes(content, tolerance)
        head = replace(mended.mesh.head(), mni=broken.mni)
        check_sound(head)
    for note in (str(mended), *with_map(out, head.mni, partial(_write_content, content=mended.mesh))):
        remark(note)
    report(str(out), head, as_json)


def _content(path: Path, tags: "Tags | None") -> "tuple[MeshData, HeadMesh]":
    """All that a mesh file holds, and the head it makes, with its map; of a folder or a name the head only."""
    from efield.io.load import load_head
    from efield.io.meshes import mesh_files
    from efield.io.meshes.meshdata import MeshData

    if path.is_dir() or path.suffix.lower() not in mesh_files.SUFFIXES:
        head = load_head(path, tags=tags)
        return MeshData.of_head(head), head
    content = mesh_files.read_mesh(path, tags)
    with naming(path):
        return content, replace(content.head(), mni=read_sidecar(path))


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


def check_out(out: Path) -> None:
    if out.suffix.lower() not in (".msh", ".vtu"):
        raise InputError(f"the mesh's name must end in .msh or .vtu; instead received {out.name!r}")
    check_place(out)


def report(name: str, mesh: "HeadMesh", as_json: bool, volumes: "Sequence[KeptVolume] | None" = None) -> None:
    """Print size, tissues and element quality; of a mesh of labels also what became of each label."""
    facts = _facts(mesh, volumes)
    if as_json:
        print_json(facts)
    else:
        _print(name, facts)


def _facts(mesh: "HeadMesh", volumes: "Sequence[KeptVolume] | None") -> dict[str, Any]:
    from efield.head.quality import mesh_quality
    from efield.head.remarks import remarks
    from efield.head.soundness import defects

    quality = mesh_quality(mesh)
    labels = {volume.tag: volume for volume in volumes or ()}
    tags = sorted({*mesh.tags, *labels})
    return {
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
        "mni_map": None if mesh.mni is None else mesh.mni.description,
        "tissues": [_tissue_facts(mesh, tag, quality.pieces.get(tag, 0), labels.get(tag)) for tag in tags],
    }


def _tissue_facts(mesh: "HeadMesh", tag: int, pieces: int, volume: "KeptVolume | None") -> dict[str, Any]:
    from efield.head.conductivity import Conductivity

    return {
        "tag": tag,
        "name": tissue_name(tag),
        "tets": int((mesh.tissue == tag).sum()),
        "volume_cm3": mesh.tissue_volume_mm3(tag) / 1000,
        "label_cm3": None if volume is None else volume.label_mm3 / 1000,
        "merged_into": None if volume is None else volume.merged_into,
        "pieces": pieces,
        "conductivity": Conductivity().values.get(tag),
    }


def _print(name: str, facts: dict[str, Any]) -> None:
    low, high = (", ".join(f"{x:.0f}" for x in facts[key]) for key in ("low_mm", "high_mm"))
    size = f"{facts['nodes']} nodes, {facts['tets']} tetrahedra"
    say(f"{name}: {size}, from ({low}) to ({high}) mm")
    manifold = "a closed manifold" if facts["closed_manifold"] else "NOT a closed manifold"
    say(
        f"smallest dihedral angle {facts['min_dihedral_deg']:.1f} degrees, 5th percentile of the radius ratio "
        f"{facts['p5_radius_ratio']:.2f}; outer surface is {manifold}"
    )
    if not facts["conforming"]:
        say("NOT conforming: a face belongs to more than two tetrahedra")
    for defect in facts["defects"]:
        text = f"NOT whole: {defect['text']}: {defect['remedy']}" if defect["harmful"] else f"note: {defect['text']}"
        OUT.print(text, style="red" if defect["harmful"] else None, soft_wrap=True, markup=False)
    if facts["min_dihedral_deg"] < LEAST_DIHEDRAL_DEG or facts["p5_radius_ratio"] < LEAST_RADIUS_RATIO:
        say(
            f"below the default head's bars, {LEAST_DIHEDRAL_DEG:g} degrees and {LEAST_RADIUS_RATIO:g}: "
            "expect slow solving and larger errors there"
        )
    if facts["has_mni_map"]:
        say(f"map from MNI coordinates: {facts['mni_map']}")
    else:
        say("no map from MNI coordinates: simulate with --register or --fiducials, or give targets as x,y,z")
    OUT.print(_table(facts["tissues"]))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table()
    built = rows[0]["label_cm3"] is not None
    for column in ("tag", "tissue", "tetrahedra", "pieces", "cm3", *(["cm3 of labels"] * built), "S/m (default)"):
        table.add_column(column, justify="left" if column == "tissue" else "right")
    for row in rows:
        sigma = "none: give one" if row["conductivity"] is None else f"{row['conductivity']:g}"
        merged = row["merged_into"] is not None
        volume = f"in tag {row['merged_into']}" if merged else f"{row['volume_cm3']:.1f}"
        labels = [f"{row['label_cm3']:.{2 if row['label_cm3'] < 1 else 1}f}"] if built else []
        table.add_row(*map(str, (row["tag"], row["name"], row["tets"], row["pieces"], volume, *labels, sigma)))
    return table
