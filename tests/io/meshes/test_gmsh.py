"""Gmsh files: round trips, and files built byte by byte from the published format."""

import dataclasses
import struct
from pathlib import Path

import meshio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.head.mesh import HeadMesh
from efield.io.meshes import gmsh
from efield.io.meshes.mesh_files import read_head
from efield.io.meshes.meshdata import MeshData

SHELL_TAGS = {3: (0.0, 85.0), 4: (85.0, 90.0), 5: (90.0, 95.0)}
#: Flat facets cut off part of a ball; the innermost surface of this mesh loses most.
FACETS = 0.006

TETRAHEDRON = [(0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50)]


def same(a: MeshData, b: MeshData) -> None:
    for name in ("points", "tets", "tissue", "tet_entities", "triangles", "triangle_tags", "triangle_entities"):
        assert_array_equal(getattr(a, name), getattr(b, name))
    for name in ("node_data", "element_data", "triangle_data"):
        ours, theirs = getattr(a, name), getattr(b, name)
        assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
        for key in ours:
            assert_array_equal(ours[key], theirs[key])


@pytest.mark.parametrize("binary", [True, False])
def test_everything_survives_a_round_trip(mesh, tmp_path, binary):
    gmsh.write_mesh(tmp_path / "a.msh", mesh, binary=binary)
    same(gmsh.read_mesh(tmp_path / "a.msh"), mesh)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(4, 40),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_characters='"\r\n', exclude_categories=("Cs", "Cc", "Z")), max_size=9),
)
def test_any_mesh_survives_a_round_trip(tmp_path, n, m, k, seed, binary, name):
    rng = np.random.default_rng(seed)
    original = MeshData(
        points=rng.normal(scale=100, size=(n, 3)),
        tets=rng.integers(0, n, (m, 4), dtype=np.int32),
        tissue=rng.integers(-5, 70000, m),
        triangles=rng.integers(0, n, (k, 3), dtype=np.int32),
        triangle_tags=rng.integers(0, 2**31, k),
        node_data={f"v{name}": rng.normal(size=(n, 9))},
        element_data={"e": rng.normal(size=m)} if m else {},
        triangle_data={"t": rng.normal(size=(k, 3))} if k else {},
    )
    gmsh.write_mesh(tmp_path / "a.msh", original, binary=binary)
    same(gmsh.read_mesh(tmp_path / "a.msh"), original)


def test_head_and_fields_survive_a_round_trip(mesh, tmp_path):
    head = mesh.head()
    magn = np.linalg.norm(head.barycenters, axis=1)
    gmsh.write_head(tmp_path / "a.msh", head, element_data={"E": head.barycenters, "magnE": magn})
    again = gmsh.read_mesh(tmp_path / "a.msh")
    assert_array_equal(again.element_data["E"], head.barycenters)
    assert_array_equal(again.element_data["magnE"], magn)
    assert_array_equal(read_head(tmp_path / "a.msh").points, head.points)


def test_fields_of_the_wrong_length_are_refused_and_nothing_is_written(mesh, tmp_path):
    with pytest.raises(InputError, match="48 numbers"):
        gmsh.write_head(tmp_path / "a.msh", mesh.head(), element_data={"E": np.zeros((47, 3))})
    assert not list(tmp_path.iterdir())


def test_simnibs_sphere_has_the_volumes_of_its_shells(foreign):
    head = read_head(foreign("sphere3.msh"))
    assert head.tags == tuple(SHELL_TAGS)
    for tag, (inner, outer) in SHELL_TAGS.items():
        assert_allclose(head.tissue_volume_mm3(tag), 4 / 3 * np.pi * (outer**3 - inner**3), rtol=FACETS)


def test_simnibs_file_is_written_again_byte_for_byte(foreign, tmp_path):
    source = foreign("sphere3.msh")
    gmsh.write_mesh(tmp_path / "a.msh", gmsh.read_mesh(source))
    assert (tmp_path / "a.msh").read_bytes() == source.read_bytes()


def test_simnibs_triangles_carry_surface_tags(foreign):
    assert set(gmsh.read_mesh(foreign("sphere3.msh")).triangle_tags.tolist()) == {1003, 1004, 1005}


