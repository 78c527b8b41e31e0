"""A good file of every kind that efield reads, and its reader; `fuzz.py` damages them."""

import base64
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Reader = Callable[[Path], Any]


def kinds(folder: Path, only: str = "") -> dict[str, tuple[Path, Reader]]:
    """A good file of every kind, or of one of `GROUPS`, written into `folder`, and its reader."""
    chosen = [GROUPS[only]] if only in GROUPS else list(GROUPS.values())
    return {name: entry for group in chosen for name, entry in group(folder).items()}


def heads(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import meshio
    import pyvista

    from efield.head.spheres import sphere_head
    from efield.io.load import load_head
    from efield.io.meshes.gmsh import write_head

    head = sphere_head((55.0, 70.0), (2, 5), edge_mm=40.0)
    field = {"E": np.ones((len(head.tets), 3)), "magnE": np.ones(len(head.tets))}
    write_head(folder / "binary22.msh", head, element_data=field)
    write_head(folder / "text22.msh", head, element_data=field, binary=False)
    tags = head.tissue.astype(np.int32)
    groups = {"gmsh:physical": [tags], "gmsh:geometrical": [tags]}
    other = meshio.Mesh(head.points, [("tetra", head.tets)], cell_data=groups)
    other.write(folder / "binary41.msh", file_format="gmsh", binary=True)
    other.write(folder / "text41.msh", file_format="gmsh", binary=False)
    grid = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: head.tets}, np.array(head.points))
    grid.cell_data["tissue"] = tags
    for name, binary in (("raw", True), ("text", False)):
        grid.save(folder / f"{name}.vtu", binary=binary)
    plain = meshio.Mesh(head.points, [("tetra", head.tets)], cell_data={"tissue": [tags]})
    plain.write(folder / "base64.vtu", compression="zlib")
    plain.write(folder / "lzma.vtu", compression="lzma")
    plain.write(folder / "other.vtk")
    meshio.Mesh(head.points, [("tetra", head.tets)], cell_data={"medit:ref": [tags]}).write(folder / "other.mesh")
    everything = {"all": [np.arange(len(head.tets))]}
    meshio.Mesh(head.points, [("tetra", head.tets)], cell_sets=everything).write(folder / "other.inp")
    names = [
        "binary22.msh",
        "text22.msh",
        "binary41.msh",
        "text41.msh",
        "raw.vtu",
        "text.vtu",
        "base64.vtu",
        "lzma.vtu",
    ]
    found = {f"head {name}": (folder / name, load_head) for name in [*names, "other.vtk", "other.mesh"]}
    groups_of = {"all": 5}
    found["head other.inp"] = (folder / "other.inp", lambda path: load_head(path, tags=groups_of))
    return found


