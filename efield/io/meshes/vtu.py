"""VTK XML unstructured grids (``.vtu``), as ParaView and PyVista read and write them.

Format: "VTK file formats", VTK user's guide. Files are written by VTK itself; they are read here, because the
reader of VTK reports a damaged file on the console and returns an empty mesh.
"""

import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.errors import InputError, naming
from efield.head.mesh import HeadMesh
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor, doubles
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.tags import Tags, array_name, tissue_tags, whole
from efield.io.meshes.vtkxml import VtkFile, parse

_TRIANGLE: Final = 5
_TETRAHEDRON: Final = 10
#: Vertices, lines, polygons and the like: they fill no volume and are counted, not kept.
_FLAT: Final = {
    1: "points",
    2: "points",
    3: "lines",
    4: "lines",
    6: "strips",
    7: "polygons",
    8: "pixels",
    9: "quads",
}


def write_vtu(
    path: str | os.PathLike[str],
    head: HeadMesh,
    *,
    cell_data: Mapping[str, ArrayLike],
    point_data: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Write a head and fields on it, compressed; the tissue tags become the cell array ``tissue``.

    Parameters
    ----------
    path : path_like
        Written completely or not at all.
    head : HeadMesh
        The head.
    cell_data : mapping of str to (m,) or (m, c) array_like
        Fields on the tetrahedra, such as ``E`` (m, 3) in V/m.
    point_data : mapping of str to (n,) or (n, c) array_like, optional
        Fields at the nodes.

    Raises
    ------
    InputError
        If a field has the wrong length or is not numeric, or the file cannot be written.
    """
    write_mesh(path, MeshData.of_head(head, point_data, cell_data))


def write_mesh(path: str | os.PathLike[str], mesh: MeshData) -> None:
    """Write the nodes and tetrahedra of a mesh with their tags and fields; triangles are left out.

    Parameters
    ----------
    path : path_like
        Written completely or not at all.
    mesh : MeshData

    Raises
    ------
    InputError
        As `write_vtu`.
    """
    if "tissue" in mesh.element_data:
        raise InputError("cell_data must not name a field 'tissue'; that name holds the tissue tags; rename the field")
    with replacing(path) as temporary:
        if not _write(os.fspath(temporary), mesh) or not temporary.exists() or not temporary.stat().st_size:
            raise InputError(f"{path} could not be written; check the free space on the disk")


def _write(name: str, mesh: MeshData) -> bool:
    """Whether VTK could write the file; it is kept from printing pages of its own where it could not."""
    import pyvista
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    grid = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: mesh.tets}, np.array(mesh.points))
    grid.cell_data["tissue"] = np.array(mesh.tissue)
    for key, values in mesh.element_data.items():
        grid.cell_data[key] = np.array(values)
    for key, values in mesh.node_data.items():
        grid.point_data[key] = np.array(values)
    writer = vtkXMLUnstructuredGridWriter()
    writer.SetFileName(name)
    writer.SetInputData(grid)
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    writer.SetCompressorTypeToZLib()
    writer.SetCompressionLevel(1)  # twice as fast as the default, and fields hardly compress further
    said: tuple[Any, ...] = (writer, writer.GetExecutive())  # its stubs know numbers of events only
    for source in said:
        source.AddObserver("ErrorEvent", lambda *_: None)
    return bool(writer.Write())


def read_mesh(path: str | os.PathLike[str], tags: Tags | None = None) -> MeshData:
    """All nodes, triangles, tetrahedra and fields of a ``.vtu`` file.

    Parameters
    ----------
    path : path_like
        Text, base64 or raw data; not compressed, or with zlib or LZMA.
    tags : str or mapping, optional
        What the tissues are told by; see `efield.io.meshes.tags.tissue_tags`.

    Returns
    -------
    MeshData
        The array that tells the tissues becomes the tags; all others become fields.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, of another VTK type, in several pieces, compressed with LZ4, holds
        other volume cells than 4-node tetrahedra, or has no tissue array.
    """
    cursor = Cursor.open(path)
    with naming(cursor.path):
        return _mesh(cursor, parse(cursor, "UnstructuredGrid"), tags)


def _mesh(cursor: Cursor, file: VtkFile, wanted: Tags | None) -> MeshData:
    points = file.only("Points")
    kinds, ends = file.named("Cells", "types"), file.named("Cells", "offsets")
    connectivity = file.named("Cells", "connectivity")
    if points.ndim != 2 or points.shape[1] != 3 or not kinds.ndim == ends.ndim == connectivity.ndim == 1:
        raise cursor.error("points must have 3 coordinates and cells must be plain lists; instead the file is damaged")
    if len(kinds) != len(ends):
        raise cursor.error(f"every cell must have a type; instead {len(ends)} cells have {len(kinds)} types; damaged")
    others = _others(cursor, kinds)
    fields = {name: values for name, values in file.group("CellData").items() if len(values) == len(kinds)}
    triangle, tet = kinds == _TRIANGLE, kinds == _TETRAHEDRON
    on_tets = {key: values[tet] for key, values in fields.items()}
    tissue = tissue_tags(on_tets, {}, int(tet.sum()), wanted)
    name = str(array_name(on_tets, {}, wanted if isinstance(wanted, str) else None))
    tags = whole(name, fields.pop(name))
    return MeshData(
        points=doubles(points),
        tets=_nodes(cursor, connectivity, ends, tet, 4).astype(np.int32),
        tissue=tissue,
        triangles=_nodes(cursor, connectivity, ends, triangle, 3).astype(np.int32),
        triangle_tags=tags[triangle],
        node_data={name: values for name, values in file.group("PointData").items() if len(values) == len(points)},
        element_data={name: values[tet] for name, values in fields.items()},
        triangle_data={name: values[triangle] for name, values in fields.items()} if triangle.any() else {},
        other_elements=others,
    )


def _others(cursor: Cursor, kinds: NDArray[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind, count in zip(*(v.tolist() for v in np.unique(kinds, return_counts=True)), strict=True):
        if kind in _FLAT:
            counts[_FLAT[kind]] = counts.get(_FLAT[kind], 0) + count
        elif kind not in (_TRIANGLE, _TETRAHEDRON):
            raise cursor.error(
                f"volume cells must be 4-node tetrahedra (VTK type 10); instead {count} are of type {kind}; "
                "use the filter Tetrahedralize in ParaView"
            )
    return counts


def _nodes(
    cursor: Cursor, connectivity: NDArray[Any], ends: NDArray[Any], chosen: NDArray[np.bool_], width: int
) -> NDArray[np.int64]:
    """(k, width) node numbers of the chosen cells."""
    if not chosen.any():
        return np.empty((0, width), np.int64)
    stops = ends.astype(np.int64)
    starts = np.concatenate([[0], stops[:-1]])
    if np.any((stops - starts)[chosen] != width) or starts[chosen].min() < 0 or stops[chosen].max() > len(connectivity):
        raise cursor.error(f"cells must have {width} nodes each; instead the offsets are damaged or the file truncated")
    if connectivity.dtype.kind not in "iu":
        raise cursor.error("node numbers must be integers; instead the connectivity is not")
    taken = connectivity[starts[chosen][:, None] + np.arange(width)]
    if taken.max() >= 2**31 or (taken.dtype.kind == "i" and taken.min() < 0):
        raise cursor.error("node numbers must be 0 to 2^31 - 1; instead the connectivity is damaged")
    return taken.astype(np.int64)