def binary_22(blocks: list[tuple[int, int, int, list[int]]], nodes: list[tuple[int, float, float, float]]) -> bytes:
    """A 2.2 binary file; blocks are (type, count, ntags, integers)."""
    data = b"$MeshFormat\n2.2 1 8\n" + struct.pack("<i", 1) + b"\n$EndMeshFormat\n"
    data += f"$Nodes\n{len(nodes)}\n".encode() + b"".join(struct.pack("<i3d", *row) for row in nodes)
    data += f"\n$EndNodes\n$Elements\n{sum(b[1] for b in blocks)}\n".encode()
    for kind, count, ntags, integers in blocks:
        data += struct.pack("<3i", kind, count, ntags) + struct.pack(f"<{len(integers)}i", *integers)
    return data + b"\n$EndElements\n"


def test_sparse_shuffled_node_numbers_and_mixed_blocks_are_understood(tmp_path):
    numbers = [900, 7, 2_000_000_000, 31]
    nodes = [(n, *xyz) for n, xyz in zip(numbers, TETRAHEDRON, strict=True)] + [(8, 1.0, 2.0, 3.0)]
    blocks = [
        (15, 1, 2, [1, 0, 0, 8]),
        (4, 1, 3, [5, 2, 9, 77, *numbers]),
        (2, 2, 2, [6, 1002, 1, *numbers[:3], 7, 1003, 1, *numbers[1:]]),
        (4, 1, 0, [8, *numbers]),
    ]
    (tmp_path / "a.msh").write_bytes(binary_22(blocks, nodes))
    with pytest.raises(FileFormatError, match=r"1 of 2 are in no physical group"):
        gmsh.read_mesh(tmp_path / "a.msh")
    mesh = gmsh.read_mesh(tmp_path / "a.msh", "gmsh:physical")
    assert_array_equal(mesh.tets, [[0, 1, 2, 3]] * 2)
    assert_array_equal(mesh.tissue, [2, 0])
    assert_array_equal(mesh.tet_entities, [9, 0])
    assert_array_equal(mesh.triangles, [[0, 1, 2], [1, 2, 3]])
    assert mesh.other_elements == {"points": 1}
    assert len(mesh.points) == 5
    assert len(mesh.head().points) == 4


def test_one_block_per_element_reads_as_one_block(mesh, tmp_path):
    nodes = [(i + 1, *xyz) for i, xyz in enumerate(mesh.points.tolist())]
    rows = [[i + 1, 2, 2, *(t + 1)] for i, t in enumerate(mesh.tets)]
    (tmp_path / "one.msh").write_bytes(binary_22([(4, 48, 2, [n for row in rows for n in row])], nodes))
    (tmp_path / "each.msh").write_bytes(binary_22([(4, 1, 2, row) for row in rows], nodes))
    same(gmsh.read_mesh(tmp_path / "one.msh"), gmsh.read_mesh(tmp_path / "each.msh"))
    assert_array_equal(gmsh.read_mesh(tmp_path / "each.msh").tets, mesh.tets)


TEXT_22 = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
1
3 2 "gray matter"
$EndPhysicalNames
$Nodes
5
1 0 0 0
2 5e1 0 0
3 0 50.0 0
5 0 0 50
9 100 100 100
$EndNodes
$Elements
3
1 15 2 0 1 9
2 2 2 1002 1002 1 2 3
3 4 2 2 2 1 2 3 5
$EndElements
$NodeData
1
"v"
1
0.0
3
0
1
2
5 2.5
1 -1
$EndNodeData
$ElementData
1
"E"
1
0.0
3
0
3
1
3 1 2 nan
$EndElementData
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_text_22_by_hand(tmp_path, newline):
    (tmp_path / "a.msh").write_bytes(TEXT_22.replace("\n", newline).encode())
    mesh = gmsh.read_mesh(tmp_path / "a.msh")
    assert_array_equal(mesh.points[:4], TETRAHEDRON)
    assert_array_equal(mesh.node_data["v"], [-1, np.nan, np.nan, 2.5, np.nan])
    assert_array_equal(mesh.element_data["E"], [[1, 2, np.nan]])
    assert_array_equal(mesh.triangle_tags, [1002])
    assert not mesh.triangle_data
    assert read_head(tmp_path / "a.msh").tags == (2,)


