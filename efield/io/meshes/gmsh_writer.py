"""Gmsh 2.2 files as SimNIBS writes them: triangles first, then tetrahedra, numbered from 1."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from efield.io.meshes.gmsh_elements import TETRAHEDRON, TRIANGLE
from efield.io.meshes.meshdata import MeshData


def write(file: IO[bytes], mesh: MeshData, *, binary: bool) -> None:
    """Write all sections of a mesh."""
    file.write(b"$MeshFormat\n2.2 1 8\n\x01\x00\x00\x00\n" if binary else b"$MeshFormat\n2.2 0 8\n")
    file.write(b"$EndMeshFormat\n")
    file.write(f"$Nodes\n{len(mesh.points)}\n".encode())
    _rows(file, np.arange(1, len(mesh.points) + 1), mesh.points, binary)
    file.write(f"$EndNodes\n$Elements\n{len(mesh.triangles) + len(mesh.tets)}\n".encode())
    _elements(file, TRIANGLE, 1, _columns(mesh.triangle_tags, mesh.triangle_entities, mesh.triangles), binary)
    _elements(
        file,
        TETRAHEDRON,
        1 + len(mesh.triangles),
        _columns(mesh.tissue, mesh.tet_entities, mesh.tets),
        binary,
    )
    file.write(b"$EndElements\n")
    for name, values in mesh.node_data.items():
        _data(file, "NodeData", name, np.arange(1, len(mesh.points) + 1), values, binary)
    for name, ids, values in _element_values(mesh):
        _data(file, "ElementData", name, ids, values, binary)


def _columns(tags: NDArray[Any], entities: NDArray[Any] | None, nodes: NDArray[Any]) -> NDArray[np.int32]:
    second = tags if entities is None else entities
    return np.column_stack([tags, second, nodes.astype(np.int32) + 1]).astype(np.int32)


def _element_values(mesh: MeshData) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Each element field with its ids; a field given on tetrahedra only is written for them only."""
    n_triangles = len(mesh.triangles)
    triangle_ids = np.arange(1, n_triangles + 1)
    tet_ids = np.arange(n_triangles + 1, n_triangles + len(mesh.tets) + 1)
    for name, values in mesh.element_data.items():
        below = mesh.triangle_data.get(name)
        if below is None or below.shape[1:] != values.shape[1:]:
            yield name, tet_ids, values
        else:
            yield name, np.concatenate([triangle_ids, tet_ids]), np.concatenate([below, values])
    for name, values in mesh.triangle_data.items():
        if name not in mesh.element_data:
            yield name, triangle_ids, values


def _elements(file: IO[bytes], kind: int, first_id: int, columns: NDArray[np.int32], binary: bool) -> None:
    if not len(columns):
        return
    ids = np.arange(first_id, first_id + len(columns), dtype=np.int32)
    if binary:
        file.write(np.array([kind, len(columns), 2], "<i4").tobytes())
        file.write(np.column_stack([ids, columns]).astype("<i4").tobytes())
        return
    head = np.column_stack([ids, np.full(len(ids), kind), np.full(len(ids), 2)])
    file.writelines(f"{' '.join(map(str, row))}\n".encode() for row in np.hstack([head, columns]).tolist())


def _data(file: IO[bytes], section: str, name: str, ids: NDArray[Any], values: NDArray[Any], binary: bool) -> None:
    table = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    title = name.replace('"', "'").replace("\n", " ")
    header = f'${section}\n1\n"{title}"\n1\n0\n4\n0\n{table.shape[1]}\n{len(table)}\n0\n'
    file.write(header.encode())
    _rows(file, ids, table, binary)
    file.write(f"$End{section}\n".encode())


def _rows(file: IO[bytes], ids: NDArray[Any], values: NDArray[np.float64], binary: bool) -> None:
    if binary:
        rows = np.empty(len(ids), [("id", "<i4"), ("v", "<f8", (values.shape[1],))])
        rows["id"], rows["v"] = ids, values
        file.write(rows.tobytes())
        return
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    file.writelines(f"{number} {' '.join(map(repr, row))}\n".encode() for number, row in pairs)