def volumes(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import nibabel

    from efield.io.bounded.cursor import Cursor
    from efield.io.volumes.label_map import read_label_map
    from efield.io.volumes.labels import read_labels
    from efield.io.volumes.nifti import read_grid, read_volume

    labels = np.zeros((9, 10, 11), np.uint8)
    labels[2:7, 2:8, 2:9] = 5
    for name in ("labels.nii", "labels.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(labels, np.diag([2.0, 2, 2, 1])), folder / name)
    nibabel.save(nibabel.Nifti2Image(labels, np.eye(4)), folder / "labels2.nii")
    nibabel.save(nibabel.MGHImage(labels, np.diag([2.0, 2, 2, 1])), folder / "labels.mgz")
    (folder / "map.csv").write_text("label,tag\n10,1\n11,2\n24,3\n")
    names = ("labels.nii", "labels.nii.gz", "labels2.nii", "labels.mgz")
    found: dict[str, tuple[Path, Reader]] = {f"volume {name}": (folder / name, read_labels) for name in names}
    found["volume grid.nii"] = (folder / "labels.nii", read_grid)
    found["volume any.nii.gz"] = (folder / "labels.nii.gz", lambda path: read_volume(Cursor.open(path)))
    found["volume map.csv"] = (folder / "map.csv", read_label_map)
    return found


def subjects(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import nibabel

    from efield.head.spheres import sphere_head
    from efield.head.surface import scalp
    from efield.io.eeg_positions import read_eeg_positions
    from efield.io.subject import read_mni_map
    from efield.io.surfaces.gifti import read_surface, read_values, write_values

    surface = scalp(sphere_head((55.0, 70.0), (2, 5), edge_mm=40.0))
    write_values(folder / "lh.gii", {"E_magn": np.ones(len(surface.points_mm))}, surface)
    for name, encoding in (("text.gii", "ASCII"), ("plain.gii", "B64BIN")):
        image = nibabel.load(folder / "lh.gii")
        for array in image.darrays:
            array.encoding = nibabel.gifti.gifti.gifti_encoding_codes.code[encoding]
        nibabel.save(image, folder / name)
    warp = 30.0 * np.stack(np.meshgrid(*map(np.arange, (6, 7, 5)), indexing="ij"), axis=-1).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(warp + 3, np.diag([30.0, 30, 30, 1])), folder / "MNI2Conform_nonl.nii.gz")
    np.savetxt(folder / "MNI2Conform_12DOF.txt", np.diag([1.1, 0.9, 1.0, 1.0]))
    (folder / "cap.csv").write_text("Electrode,1.5,2,93,Cz\nFiducial,0,90,0,Nz\nGeneric,3,4,50,x\n")
    found: dict[str, tuple[Path, Reader]] = {
        f"surface {name}": (folder / name, read_surface) for name in ("lh.gii", "text.gii", "plain.gii")
    }
    geometry = {
        "head": [2, 0, 20],
        "valid": "1",
        "filename": "orig.mgz",
        "volume": [256, 256, 256],
        "voxelsize": [1, 1, 1],
    }
    geometry |= {"xras": [-1, 0, 0], "yras": [0, 0, -1], "zras": [0, 1, 0], "cras": [1, 2, 3]}
    nibabel.freesurfer.write_geometry(
        folder / "lh.pial",
        surface.points_mm,
        surface.triangles,
        volume_info={k: np.array(v) if isinstance(v, list) else v for k, v in geometry.items()},
    )
    found["surface lh.pial"] = (folder / "lh.pial", read_surface)
    found["surface values lh.gii"] = (folder / "lh.gii", read_values)
    found["surface map MNI2Conform_nonl.nii.gz"] = (folder / "MNI2Conform_nonl.nii.gz", read_mni_map)
    found["surface map MNI2Conform_12DOF.txt"] = (folder / "MNI2Conform_12DOF.txt", read_mni_map)
    found["surface cap.csv"] = (folder / "cap.csv", read_eeg_positions)
    return found


def coils(folder: Path) -> dict[str, tuple[Path, Reader]]:
    from efield.coils.model import Coil, Dipoles, SampledField, Segments
    from efield.io.coils.ccd import write_ccd
    from efield.io.coils.grid import write_samples
    from efield.io.coils.stl import read_stl
    from efield.io.coils.tcd import write_tcd
    from efield.io.load import load_coil

    rng = np.random.default_rng(0)
    dipoles = Dipoles(rng.normal(scale=30, size=(12, 3)), rng.normal(size=(12, 3)) * 1e-4)
    angle = np.linspace(0, 2 * np.pi, 13)
    ring = np.column_stack([40 * np.cos(angle), 40 * np.sin(angle), 0 * angle])
    wires = Segments(ring[:-1], ring[1:], 3.0)
    grid = SampledField(affine=np.diag([20.0, 20, 20, 1]), a_tm=rng.normal(size=(4, 5, 3, 3)) * 1e-6)
    write_ccd(folder / "coil.ccd", Coil("dipoles", (dipoles,)))
    write_tcd(folder / "coil.tcd", Coil("all", (dipoles, wires)))
    document = json.loads((folder / "coil.tcd").read_text())
    (folder / "packed.tcd").write_text(json.dumps(packed(document)))
    for name in ("coil.nii", "coil.nii.gz"):
        write_samples(folder / name, grid)
    rows = "\n".join(f"{x:.3f},{y:.3f},{z:.3f},3" for x, y, z in ring)
    (folder / "wire.csv").write_text(f"x_mm,y_mm,z_mm,turns\n{rows}\n")
    (folder / "coil.toml").write_text(
        'type = "figure8"\nturns = 9\ninner_diameter_mm = 56.0\nouter_diameter_mm = 87.0\n'
        "wire_width_mm = 1.75\nwire_height_mm = 6.0\ncasing_mm = 5.0\nmax_didt = 120e6\n"
    )
    facets = rng.normal(scale=40, size=(8, 3, 3))
    corners = [" ".join(f"{x:.4f}" for x in corner) for corner in facets.reshape(-1, 3)]
    loops = (" vertex " + "\n vertex ".join(corners[k : k + 3]) for k in range(0, len(corners), 3))
    text = "".join(f"facet normal 0 0 1\nouter loop\n{loop}\nendloop\nendfacet\n" for loop in loops)
    (folder / "text.stl").write_text(f"solid a\n{text}endsolid a\n")
    binary = b"".join(np.r_[0, 0, 1, f.ravel()].astype("<f4").tobytes() + b"\0\0" for f in facets)
    (folder / "binary.stl").write_bytes(b"\0" * 80 + np.uint32(len(facets)).tobytes() + binary)
    names = ("coil.ccd", "coil.tcd", "packed.tcd", "coil.nii", "coil.nii.gz", "wire.csv", "coil.toml")
    found: dict[str, tuple[Path, Reader]] = {f"coil {name}": (folder / name, load_coil) for name in names}
    return found | {f"coil casing {name}": (folder / name, read_stl) for name in ("text.stl", "binary.stl")}


def packed(value: Any) -> Any:
    """A coil's document with its arrays of vectors as compressed base64."""
    if isinstance(value, dict):
        return {key: packed(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], list) and len(value[0]) == 3:
        return base64.b64encode(zlib.compress(np.array(value, dtype="<f8").tobytes())).decode()
    return [packed(item) for item in value] if isinstance(value, list) else value


def poses(folder: Path) -> dict[str, tuple[Path, Reader]]:
    from efield.ground.pose import Pose
    from efield.io.poses.formats import FORMATS, WRITTEN
    from efield.io.poses.pose_table import PoseTable
    from efield.io.poses.reading import read_poses

    turns = [((1, 2, 0.5), (0.3, -0.2, -1)), ((0, 1, 0), (0.4, 0, -1)), ((1, 0, 0), (0, 0.5, -1))]
    matrices = [Pose.from_axes((-40.5, 10.25, 80.125), y, z).matrix for y, z in turns]
    table = PoseTable(matrices, ["hot", "b", "c"], {"time_s": [0, 1.5, 3], "didt": [8e7, 8e7, 9e7]})
    found: dict[str, tuple[Path, Reader]] = {}
    for name in WRITTEN:
        path = folder / f"{name}{(FORMATS[name].suffixes or ('.txt',))[0]}"
        table.write(path, name)
        # Damaged copies stand alone: what NIBS-BIDS says of its frame in another file must be said here.
        said = {"frame": "RAS"} if name == "nibs-bids" else {}
        found[f"pose {path.name}"] = (path, partial(read_poses, format=name, **said))
    softaxic = "".join(f'<fmp id="p{k}"><fp {_cells(matrix)}/></fmp>' for k, matrix in enumerate(matrices))
    (folder / "points.stmpx").write_text(f"<points>{softaxic}</points>")
    return found | {"pose points.stmpx": (folder / "points.stmpx", read_poses)}


def _cells(matrix: Any) -> str:
    turn = [f'm{i}{j}="{matrix[i, j]:.6f}"' for i in range(3) for j in range(3)]
    return " ".join([*turn, *(f'{axis}="{matrix[k, 3]}"' for k, axis in enumerate("xyz"))])


def conductivities(folder: Path) -> dict[str, tuple[Path, Reader]]:
    import nibabel

    from efield.io.conductivity_table import read_conductivity_table
    from efield.io.volumes.tensor import read_tensors

    values = np.zeros((5, 6, 7, 6), np.float32)
    values[1:, :, :, [0, 3, 5]] = 1.7e-3, 3e-4, 3e-4
    for name in ("dti.nii", "dti.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2, 2, 1])), folder / name)
    (folder / "table.csv").write_text("tag,name,value\n4,,0.012\n501,gel,0.3\n")
    (folder / "table.toml").write_text('bone = 0.012\n501 = { name = "gel", value = 0.3 }\n')
    found: dict[str, tuple[Path, Reader]] = {
        f"conductivity {name}": (folder / name, lambda path: read_tensors(path, "fsl"))
        for name in ("dti.nii", "dti.nii.gz")
    }
    tables = ("table.csv", "table.toml")
    return found | {f"conductivity {name}": (folder / name, read_conductivity_table) for name in tables}


def studies(folder: Path) -> dict[str, tuple[Path, Reader]]:
    from efield.campaign.plan import read_study

    (folder / "study.toml").write_text((Path(__file__).parent.parent / "examples" / "study.toml").read_text())
    return {"study study.toml": (folder / "study.toml", read_study)}


GROUPS = {
    "head": heads,
    "volume": volumes,
    "surface": subjects,
    "coil": coils,
    "pose": poses,
    "conductivity": conductivities,
    "study": studies,
}