def msh_41(*, binary: bool, second: int = 11) -> bytes:
    """Two tetrahedra in two volumes, the second without a physical group if 0, and a triangle; from the 4.1 format."""
    if binary:
        i, z, d = (lambda *v, c=c: struct.pack(f"<{len(v)}{c}", *v) for c in "iQd")
        after, start = b"\n", b"$MeshFormat\n4.1 1 8\n" + i(1) + b"\n$EndMeshFormat\n"
    else:
        i = z = d = lambda *v: (" ".join(map(str, v)) + " ").encode()
        after, start = b"\n", b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n"
    box = d(0.0, 0.0, 0.0, 50.0, 50.0, 50.0)
    entities = z(1, 1, 1, 2)
    entities += i(4) + d(0.5, 0.0, 0.0) + z(0)
    entities += i(3) + box + z(1) + i(88) + z(2) + i(1, -2)
    entities += i(6) + box + z(2) + i(1002, 3) + z(0)
    entities += i(10) + box + z(1) + i(2) + z(1) + i(6) + i(11) + box
    entities += (z(1) + i(second) if second else z(0)) + z(0)
    nodes = z(2, 5, 1, 50)
    nodes += i(2, 6, 1) + z(3) + z(50, 2, 3) + b"".join(d(*map(float, p), 0.25, 0.75) for p in TETRAHEDRON[:3])
    nodes += i(3, 10, 0) + z(2) + z(4, 7) + d(0.0, 0.0, 50.0) + d(0.0, 0.0, -50.0)
    elements = z(4, 4, 1, 4)
    elements += i(1, 3, 1) + z(1) + z(9, 50, 2)
    elements += i(2, 6, 2) + z(1) + z(1, 50, 2, 3)
    elements += i(3, 10, 4) + z(1) + z(2, 50, 2, 3, 4) + i(3, 11, 4) + z(1) + z(3, 50, 3, 2, 7)
    data = b'1\n"magnE"\n1\n0.0\n4\n0\n1\n2\n0\n'
    rows = (i(2) + d(1.5) + i(3) + d(2.5)) if binary else b"2 1.5\n3 2.5\n"
    sections = {b"Entities": entities, b"Nodes": nodes, b"Elements": elements, b"ElementData": data + rows}
    return start + b"".join(b"$" + k + b"\n" + v + after + b"$End" + k + b"\n" for k, v in sections.items())


@pytest.mark.parametrize("binary", [True, False])
def test_format_41_by_hand(tmp_path, binary):
    (tmp_path / "a.msh").write_bytes(msh_41(binary=binary))
    mesh = gmsh.read_mesh(tmp_path / "a.msh")
    assert_array_equal(mesh.points[:4], TETRAHEDRON)
    assert_array_equal(mesh.tets, [[0, 1, 2, 3], [0, 2, 1, 4]])
    assert_array_equal(mesh.tissue, [2, 11])
    assert_array_equal(mesh.tet_entities, [10, 11])
    assert_array_equal(mesh.triangle_tags, [1002])
    assert_array_equal(mesh.element_data["magnE"], [1.5, 2.5])
    assert mesh.other_elements == {"lines": 1}
    assert read_head(tmp_path / "a.msh").volumes == pytest.approx([50**3 / 6] * 2)


def test_a_mesh_numbered_the_other_way_round_is_refused_not_repaired(mesh, tmp_path):
    mirrored = MeshData(points=mesh.points, tets=mesh.tets[:, [1, 0, 2, 3]], tissue=mesh.tissue)
    gmsh.write_mesh(tmp_path / "a.msh", mirrored)
    with pytest.raises(FileFormatError, match=r"a\.msh.*48 of 48 are flat or inverted"):
        read_head(tmp_path / "a.msh")


def test_a_mixture_of_orientations_is_refused(mesh, tmp_path):
    tets = mesh.tets.copy()
    tets[5] = tets[5][[1, 0, 2, 3]]
    gmsh.write_mesh(tmp_path / "a.msh", MeshData(points=mesh.points, tets=tets, tissue=mesh.tissue))
    with pytest.raises(FileFormatError, match=r"a\.msh.*1 of 48 are flat or inverted"):
        read_head(tmp_path / "a.msh")


