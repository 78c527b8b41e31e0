"""`efield mesh build`: a head from a label volume, with its map from MNI152."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer

from efield.app import options
from efield.app.console import Bar, remark
from efield.app.meshes import OutArgument, check_out, report, with_map
from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.mni import AffineMap
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_tag
from efield.io.volumes.label_map import mapped, read_label_map
from efield.io.volumes.labels import LabelImage, read_label_image

if TYPE_CHECKING:
    from efield.head.lattice import KeptVolume, Refinement
    from efield.head.mesh import HeadMesh

#: Where the map from MNI152 comes from.
_MNI: Final = ("auto", "register", "same", "none")


def build(
    labels: Annotated[
        Path, typer.Argument(help="Label volume (.nii, .nii.gz, .mgz): 1 white, 2 gray, 3 CSF, 4 bone, 5 scalp, ...")
    ],
    out: OutArgument,
    scale: Annotated[float, "Multiplies every edge length; 1 gives about 3 million tets."] = 1.6,
    edge: Annotated[
        list[str] | None, "Edge length of a tissue in mm, --edge gray-matter=1.8 or 2=1.8; repeatable."
    ] = None,
    refine: Annotated[list[str] | None, "Finer sphere, X,Y,Z,RADIUS,FACTOR (mm; factor below 1); repeatable."] = None,
    label_map: Annotated[
        Path | None, "CSV of label,tag for another scheme (FreeSurfer's aseg) or tags of your own; tag 0 drops it."
    ] = None,
    nesting: Annotated[
        str | None, "Tissues that are layers, from the inside out, such as 1,2,3,7,5; found if left out."
    ] = None,
    affine: Annotated[str | None, "sform or qform: which to take where a NIfTI header has two that disagree."] = None,
    mni: Annotated[str, "Map from MNI coordinates, kept beside the mesh: auto, register, same, or none."] = "auto",
    volume_tolerance: Annotated[
        float, "Percent by which a tissue's volume may miss that of its labels (0.5 cm3 always may)."
    ] = 5.0,
    as_json: options.Json = False,
) -> None:
    """Tetrahedra from a label volume, in any orientation and voxel size.

    Beside head.msh comes head.msh.mni.json, by which simulate finds targets such as m1-hand-left. With --mni auto it
    says that coordinates are MNI152 where the labels' file says so, else it registers the brain by its shape.

    Examples:

      efield mesh build final_tissues.nii.gz head.msh

      efield mesh build aseg.nii.gz head.msh --label-map aseg.csv --refine=-37,-21,58,20,0.5
    """
    from efield.head.lattice import mesh_and_volumes

    check_out(out)
    checks.choice("--mni", mni, _MNI)
    tolerance = checks.in_range("--volume-tolerance", volume_tolerance, 0.0, 100.0) / 100
    edges = dict(_edge(text) for text in edge or ())
    spheres = [_refinement(text) for text in refine or ()]
    layers = None if nesting is None else [tissue_tag(part) for part in nesting.split(",")]
    image = _in_tags(read_label_image(labels, affine=affine), label_map)
    with Bar("meshing", 100, "%") as bar:
        head, volumes = mesh_and_volumes(
            image.labels, image.affine, edge_mm=edges or None, scale=scale, refine=spheres, nesting=layers, progress=bar
        )
    for volume in volumes:
        if volume.merged_into is not None:
            remark(volume.in_words())
    lost = [volume for volume in volumes if not volume.kept(tolerance)]
    place = out.with_suffix(f".rejected{out.suffix}") if lost else out
    head = _with_map(head, image, mni)
    _write(place, head)
    report(str(place), head, as_json, volumes)
    if lost:
        raise InputError(_rejected(lost, place))


def _in_tags(image: LabelImage, label_map: Path | None) -> LabelImage:
    """The labels as tissue tags, by a map, or because they look like such."""
    from efield.io.volumes.label_scheme import check_scheme

    if label_map is not None:
        return replace(image, labels=mapped(image.labels, read_label_map(label_map)))
    check_scheme(image.labels, abs(float(np.linalg.det(image.affine[:3, :3]))))
    return image


def _rejected(lost: "list[KeptVolume]", place: Path) -> str:
    return (
        f"{'; '.join(volume.in_words() for volume in lost)}; the mesh is kept as {place} to look at, and taken as it "
        "is with a larger --volume-tolerance"
    )


def _with_map(head: "HeadMesh", image: LabelImage, wanted: str) -> "HeadMesh":
    """The head with a map from MNI152: the labels' own coordinates, or one by the shape of the brain."""
    from efield.head.registration import register_to_mni
    from efield.io.subject import misses_brain

    same = AffineMap(np.eye(4), "the coordinates of the label volume, which are MNI152")
    if wanted == "same" or (wanted == "auto" and image.in_mni and not misses_brain(head, same)):
        return replace(head, mni=same)
    if wanted == "none" or (wanted == "auto" and not {WHITE_MATTER, GRAY_MATTER} <= set(head.tags)):
        return head
    try:
        with Bar("registering", 1, "searches") as bar:
            return register_to_mni(head, progress=bar)
    except InputError as error:
        # An hour of meshing is not lost for want of a map.
        remark(f"no map from MNI coordinates: {error}")
        return head


def _edge(text: str) -> tuple[int, float]:
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
    from efield.io.meshes.gmsh import write_head
    from efield.io.meshes.vtu import write_vtu

    write = partial(write_vtu, cell_data={}) if out.suffix.lower() == ".vtu" else write_head
    with_map(out, head.mni, lambda path: write(path, head))
