"""VTK XML unstructured grids (``.vtu``), as ParaView and PyVista read and write them.

Format: "VTK file formats", VTK user's guide. Files are read here, because the reader of VTK reports a damaged file on
the console and returns an empty mesh; they are written here, because VTK's zlib takes seven times as long as ISA-L.
"""

import os
from collections.abc import Mapping
from html import escape
from typing import Any, Final

import numpy as np
from isal import isal_zlib
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

#: So many bytes are compressed at a time, and how hard: fields hardly compress further.
_BLOCK: Final = 1 << 18
_LEVEL: Final = 1

_MARKUP: Final = """<VTKFile type="UnstructuredGrid" version="0.1" byte_order="LittleEndian" header_type="UInt32" \
compressor="vtkZLibDataCompressor">
<UnstructuredGrid>
<Piece NumberOfPoints="{}" NumberOfCells="{}">
{}
</Piece>
</UnstructuredGrid>
<AppendedData encoding="raw">
_"""


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
        If a field has the wrong length or is not numeric, or the folder cannot be written.
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
    markup: list[str] = []
    parts: list[bytes] = []
    for group, arrays in _arrays(mesh).items():
        markup.append(f"<{group}>")
        for name, values in arrays.items():
            stored = values.astype(_stored(values.dtype), copy=False)
            markup.append(_declared(name, stored, sum(map(len, parts))))
            parts += _packed(stored)
        markup.append(f"</{group.split()[0]}>")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_MARKUP.format(len(mesh.points), len(mesh.tets), "\n".join(markup)).encode())
        file.writelines(parts)
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


def _arrays(mesh: MeshData) -> dict[str, Mapping[str, NDArray[Any]]]:
    cells = len(mesh.tets)
    return {
        "PointData": mesh.node_data,
        'CellData Scalars="tissue"': {"tissue": mesh.tissue, **mesh.element_data},
        "Points": {"Points": mesh.points},
        "Cells": {
            "connectivity": mesh.tets.ravel(),
            "offsets": np.arange(4, 4 * cells + 1, 4, dtype=np.int32),
            "types": np.full(cells, _TETRAHEDRON, np.uint8),
        },
    }


def _stored(kind: np.dtype[Any]) -> np.dtype[Any]:
    """The type in a file: VTK has neither truth values nor floats of other sizes than 4 and 8 bytes."""
    if kind.kind == "b":
        return np.dtype("u1")
    return np.dtype("<f8") if kind.kind == "f" and kind.itemsize not in (4, 8) else kind.newbyteorder("<")


def _declared(name: str, values: NDArray[Any], offset: int) -> str:
    kind = {"f": "Float", "i": "Int", "u": "UInt"}[values.dtype.kind]
    rows = f' NumberOfComponents="{values.shape[1]}"' if values.ndim == 2 else ""
    start = f'<DataArray type="{kind}{8 * values.itemsize}" Name="{escape(name)}"{rows}'
    return f'{start} format="appended" offset="{offset}"/>'


def _packed(values: NDArray[Any]) -> list[bytes]:
    """An array as it is stored: how many blocks, their size, that of the last if it is less, what each takes; these."""
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    blocks = [isal_zlib.compress(data[at : at + _BLOCK], _LEVEL) for at in range(0, len(data), _BLOCK)]
    header = [len(blocks), _BLOCK, len(data) % _BLOCK, *map(len, blocks)]
    return [np.array(header, "<u4").tobytes(), *blocks]


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