def test_meters_are_refused_with_the_remedy(mesh, tmp_path):
    gmsh.write_mesh(tmp_path / "a.msh", MeshData(points=mesh.points / 1000, tets=mesh.tets, tissue=mesh.tissue))
    with pytest.raises(FileFormatError, match=r"a\.msh.*multiply the coordinates by 1000"):
        read_head(tmp_path / "a.msh")


def test_a_surface_without_tetrahedra_is_no_head(mesh, tmp_path):
    surface = MeshData(mesh.points, np.empty((0, 4), np.int32), np.empty(0, int), mesh.triangles, np.ones(7, int))
    gmsh.write_mesh(tmp_path / "a.msh", surface)
    with pytest.raises(FileFormatError, match=r"a\.msh.*needs tetrahedra"):
        read_head(tmp_path / "a.msh")


def test_other_volume_elements_are_refused_not_left_out(tmp_path):
    text = TEXT_22.replace("3 4 2 2 2 1 2 3 5", "3 7 2 2 2 1 2 3 5 9")
    (tmp_path / "a.msh").write_text(text)
    with pytest.raises(FileFormatError, match=r"4-node tetrahedra.*-order 1"):
        gmsh.read_mesh(tmp_path / "a.msh")


def test_several_time_steps_keep_their_values(mesh, tmp_path):
    gmsh.write_mesh(tmp_path / "a.msh", mesh)
    data = (tmp_path / "a.msh").read_bytes()
    section = data[data.index(b"$NodeData") : data.index(b"$ElementData")]
    (tmp_path / "b.msh").write_bytes(data + section)
    again: HeadMesh | MeshData = gmsh.read_mesh(Path(tmp_path / "b.msh"))
    assert_array_equal(again.node_data["v_2"], mesh.node_data["v"])


def test_meshio_22_files_are_read_and_it_reads_ours(mesh, tmp_path):
    theirs = meshio.Mesh(
        mesh.points,
        [("tetra", mesh.tets), ("triangle", mesh.triangles)],
        point_data={"v": mesh.node_data["v"]},
        cell_data={
            "gmsh:physical": [mesh.tissue.astype(np.int32), mesh.triangle_tags.astype(np.int32)],
            "gmsh:geometrical": [mesh.tet_entities.astype(np.int32), mesh.triangle_entities.astype(np.int32)],
            "magnE": [mesh.element_data["magnE"], mesh.triangle_data["magnE"]],
        },
    )
    meshio.write(tmp_path / "theirs.msh", theirs, file_format="gmsh22", binary=True)
    whole = dataclasses.replace(mesh, element_data={"magnE": mesh.element_data["magnE"]})
    same(gmsh.read_mesh(tmp_path / "theirs.msh"), whole)
    # It reads cell data of one kind of cell only.
    gmsh.write_head(tmp_path / "ours.msh", mesh.head(), element_data={"E": mesh.element_data["E"]})
    again = meshio.read(tmp_path / "ours.msh")
    assert_array_equal(again.points, mesh.points)
    assert_array_equal(again.cells_dict["tetra"], mesh.tets)
    assert_array_equal(again.cell_data_dict["gmsh:physical"]["tetra"], mesh.tissue)
    assert_array_equal(again.cell_data_dict["E"]["tetra"], mesh.element_data["E"])


@pytest.mark.parametrize("binary", [True, False])
def test_meshio_41_files_are_read(mesh, tmp_path, binary):
    entities = np.column_stack([np.full(27, 3), np.full(27, 4)]).astype(np.int32)
    theirs = meshio.Mesh(
        mesh.points,
        [("triangle", mesh.triangles), ("tetra", mesh.tets)],
        point_data={"gmsh:dim_tags": entities},
        cell_data={
            "gmsh:geometrical": [np.full(7, 2), np.full(48, 4)],
            "gmsh:physical": [np.full(7, 1005), np.full(48, 5)],
        },
    )
    meshio.write(tmp_path / "a.msh", theirs, file_format="gmsh", binary=binary)
    ours = gmsh.read_mesh(tmp_path / "a.msh")
    assert_allclose(ours.points, mesh.points, rtol=1e-15)
    assert_array_equal(ours.tets, mesh.tets)
    assert_array_equal(ours.tissue, np.full(48, 5))
    assert_array_equal(ours.tet_entities, np.full(48, 4))
    assert_array_equal(ours.triangles, mesh.triangles)
