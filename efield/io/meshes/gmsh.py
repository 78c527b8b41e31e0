"""Gmsh ``.msh`` files: 2.2 and 4.1, text and binary, are read; 2.2 is written, as SimNIBS does.

Format: Gmsh reference manual, "MSH file format" (4.1) and "MSH file format version 2".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground.errors import naming
from efield.head.mesh import HeadMesh
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor
from efield.io.bounded.inflate import allowed
from efield.io.meshes import gmsh2, gmsh4, gmsh_writer
from efield.io.meshes.gmsh_elements import TETRAHEDRON, TRIANGLE, Elements, positions
from efield.io.meshes.gmsh_tissues import Groups, read_names, told_tissues
from efield.io.meshes.gmsh_values import Values, read_values
from efield.io.meshes.meshdata import MeshData
from efield.io.meshes.tags import TISSUE_NAMES, Tags

__all__ = ["MeshData", "read_mesh", "write_head", "write_mesh"]

_REWRITE = "convert it with: gmsh in.msh -o out.msh -format msh2 -save_all -bin"


def read_mesh(path: str | os.PathLike[str], tags: Tags | None = None) -> MeshData:
    """All nodes, triangles, tetrahedra, tags and data of a ``.msh`` file.

    Parameters
    ----------
    path : path_like
        Gmsh 2.2 or 4.1, text or little-endian binary.
    tags : str or mapping, optional
        What the tissues are told by, where the file leaves doubt: ``gmsh:physical`` (the first tag),
        ``gmsh:geometrical`` (the second), the name of an ``$ElementData``; or the tissue (tag or name) of each number
        or name of a physical group. By default an ``$ElementData`` named ``tissue`` (or another of
        `efield.io.meshes.tags.TISSUE_NAMES`), the names of physical groups, or their numbers.

    Returns
    -------
    MeshData
        Coordinates in mm, as they stand in the file.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, damaged, of another version or byte order, holds volume elements other than
        4-node tetrahedra, or does not say what the tissues are, or says two different things.
    """
    cursor = Cursor.open(path)
    with naming(cursor.path):
        return _mesh(cursor, _sections(cursor), tags)


def write_mesh(path: str | os.PathLike[str], mesh: MeshData, *, binary: bool = True) -> None:
    """Write a mesh with its triangles, tags and data as Gmsh 2.2.

    Parameters
    ----------
    path : path_like
        Written completely or not at all.
    mesh : MeshData
        What to write.
    binary : bool
        Binary as SimNIBS writes it, or text.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        gmsh_writer.write(file, mesh, binary=binary)


def write_head(
    path: str | os.PathLike[str],
    head: HeadMesh,
    *,
    node_data: Mapping[str, ArrayLike] | None = None,
    element_data: Mapping[str, ArrayLike] | None = None,
    binary: bool = True,
) -> None:
    """Write a head and fields on it as Gmsh 2.2.

    Parameters
    ----------
    path : path_like
        Written completely or not at all.
    head : HeadMesh
        The head; its tissue tags become both tags of the elements.
    node_data : mapping of str to (n,) or (n, c) array_like, optional
        Fields at the nodes of the head.
    element_data : mapping of str to (m,) or (m, c) array_like, optional
        Fields on the tetrahedra, such as ``E`` (m, 3) and ``magnE`` (m,) in V/m.
    binary : bool
        Binary as SimNIBS writes it, or text.

    Raises
    ------
    InputError
        If a field has the wrong length.
    """
    write_mesh(path, MeshData.of_head(head, node_data, element_data), binary=binary)


@dataclass
class _Sections:
    """What the sections of a file hold, as read."""

    binary: bool
    version: str
    entities: gmsh4.Entities = field(default_factory=gmsh4.Entities)
    names: dict[int, str] = field(default_factory=dict)
    nodes: tuple[NDArray[Any], NDArray[np.float64]] | None = None
    elements: Elements | None = None
    values: list[Values] = field(default_factory=list)


def _sections(cursor: Cursor) -> _Sections:
    sections = _format(cursor)
    while cursor.remaining:
        line = cursor.line("a section header")
        if not line:
            continue
        if not line.startswith("$") or line.startswith("$End"):
            raise cursor.error(
                f"a section header such as $Nodes must follow; instead received {line[:40]!r}; damaged file"
            )
        _section(cursor, sections, line[1:])
    return sections


def _format(cursor: Cursor) -> _Sections:
    if not cursor.data.startswith(b"$MeshFormat"):
        raise cursor.error("a Gmsh file must start with $MeshFormat; instead it does not; is it a .msh file of Gmsh?")
    cursor.line("the first line")
    words = cursor.line("the format line").split()
    if len(words) != 3 or words[1] not in ("0", "1") or words[2] != "8":
        raise cursor.error(f"the format line must read like '2.2 1 8'; instead received {' '.join(words)[:40]!r}")
    version = {"2": "2", "2.0": "2", "2.1": "2", "2.2": "2", "4.1": "4"}.get(words[0])
    if version is None:
        raise cursor.error(f"the Gmsh version must be 2.2 or 4.1; instead received {words[0]!r}; {_REWRITE}")
    binary = words[1] == "1"
    if binary:
        one = int(cursor.array("<i4", 1, "the byte-order mark")[0])
        if one == 1 << 24:
            raise cursor.error(f"binary Gmsh files must be little-endian; instead this one is big-endian; {_REWRITE}")
        if one != 1:
            raise cursor.error(f"the byte-order mark must be 1; instead received {one}; the file is damaged")
    cursor.expect_end(b"$EndMeshFormat", "the format section")
    return _Sections(binary=binary, version=version)


