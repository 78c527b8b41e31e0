"""Damaged and hostile Gmsh files give one clear error, in bounded memory."""

import re
import struct

import numpy as np
import pytest

from efield.io.meshes import gmsh
from efield.io.meshes.mesh_files import read_head

SECTIONS = [b"$MeshFormat", b"$EndMeshFormat", b"$Nodes", b"$EndNodes", b"$Elements", b"$EndElements", b"$NodeData"]


@pytest.fixture(params=[True, False], ids=["binary", "text"])
def good(request, mesh, tmp_path):
    gmsh.write_mesh(tmp_path / "good.msh", mesh, binary=request.param)
    return (tmp_path / "good.msh").read_bytes()


@pytest.fixture
def reader(tmp_path):
    def of(data):
        (tmp_path / "bad.msh").write_bytes(data)
        return lambda: read_head(tmp_path / "bad.msh")

    return of


def test_missing_empty_and_folder_are_named(tmp_path, refuses, reader):
    assert "does not exist" in refuses(lambda: gmsh.read_mesh(tmp_path / "none.msh"))
    assert "folder" in refuses(lambda: gmsh.read_mesh(tmp_path))
    assert "empty" in refuses(reader(b""))


@pytest.mark.parametrize("section", SECTIONS)
def test_a_file_cut_at_any_section_is_refused(good, section, refuses, reader):
    start = good.index(section)
    for length in (start, start + 3, start + len(section) + 1, start + len(section) + 9):
        if good[:length].rstrip() != good.rstrip() and not good[:length].endswith(b"$EndElements\n"):
            assert "bad.msh" in refuses(reader(good[:length] or b"$"))


def test_a_cut_anywhere_is_refused_or_loses_only_later_sections(good, survives, reader):
    complete = good.index(b"$EndElements") + len("$EndElements")
    for length in np.linspace(1, len(good) - 2, 150).astype(int):
        if survives(reader(good[:length])):
            assert length >= complete


def test_damaged_bytes_only_ever_give_our_errors(good, damaged, survives, reader):
    results = [survives(reader(data)) for data in damaged(good, 250)]
    assert not all(results)


def test_damaged_41_only_ever_gives_our_errors(damaged, survives, reader, tmp_path):
    i, z = (lambda *v, c=c: struct.pack(f"<{len(v)}{c}", *v) for c in "iQ")
    xyz = struct.pack("<12d", 0, 0, 0, 50, 0, 0, 0, 50, 0, 0, 0, 50)
    good = b"$MeshFormat\n4.1 1 8\n" + i(1) + b"\n$EndMeshFormat\n$Entities\n" + z(0, 0, 0, 1)
    good += i(1) + struct.pack("<6d", *range(6)) + z(1) + i(5) + z(0) + b"\n$EndEntities\n$Nodes\n"
    good += z(1, 4, 1, 4) + i(3, 1, 0) + z(4, 1, 2, 3, 4) + xyz + b"\n$EndNodes\n$Elements\n"
    good += z(1, 1, 1, 1) + i(3, 1, 4) + z(1, 1, 1, 2, 3, 4) + b"\n$EndElements\n"
    assert reader(good)().tags == (5,)
    assert not all(survives(reader(data)) for data in damaged(good, 300))
    for length in range(1, len(good) - 1):
        assert not survives(reader(good[:length])) or length >= len(good) - 2


@pytest.mark.parametrize("count", [b"99999999999999999", b"2000000000", b"-1", b"1e9", b"", b"1_0", b"9" * 3000])
@pytest.mark.parametrize("section", [b"$Nodes", b"$Elements"])
def test_huge_or_senseless_counts_are_refused_before_memory_is_taken(good, section, count, refuses, reader):
    data = re.sub(re.escape(section) + rb"\n\d+\n", section + b"\n" + count + b"\n", good, count=1)
    assert "bad.msh" in refuses(reader(data))


@pytest.mark.parametrize("header", [(4, 2**31 - 1, 2), (4, -5, 2), (4, 1, 2**30), (4, 1, -1), (99, 1, 2), (4, 0, 2)])
def test_senseless_element_blocks_are_refused(mesh, tmp_path, header, refuses, reader):
    gmsh.write_mesh(tmp_path / "good.msh", mesh)
    good = (tmp_path / "good.msh").read_bytes()
    place = good.index(b"$Elements\n55\n") + len(b"$Elements\n55\n")
    assert "bad.msh" in refuses(reader(good[:place] + struct.pack("<3i", *header) + good[place + 12 :]))


@pytest.mark.parametrize("node", [0, -3, 28, 2**31 - 1])
def test_dangling_node_numbers_are_refused(mesh, tmp_path, node, refuses, reader):
    gmsh.write_mesh(tmp_path / "good.msh", mesh)
    good = (tmp_path / "good.msh").read_bytes()
    place = good.index(b"$EndElements") - 4
    message = refuses(reader(good[:place] + struct.pack("<i", node) + good[place + 4 :]))
    assert f"refers to node {node}" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 1e5])
def test_senseless_coordinates_are_refused(mesh, tmp_path, value, refuses, reader):
    gmsh.write_mesh(tmp_path / "good.msh", mesh)
    good = (tmp_path / "good.msh").read_bytes()
    place = good.index(b"$Nodes\n27\n") + len(b"$Nodes\n27\n") + 4
    message = refuses(reader(good[:place] + struct.pack("<d", value) + good[place + 8 :]))
    assert "finite" in message or "millimeters" in message


def test_duplicate_node_numbers_are_refused(mesh, tmp_path, refuses, reader):
    gmsh.write_mesh(tmp_path / "good.msh", mesh)
    good = (tmp_path / "good.msh").read_bytes()
    place = good.index(b"$Nodes\n27\n") + len(b"$Nodes\n27\n")
    assert "unique" in refuses(reader(good[:place] + struct.pack("<i", 2) + good[place + 4 :]))


def test_foreign_formats_and_byte_orders_name_the_remedy(refuses, reader):
    big = b"$MeshFormat\n2.2 1 8\n" + struct.pack(">i", 1) + b"\n$EndMeshFormat\n"
    assert "big-endian" in refuses(reader(big))
    assert "-format msh2" in refuses(reader(b"$MeshFormat\n4.0 0 8\n$EndMeshFormat\n"))
    assert "$MeshFormat" in refuses(reader(b"\x93NUMPY" + bytes(100)))


@pytest.mark.parametrize(("components", "count"), [(3, 10**15), (10**6, 48), (0, 48), (3, 49), (3, -1)])
def test_senseless_data_sections_are_refused(mesh, tmp_path, components, count, refuses, reader):
    gmsh.write_mesh(tmp_path / "good.msh", mesh)
    good = (tmp_path / "good.msh").read_bytes()
    header = f'1\n"X"\n0\n3\n0\n{components}\n{count}\n'.encode()
    data = good + b"$ElementData\n" + header + bytes(48 * 28) + b"$EndElementData\n"
    assert "bad.msh" in refuses(reader(data))


def test_data_of_unknown_elements_are_refused(mesh, tmp_path, refuses, reader):
    gmsh.write_mesh(tmp_path / "good.msh", mesh, binary=False)
    good = (tmp_path / "good.msh").read_bytes()
    section = b'$ElementData\n1\n"X"\n0\n3\n0\n1\n1\n77 1.0\n$EndElementData\n'
    assert "'X'" in refuses(reader(good + section))