def _section(cursor: Cursor, sections: _Sections, name: str) -> None:
    if name in ("Nodes", "Elements") and getattr(sections, name.lower()) is not None:
        raise cursor.error(f"section ${name} must occur once; instead it occurs again; the file is damaged")
    if name == "Nodes":
        read_nodes = gmsh2.read_nodes if sections.version == "2" else gmsh4.read_nodes
        sections.nodes = read_nodes(cursor, sections.binary)
    elif name == "Elements" and sections.version == "2":
        sections.elements = gmsh2.read_elements(cursor, sections.binary)
    elif name == "Elements":
        sections.elements = gmsh4.read_elements(cursor, sections.binary, sections.entities)
    elif name == "Entities":
        gmsh4.read_entities(cursor, sections.binary, sections.entities)
    elif name == "PartitionedEntities":
        gmsh4.read_partitioned(cursor, sections.binary, sections.entities)
    elif name == "PhysicalNames":
        sections.names = read_names(cursor)
    elif name in ("NodeData", "ElementData"):
        sections.values.append(read_values(cursor, name, sections.binary))
    else:
        cursor.text_until(f"$End{name}".encode(), f"section ${name[:40]}")


def _mesh(cursor: Cursor, sections: _Sections, tags: Tags | None) -> MeshData:
    if sections.nodes is None or sections.elements is None:
        raise cursor.error("a mesh must have the sections $Nodes and $Elements; instead one is missing; copy it again")
    ids, points = sections.nodes
    if len(ids) and int(ids.min()) < 1:
        raise cursor.error(f"node numbers must be >= 1; instead received {int(ids.min())}; the file is damaged")
    triangles, tets = sections.elements.of(TRIANGLE), sections.elements.of(TETRAHEDRON)
    values = _located(cursor, sections, ids, triangles[:, 0], tets[:, 0])
    groups = Groups(np.ascontiguousarray(tets[:, 1]), np.ascontiguousarray(tets[:, 2]), sections.names)
    # Arrays of tissues would contradict the tags if they stayed fields beside them.
    tissue = told_tissues(groups, values[2], tags)
    return MeshData(
        points=points,
        tets=_node_indices(cursor, ids, tets[:, 3:]),
        tissue=tissue,
        tet_entities=groups.entities,
        triangles=_node_indices(cursor, ids, triangles[:, 3:]),
        triangle_tags=np.where(triangles[:, 1], triangles[:, 1], triangles[:, 2] if sections.version == "4" else 0),
        triangle_entities=np.ascontiguousarray(triangles[:, 2]),
        node_data=values[0],
        triangle_data=values[1],
        element_data={name: field for name, field in values[2].items() if name not in TISSUE_NAMES},
        other_elements=sections.elements.others(),
    )


def _node_indices(cursor: Cursor, ids: NDArray[Any], nodes: NDArray[Any]) -> NDArray[np.int32]:
    found = positions(cursor, ids, nodes, "node")
    if found.size and found.min() < 0:
        bad = int(nodes[found < 0].flat[0])
        raise cursor.error(f"elements must refer to nodes of the file; instead one refers to node {bad}; damaged file")
    return found.astype(np.int32)


def _located(
    cursor: Cursor, sections: _Sections, nodes: NDArray[Any], triangles: NDArray[Any], tets: NDArray[Any]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Values by name at nodes, on triangles and on tetrahedra."""
    located: tuple[dict[str, NDArray[Any]], ...] = ({}, {}, {})
    others = bool(sections.elements and sections.elements.others())
    left = allowed(len(cursor.data))
    for item in sections.values:
        owners = [(0, nodes)] if item.of_nodes else [(1, triangles), (2, tets)]
        places = [positions(cursor, ids, item.ids, "element") for _, ids in owners]
        if (item.of_nodes or not others) and np.any(np.max(places, axis=0) < 0):
            raise cursor.error(f"data {item.name!r} must refer to nodes or elements of the file; instead it does not")
        for (slot, ids), place in zip(owners, places, strict=True):
            if len(place) and place.max() >= 0:
                # A section of one value still makes an array over all elements.
                left -= len(ids) * item.values.itemsize * (item.values.size // len(item.values))
                if left < 0:
                    raise cursor.error("data sections must cover the mesh; instead there are too many sparse ones")
                located[slot][_free_name(item.name, located[slot])] = item.spread(place, len(ids))
    return located[0], located[1], located[2]


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or with a counter where a file holds several time steps of it."""
    if name not in taken:
        return name
    return next(f"{name}_{k}" for k in range(2, len(taken) + 3) if f"{name}_{k}" not in taken)
